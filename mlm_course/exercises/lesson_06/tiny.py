"""A tiny model and batches for it, which several exercises of the lesson use."""

import torch
from torch import Tensor

from mlm_course.corruption import Corrupted, corrupt
from mlm_course.models import EncoderConfig, MaskedLM

VOCABULARY = 20  # ids 0 to 4 are special
MASK_ID = 4


def tiny_model(
    g: torch.Generator, kind: type[MaskedLM] = MaskedLM, dropout: float = 0.0
) -> MaskedLM:
    """A model with larger weights than usual, so that it has opinions and learns in large steps."""
    model = kind(
        EncoderConfig(VOCABULARY, 10, d_model=12, n_layers=1, n_heads=2, d_ff=16, dropout=dropout)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    return model


def texts(g: torch.Generator, rows: int, length: int) -> Tensor:
    """[CLS], ordinary tokens, [SEP]; no padding."""
    ids = torch.randint(5, VOCABULARY, (rows, length), generator=g)
    ids[:, 0], ids[:, -1] = 2, 3
    return ids


def some_masked(ids: Tensor, ratio: float, g: torch.Generator) -> Tensor:
    """A share of the ordinary tokens, but never none and never all."""
    masked = (torch.rand(ids.shape, generator=g) < ratio) & (ids >= 5)
    masked[0, 1], masked[0, 2] = True, False
    return masked


def batch(g: torch.Generator, rows: int, length: int, ratio: float) -> Corrupted:
    """Texts of which a share is masked, 80/10/10."""
    ids = texts(g, rows, length)
    masked = some_masked(ids, ratio, g)
    ordinary = torch.arange(5, VOCABULARY)
    return corrupt(ids, masked, g, mask_id=MASK_ID, ordinary_ids=ordinary)
