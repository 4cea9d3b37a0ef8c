"""Scale the scores."""

import math  # noqa: F401 the answer uses it

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Queries and keys, more keys than queries."""
    return torch.randn(2, 3, 8, generator=generator), torch.randn(2, 5, 8, generator=generator)


EXERCISE = Exercise(
    answer="""\
def scores(q, k):
    return q @ k.mT / math.sqrt(q.shape[-1])
""",
    inputs=inputs,
    hints=("A nudge.", "A `shape`.", "return q @ k.mT / math.sqrt(q.shape[-1])"),
    mistakes=(
        Mistake("Not scaled.", {" / math.sqrt(q.shape[-1])": ""}),
        Mistake(
            "The last two axes of k are not swapped.",
            {"k.mT": "k", " / math.sqrt(q.shape[-1])": ""},
        ),
        Mistake("Divided by <D>.", {"math.sqrt(q.shape[-1])": "q.shape[-1]"}),
    ),
)
