"""Add noise."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise


def inputs(generator: torch.Generator) -> tuple[Tensor, torch.Generator]:
    """Two to four zeros, and the generator itself."""
    return torch.zeros(int(torch.randint(2, 5, (), generator=generator))), generator


EXERCISE = Exercise(
    answer="""\
def noisy(values, generator):
    return values + torch.rand(values.shape, generator=generator)
""",
    inputs=inputs,
    hints=(),
    mistakes=(),
    trials=4,
)
