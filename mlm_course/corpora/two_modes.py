"""A source with two right answers, equally likely: as it stands, or with its first token at the end.

What "today we went home" and "we went home today" are to a sentence in another language. Both are
right; half of the one and half of the other is not, and may say a thing twice. Lesson 11.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.tokenization import CLS_ID, SPECIAL_TOKENS

LETTERS = "abcdefghijklmnopqrst"
LENGTH = 14
FIRST = len(SPECIAL_TOKENS)
MODES = 2


def vocabulary() -> list[str]:
    """The special tokens and the letters, by id."""
    return [*SPECIAL_TOKENS, *LETTERS]


def sample_sources(n: int, generator: torch.Generator, length: int = LENGTH) -> Tensor:
    """Rows of letters, no two neighbours equal, nor the last and the first: (n, length) int64.

    Each letter but the last is drawn among those that its left neighbour is not.
    Errors: ValueError for fewer than 3 letters.
    """
    if length < 3:
        raise ValueError(f"length must be at least 3, not {length}.")
    ids = torch.empty(n, length, dtype=torch.int64)
    ids[:, 0] = torch.randint(len(LETTERS), (n,), generator=generator)
    for place in range(1, length):
        shift = torch.randint(1, len(LETTERS), (n,), generator=generator)
        ids[:, place] = (ids[:, place - 1] + shift) % len(LETTERS)
    ids[:, -1] = _other_than(ids[:, -2], ids[:, 0], ids[:, -1])
    return ids + FIRST


def _other_than(left: Tensor, right: Tensor, drawn: Tensor) -> Tensor:
    """The drawn letters, each moved on until it differs from both of its neighbours."""
    for _ in range(2):
        is_equal = (drawn == left) | (drawn == right)
        drawn = torch.where(is_equal, (drawn + 1) % len(LETTERS), drawn)
    return drawn


def answers(sources: Tensor) -> Tensor:
    """Both right answers to sources (N, L): (N, 2, L), as it stands and with its first at the end."""
    return torch.stack([sources, sources.roll(-1, 1)], 1)


def sample(
    n: int, generator: torch.Generator, modes: int = MODES, length: int = LENGTH
) -> tuple[Tensor, Tensor]:
    """Pairs to train on: sources that begin with [CLS] (n, 1 + length), and targets (n, length).

    Each target is drawn among the first `modes` right answers, evenly; with modes=1 it is the
    source as it stands, as after distillation.
    Errors: ValueError for other numbers of modes.
    """
    if modes not in (1, MODES):
        raise ValueError(f"modes must be 1 or {MODES}, not {modes}.")
    letters = sample_sources(n, generator, length)
    drawn = torch.randint(modes, (n,), generator=generator)
    return with_cls(letters), answers(letters)[torch.arange(n), drawn]


def with_cls(letters: Tensor) -> Tensor:
    """The source as a model reads it: (N, L) -> (N, 1 + L), [CLS] first."""
    return torch.cat([torch.full((len(letters), 1), CLS_ID), letters], 1)


def is_valid(sources: Tensor, written: Tensor) -> Tensor:
    """Whether each row is one of its right answers: (N, 1 + L), (N, L) -> (N,) bool."""
    return (answers(sources[:, 1:]) == written[:, None]).all(-1).any(-1)


def chance_of_right(p: Tensor, answers: Tensor) -> float:
    """How likely places that are drawn independently make one of the right answers.

    p (M,): the probability of each of the answers (M, L), which all differ. Each place is drawn
    with the probability that its words have over all answers. The multi-modality problem of
    Gu et al. 2018.
    """
    agree = answers[:, None] == answers  # (M, M, L): the same word at this place
    return float((p[:, None] * agree).sum(1).prod(1).sum())


TRAIN, TEST = 60_000, 500


class ModePairs(NamedTuple):
    """source (N, 1 + L) and target (N, L) to train on, and sources to test with."""

    source: Tensor
    target: Tensor
    test: Tensor


@cache
def train_and_test(modes: int = MODES) -> ModePairs:
    """The pairs, always the same."""
    train = sample(TRAIN, torch.Generator().manual_seed(0), modes)
    test, _ = sample(TEST, torch.Generator().manual_seed(1))
    return ModePairs(*train, test)
