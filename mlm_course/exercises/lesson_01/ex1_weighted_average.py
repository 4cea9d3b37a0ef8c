"""Many weighted averages at once."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weights (B, H, T, S) that sum to 1 over S, and values (B, H, S, D)."""
    return torch.randn(2, 3, 5, 7, generator=g).softmax(-1), torch.randn(2, 3, 7, 4, generator=g)


EXERCISE = Exercise(
    minutes=4,
    inputs=inputs,
    hints=(
        "Above, one row of weights met the values in a single operation. The same operation "
        "takes many rows.",
        "(..., T, S) and (..., S, D) share S. The result (..., T, D) has lost it.",
        "return weights @ values",
    ),
    mistakes=(
        Mistake(
            "This is the plain average: every value counts the same, and the weights are not used.",
            {"weights @ values": "torch.full_like(weights, 1 / weights.shape[-1]) @ values"},
        ),
        Mistake(
            "You divided by the number of keys. The weights sum to 1 already: they are the division.",
            {"weights @ values": "weights @ values / weights.shape[-1]"},
        ),
        Mistake(
            "You weighted each value, but an average also adds them up: sum over the keys, the axis S.",
            {"weights @ values": "weights.unsqueeze(-1) * values.unsqueeze(-3)"},
        ),
        Mistake(
            "You rescaled the weights over the queries (axis T). Each *query's* weights sum to 1 "
            "already.",
            {"weights @ values": "weights / weights.sum(-2, keepdim=True) @ values"},
        ),
    ),
)
