"""Pairs of sentences from data sets on the Hugging Face hub. Lesson 11.

    load_pairs("multi30k", n=29_000)[0].target    # "Zwei junge weiße Männer sind ..."

Without a network it says so in one sentence and returns cheques, French to English, instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlm_course.corpora.pairs import Pair, cheques
from mlm_course.hub import HubUnreachable, Known, check_n, rows_from_hub


class KnownPairs(NamedTuple):
    """A data set by its id on the hub, and the columns with the two languages."""

    hub_id: str
    source: str
    target: str


KNOWN_PAIRS = {"multi30k": KnownPairs("bentrevett/multi30k", "en", "de")}
"""The data sets that `load_pairs` knows."""


def load_pairs(
    name: str, split: str = "train", n: int | None = 1000, timeout: float = 5.0
) -> list[Pair]:
    """The first n pairs of a data set; n=None means all. Each has one right answer: the one given.

    name: one of KNOWN_PAIRS. If the hub does not answer within timeout seconds, prints one
    sentence and returns n cheques (1000 for None). Errors: ValueError for another name or split.
    """
    if name not in KNOWN_PAIRS:
        raise ValueError(f"name must be one of {', '.join(KNOWN_PAIRS)}, not {name!r}.")
    check_n(n, "pairs")
    try:
        return pairs_from_hub(name, split, n, timeout)
    except HubUnreachable as reason:
        print(reason.replaced(name, "cheques, French to English, take"))
        return cheques(n or 1000, seed=0 if split == "train" else 1)


def pairs_from_hub(
    name: str, split: str = "train", n: int | None = None, timeout: float = 5.0
) -> list[Pair]:
    """As `load_pairs`, but HubUnreachable where the hub does not answer."""
    known = KNOWN_PAIRS[name]

    def read(rows: Iterable[Mapping[str, Any]]) -> Iterator[Pair]:
        for row in rows:
            source, target = row[known.source].strip(), row[known.target].strip()
            if source and target:
                yield Pair(source, target, frozenset([target]))

    return rows_from_hub(Known(known.hub_id, None, None), split, n, read, timeout=timeout)
