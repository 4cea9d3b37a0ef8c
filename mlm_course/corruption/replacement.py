"""What stands in the place of a hidden token, and what the model has to say about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.corruption.noise import Noise, integers_at, uniform_at
from mlm_course.corruption.strategies import check_bool, check_ids_form, check_same_shape
from mlm_course.tokenization import MASK_ID


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
