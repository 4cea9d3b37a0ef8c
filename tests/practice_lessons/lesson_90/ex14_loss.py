"""A loss."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Three tensors that all require a gradient."""
    x, y, z = torch.randn(3, 3, 4, generator=generator)
    return x.clone().requires_grad_(), y.clone().requires_grad_(), z.clone().requires_grad_()


EXERCISE = Exercise(
    answer="""\
def loss(x, y, z):
    return (x - y * z.detach()).square().mean()
""",
    inputs=inputs,
    hints=(),
    mistakes=(
        Mistake("Added up, not averaged.", {".mean()": ".sum()"}),
        Mistake("Nothing reaches y.", {"- y": "- y.detach()"}),
    ),
    backward=True,
)
