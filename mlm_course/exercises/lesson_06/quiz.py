"""The quiz on MLM pretraining."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why does the loss look at hidden tokens only?",
        right=(
            "Visible tokens stand in the input, so that naming them takes no more than copying.",
            "A mean over all tokens would be low without any knowledge of the language.",
        ),
        wrong=(
            (
                "The encoder computes vectors at hidden places alone; visible ones have no logits.",
                "It computes a vector for every token; hidden ones need the visible ones' vectors.",
            ),
            (
                "A visible token has no true id that could be the label.",
                "It has one, and it is known. It is just no question worth asking.",
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
                "Its first guess is right in one of ten cases, counted over all hidden tokens.",
                "Perplexity does not say how often the best guess hits.",
            ),
            (
                "It keeps ten words in play and gives all others no probability.",
                "Every word has some. It is an average surprise, not a number of candidates.",
            ),
            (
                "Its loss is 10 nats for each of the hidden tokens.",
                "Its loss is log 10, about 2.3 nats.",
            ),
        ),
    ),
    Question(
        prompt="You try ten learning rates, keep the one with the lowest loss on the test set, and "
        "report that loss. What is wrong?",
        right=(
            "The test set has chosen the rate, so its loss is too good.",
            "Choose on the validation set, then look at the test set once.",
        ),
        wrong=(
            (
                "Nothing: none of the ten models was ever trained on a sentence of the test set.",
                "But you did the choosing on it, and the luckiest of ten looks better than it is.",
            ),
            (
                "The training loss should choose: it rests on more data.",
                "That favours whichever run learned its rows by heart.",
            ),
        ),
    ),
    Question(
        prompt="When does static masking (one copy) hurt most against dynamic masking?",
        right=(
            "With little text that is seen again and again, in many epochs.",
            "The same gaps come back again and again, and are learned by heart.",
        ),
        wrong=(
            (
                "With so much text that training ends before its first epoch does.",
                "Then each row is seen at most once, and both are the same.",
            ),
            (
                "With large batches, as many rows are then masked alike.",
                "How many rows share a step changes nothing about their masks.",
            ),
        ),
    ),
    Question(
        prompt="On many sentences of tinyworld a model's loss is .05 nats above the floor. What is this "
        "gap?",
        right=(
            "What the model does not know yet about how likely words are.",
            "The floor is the loss of the exact probabilities. All above it is the model's own.",
        ),
        wrong=(
            (
                "The randomness of the language, which nobody can predict, however good.",
                "That is the floor itself: even who knows the language perfectly has that loss.",
            ),
            (
                "The luck of the sentences drawn for the validation.",
                "On few sentences it might be. On many, luck evens out.",
            ),
        ),
    ),
    Question(
        prompt="A token is visible, and the loss looks at hidden tokens only. Does the token's embedding "
        "get a gradient?",
        right=(
            "Yes: hidden tokens are guessed from it, too.",
            "This is how the model learns to use the words that it sees.",
        ),
        wrong=(
            (
                "No: its own logits are not in the loss, so nothing flows back to it.",
                "They are not. But its vector is in the logits of others.",
            ),
            (
                "Only if it is one of those left as they are by 80/10/10.",
                "Then it would be one of the hidden ones, with a loss of its own.",
            ),
        ),
    ),
)
