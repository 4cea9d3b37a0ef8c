"""How many directions?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Vectors (40, 12) with a common part, spread more in some directions, and a share."""
    sizes = torch.linspace(1, 2, 12)
    mixed = torch.linalg.qr(torch.randn(12, 12, generator=g))[0]
    x = (torch.randn(40, 12, generator=g) * sizes) @ mixed
    return x + 3 * mixed[0], 0.5 + 0.3 * torch.rand((), generator=g).item()


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    trials=12,
    hints=(
        "The squares of the singular values say how much of all squared lengths lies in each "
        "direction, the largest first.",
        "Running sums of the squares, divided by the total, climb to 1. Count how many stay below "
        "`share`; the next one reaches it.",
        "energy = torch.linalg.svdvals(x).square()\n"
        "reached = energy.cumsum(0) / energy.sum()\n"
        "return int((reached < share).sum()) + 1",
    ),
    mistakes=(
        Mistake(
            "You added up the singular values. Their squares are the squared lengths.",
            {".square()": ""},
        ),
        Mistake(
            "The singular values of x.T @ x are the squared ones of x already: their squares are "
            "fourth powers.",
            {"svdvals(x)": "svdvals(x.T @ x)"},
        ),
        Mistake(
            "That compares each direction's own part with `share`. It is the sum of the largest ones "
            "that has to reach it.",
            {"energy.cumsum(0) / energy.sum()": "energy / energy.sum()"},
        ),
        Mistake(
            "You subtracted the mean first. Here the common part counts as a direction, too.",
            {"svdvals(x)": "svdvals(x - x.mean(0))"},
        ),
        Mistake(
            "One too few: these directions stay below `share`, and the next one reaches it.",
            {" + 1": ""},
        ),
        Mistake(
            "The smallest directions came first. Begin with the largest.",
            {".square()": ".square().flip(0)"},
        ),
        Mistake(
            "This is the rank: every direction counts, however little lies in it. Stop as soon as "
            "`share` is reached.",
            {"int((reached < share).sum()) + 1": "int(torch.linalg.matrix_rank(x))"},
        ),
    ),
)
