"""Scores with a mask, and the lengths of padded rows, which several exercises of the lesson use."""

import torch
from torch import Tensor


def scores_and_mask(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores (B, H, T, S) and a mask (B, 1, T, S) that leaves every query at least one key."""
    scores = 2 * torch.randn(2, 3, 5, 6, generator=g)
    mask = torch.rand(2, 1, 5, 6, generator=g) < 0.5
    return scores, mask | (torch.arange(6) == torch.randint(6, (1,), generator=g))


def lengths_and_size(g: torch.Generator) -> tuple[Tensor, int]:
    """Three lengths (B,), those of a full row, of some other and of an empty one; and the size."""
    return torch.tensor([6, int(torch.randint(1, 6, (1,), generator=g)), 0]), 6
