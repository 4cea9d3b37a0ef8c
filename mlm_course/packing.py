"""Several texts in one row: which token belongs to which text, and where it stands there. Lesson 13."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mlm_course.tokenization import PAD_ID, SEP_ID


def texts_in_rows(ids: Tensor) -> tuple[Tensor, Tensor]:
    """The number of each token's text in its row, and its place in that text, both from 0.

    ids (B, T) int64 with [SEP] between texts; a [SEP] belongs to the text before it, padding to
    the last. Returns two (B, T) int64: for `same_document_mask`, and for `Encoder`'s positions.
    """
    ends = (ids == SEP_ID).long()  # (B, T)
    begins = F.pad(ends, (1, -1))  # one behind each [SEP]
    texts = begins.cumsum(1)
    places = begins.new_ones(begins.shape).cumsum(1) - 1  # 0, 1, 2, ...
    first = (places * begins).cummax(1).values  # where the token's text begins
    return texts, places - first


def padding_share(ids: Tensor) -> float:
    """The share of ids (B, T) that is padding."""
    return (ids == PAD_ID).double().mean().item()
