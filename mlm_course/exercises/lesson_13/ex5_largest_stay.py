"""The largest weights stay."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake

SHAPES = ((4, 25), (5, 10), (3, 10), (5, 20))
# some of them times the number of weights come out a little below the integer that is meant
SPARSITIES = ((0.29, 0.58, 0.57), (0.58, 0.58, 0.6), (0.7, 0.4, 0.2), (0.29, 0.8, 0.3))


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Weights, rows of different sizes, so that each row has a threshold of its own; what goes."""
    kind = whole(g, 0, 4)
    rows, columns = SHAPES[kind]
    size = torch.linspace(0.3, 2, rows)[:, None]
    return size * torch.randn(rows, columns, generator=g), SPARSITIES[kind][whole(g, 0, 3)]


THRESHOLD = "size.flatten().sort().values[gone - 1]"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    trials=8,
    hints=(
        "Large means far from 0, on either side.",
        "Sort the absolute values of all weights together. How many go? That one's value is the "
        "threshold.",
        "size = weight.abs()\n"
        "gone = round(sparsity * size.numel())\n"
        "return size > size.flatten().sort().values[gone - 1]",
    ),
    mistakes=(
        Mistake(
            "Large negative weights go first here. It is the distance from 0 that counts: "
            "`weight.abs()`.",
            {"weight.abs()": "weight"},
        ),
        Mistake(
            "Inverted: True is what stays.",
            {"size > ": "size <= "},
        ),
        Mistake(
            "The same share of each row goes. Here all weights of the matrix compete with each other: "
            "flatten first.",
            {
                "weight.numel()": "weight.shape[1]",
                THRESHOLD: "size.sort(1).values[:, gone - 1, None]",
            },
        ),
        Mistake(
            "The same share of each column goes. Here all weights of the matrix compete with each other: "
            "flatten first.",
            {"weight.numel()": "len(weight)", THRESHOLD: "size.sort(0).values[gone - 1]"},
        ),
        Mistake(
            "`sparsity` is the share of the *weights* that go, not a share of the largest one: sort, "
            "and count.",
            {THRESHOLD: "sparsity * size.max()"},
        ),
        Mistake(
            "A share of `sparsity` stays, the largest ones. That is the share that goes.",
            {"sparsity * ": "(1 - sparsity) * "},
        ),
        Mistake(
            "`sparsity` is a share, not a threshold for the weights: find the threshold by sorting.",
            {THRESHOLD: "sparsity"},
        ),
        Mistake(
            "One weight too many stays: the largest of those that should go.",
            {"size > ": "size >= "},
        ),
        Mistake(
            "One weight too many stays where `sparsity` times the number of weights comes out a little "
            "below an integer: 0.29 * 100 is 28.999999999999996. Round, do not cut.",
            {"round(": "int("},
        ),
        Mistake(
            "One weight too few stays: the threshold is the size of the first that should stay.",
            {"[gone - 1]": "[gone]"},
        ),
        Mistake(
            "These are the weights that stay. Asked is *which* stay: booleans.",
            {f"size > {THRESHOLD}": f"weight * (size > {THRESHOLD})"},
        ),
    ),
)
