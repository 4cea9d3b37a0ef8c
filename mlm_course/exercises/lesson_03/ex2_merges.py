"""Merges in their order."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import torch

from mlm_course.practice.exercise import Exercise, Mistake

Merges = list[tuple[str, str]]


def join_everywhere(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """The pieces with a pair joined at all its places, from the left."""
    new, i = [], 0
    while i < len(pieces):
        step = 2 if tuple(pieces[i : i + 2]) == pair else 1
        new.append("".join(pieces[i : i + step]))
        i += step
    return new


def once_through(word: str, merges: Merges) -> list[str]:
    """Goes through the list once."""
    pieces = list(word)
    for pair in merges:
        pieces = join_everywhere(pieces, pair)
    return pieces


def longest_piece(word: str, merges: Merges) -> list[str]:
    """Takes the longest piece that fits at the front."""
    known, pieces, start = {"".join(pair) for pair in merges}, [], 0
    while start < len(word):
        ends = range(len(word), start + 1, -1)
        end = next((e for e in ends if word[start:e] in known), start + 1)
        pieces.append(word[start:end])
        start = end
    return pieces


def step_by_step(word: str, merges: Merges, key: Callable[[int, int, str], Any]) -> list[str]:
    """Joins one pair after the other: the one with the smallest key of rank, place and piece."""
    pieces = list(word)
    while True:
        pairs = list(pairwise(pieces))
        keys = {
            i: key(merges.index(pair), i, "".join(pair))
            for i, pair in enumerate(pairs)
            if pair in merges
        }
        if not keys:
            return pieces
        i = min(keys, key=keys.__getitem__)
        pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]


def step_by_rank(word: str, merges: Merges) -> list[str]:
    """Joins the pair that stands first in the list, as asked."""
    return step_by_step(word, merges, lambda rank, place, piece: (rank, place))


def leftmost_first(word: str, merges: Merges) -> list[str]:
    """Joins the leftmost pair that is in the list."""
    return step_by_step(word, merges, lambda rank, place, piece: place)


def last_first(word: str, merges: Merges) -> list[str]:
    """Joins the pair that stands last in the list."""
    return step_by_step(word, merges, lambda rank, place, piece: (-rank, place))


def largest_first(word: str, merges: Merges) -> list[str]:
    """Joins the pair that makes the longest piece."""
    return step_by_step(word, merges, lambda rank, place, piece: (-len(piece), rank, place))


def all_places_at_once(word: str, merges: Merges) -> list[str]:
    """As asked, but each pair at all its places before it looks again."""
    pieces = list(word)
    while pair := next((m for m in merges if m in pairwise(pieces)), None):
        pieces = join_everywhere(pieces, pair)
    return pieces


def first_place_only(word: str, merges: Merges) -> list[str]:
    """Goes through the list once, and joins each pair at its first place."""
    pieces = list(word)
    for pair in merges:
        at = next((i for i in range(len(pieces) - 1) if (pieces[i], pieces[i + 1]) == pair), None)
        if at is not None:
            pieces = [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]
    return pieces


def inputs(g: torch.Generator) -> tuple[str, Merges]:
    """A word of twelve letters, and eight merges, not in the order in which they were made."""
    word, merges = drawn(g.initial_seed())
    return word, list(merges)


@cache
def drawn(seed: int) -> tuple[str, Merges]:
    """The first draw in which the order matters, and each join has to be followed by a new look.

    It does not matter whether a pair is joined at one place or at all places before the new look.
    """
    g = torch.Generator().manual_seed(seed)
    while True:
        merges = drawn_merges(g)
        word = "".join("ab"[i] for i in torch.randint(2, (12,), generator=g).tolist())
        right = step_by_rank(word, merges)
        rules = (once_through, leftmost_first, largest_first)
        wrong = [rule(word, merges) for rule in rules]
        if right == all_places_at_once(word, merges) and right not in wrong:
            return word, merges


def drawn_merges(g: torch.Generator) -> Merges:
    """Eight different pairs of letters or of what earlier pairs make, shuffled."""
    known = list("ab")
    merges: Merges = []
    while len(merges) < 8:
        i, j = torch.randint(len(known), (2,), generator=g).tolist()
        pair = known[i], known[j]
        if pair not in merges and len("".join(pair)) <= 4:
            merges.append(pair)
            known.append("".join(pair))
    return [merges[i] for i in torch.randperm(8, generator=g).tolist()]


EXERCISE = Exercise(
    minutes=15,
    trials=6,
    inputs=inputs,
    hints=(
        "After each join the neighbours are others. What has to be looked at again?",
        "Give each pair its rank, its place in `merges`. In each round, join the neighbours with the "
        "smallest rank.",
        "A round: the ranks of all neighbours, `len(merges)` for a pair that is not in the list. If the "
        "smallest is that, you are done.",
        "pieces = list(word)\n"
        "rank = {pair: i for i, pair in enumerate(merges)}\n"
        "while True:\n"
        "    ranks = [rank.get(pair, len(merges)) for pair in zip(pieces, pieces[1:])]\n"
        "    if min(ranks, default=len(merges)) == len(merges):\n"
        "        return pieces\n"
        "    i = ranks.index(min(ranks))\n"
        "    pieces = [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]",
    ),
    mistakes=(
        Mistake(
            "That is what one walk through the list gives. A join can make a pair that stands *earlier* "
            "in the list: after each join begin again.",
            once_through,
        ),
        Mistake(
            "That is what one walk through the list gives, with one join for each pair. A pair may stand "
            "in the word several times, and a join can make a pair that stands earlier in the list.",
            first_place_only,
        ),
        Mistake(
            "That is the longest piece first, from the left: WordPiece's way. Here the order of `merges` "
            "decides.",
            longest_piece,
        ),
        Mistake(
            "That is the leftmost pair first, whichever it is. Of all pairs that stand side by side, the "
            "one that comes first in `merges` is joined.",
            leftmost_first,
        ),
        Mistake(
            "That is the *last* pair of `merges` first. Take the one that comes first in the list.",
            last_first,
        ),
        Mistake(
            "That is the pair first that makes the longest piece. The order of `merges` decides.",
            largest_first,
        ),
        Mistake(
            "Only one pair was joined. Look again after each join, until no pair of the list is left.",
            {"pieces = [*pieces[:i]": "return [*pieces[:i]"},
        ),
    ),
)
