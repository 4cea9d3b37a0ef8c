"""What a step trains on: rows for an index and an epoch, masked by numbers that follow from both.

Step, epoch and order come from (seed, step) alone. An interrupted run needs to remember one number,
and several processes agree on their shares without a word.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.contracts import (
    check_callable,
    check_count,
    check_floats,
    check_ids,
    check_integers,
    check_number,
    may_look_at,
)
from mlm_course.corruption import Corrupted, CounterRNG, maskable
from mlm_course.corruption.masking import IGNORED, mask_tokens
from mlm_course.corruption.strategies import choose_any_count
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_IDS


class Data(Protocol):
    """What `fit` trains on: so many rows, and a batch for the index (B,) of some rows and an epoch.

    The batch (a tensor, or tensors in a tuple, NamedTuple or dict) must follow from index and epoch
    alone, whichever rows are asked for together.
    """

    def __len__(self) -> int: ...

    def __call__(self, index: Tensor, epoch: int, /) -> Any: ...


def _check_index(index: Tensor, n_rows: int) -> None:
    """Error unless an index (B,) names rows that there are."""
    check_integers("index", index, "B")
    if may_look_at(index) and not 0 <= int(index.min()) <= int(index.max()) < n_rows:
        worst = int(index.min() if index.min() < 0 else index.max())
        raise ValueError(f"index asks for row {worst}, but rows go from 0 to {n_rows - 1}.")


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
        check_floats("images", images, "N C H W", finite=True)
        check_count("n_patches", n_patches, 1)
        self.images, self.n_patches, self.seed = images.float(), n_patches, seed

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, index: Tensor, epoch: int) -> ImageBatch:
        _check_index(index, len(self))
        noise = CounterRNG(self.seed, epoch, index).uniform(self.n_patches)
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
    return torch.randperm(n_rows, generator=torch.Generator().manual_seed(derive_seed(seed, epoch)))


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


def derive_seed(*numbers: int) -> int:
    """A seed made of several numbers; neighbours such as (0, 1) and (1, 0) share nothing."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1  # 63 bits


class PairBatch(NamedTuple):
    """source (B, S), what the decoder is shown (B, T), and what it is asked, -100 elsewhere (B, T)."""

    source: Tensor
    shown: Tensor
    labels: Tensor


class GapPairs:
    """Pairs whose target is hidden in part, each time another part: for a conditional masked LM.

    source (N, S) and target (N, T) int64, padded. Of a target with L tokens n are hidden, n drawn
    from 1 to L, all of them included. Source: Ghazvininejad et al. 2019, section 2.2.
    """

    def __init__(self, source: Tensor, target: Tensor, seed: int) -> None:
        self.source, self.target = _checked(source, target)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: Tensor, epoch: int) -> PairBatch:
        _check_index(index, len(self))
        target, noise = self.target[index], CounterRNG(self.seed, epoch, index)
        real = target != PAD_ID
        masked = choose_any_count(real, noise)
        shown = target.masked_fill(masked, MASK_ID)
        return PairBatch(self.source[index], shown, target.masked_fill(~masked, IGNORED))


class NextWordPairs:
    """Pairs for a decoder that writes word by word: shown [CLS] and the target, asked what is next.

    source (N, S) and target (N, T) int64, padded; the last word asked is [SEP].
    """

    def __init__(self, source: Tensor, target: Tensor) -> None:
        self.source, target = _checked(source, target)
        padded = F.pad(target, (0, 1), value=PAD_ID)  # (N, T + 1)
        ends = (target != PAD_ID).sum(1, keepdim=True)
        asked = padded.scatter(1, ends, SEP_ID)
        self.labels = asked.masked_fill(asked == PAD_ID, IGNORED)
        self.shown = F.pad(target, (1, 0), value=CLS_ID)

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: Tensor, epoch: int) -> PairBatch:
        _check_index(index, len(self))
        return PairBatch(self.source[index], self.shown[index], self.labels[index])


def _checked(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    check_ids(source, name="source", shape="N S")
    check_ids(target, name="target", shape="N T")
    if len(source) != len(target):
        raise ValueError(
            "source and target must be rows of ids, as many of the one as of the other, not "
            f"{tuple(source.shape)} and {tuple(target.shape)}."
        )
    return source.long(), target.long()


class TextPairBatch(NamedTuple):
    """Queries (B, S) and the passage that belongs to each (B, T)."""

    queries: Tensor
    passages: Tensor


class TextPairs:
    """Pairs of texts that mean the same or belong together, for `contrastive_loss`.

    queries (N, S) and passages (N, T) int64, padded; both may be the same rows, which dropout then
    tells apart (Gao et al. 2021). Called with the index (B,) of some pairs: a `TextPairBatch`.
    """

    def __init__(self, queries: Tensor, passages: Tensor) -> None:
        check_ids(queries, name="queries", shape="N S")
        check_ids(passages, name="passages", shape="N T")
        if len(queries) != len(passages):
            raise ValueError(
                f"queries and passages must be as many of the one as of the other, not "
                f"{len(queries)} and {len(passages)}."
            )
        self.queries, self.passages = queries.long(), passages.long()

    def __len__(self) -> int:
        return len(self.queries)

    def __call__(self, index: Tensor, epoch: int) -> TextPairBatch:
        _check_index(index, len(self))
        return TextPairBatch(self.queries[index], self.passages[index])


class RetroBatch(NamedTuple):
    """Rows hidden for the encoder, each (B, T), and what each place sees in the decoder (B, T, T)."""

    input_ids: Tensor
    labels: Tensor
    masked: Tensor
    seen: Tensor


class RetroRows:
    """Rows of token ids hidden twice: by `rows` for the encoder, and for each place of the decoder.

    ratio: the share of the row that a place of the decoder does not see; itself it never does.
    Source: Xiao et al. 2022, section 3.3.
    """

    def __init__(self, rows: Data, seed: int, ratio: float = 0.5) -> None:
        check_callable("rows", rows)
        check_number("ratio", ratio, 0, 1)
        self.rows, self.seed, self.ratio = rows, seed, ratio

    def __len__(self) -> int:
        return len(self.rows)

    def __call__(self, index: Tensor, epoch: int) -> RetroBatch:
        _check_index(index, len(self))
        ids, labels, masked = self.rows(index, epoch)
        B, T = ids.shape
        noise = CounterRNG(derive_seed(self.seed, 1), epoch, index).uniform(T * T).view(B, T, T)
        is_self = torch.eye(T, dtype=torch.bool)
        return RetroBatch(ids, labels, masked, (noise >= self.ratio) & ~is_self)


class Rows:
    """Rows of token ids as they are, for a model that names what comes next.

    ids (R, T) int64. Called with the index (B,) of some rows and the epoch: (B, T).
    """

    def __init__(self, ids: Tensor) -> None:
        check_ids(ids, shape="R T")
        self.ids = ids.long()

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, index: Tensor, epoch: int) -> Tensor:
        _check_index(index, len(self))
        return self.ids[index]


class GapRows:
    """Rows of token ids of which n words are hidden, n drawn anew each time, from 1 to all.

    ids (R, T) int64; special tokens are never hidden. Called with the index (B,) of some rows and
    the epoch: their `Corrupted` input_ids, labels and masked, each (B, T).
    Source: Ghazvininejad et al. 2019, section 2.2; Liao et al. 2020, section 3.
    """

    def __init__(self, ids: Tensor, seed: int) -> None:
        check_ids(ids, shape="R T")
        self.ids, self.seed = ids.long(), seed

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        _check_index(index, len(self))
        ids, noise = self.ids[index], CounterRNG(self.seed, epoch, index)
        words = maskable(ids, SPECIAL_IDS)
        return mask_tokens(ids, choose_any_count(words, noise))
