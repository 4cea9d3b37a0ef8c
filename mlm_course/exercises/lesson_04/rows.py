"""Rows of ids, and which of their tokens are hidden, as several exercises of the lesson use them."""

import torch
from torch import Tensor


def some_rows(g: torch.Generator) -> Tensor:
    """(3, 14) ids: [CLS] 2, ordinary tokens from 5 on, an [UNK] 1 in each row, [SEP] 3, padding 0."""
    ids = torch.randint(5, 60, (3, 14), generator=g)
    ids[:, 0], ids[:, 5] = 2, 1
    for row, end in enumerate((13, 11, 7)):
        ids[row, end], ids[row, end + 1 :] = 3, 0
    return ids


def rows_and_masked(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows, and True where a token is hidden, both (3, 14): about 70 % of the ordinary tokens."""
    ids = some_rows(g)
    masked = (ids >= 5) & (torch.rand(3, 14, generator=g) < 0.7)
    masked[0, 1:5] = True
    return ids, masked
