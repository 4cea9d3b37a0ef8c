"""Whole words and spans of words."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.contracts import (
    check_bools,
    check_count,
    check_devices_agree,
    check_integers,
    check_number,
    check_shapes_agree,
    check_tensor,
)
from mlm_course.corruption.noise import Noise, uniform
from mlm_course.corruption.strategies import Ratio, choose_fixed_count, lowest, masked_count

SPAN_P = 0.2
LONGEST_SPAN = 10


class Words(NamedTuple):
    """The words of each row: which one a token belongs to, and which may be hidden."""

    number: Tensor  # (B, T) int64: token -> number of its word in the row, from 0
    maskable: Tensor  # (B, T) bool: column w is the row's word w; False past the last word


def find_words(maskable: Tensor, word_ids: Tensor | None = None) -> Words:
    """The words behind the tokens; a word may be hidden if every one of its tokens may.

    maskable (B, T) bool. word_ids (B, T) integers: neighbours with the same number are one word,
    a negative number belongs to none. Without word_ids every token is a word.
    """
    check_bools("maskable", maskable, "B T")
    if word_ids is None:
        columns = torch.arange(maskable.shape[1], device=maskable.device)
        return Words(columns.expand_as(maskable), maskable)
    check_integers("word_ids", word_ids)
    check_shapes_agree(maskable=maskable, word_ids=word_ids)
    check_devices_agree(maskable=maskable, word_ids=word_ids)
    starts = torch.ones_like(maskable)
    starts[:, 1:] = word_ids[:, 1:] != word_ids[:, :-1]
    number = starts.cumsum(1) - 1
    free = maskable & (word_ids >= 0)
    tokens = torch.zeros_like(number).scatter_add(1, number, torch.ones_like(number))
    free_tokens = torch.zeros_like(number).scatter_add(1, number, free.long())
    return Words(number, (tokens > 0) & (tokens == free_tokens))


def choose_whole_words(
    maskable: Tensor, ratio: Ratio, generator: Noise, *, word_ids: Tensor | None
) -> Tensor:
    """A fixed count of words, each hidden with all of its pieces or not at all.

    maskable, word_ids (B, T), see `find_words`; ratio in [0, 1], a number or one per row (B,), is
    the share of *words*: `masked_count` of them, all sets equally likely, so that long words are
    hidden as often as short ones. The share of tokens varies around the ratio. Source: Devlin et
    al., BERT repository 2019, "whole word masking" (which counts tokens and skips words that
    would exceed the budget). Replacement stays a matter of the single piece.
    """
    words = find_words(maskable, word_ids)
    chosen = choose_fixed_count(words.maskable, ratio, generator)  # (B, words)
    return chosen.gather(1, words.number)


def span_lengths(
    like: Tensor, generator: Noise, *, p: float = SPAN_P, longest: int = LONGEST_SPAN
) -> Tensor:
    """A span length in words for each entry of `like` (B, T), int64 in 1..longest.

    Geometric(p), cut off at `longest` and *renormalised*, which with .2 and 10 has mean 3.797;
    clipping longer draws to 10 would give 4.46. Source: Joshi et al. 2020 (SpanBERT), section 3.1.
    """
    check_tensor("like", like, "B T")
    check_number("p", p, 0, 1, above=True, below=True)
    check_count("longest", longest, least=1)
    share = p * (1 - p) ** torch.arange(longest, device="cpu", dtype=torch.float64)
    edges = (share.cumsum(0) / share.sum())[:-1].float().to(like.device)  # (longest - 1,)
    return 1 + torch.searchsorted(edges, uniform(like, generator), right=True)


def choose_spans(
    maskable: Tensor,
    ratio: Ratio,
    generator: Noise,
    *,
    word_ids: Tensor | None = None,
    p: float = SPAN_P,
    longest: int = LONGEST_SPAN,
) -> Tensor:
    """Spans of whole words, laid one after the other until the budget of tokens is used up.

    maskable, word_ids (B, T), see `find_words`; ratio in [0, 1], a number or one per row (B,).
    Each span starts at the beginning of a uniformly drawn word and has `span_lengths` words; it
    ends early at a token that may not be hidden. Spans may touch and overlap. Exactly
    `masked_count` of the tokens in maskable words are hidden: the last span is cut where the
    budget ends, inside a word if need be, as in the authors' code. Source: Joshi et al. 2020
    (SpanBERT), section 3.1; their code also draws again where a start is already hidden.
    """
    words = find_words(maskable, word_ids)
    candidates = words.maskable.gather(1, words.number)  # (B, T)
    lengths = span_lengths(maskable, generator, p=p, longest=longest)  # (B, words)
    noise = uniform(maskable, generator).masked_fill(~words.maskable, 2.0)
    turn = noise.argsort(dim=1, stable=True).argsort(1)  # (B, words)  when this word's span is laid
    first = _first_cover(turn, lengths, words.maskable, longest).gather(1, words.number)
    # Within a span all places are first covered in one turn: the leftmost are hidden first.
    return lowest(first, masked_count(candidates.sum(1), ratio)) & candidates


def _first_cover(turn: Tensor, lengths: Tensor, maskable: Tensor, longest: int) -> Tensor:
    """The earliest turn in which a span covers each word, (B, words); never: number of words."""
    words = turn.shape[1]
    first = turn.where(maskable, words)
    stretch = (~maskable).cumsum(1)  # changes at every word that may not be hidden
    for step in range(1, min(longest, words)):  # the word `step` places after the start
        reached = (lengths[:, :-step] > step) & (stretch[:, :-step] == stretch[:, step:])
        first[:, step:] = first[:, step:].minimum(turn[:, :-step].where(reached, words))
    return first
