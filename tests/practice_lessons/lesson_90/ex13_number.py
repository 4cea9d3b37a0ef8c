"""A plain number."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[Tensor]:
    """Five numbers."""
    return (torch.rand(5, generator=generator),)


EXERCISE = Exercise(
    answer="""\
def total(values):
    return values.sum().item()
""",
    inputs=inputs,
    hints=(),
    mistakes=(Mistake("Not the sum.", {"sum": "mean"}, {"sum": "amax"}),),
    exact_types=True,
)
