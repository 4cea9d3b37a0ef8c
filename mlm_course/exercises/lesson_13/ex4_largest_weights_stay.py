"""The largest weights stay."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Weights (R, 10), rows of different sizes, so that each row has a threshold of its own."""
    rows = whole(g, 3, 6)
    size = torch.linspace(0.3, 2, rows)[:, None]
    return size * torch.randn(rows, 10, generator=g), whole(g, 2, 9) / 10


THRESHOLD = "size.flatten().sort().values[gone - 1]"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Large means far from 0, on either side.",
        "Sort the absolute values of all weights together. How many go? That one's value is the "
        "threshold.",
        "size = weight.abs(); gone = round(sparsity * size.numel()); "
        "return size > size.flatten().sort().values[gone - 1]",
    ),
    mistakes=(
        Mistake(
            "You sorted the weights themselves: large negative ones go first. It is the distance "
            "from 0 that counts: `weight.abs()`.",
            {"weight.abs()": "weight"},
        ),
        Mistake(
            "Inverted: True is what stays.",
            {"size > ": "size <= "},
        ),
        Mistake(
            "You removed the same share of each row. Here all weights of the matrix compete with "
            "each other: flatten first.",
            {
                "weight.numel()": "weight.shape[1]",
                THRESHOLD: "size.sort(1).values[:, gone - 1, None]",
            },
        ),
        Mistake(
            "You removed the same share of each column. Here all weights of the matrix compete with "
            "each other: flatten first.",
            {"weight.numel()": "len(weight)", THRESHOLD: "size.sort(0).values[gone - 1]"},
        ),
        Mistake(
            "`sparsity` is the share of the *weights* that go, not a share of the largest one: sort, "
            "and count.",
            {THRESHOLD: "sparsity * size.max()"},
        ),
        Mistake(
            "You kept a share of `sparsity`. That is the share that goes.",
            {"sparsity * ": "(1 - sparsity) * "},
        ),
        Mistake(
            "`sparsity` is a share, not a threshold for the weights: find the threshold by sorting.",
            {THRESHOLD: "sparsity"},
        ),
        Mistake(
            "These are the weights that stay. Asked is *which* stay: booleans.",
            {f"size > {THRESHOLD}": f"weight * (size > {THRESHOLD})"},
        ),
    ),
)
