"""Which rows a step works on, and how they are hidden: both follow from numbers, none from the past.

Step, epoch and order come from (seed, step) alone. An interrupted run needs to remember one number,
and several processes agree on their shares without a word.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from mlm_course.corruption import Corrupted, DynamicMasking, Masker, RowNoise, StaticMasking


class Data(Protocol):
    """What `fit` trains on: so many rows, and a batch for the index (B,) of some rows and an epoch.

    The batch (a tensor, or tensors in a tuple, NamedTuple or dict) must follow from index and epoch
    alone, whichever rows are asked for together.
    """

    def __len__(self) -> int: ...

    def __call__(self, index: Tensor, epoch: int, /) -> Any: ...


class MaskedRows:
    """Rows of token ids that are hidden anew each epoch, or `copies` times beforehand.

    ids (N, T) int64; word_ids and scores (N, T) for strategies that need them. Called with the
    index (B,) of some rows and the epoch: their `Corrupted` input_ids, labels and hidden, each
    (B, T). See `DynamicMasking` and, with copies, `StaticMasking`.
    """

    def __init__(
        self,
        ids: Tensor,
        masker: Masker,
        seed: int,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
        copies: int | None = None,
    ) -> None:
        if ids.ndim != 2:
            raise ValueError(f"ids must have shape (N, T), rows of tokens, not {tuple(ids.shape)}.")
        self.rows = len(ids)
        self.masking: DynamicMasking | StaticMasking
        if copies is None:
            self.masking = DynamicMasking(masker, ids, seed, word_ids=word_ids, scores=scores)
        else:
            drawn = torch.Generator().manual_seed(seed)
            self.masking = StaticMasking(
                masker, ids, copies, drawn, word_ids=word_ids, scores=scores
            )

    def __len__(self) -> int:
        return self.rows

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        return self.masking(index, epoch)


class ImageBatch(NamedTuple):
    """Images (B, C, H, W), and noise (B, L) by which their patches are sorted."""

    images: Tensor
    noise: Tensor


class MaskedImages:
    """Images whose patches are sorted anew each epoch, by noise from (seed, epoch, index).

    images (N, C, H, W); n_patches: L. Called with the index (B,) of some images and the epoch: an
    `ImageBatch`. How many of the sorted patches stay is for the loss to say.
    """

    def __init__(self, images: Tensor, n_patches: int, seed: int) -> None:
        if images.ndim != 4:
            raise ValueError(f"images must have shape (N, C, H, W), not {tuple(images.shape)}.")
        self.images, self.n_patches, self.seed = images, n_patches, seed

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, index: Tensor, epoch: int) -> ImageBatch:
        noise = RowNoise(self.seed, epoch, index).uniform(self.n_patches)
        return ImageBatch(self.images[index], noise)


def rows_of_step(n_rows: int, batch_size: int, seed: int, step: int) -> tuple[Tensor, int]:
    """Index (batch_size,) of the rows of a step, counted from 0, and the epoch they belong to.

    Each epoch shuffles all rows anew; those left over at its end, too few for a step, rest.
    Errors: fewer rows than a step takes.
    """
    if n_rows < batch_size:
        raise ValueError(
            f"The data has {n_rows} rows, but one step takes batch_size={batch_size}: "
            f"choose a batch_size of at most {n_rows}."
        )
    epoch, place = divmod(step, n_rows // batch_size)
    return shuffled(n_rows, seed, epoch)[place * batch_size :][:batch_size], epoch


@lru_cache(maxsize=4)
def shuffled(n_rows: int, seed: int, epoch: int) -> Tensor:
    """The rows' order in an epoch: (n_rows,) int64, always the same for (seed, epoch)."""
    return torch.randperm(n_rows, generator=torch.Generator().manual_seed(stirred(seed, epoch)))


def share(index: Tensor, pieces: int, process: int, processes: int) -> tuple[Tensor, ...]:
    """The part of a step's rows that a process works on, cut into `pieces` to be worked on in turn.

    index (B,); all processes and pieces together are index again, whatever their number.
    """
    if len(index) < pieces * processes:
        raise ValueError(
            f"A step of {len(index)} rows cannot be cut into {pieces} pieces for each of "
            f"{processes} processes: choose a larger batch_size, or a smaller accumulate."
        )
    return index.tensor_split(pieces * processes)[process * pieces :][:pieces]


def stirred(*numbers: int) -> int:
    """A seed made of several numbers; neighbours such as (0, 1) and (1, 0) share nothing."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # 63 bits
