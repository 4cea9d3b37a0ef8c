"""The quiz on tokens."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A vocabulary holds the pieces un, under and ##dertow, and no others. How does WordPiece "
        "cut the word undertow?",
        right=(
            "As [UNK]: all of the word is lost.",
            "It takes under, finds nothing that begins with ##t, and gives up the word.",
        ),
        wrong=(
            (
                "As un ##dertow.",
                "It would have to take back under, the longest piece that fits at the front. It never "
                "does.",
            ),
            (
                "As under [UNK], since the rest is missing.",
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
                "A typing error would do more harm.",
                "Less: it changes one token. With word pieces it can break up a whole word.",
            ),
            (
                "The embedding table would be larger.",
                "It would be tiny: some hundred signs in place of thousands of pieces.",
            ),
        ),
    ),
    Question(
        prompt="The merges are (l, o), (o, w), (lo, w). How does BPE cut slow?",
        right=(
            "s low",
            "(l, o) comes first and leaves no o for (o, w); then (lo, w). Nothing joins s and low.",
        ),
        wrong=(
            ("s lo w", "After (l, o) the neighbours lo and w are a pair of the list as well."),
            ("s l ow", "(o, w) comes later in the list than (l, o), which takes the o first."),
            ("slow", "No merge has s as one of its parts."),
        ),
    ),
    Question(
        prompt="A text has 2,000 tokens, the model takes 512. What makes it fit?",
        right=(
            "Cutting it into windows of 512 or fewer.",
            "Overlapping ones, if what stands at an edge should also stand inside a window.",
        ),
        wrong=(
            (
                "A mask: each token attends to its nearest 512.",
                "The row still has 2,000 places, and the model has a position for 512 only.",
            ),
            (
                "Packing it without any gap.",
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
    Question(
        prompt="Windows of 10 tokens; each token is to be read with at least 2 others on both sides. How far "
        "apart do the windows begin at most?",
        right=(
            "6 tokens",
            "Of a window's ten tokens the middle six have two others on both sides.",
        ),
        wrong=(
            (
                "8 tokens",
                "Then neighbours share two tokens. Each of these has too few on one side, whichever "
                "window it is read in.",
            ),
            ("10 tokens", "Then windows do not overlap, and tokens at a seam see one side only."),
            ("2 tokens", "That is more windows than are needed."),
        ),
    ),
)
