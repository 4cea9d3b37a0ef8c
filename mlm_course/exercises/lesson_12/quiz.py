"""The quiz on masked diffusion."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="A masked language model is trained on every share of hidden words; N times a sentence's "
        "mean surprise is averaged over all shares. What is that?",
        right=(
            "At least -log of the probability that the model writes the sentence in a random order.",
            "Jensen: the mean of the logarithms over all orders is never above the logarithm of the mean.",
        ),
        wrong=(
            (
                "Exactly -log p of the sentence.",
                "Only if all orders agree, as with the exact conditionals.",
            ),
            (
                "The pseudo-likelihood.",
                "That uses one share only: a single word hidden at a time.",
            ),
        ),
    ),
    Question(
        prompt="Why is the surprise at rate t weighed by 1 / t?",
        right=(
            "A rate t hides t N words on average; 1 / t makes it count as N, whatever t.",
            "Then each number of hidden words counts the same, as in the sum over an order.",
        ),
        wrong=(
            (
                "Because a small rate makes easier questions.",
                "It does, but that is not the reason.",
            ),
            ("To keep the gradients small.", "It makes those of small rates larger, if anything."),
        ),
    ),
    Question(
        prompt="A perfect model fills a blank line in one step. Most of the sentences are not valid. Why?",
        right=(
            "Each word is drawn without knowing what the others turned out to be.",
            "Each one is right by itself. One or a few at a time they can agree.",
        ),
        wrong=(
            ("It was not trained long enough.", "It is perfect: its guesses are the exact ones."),
            (
                "The temperature is too high.",
                "At 0 each place gets its likeliest word, and still no word knows of the others.",
            ),
        ),
    ),
    Question(
        prompt="LLaDA's and Mask-Predict's rules with argmax write valid sentences from blank lines. What is "
        "wrong with them?",
        right=(
            "There is one sentence for each length.",
            "Nothing is drawn, so the same blank line always becomes the same text.",
        ),
        wrong=(
            ("They take more steps.", "They take as many as they are given."),
            (
                "They are not trained on every share.",
                "A rule is not trained. The model behind it was trained on every share.",
            ),
        ),
    ),
    Question(
        prompt="An autoregressive model keeps keys and values of what it has written, and they stay right. Why "
        "not so when a model with attention both ways fills a line?",
        right=(
            "Each newly filled word changes the vectors of all places, earlier ones included.",
            "So what was kept is an approximation, unless finished blocks do not look ahead.",
        ),
        wrong=(
            ("It has no keys and values.", "It has: it is an ordinary transformer encoder."),
            ("They would not fit into memory.", "They are as large as in any other transformer."),
        ),
    ),
)
