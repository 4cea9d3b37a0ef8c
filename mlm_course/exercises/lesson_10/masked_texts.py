"""Short texts with masked places, which several exercises of the lesson use."""

import torch
from torch import Tensor

VOCABULARY = 20  # ids 0 to 4 are special
PAD_ID, CLS_ID, SEP_ID, MASK_ID = 0, 2, 3, 4


def texts(g: torch.Generator, rows: int, length: int, vocabulary: int = VOCABULARY) -> Tensor:
    """[CLS], ordinary tokens, all of a row different, [SEP]: ids (rows, length)."""
    ids = torch.rand(rows, vocabulary - 5, generator=g).argsort(1)[:, :length] + 5
    ids[:, 0], ids[:, -1] = CLS_ID, SEP_ID
    return ids


def some_masked(g: torch.Generator, length: int, counts: tuple[int, ...]) -> Tensor:
    """A row for each count, with so many masked places, never the first or the last."""
    masked = torch.zeros(len(counts), length, dtype=torch.bool)
    for row, count in enumerate(counts):
        masked[row, 1 + torch.randperm(length - 2, generator=g)[:count]] = True
    return masked
