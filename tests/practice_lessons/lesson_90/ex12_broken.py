"""Broken by its author."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise


def inputs(generator: torch.Generator) -> tuple[Tensor]:
    """Three numbers."""
    return (torch.rand(3, generator=generator),)


EXERCISE = Exercise(
    answer="""\
def nothing(values):
    return None
""",
    inputs=inputs,
    hints=(),
    mistakes=(),
)
