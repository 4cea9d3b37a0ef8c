"""Scores on a fair scale."""

import math  # noqa: F401 (the answer uses it)

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Queries (B, H, T, D) and keys (B, H, S, D)."""
    return torch.randn(2, 3, 5, 6, generator=g), torch.randn(2, 3, 7, 6, generator=g)


EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "What happens to the spread of a dot product when D becomes four times as large? Undo that.",
        "Swap the last two axes of k; then q @ k has one row a query and one column a key.",
        "return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])",
    ),
    mistakes=(
        Mistake(
            "The right products, but not scaled: with D = 64 softmax would be nearly all-or-nothing.",
            {" / math.sqrt(q.shape[-1])": ""},
        ),
        Mistake(
            "You divided by D. The spread grows with the square root of D.",
            {"math.sqrt(q.shape[-1])": "q.shape[-1]"},
        ),
        Mistake(
            "You scaled by the number of keys. The spread comes from D, how many numbers a vector "
            "has.",
            {"q.shape[-1]": "k.shape[-2]"},
        ),
        Mistake(
            "You divided by a fixed number, perhaps sqrt(64) from the sentence above. D is the "
            "number of components of *these* vectors: q.shape[-1].",
            {"math.sqrt(q.shape[-1])": "8"},
        ),
        Mistake(
            "You multiplied by sqrt(D), which makes the spread grow even faster. Divide.",
            {"/ math": "* math"},
        ),
        Mistake(
            "That is the cosine: it also forgets how long each vector is. Divide all dot products "
            "by the same number, sqrt(D).",
            {"math.sqrt(q.shape[-1])": "q.norm(dim=-1)[..., None] / k.norm(dim=-1)[..., None, :]"},
        ),
        Mistake(
            "These are weights already. Return the scores; softmax comes in the next exercise.",
            {"return q @": "return (q @", "sqrt(q.shape[-1])": "sqrt(q.shape[-1])).softmax(-1)"},
        ),
        Mistake(
            "Queries and keys have changed places: the result needs one row a query, one column a "
            "key.",
            {"q @ k": "k @ q"},
        ),
    ),
)
