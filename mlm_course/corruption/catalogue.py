"""Every strategy by name and with one signature, so that a drop-down can call any of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from mlm_course.contracts import check_bools, check_count, check_tensor
from mlm_course.corruption.noise import Noise
from mlm_course.corruption.scores import choose_by_score
from mlm_course.corruption.strategies import (
    Ratio,
    choose_adaptive,
    choose_bernoulli,
    choose_block,
    choose_fixed_count,
    choose_non_adjacent,
)
from mlm_course.corruption.words import choose_spans, choose_whole_words


class Strategy(Protocol):
    """A function that hides tokens, given all that any strategy could ask for."""

    def __call__(
        self,
        maskable: Tensor,
        ratio: Ratio,
        generator: Noise,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> Tensor:
        """masked (B, T) bool; word_ids and scores (B, T) are ignored where not needed."""


# Each takes the wrapped function first: a `partial` of a function that stands in a module can be
# sent to another process, which a function made inside another one cannot.


def _plain(choose, maskable, ratio, generator, *, word_ids=None, scores=None):
    return choose(maskable, ratio, generator)


def _by_words(choose, maskable, ratio, generator, *, word_ids=None, scores=None):
    return choose(maskable, ratio, generator, word_ids=word_ids)


def _by_scores(choose, maskable, ratio, generator, *, word_ids=None, scores=None):
    return choose(maskable, ratio, generator, scores=scores)


STRATEGIES: dict[str, Strategy] = {
    "bernoulli": partial(_plain, choose_bernoulli),
    "fixed count": partial(_plain, choose_fixed_count),
    "block": partial(_plain, choose_block),
    "spans": partial(_by_words, choose_spans),
    "non-adjacent": partial(_plain, choose_non_adjacent),
    "whole words": partial(_by_words, choose_whole_words),
    "adaptive": partial(_plain, choose_adaptive),
    "score": partial(_by_scores, choose_by_score),
}


def for_one_row(
    maskable: Tensor, *, word_ids: Tensor | None = None, scores: Tensor | None = None
) -> dict[str, Callable[[float, int], list[bool]]]:
    """Every strategy as a function (ratio, seed) -> hidden tokens of one row, as a widget calls it.

    maskable (T,) bool; word_ids (T,) integers and scores (T,) numbers for those that need them.
    """
    check_bools("maskable", maskable, "T")
    row = maskable[None]  # (1, T)
    words = None if word_ids is None else _as_batch("word_ids", word_ids)
    values = None if scores is None else _as_batch("scores", scores)
    return {
        name: partial(_hide_in_row, strategy, row, words, values)
        for name, strategy in STRATEGIES.items()
    }


def _as_batch(name: str, values: Tensor) -> Tensor:
    check_tensor(name, values, "T")
    return values[None]


def _hide_in_row(
    strategy: Strategy,
    row: Tensor,
    word_ids: Tensor | None,
    scores: Tensor | None,
    ratio: float,
    seed: int,
) -> list[bool]:
    check_count("seed", seed)
    g = torch.Generator(row.device).manual_seed(int(seed))
    return strategy(row, ratio, g, word_ids=word_ids, scores=scores)[0].tolist()
