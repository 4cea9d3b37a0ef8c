"""Causal and padding."""

from mlm_course.attention import causal_mask, padding_mask  # noqa: F401 (the answer uses it)
from mlm_course.exercises.lesson_02.scores_and_lengths import lengths_and_size
from mlm_course.practice.exercise import Exercise, Mistake

EXERCISE = Exercise(
    minutes=5,
    inputs=lengths_and_size,
    hints=(
        "A place is open if both masks leave it open. Which operator says that for booleans?",
        "(size, size) and (B, 1, 1, size) broadcast to (B, 1, size, size) by themselves.",
        "return causal_mask(size) & padding_mask(lengths, size)",
    ),
    mistakes=(
        Mistake(
            "With `|` a place is open if *one* of the masks opens it. Both have to: use `&`.",
            {" & ": " | "},
        ),
        Mistake(
            "Only the padding is closed: the future is still open.",
            {
                "causal_mask(size) & ": "",
                "lengths, size)": "lengths, size).expand(-1, 1, size, -1)",
            },
        ),
        Mistake(
            "Only the future is closed: padding is still heard.",
            {" & padding_mask(lengths, size)": ".expand(len(lengths), 1, -1, -1)"},
        ),
        Mistake(
            "The rows of padding queries are closed as well. They are harmless, and a query with "
            "nothing to hear makes trouble (section 6): close keys only.",
            {"causal_mask(size)": "causal_mask(size) & padding_mask(lengths, size).mT"},
        ),
    ),
)
