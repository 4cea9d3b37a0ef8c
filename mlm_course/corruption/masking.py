"""Strategy and replacement put together, for a data set: once and for all, or anew each epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from mlm_course import tokenization
from mlm_course.corruption.noise import CounterRNG, Noise
from mlm_course.corruption.replacement import (
    BERT_PROPORTIONS,
    MASK_ONLY,
    Corrupted,
    Proportions,
    corrupt,
    ordinary_ids,
)
from mlm_course.corruption.strategies import Ratio, choose_bernoulli, choose_fixed_count, maskable
from mlm_course.corruption.threads import one_thread


class Masker:
    """A corruption of token ids, ready to be applied: which tokens, how many, replaced by what.

    vocab_size and special_ids say which ids may be hidden and put in at random; mask_id must be
    one of the special ids. choose: a strategy; ratio and proportions as there.
    """

    def __init__(
        self,
        vocab_size: int,
        special_ids: Sequence[int],
        mask_id: int,
        *,
        choose: Callable[..., Tensor] = choose_bernoulli,
        ratio: Ratio = 0.15,
        proportions: Proportions = BERT_PROPORTIONS,
    ) -> None:
        if mask_id not in special_ids:
            raise ValueError(
                f"mask_id {mask_id} is not among special_ids {list(special_ids)}: [MASK] is a "
                "special token, or it would be hidden and drawn at random itself."
            )
        self.special_ids = tuple(special_ids)
        self.mask_id = mask_id
        self.ordinary_ids = ordinary_ids(vocab_size, special_ids)
        self.choose, self.ratio, self.proportions = choose, ratio, proportions

    def __call__(
        self,
        ids: Tensor,
        generator: Noise,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> Corrupted:
        """The corrupted ids (B, T); word_ids and scores (B, T) reach a strategy that needs them."""
        given = {"word_ids": word_ids, "scores": scores}
        needs = {name: value for name, value in given.items() if value is not None}
        with one_thread(ids.numel()):
            masked = self.choose(maskable(ids, self.special_ids), self.ratio, generator, **needs)
            return corrupt(
                ids,
                masked,
                generator,
                mask_id=self.mask_id,
                ordinary_ids=self.ordinary_ids,
                proportions=self.proportions,
            )


class StaticMasking:
    """A data set corrupted `copies` times before training; epoch e shows copy e % copies.

    ids (N, T) int64; word_ids and scores (N, T) for strategies that need them. Call it with the
    index (B,) of the rows wanted and the epoch. BERT made 10 copies and trained 40 epochs, so
    that each was seen 4 times (Liu et al. 2019, RoBERTa, section 4.1). Takes 17 bytes per token
    and copy.
    """

    def __init__(
        self,
        masker: Masker,
        ids: Tensor,
        copies: int,
        generator: Noise,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        if copies < 1:
            raise ValueError(f"copies must be at least 1, not {copies}.")
        _check_rows(ids)
        self.copies = [
            masker(ids, generator, word_ids=word_ids, scores=scores) for _ in range(copies)
        ]

    def __len__(self) -> int:
        return len(self.copies[0].input_ids)

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        """The rows `index` (B,) of this epoch's copy."""
        copy = self.copies[epoch % len(self.copies)]
        return Corrupted(*(part[index] for part in copy))


class DynamicMasking:
    """A data set corrupted anew whenever a row is shown, from (seed, epoch, index) alone.

    ids (N, T) int64; word_ids and scores (N, T) for strategies that need them. Call it with the
    index (B,) of the rows wanted and the epoch. The same row in the same epoch is always corrupted
    the same way, whoever sits beside it: an interrupted run can go on, a result can be had again.
    Source: Liu et al. 2019 (RoBERTa), section 4.1.
    """

    def __init__(
        self,
        masker: Masker,
        ids: Tensor,
        seed: int,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        _check_rows(ids)
        self.masker, self.ids, self.seed = masker, ids, seed
        self.word_ids, self.scores = word_ids, scores

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        """The rows `index` (B,), corrupted for this epoch."""
        return self.masker(
            self.ids[index],
            CounterRNG(self.seed, epoch, index),
            word_ids=None if self.word_ids is None else self.word_ids[index],
            scores=None if self.scores is None else self.scores[index],
        )


def standard_masker(vocab_size: int, ratio: float) -> Masker:
    """The corruption that most of the course trains with: a fixed share of each row, all [MASK]."""
    return Masker(
        vocab_size,
        tokenization.SPECIAL_IDS,
        tokenization.MASK_ID,
        choose=choose_fixed_count,
        ratio=ratio,
        proportions=MASK_ONLY,
    )


def _check_rows(ids: Tensor) -> None:
    if ids.ndim != 2:
        raise ValueError(f"ids must have shape (N, T), rows of tokens, not {tuple(ids.shape)}.")
