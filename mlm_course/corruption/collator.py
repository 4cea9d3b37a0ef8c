"""From a list of rows to a padded, corrupted batch."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mlm_course.corruption.masking import Masker
from mlm_course.corruption.noise import CounterRNG
from mlm_course.corruption.threads import one_thread


class MaskedBatch(NamedTuple):
    """A padded, corrupted batch."""

    input_ids: Tensor  # (B, T) int64
    attention_mask: Tensor  # (B, T) bool: True = may attend, False = padding
    labels: Tensor  # (B, T) int64, -100 where not hidden
    masked: Tensor  # (B, T) bool


class MaskingCollator:
    """Rows of token ids of differing length -> one padded and corrupted batch.

    A `collate_fn` for torch's DataLoader. Called with rows alone it draws from its generator, made
    from `seed`. Called with the rows' index in the data set and the epoch it draws from (seed,
    epoch, index) instead: the way to go with several workers, whose copies of a generator would
    all deal the same numbers. word_ids_of and scores_of compute from the padded ids (B, T) what
    the strategy needs, for example `partial(word_ids, starts=word_starts(tokenizer))`.

    attention_mask is boolean, True = may attend; `.long()` makes it the 0/1 mask of transformers.
    """

    def __init__(
        self,
        masker: Masker,
        pad_id: int = 0,
        *,
        seed: int = 0,
        word_ids_of: Callable[[Tensor], Tensor] | None = None,
        scores_of: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if pad_id not in masker.special_ids:
            raise ValueError(f"pad_id {pad_id} is not among the special ids {masker.special_ids}.")
        self.masker, self.pad_id, self.seed = masker, pad_id, seed
        self.generator = torch.Generator().manual_seed(seed)
        self.word_ids_of, self.scores_of = word_ids_of, scores_of

    def __call__(
        self,
        rows: Sequence[Sequence[int]],
        index: Tensor | Sequence[int] | None = None,
        epoch: int = 0,
    ) -> MaskedBatch:
        """The batch of these rows; T is the length of the longest."""
        noise = self.generator if index is None else CounterRNG(self.seed, epoch, index)
        with one_thread():
            ids, attention_mask = pad_rows(rows, self.pad_id)
            input_ids, labels, masked = self.masker(
                ids,
                noise,
                word_ids=self.word_ids_of and self.word_ids_of(ids),
                scores=self.scores_of and self.scores_of(ids),
            )
        return MaskedBatch(input_ids, attention_mask, labels, masked)


def pad_rows(rows: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of differing length as one tensor, filled up with pad_id on the right.

    Returns ids (B, T) int64 and attention_mask (B, T) bool, True where a row has a token.
    Errors: no rows, or a row that holds anything but whole numbers from 0 on (1.5 is not cut to 1).
    """
    if not len(rows):
        raise ValueError("There are no rows to collate.")
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))  # (B,)
    shape = len(rows), int(lengths.max())
    flat = _flatten(rows)
    if flat.size == shape[0] * shape[1]:  # all equally long
        ids, attention_mask = flat.reshape(shape), np.ones(shape, dtype=bool)
    else:
        attention_mask = np.arange(shape[1]) < lengths[:, None]  # (B, T)
        ids = np.full(shape, pad_id)
        ids[attention_mask] = flat
    return torch.from_numpy(ids), torch.from_numpy(attention_mask)


def _flatten(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """All ids behind one another (N,) int64; `struct` is the quickest way from ints to bytes."""
    joined: list[int] = []
    for row in rows:
        joined += row
    flat = np.empty(len(joined), dtype=np.int64)
    try:
        struct.pack_into(f"{len(joined)}Q", flat.data, 0, *joined)  # Q: 8 bytes each, from 0 on
    except struct.error as error:
        raise TypeError(f"Rows must be lists of token ids, numbers from 0 on: {error}.") from None
    return flat
