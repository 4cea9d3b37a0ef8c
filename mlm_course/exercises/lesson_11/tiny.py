"""A tiny model and texts for it, which several exercises of the lesson use."""

import math

import torch
from torch import Tensor

PAD_ID, MASK_ID = 0, 4
VOCABULARY = 12  # ids 0 to 4 are special


class TinyModel:
    """A model whose answers depend on all of the page: ids (B, N) -> logits (B, N, V)."""

    def __init__(self, g: torch.Generator) -> None:
        self.words = torch.randn(VOCABULARY, 8, generator=g)
        self.places = torch.randn(16, 8, generator=g)
        self.back = 2 * torch.randn(8, VOCABULARY, generator=g)

    def __call__(self, page: Tensor) -> Tensor:
        x = self.words[page] + self.places[: page.shape[1]]
        scores = (x + 2 * x.mean(1, keepdim=True)).tanh() @ self.back
        return scores.index_fill(-1, torch.arange(5), -math.inf)


def texts(g: torch.Generator) -> Tensor:
    """Four texts of 5 to 9 words, (4, 9), padded."""
    ids = torch.randint(5, VOCABULARY, (4, 9), generator=g)
    return ids.masked_fill(torch.arange(9) >= torch.tensor([[9], [6], [7], [5]]), PAD_ID)
