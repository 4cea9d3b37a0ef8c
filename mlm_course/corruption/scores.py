"""Hiding by a score per token: pointwise mutual information, or a model's own loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mlm_course.contracts import (
    check_bools,
    check_count,
    check_devices_agree,
    check_floats,
    check_ids,
    check_mask,
    check_number,
    check_shapes_agree,
)
from mlm_course.corruption.noise import Noise, gumbel, uniform
from mlm_course.corruption.strategies import Ratio, lowest, masked_count


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
    check_bools("maskable", maskable, "B T")
    keys = _checked_scores(scores, maskable, temperature)
    count = masked_count(maskable.sum(1), ratio)
    noise = uniform(maskable, generator).cpu()
    if temperature > 0:
        keys = keys + temperature * gumbel(noise).double()
    shuffle = noise.argsort(dim=1, stable=True)  # (B, T)  equal keys keep this random order
    keys = (-keys).masked_fill(~maskable.cpu(), math.inf).gather(1, shuffle)
    taken = lowest(keys, count.cpu())
    return torch.zeros_like(taken).scatter(1, shuffle, taken).to(maskable.device) & maskable


def _checked_scores(scores: Tensor, maskable: Tensor, temperature: float) -> Tensor:
    """The scores (B, T) in float64 on the CPU, where every machine has it; 0 where not maskable."""
    if scores is None:
        raise ValueError("This strategy needs scores (B, T), one per token: try pmi_scores.")
    check_floats("scores", scores)
    check_shapes_agree(maskable=maskable, scores=scores)
    check_number("temperature", temperature, least=0)
    keys = scores.detach().cpu().double().masked_fill(~maskable.cpu(), 0.0)
    if not keys.isfinite().all():
        raise ValueError("scores must be finite wherever a token may be hidden.")
    return keys


def pmi_scores(ids: Tensor, maskable: Tensor, *, min_count: int = 5) -> Tensor:
    """How strongly each token is tied to a neighbour: the larger of its two PMI values.

    ids (N, T) int64, maskable (N, T) bool: the whole corpus, since the counts come from it. Pairs
    are counted where both neighbours may be hidden. PMI(a, b) = log [p(a, b) / (p(a .) p(. b))],
    in nats; a pair seen fewer than min_count times is no evidence and counts 0, as does a token
    without a neighbour. Returns (N, T) float32. Both halves of a strong pair score high; hiding the
    highest scores mostly takes both, but may end between them where the budget ends. Not PMI-Masking,
    which joins collocations of two to five words into units and draws units at random: for that, give
    `choose_whole_words` their numbers. Source of the idea: Levine et al. 2021 (PMI-Masking), here
    for pairs only.
    """
    check_ids(ids, shape="N T")
    check_mask("maskable", maskable, ids)
    check_devices_agree(ids=ids, maskable=maskable)
    check_count("min_count", min_count, least=1)
    both = maskable[:, :-1] & maskable[:, 1:]  # (N, T-1)
    left, right = ids[:, :-1][both], ids[:, 1:][both]  # (pairs,)
    never = torch.full(ids.shape, -math.inf, device=ids.device, dtype=torch.float32)
    between = never[:, :-1].clone()
    between[both] = _pair_pmi(left.cpu(), right.cpu(), min_count).to(ids.device)
    scores = never
    scores[:, :-1] = between
    scores[:, 1:] = scores[:, 1:].maximum(between)
    return scores.masked_fill(scores.isneginf(), 0.0)


def _pair_pmi(left: Tensor, right: Tensor, min_count: int) -> Tensor:
    """PMI of each pair (pairs,) float32, from the counts of the pairs themselves."""
    total = len(left)
    if not total:
        return torch.zeros(0, dtype=torch.float32, device=left.device)
    tokens, numbers = torch.cat([left, right]).unique(return_inverse=True)
    size, (left, right) = len(tokens), numbers.split(total)  # from 0, however large the ids
    kinds, kind, seen = (left * size + right).unique(return_inverse=True, return_counts=True)
    as_left, as_right = left.bincount(minlength=size), right.bincount(minlength=size)
    by_chance = as_left[kinds // size].double() * as_right[kinds % size]  # (kinds,)
    pmi = (seen * total / by_chance).log().where(seen >= min_count, 0.0)
    return pmi.float()[kind]
