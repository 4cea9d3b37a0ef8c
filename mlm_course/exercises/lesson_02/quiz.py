"""The quiz on attention masks."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Weights of closed keys are set to 0 after softmax. What is wrong with the rest?",
        right=(
            "They sum to less than 1, by an amount that depends on the query.",
            "What is left is no average: it shrinks, more for a query that liked the closed keys.",
        ),
        wrong=(
            (
                "Nothing: a weight of 0 is a weight of 0, and the other weights keep their ratios.",
                "Their ratios are right, their sum is not.",
            ),
            (
                "They sum to less than 1, by the same amount for each query.",
                "How much the closed keys had taken differs from query to query.",
            ),
        ),
    ),
    Question(
        prompt="A padding mask has the shape (B, 1, 1, S). Who may not do what?",
        right=(
            "Nobody in the row may listen to its padding, padding itself included.",
            "The last axis is that of the keys; the line holds for every head and query.",
        ),
        wrong=(
            (
                "Padding may not listen to anybody, and nobody may listen to padding.",
                "The rows of padding queries stay open: they are harmless.",
            ),
            (
                "Padding may not listen to words, while words may listen to padding as before.",
                "That would close rows, as a mask (B, 1, S, 1) does.",
            ),
        ),
    ),
    Question(
        prompt="Your left-to-right model reaches a loss of 0.01 on new, random sentences. What comes first?",
        right=(
            "Replace the last words of a sentence and see whether earlier outputs move.",
            "If they do, the future leaks into the past, and the loss means nothing.",
        ),
        wrong=(
            (
                "Exchange the last two words of a sentence and see whether earlier outputs move.",
                "A model without positions would not notice, leak or no leak (exercise 2.4).",
            ),
            (
                "Look for sentences that were also in training, since this is overfitting.",
                "Overfitting does not help on new sentences; names nobody can know were guessed.",
            ),
            (
                "Measure the loss on more sentences, since so low a value must be luck.",
                "Luck does not reach 0.01 on random names; a leak does, on any number of them.",
            ),
        ),
    ),
    Question(
        prompt="-1e9 takes the place of minus infinity. For which queries does that change the weights?",
        right=(
            "For those, if any, that may attend to nothing at all.",
            "All their scores are equal then, and they hear what they must not, evenly.",
        ),
        wrong=(
            (
                "For those with large scores, which 1e9 is too close to.",
                "Scores are in the hundreds at most: exp of the difference is 0 in float32.",
            ),
            (
                "For all: closed keys keep a tiny weight.",
                "exp(-1e9) is 0 in float32, and in float64, too.",
            ),
            (
                "For those of padding, which hear their own padding in place of nothing.",
                "A padding mask leaves them the words of their row.",
            ),
        ),
    ),
    Question(
        prompt="In BERT's input some words were replaced by [MASK]. Who may attend to [MASK]?",
        right=(
            "Every token of the sentence, and it attends to each of them.",
            "It must listen, since a word has to be guessed at its place; padding alone is closed.",
        ),
        wrong=(
            (
                "No token, while it attends to every token that is left.",
                "That mixes up two masks. [MASK] is a token, and its key is open.",
            ),
            (
                "Only the other [MASK] tokens, while it attends to every word that is left.",
                "Nothing in BERT's attention mask looks at what stands at a place.",
            ),
        ),
    ),
)
