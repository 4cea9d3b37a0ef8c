"""Parts of a network, as several exercises of the lesson take them for arguments."""

from typing import TypeVar

import torch
from torch import nn

from mlm_course.attention import MultiHeadAttention
from mlm_course.models.encoder import FeedForward

Part = TypeVar("Part", bound=nn.Module)


def randomised(module: Part, g: torch.Generator) -> Part:
    """Every parameter moved, so that a bias or a norm that is left out shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    module.requires_grad_(False)
    return module.eval()


def block_parts(g: torch.Generator) -> tuple:
    """x (2, 5, 12), and a block's attention, norm, feed-forward network and norm."""
    x = torch.randn(2, 5, 12, generator=g)
    parts = MultiHeadAttention(12, 3), nn.LayerNorm(12), FeedForward(12, 20), nn.LayerNorm(12)
    return (x, *(randomised(part, g) for part in parts))
