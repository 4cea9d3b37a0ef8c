"""A mistake that only shows in the arguments."""

import math

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Queries and keys, more keys than queries."""
    return torch.randn(2, 3, 8, generator=generator), torch.randn(2, 5, 8, generator=generator)


def scaled_in_place(q, k):
    """A mistake with a function of its own."""
    q /= math.sqrt(q.shape[-1])
    return q @ k.mT


EXERCISE = Exercise(
    answer="""\
def scores(q, k):
    return q @ k.mT / math.sqrt(q.shape[-1])
""",
    inputs=inputs,
    hints=("One.",),
    mistakes=(Mistake("Scaled q for everybody.", scaled_in_place),),
)
