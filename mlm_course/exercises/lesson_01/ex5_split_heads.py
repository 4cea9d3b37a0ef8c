"""Split into heads."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Vectors (B, T, H * D) and the number of heads."""
    return torch.randn(2, 5, 12, generator=g), 3


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Cut the last axis into two, then bring the axes into the order asked for.",
        "(B, T, H * D) -> reshape to (B, T, H, D) -> swap axes 1 and 2.",
        "return x.reshape(B, T, n_heads, width // n_heads).transpose(1, 2), after "
        "B, T, width = x.shape",
    ),
    mistakes=(
        Mistake(
            "The right shape, the wrong content: reshape keeps the numbers in their order, so each "
            "head got a few tokens' numbers. Reshape to (B, T, H, D) first, then swap two axes.",
            {"(B, T, n_heads": "(B, n_heads, T", ".transpose(1, 2)": ""},
        ),
        Mistake(
            "The right shape, the wrong content: the axes were swapped before the vectors were cut. "
            "Reshape to (B, T, H, D) first, then swap T and H.",
            {
                "pieces.transpose(1, 2)": "pieces",
                "x.reshape(B, T, n_heads": "x.transpose(1, 2).reshape(B, n_heads, T",
            },
        ),
        Mistake(
            "This is (B, T, H, D). One step is left: swap T and H, so that each head has its tokens "
            "together.",
            {".transpose(1, 2)": ""},
        ),
        Mistake(
            "Each head took every H-th number. The pieces lie one after the other: H comes before D "
            "in the reshape.",
            {
                "n_heads, width // n_heads": "width // n_heads, n_heads",
                "transpose(1, 2)": "permute(0, 3, 1, 2)",
            },
        ),
    ),
)
