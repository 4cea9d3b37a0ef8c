"""The quiz on MLM pretraining."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does the loss look at hidden tokens only?",
        right=(
            "Visible tokens stand in the input: naming them only takes copying.",
            "A mean over all tokens would be low without any knowledge of the language.",
        ),
        wrong=(
            (
                "The model computes nothing at visible places.",
                "It computes a vector for every token; hidden ones need the visible ones' vectors.",
            ),
            (
                "Visible tokens have no true id.",
                "They have one, and it is known. It is just no question worth asking.",
            ),
        ),
    ),
    Question(
        prompt="A model has a perplexity of 10. What does that say?",
        right=(
            "On average the true word surprises it like one of ten equally likely words.",
            "exp(loss) = 10, and -log(1/10) is the same loss.",
        ),
        wrong=(
            (
                "One answer in ten is right.",
                "Perplexity does not say how often the best guess hits.",
            ),
            ("It is ten times better than chance.", "Chance is the vocabulary's size, not 1."),
            ("Its loss is 10 nats.", "Its loss is log 10, about 2.3 nats."),
        ),
    ),
    Question(
        prompt="You try ten learning rates, keep the one with the lowest loss on the test set, and "
        "report that loss. What is wrong?",
        right=(
            "The test set helped to choose, so its loss is too good.",
            "Choose on the validation set, then look at the test set once.",
        ),
        wrong=(
            (
                "Nothing: the model never trained on the test set.",
                "But you did the choosing on it, and the luckiest of ten looks better than it is.",
            ),
            (
                "It should have been the lowest training loss.",
                "That favours whichever run learnt its rows by heart.",
            ),
        ),
    ),
    Question(
        prompt="When does static masking (one copy) hurt most against dynamic masking?",
        right=(
            "With little text and many epochs.",
            "The same gaps come back again and again, and are learnt by heart.",
        ),
        wrong=(
            ("With much text and one epoch.", "Then each row is seen once, and both are the same."),
            (
                "With a large batch.",
                "How many rows share a step changes nothing about their masks.",
            ),
        ),
    ),
    Question(
        prompt="On many sentences of tinyworld a model's loss is .05 nats above the floor. What is this "
        "gap?",
        right=(
            "What the model does not know yet about the language.",
            "The floor is the loss of the exact probabilities. All above it is the model's own.",
        ),
        wrong=(
            (
                "The randomness of the language.",
                "That is the floor itself: even who knows the language perfectly has that loss.",
            ),
            (
                "Bad luck in the choice of sentences.",
                "On few sentences it might be. On many, luck evens out.",
            ),
        ),
    ),
    Question(
        prompt="A token is visible, and the loss looks at hidden tokens only. Does the token's embedding "
        "get a gradient?",
        right=(
            "Yes: through attention it is part of what hidden tokens are guessed from.",
            "This is how the model learns to use the words that it sees.",
        ),
        wrong=(
            (
                "No: its own logits are not in the loss.",
                "They are not. But its vector is in the logits of others.",
            ),
            (
                "Only if it is left unchanged by 80 / 10 / 10.",
                "Then it would be one of the hidden ones, with a loss of its own.",
            ),
        ),
    ),
)
