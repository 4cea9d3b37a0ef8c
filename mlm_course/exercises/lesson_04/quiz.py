"""The quiz on corruption."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A row has 5 candidates and the ratio is 15 %. How many tokens does BERT's way hide?",
        right=("One.", "0.75 rounds to 1, and it would be at least one anyway."),
        wrong=(
            ("None: 15 % of 5 is less than one.", "Then the row would have no part in the loss."),
            ("It depends on chance.", "That is Bernoulli masking. BERT's count is fixed."),
        ),
    ),
    Question(
        prompt="A hidden token was left as it is. What is its label?",
        right=(
            "The token itself.",
            "It may be wrong for all the model knows, so it has to check.",
        ),
        wrong=(
            (
                "-100, since nothing is missing.",
                "The model cannot know that: it is asked all the same.",
            ),
            ("[MASK]", "[MASK] is never an answer."),
        ),
    ),
    Question(
        prompt="What makes masking dynamic?",
        right=(
            "It is drawn anew whenever the text is shown.",
            "Static masking is drawn once, before training.",
        ),
        wrong=(
            ("It follows the content of the text.", "That would be score-guided masking."),
            ("Its ratio follows the length of the text.", "That is a length-adaptive ratio."),
        ),
    ),
    Question(
        prompt="A model's loss on tinyworld lies below the floor. What has happened?",
        right=(
            "Chance on few sentences, or a leak: it sees something it should not.",
            "Or model and floor were scored on different hidden places.",
        ),
        wrong=(
            ("It has understood the language perfectly.", "Perfect understanding *is* the floor."),
            (
                "It needs more training.",
                "More training cannot help: on average nothing lies below the floor.",
            ),
        ),
    ),
)
