"""The quiz on attention masks."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why minus infinity before softmax, and not zero after it?",
        right=(
            "So that the remaining weights still sum to 1.",
            "Softmax shares out the full 1 among the keys that are left.",
        ),
        wrong=(
            ("Zero after softmax is slower.", "Both are quick. It is the result that differs."),
            ("So that no weight is negative.", "Softmax never gives a negative weight."),
        ),
    ),
    Question(
        prompt="A padding mask has the shape (B, 1, 1, S). Why the ones?",
        right=(
            "The same keys are closed for every head and every query, and broadcasting repeats "
            "them.",
            "Heads and queries do not change where the padding is.",
        ),
        wrong=(
            ("Padding is only one token long.", "Padding may be any number of tokens, up to S."),
            (
                "PyTorch accepts nothing else.",
                "It accepts whatever broadcasts to (B, H, T, S), the full shape included.",
            ),
        ),
    ),
    Question(
        prompt="Your left-to-right model reaches a loss of 0.01 on random sentences. What do you do first?",
        right=(
            "Change the end of a sentence and see whether earlier outputs move.",
            "If they do, the future leaks into the past, and the loss means nothing.",
        ),
        wrong=(
            ("Celebrate, then train on more data.", "Nobody can guess random names that well."),
            (
                "Train for longer, to be sure.",
                "A leak gets better and better with training, which proves nothing.",
            ),
        ),
    ),
    Question(
        prompt="In BERT's input some words were replaced by [MASK]. Who may attend to [MASK]?",
        right=(
            "Every token, and it attends to every token.",
            "It must listen, since a word has to be guessed at its place.",
        ),
        wrong=(
            (
                "Nobody: it is masked.",
                "That mixes up the two masks. [MASK] is a token like others.",
            ),
            ("Only [MASK] itself.", "Then it could learn nothing about the words around it."),
        ),
    ),
)
