"""What stands in the place of a hidden token, and what the model has to say about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.corruption.noise import Noise, integers_at, uniform_at
from mlm_course.corruption.strategies import check_bool, check_ids_form, check_same_shape

BERT_PROPORTIONS = (0.8, 0.1, 0.1)  # [MASK], unchanged, random
MASK_ONLY = (1.0, 0.0, 0.0)
IGNORED = -100  # the label that torch's cross_entropy leaves out by default


class Corrupted(NamedTuple):
    """A corrupted batch: what the model sees, what it should say, and where."""

    input_ids: Tensor  # (B, T) int64
    labels: Tensor  # (B, T) int64: the original id where hidden, -100 elsewhere
    hidden: Tensor  # (B, T) bool


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
    hidden: Tensor,
    generator: Noise,
    *,
    mask_id: int,
    ordinary_ids: Tensor,
    proportions: tuple[float, float, float] = BERT_PROPORTIONS,
) -> Corrupted:
    """A corrupted copy: each hidden token turned into [MASK], left as it is, or made random.

    ids (B, T) int64, hidden (B, T) bool; neither is written to. proportions: shares of [MASK],
    unchanged, random, adding up to 1; drawn for each token on its own. ordinary_ids (K,) int64:
    what a random token may be, all equally likely, the hidden token itself included. Every hidden
    token has a label, also one left unchanged: the model cannot know which tokens it will be asked
    about. Source: Devlin et al. 2019, section 3.1.
    """
    _check_replacement(ids, hidden, ordinary_ids, proportions)
    flat = ids.flatten()  # (B * T,)
    place = hidden.flatten().nonzero().squeeze(1)  # (n,)  in reading order
    original = flat.gather(0, place)
    fate = uniform_at(place, ids, generator)  # (n,)
    to_mask, _, to_random = proportions
    new = original.masked_fill(fate < to_mask, mask_id)
    if to_random > 0:
        last = (fate >= max(to_mask, 1 - to_random)).nonzero().squeeze(1)
        drawn = integers_at(place[last], ids, len(ordinary_ids), generator)
        new[last] = ordinary_ids.to(ids.device)[drawn]
    input_ids = flat.scatter(0, place, new)
    labels = torch.full_like(flat, IGNORED).scatter_(0, place, original)
    return Corrupted(input_ids.view_as(ids), labels.view_as(ids), hidden)


def replace_tokens(
    ids: Tensor,
    hidden: Tensor,
    generator: Noise,
    *,
    mask_id: int,
    ordinary_ids: Tensor,
    proportions: tuple[float, float, float] = BERT_PROPORTIONS,
) -> Tensor:
    """The input ids of `corrupt`, without the labels; (B, T) int64, a new tensor."""
    return corrupt(
        ids, hidden, generator, mask_id=mask_id, ordinary_ids=ordinary_ids, proportions=proportions
    ).input_ids


def _check_replacement(
    ids: Tensor, hidden: Tensor, ordinary_ids: Tensor, proportions: tuple[float, float, float]
) -> None:
    check_ids_form(ids)
    check_bool("hidden", hidden)
    check_same_shape("hidden", hidden, ids)
    if len(proportions) != 3 or not all(0 <= share <= 1 for share in proportions):
        raise ValueError(
            "proportions must be three shares between 0 and 1, for [MASK], unchanged and random, "
            f"not {proportions}."
        )
    if not math.isclose(sum(proportions), 1, abs_tol=1e-6):
        raise ValueError(f"proportions must add up to 1, not {sum(proportions):g}.")
    if proportions[2] > 0 and not len(ordinary_ids):
        raise ValueError("ordinary_ids is empty: there is nothing to put in at random.")
