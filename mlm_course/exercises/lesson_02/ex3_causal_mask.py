"""Causal mask."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int]:
    """A size from 4 to 7."""
    return (int(torch.randint(4, 8, (1,), generator=g)),)


EXERCISE = Exercise(
    minutes=5,
    inputs=inputs,
    hints=(
        "Draw the table for three words: which of its nine places are open?",
        "A boolean (size, size) matrix, True on the diagonal and below it.",
        "return torch.ones(size, size, dtype=torch.bool).tril()",
    ),
    mistakes=(
        Mistake(
            "This opens the future and closes the past. Rows are queries: row t should be True at "
            "the columns 0 to t.",
            {"tril()": "triu()"},
        ),
        Mistake(
            "A word may not listen to itself here, and the first word hears nothing at all. The "
            "diagonal is open.",
            {"tril()": "tril(-1)"},
        ),
        Mistake(
            "One place too far: every query sees the word right behind it, which is the answer.",
            {"tril()": "tril(1)"},
        ),
        Mistake(
            "Upside down: True means may attend here. (nn.MultiheadAttention reads it your way.)",
            {"tril()": "triu(1)"},
        ),
    ),
)
