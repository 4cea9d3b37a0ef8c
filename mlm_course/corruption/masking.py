"""What stands in the place of masked tokens; strategy and replacement put together, for a data set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course import tokenization
from mlm_course.corruption.noise import CounterRNG, Noise, integers_at, uniform_at
from mlm_course.corruption.strategies import (
    Ratio,
    check_bool,
    check_ids_form,
    check_same_shape,
    choose_bernoulli,
    choose_fixed_count,
    maskable,
)
from mlm_course.tokenization import MASK_ID

WORTH_SHARING = 1 << 18


@contextmanager
def one_thread(size: int = 0) -> Iterator[None]:
    """A stretch of code in which torch uses one thread, unless `size` numbers are worth sharing.

    Torch shares out anything from 32,768 numbers on. A batch that small takes 20 microseconds, but
    waiting for the second thread takes milliseconds whenever that core is busy with something else.
    """
    threads = torch.get_num_threads()
    if threads == 1 or size > WORTH_SHARING:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, kw_only=True)
class Proportions:
    """Of all masked tokens the shares that become [MASK], stay as they are, and turn random.

    Errors: ValueError unless they lie between 0 and 1 and add up to 1.
    """

    mask: float
    keep: float = 0.0
    random: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.mask, self.keep, self.random)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"Proportions are shares between 0 and 1, not {shares}.")
        if not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise ValueError(f"Proportions must add up to 1, not {sum(shares):g}.")


BERT_PROPORTIONS = Proportions(mask=0.8, keep=0.1, random=0.1)
MASK_ONLY = Proportions(mask=1.0)
IGNORED = -100  # the label that torch's cross_entropy leaves out by default


class Corrupted(NamedTuple):
    """A corrupted batch: what the model sees, what it should say, and where."""

    input_ids: Tensor  # (B, T) int64
    labels: Tensor  # (B, T) int64: the original id where hidden, -100 elsewhere
    masked: Tensor  # (B, T) bool


def ordinary_ids(vocab_size: int, special_ids: Sequence[int]) -> Tensor:
    """The ids that a random replacement may be: the whole vocabulary but the special tokens.

    Returns (V - specials,) int64, ascending.
    """
    ordinary = torch.ones(vocab_size, dtype=torch.bool)
    wrong = [i for i in special_ids if not 0 <= i < vocab_size]
    if wrong:
        raise ValueError(f"special_ids has {wrong}, outside the vocabulary of {vocab_size}.")
    ordinary[torch.as_tensor(special_ids, dtype=torch.int64)] = False
    return ordinary.nonzero().squeeze(1)


def corrupt(
    ids: Tensor,
    masked: Tensor,
    generator: Noise,
    *,
    mask_id: int,
    ordinary_ids: Tensor,
    proportions: Proportions = BERT_PROPORTIONS,
) -> Corrupted:
    """A corrupted copy: each hidden token turned into [MASK], left as it is, or made random.

    ids (B, T) int64, masked (B, T) bool; neither is written to. proportions: what
    becomes of them, drawn for each token on its own. ordinary_ids (K,) int64:
    what a random token may be, all equally likely, the hidden token itself included. Every hidden
    token has a label, also one left unchanged: the model cannot know which tokens it will be asked
    about. Source: Devlin et al. 2019, section 3.1.
    """
    _check_replacement(ids, masked, ordinary_ids, proportions)
    flat = ids.flatten()  # (B * T,)
    place = masked.flatten().nonzero().squeeze(1)  # (n,)  in reading order
    original = flat.gather(0, place)
    fate = uniform_at(place, ids, generator)  # (n,)
    new = original.masked_fill(fate < proportions.mask, mask_id)
    if proportions.random > 0:
        last = (fate >= max(proportions.mask, 1 - proportions.random)).nonzero().squeeze(1)
        drawn = integers_at(place[last], ids, len(ordinary_ids), generator)
        new[last] = ordinary_ids.to(ids.device)[drawn]
    input_ids = flat.scatter(0, place, new)
    labels = torch.full_like(flat, IGNORED).scatter_(0, place, original)
    return Corrupted(input_ids.view_as(ids), labels.view_as(ids), masked)


def _check_replacement(
    ids: Tensor, masked: Tensor, ordinary_ids: Tensor, proportions: Proportions
) -> None:
    check_ids_form(ids)
    check_bool("masked", masked)
    check_same_shape("masked", masked, ids)
    if not isinstance(proportions, Proportions):
        kind = type(proportions).__name__
        raise TypeError(
            f"proportions must be Proportions(mask=..., keep=..., random=...), not {kind}."
        )
    if proportions.random > 0 and not len(ordinary_ids):
        raise ValueError("ordinary_ids is empty: there is nothing to put in at random.")


def mask_tokens(ids: Tensor, masked: Tensor) -> Corrupted:
    """The rows with [MASK] at the hidden places, and what stood there: both (B, T)."""
    return Corrupted(ids.masked_fill(masked, MASK_ID), ids.masked_fill(~masked, IGNORED), masked)


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
