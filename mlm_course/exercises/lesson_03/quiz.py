"""The quiz on tokens."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A vocabulary holds the pieces un, under and ##dertow, and no others. How does WordPiece "
        "cut the word undertow?",
        right=(
            "[UNK], although a cut exists.",
            "It takes under, finds nothing that begins with ##t, and gives up the word.",
        ),
        wrong=(
            (
                "un ##dertow, the only cut that works.",
                "It would have to take back under, the longest piece that fits at the front. It never "
                "does.",
            ),
            (
                "under [UNK], since the rest is missing.",
                "If the rest cannot be built, the whole word is unknown, the beginning included.",
            ),
        ),
    ),
    Question(
        prompt="With letters as tokens hardly a word would be unknown. What speaks against it?",
        right=(
            "Rows become several times as long.",
            "And attention computes a score for every pair of tokens in a row.",
        ),
        wrong=(
            (
                "The vocabulary becomes too large.",
                "It becomes tiny: some hundred signs in place of thousands of pieces.",
            ),
            (
                "No model can learn words from letters.",
                "Models that read letters or bytes exist. They pay for it with long rows.",
            ),
        ),
    ),
    Question(
        prompt="A text has 2,000 tokens, the model takes 512. Which of these makes it fit?",
        right=(
            "Windows, each of 512 tokens or fewer.",
            "Overlapping ones, if what stands at an edge should also stand inside a window.",
        ),
        wrong=(
            (
                "A larger batch, with room for 2,000 tokens.",
                "A batch has more rows. Each row may still be no longer than 512.",
            ),
            (
                "Packing, which leaves no room unused.",
                "Packing fills rows up. It makes no text shorter.",
            ),
        ),
    ),
    Question(
        prompt="Three short texts are packed into one row. What can stop them from attending to each other?",
        right=(
            "An attention mask made from the number of each token's text.",
            "Query and key have to carry the same number: lesson 2's third mask.",
        ),
        wrong=(
            (
                "The [SEP] tokens between them, which attention does not cross.",
                "[SEP] is a token like others, and attention reaches past it.",
            ),
            (
                "Positions that begin again at 0 with each of the texts.",
                "They say where a token stands. Whom it may attend to is the mask's business.",
            ),
        ),
    ),
)
