"""Every strategy by name and with one signature, so that a drop-down can call any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

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


def _plain(choose: Callable[[Tensor, Ratio, Noise], Tensor]) -> Strategy:
    def strategy(maskable, ratio, generator, *, word_ids=None, scores=None):
        return choose(maskable, ratio, generator)

    return strategy


def _by_words(choose: Callable[..., Tensor]) -> Strategy:
    def strategy(maskable, ratio, generator, *, word_ids=None, scores=None):
        return choose(maskable, ratio, generator, word_ids=word_ids)

    return strategy


def _by_scores(choose: Callable[..., Tensor]) -> Strategy:
    def strategy(maskable, ratio, generator, *, word_ids=None, scores=None):
        if scores is None:
            raise ValueError("This strategy needs scores (B, T), one per token: try pmi_scores.")
        return choose(maskable, ratio, generator, scores=scores)

    return strategy


STRATEGIES: dict[str, Strategy] = {
    "bernoulli": _plain(choose_bernoulli),
    "fixed count": _plain(choose_fixed_count),
    "block": _plain(choose_block),
    "spans": _by_words(choose_spans),
    "non-adjacent": _plain(choose_non_adjacent),
    "whole words": _by_words(choose_whole_words),
    "adaptive": _plain(choose_adaptive),
    "score": _by_scores(choose_by_score),
}


def for_one_row(
    maskable: Tensor, *, word_ids: Tensor | None = None, scores: Tensor | None = None
) -> dict[str, Callable[[float, int], list[bool]]]:
    """Every strategy as a function (ratio, seed) -> hidden tokens of one row, as a widget calls it.

    maskable (T,) bool; word_ids (T,) integers and scores (T,) numbers for those that need them.
    """
    row = maskable[None]  # (1, T)
    words = None if word_ids is None else word_ids[None]
    values = None if scores is None else scores[None]

    def bound(strategy: Strategy) -> Callable[[float, int], list[bool]]:
        def hide(ratio: float, seed: int) -> list[bool]:
            g = torch.Generator().manual_seed(seed)
            return strategy(row, ratio, g, word_ids=words, scores=values)[0].tolist()

        return hide

    return {name: bound(strategy) for name, strategy in STRATEGIES.items()}
