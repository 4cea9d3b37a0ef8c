"""The quiz on attention."""

from mlm_course.practice.exercise import Question

QUIZ = (
    Question(
        prompt="Why are the scores divided by sqrt(D)?",
        right=(
            "So that softmax does not become all-or-nothing when vectors have more numbers.",
            "The spread of dot products grows like sqrt(D), and softmax turns large "
            "differences into a single 1.",
        ),
        wrong=(
            ("So that the weights sum to 1.", "Softmax sees to that, whatever the scores are."),
            ("To make the computation cheaper.", "A division makes nothing cheaper."),
        ),
    ),
    Question(
        prompt="A sentence of 10 words attends to a sentence of 7 words. How many weights does one head have?",
        right=("70: one for each pair.", "T = 10 queries times S = 7 keys."),
        wrong=(
            ("17: one for each word.", "Each query has a weight of its own for each key."),
            ("49", "That would be the 7 words attending to themselves."),
        ),
    ),
    Question(
        prompt="Every box pointed to two boxes. Why was one head not enough?",
        right=(
            "One look gives one average of both boxes, and one matrix could not read both digits "
            "out of it.",
            "Two heads keep the two looks apart. (A small network behind one head took much of the "
            "mixture apart.)",
        ),
        wrong=(
            ("It had too few numbers to learn.", "Both models had exactly as many."),
            ("It was not trained for long enough.", "Three times the steps left it where it was."),
        ),
    ),
    Question(
        prompt="You reverse the order of the tokens. What does attention (without positions) do?",
        right=(
            "It gives the same outputs, in reversed order.",
            "To attention a sentence is a bag of words.",
        ),
        wrong=(
            (
                "It gives different outputs, since order matters in language.",
                "It matters in language, but nothing in attention knows about it. Positions have "
                "to be added.",
            ),
            ("It fails.", "It runs without complaint, which is what makes this easy to overlook."),
        ),
    ),
)
