"""Softmax that survives large scores."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Scores (B, T, S) around 0, around 500, around -500, and with one key far above the others."""
    scores = 3 * torch.randn(2, 4, 6, generator=g)
    scores[:, 1] += 500
    scores[:, 2] -= 500
    scores[:, 3, 0] += 1000
    return (scores,)


EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    hints=(
        "Adding the same number to all scores of a query changes nothing. Which number makes exp "
        "safe?",
        "Subtract each query's own largest score: scores.amax(-1, keepdim=True) is (..., T, 1).",
        "e = (scores - scores.amax(-1, keepdim=True)).exp(); return e / e.sum(-1, keepdim=True)",
    ),
    mistakes=(
        Mistake(
            "Right for small scores, but exp(500) overflows to inf, exp(-500) vanishes, and the "
            "division gives NaN. Subtract each query's largest score first.",
            {" - scores.amax(-1, keepdim=True)": ""},
        ),
        Mistake(
            "Your weights sum to 1 over the queries. Each query needs its own average: normalise "
            "over the keys, the last axis.",
            {"amax(-1": "amax(-2", "sum(-1": "sum(-2"},
        ),
        Mistake(
            "You subtracted the largest score of all. A query whose scores all lie far below it is "
            "left with zeros only, and 0 / 0 is NaN. Subtract each query's own largest.",
            {"amax(-1, keepdim=True)": "max()"},
        ),
        Mistake(
            "The mean is not enough: the largest score can still lie far above it, and exp "
            "overflows. Subtract each query's largest score.",
            {"amax": "mean"},
        ),
        Mistake(
            "The exponentials are right and safe, but they do not sum to 1 yet: divide by their sum.",
            {" / exponentials.sum(-1, keepdim=True)": ""},
        ),
        Mistake(
            "A sign is the wrong way round: the best-matching key gets the smallest weight.",
            {"scores - scores.amax": "-scores - (-scores).amax"},
        ),
    ),
)
