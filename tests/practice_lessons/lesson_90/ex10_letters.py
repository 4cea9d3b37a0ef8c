"""Count <letters>."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise


def inputs(generator: torch.Generator) -> tuple[list[str], Tensor]:
    """Arguments of two kinds."""
    return ["a", "abc"], torch.rand(3, generator=generator)


EXERCISE = Exercise(
    answer="""\
def longest(words, weights):
    return max(map(len, words)), float(weights.sum())
""",
    inputs=inputs,
    hints=("Only one.",),
    mistakes=(),
)
