"""Hiding by a score per token: pointwise mutual information, or a model's own loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mlm_course.corruption.noise import Noise, gumbel, uniform
from mlm_course.corruption.strategies import (
    Ratio,
    check_bool,
    check_ids,
    check_ratio,
    check_same_shape,
    lowest,
    masked_count,
)


def choose_by_score(
    maskable: Tensor,
    ratio: Ratio,
    generator: Noise,
    *,
    scores: Tensor,
    temperature: float = 0.0,
) -> Tensor:
    """The `masked_count` candidates with the highest scores, or a random draw that favours them.

    maskable (B, T) bool; scores (B, T) floating, finite where maskable; ratio in [0, 1], a number
    or one per row (B,). temperature 0: the highest scores, ties broken at random. Above 0: one
    token after the other, without putting back, with probability proportional to
    exp(score / temperature); pass log-weights and temperature 1 to draw in proportion to weights.
    The higher the temperature, the closer to `choose_fixed_count`. Source of the draw:
    Kool et al. 2019 (the Gumbel-top-k trick).
    """
    ratio = check_ratio(maskable, ratio)
    keys = _checked_scores(scores, maskable, temperature)
    count = masked_count(maskable.sum(1), ratio)
    noise = uniform(maskable, generator)
    if temperature > 0:
        keys = keys + temperature * gumbel(noise).double()
    shuffle = noise.argsort(dim=1, stable=True)  # (B, T)  equal keys keep this random order
    keys = (-keys).masked_fill(~maskable, math.inf).gather(1, shuffle)
    chosen = torch.zeros_like(maskable).scatter(1, shuffle, lowest(keys, count))
    return chosen & maskable


def _checked_scores(scores: Tensor, maskable: Tensor, temperature: float) -> Tensor:
    check_same_shape("scores", scores, maskable)
    if not scores.is_floating_point():
        raise TypeError(f"scores must be floating point, not {scores.dtype}.")
    if not math.isfinite(temperature) or temperature < 0:
        raise ValueError(f"temperature must be 0 or a positive number, not {temperature}.")
    keys = scores.detach().double().masked_fill(~maskable, 0.0)
    if not keys.isfinite().all():
        raise ValueError("scores must be finite wherever a token may be hidden.")
    return keys


def pmi_scores(ids: Tensor, maskable: Tensor, *, min_count: int = 5) -> Tensor:
    """How strongly each token is tied to a neighbour: the larger of its two PMI values.

    ids (N, T) int64, maskable (N, T) bool: the whole corpus, since the counts come from it. Pairs
    are counted where both neighbours may be hidden. PMI(a, b) = log p(a, b) / (p(a .) p(. b)), in
    nats; a pair seen fewer than min_count times is no evidence and counts 0, as does a token
    without a neighbour. Returns (N, T) float32. Both halves of a collocation score high, so that
    hiding by this score leaves neither to give the other away. Source: Levine et al. 2021
    (PMI-Masking), section 3, here for pairs only.
    """
    check_ids(ids)
    check_bool("maskable", maskable)
    check_same_shape("maskable", maskable, ids)
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, not {min_count}.")
    both = maskable[:, :-1] & maskable[:, 1:]  # (N, T-1)
    left, right = ids[:, :-1][both], ids[:, 1:][both]  # (pairs,)
    between = torch.full(both.shape, -math.inf, device=ids.device)
    between[both] = _pair_pmi(left, right, min_count)
    scores = torch.full(ids.shape, -math.inf, device=ids.device)
    scores[:, :-1] = between
    scores[:, 1:] = scores[:, 1:].maximum(between)
    return scores.masked_fill(scores.isneginf(), 0.0)


def _pair_pmi(left: Tensor, right: Tensor, min_count: int) -> Tensor:
    """PMI of each pair (pairs,) float32, from the counts of the pairs themselves."""
    total = len(left)
    if not total:
        return torch.zeros(0, device=left.device)
    size = int(torch.maximum(left.max(), right.max())) + 1
    kinds, kind, seen = (left * size + right).unique(return_inverse=True, return_counts=True)
    as_left, as_right = left.bincount(minlength=size), right.bincount(minlength=size)
    by_chance = as_left[kinds // size].double() * as_right[kinds % size]  # (kinds,)
    pmi = (seen * total / by_chance).log().where(seen >= min_count, 0.0)
    return pmi.float()[kind]
