"""What a tinyworld grammar is: tables of words that go together, and sentence shapes.

A *table* is one hidden choice behind a sentence. One of its rows is drawn, and every slot that
names the table reads a field of that same row:

    table person     name   subject  possessive
                     anna   she      her
                     tom    he       his

    shape            {person.name} said {person.subject} lost {person.possessive} key .
    row "anna"       anna          said she              lost her                 key .

Agreement, pronouns, tense, topics and things mentioned again are all of this one kind: several
words reading one row. Different tables are drawn independently of each other; that is what
makes exact inference cheap (see `tinyworld.masked_posterior`).
"""

import itertools
import re
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from mlm_course.tokenization import SPECIAL_TOKENS

_SLOT = re.compile(r"\{(\w+)\.(\w+)\}")
_OPTIONAL = re.compile(r"\[(.*?)\]")


@dataclass(frozen=True)
class Table:
    """One hidden choice: rows of words that go together.

    fields names the columns; a field that no shape uses is a label (such as "plural") that only
    `Reading.latents` shows. weights are relative row probabilities; empty means all rows alike.
    Raises ValueError if a row has the wrong number of fields or a weight is not positive.
    """

    name: str
    fields: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.rows or any(len(row) != len(self.fields) for row in self.rows):
            raise ValueError(
                f"Table {self.name!r} needs at least one row, and {len(self.fields)} words in "
                f"each, one for every field of {self.fields}."
            )
        if self.weights and (len(self.weights) != len(self.rows) or min(self.weights) <= 0):
            raise ValueError(
                f"Table {self.name!r} needs one positive weight for each row, or none."
            )

    @cached_property
    def probabilities(self) -> Tensor:
        """Row probabilities (R,), float64, summing to 1."""
        weights = self.weights or (1.0,) * len(self.rows)
        return torch.tensor(weights, dtype=torch.float64) / sum(weights)

    def column(self, field: str) -> list[str]:
        """The words of one field, a word per row."""
        return [row[self.fields.index(field)] for row in self.rows]


@dataclass(frozen=True)
class Shape:
    """A sentence with slots, such as "[on {day.name}] {person.name} slept ."

    A slot {table.field} stands for one word. A part in square brackets is there in half of the
    sentences. weight is the shape's relative probability.
    """

    name: str
    template: str
    weight: float = 1.0


@dataclass(frozen=True)
class Part:
    """The slots of one pattern that read one table.

    positions (n,). spoken (K, n): what each of the table's K rows puts at those positions.
    words (R, n): the same without repeats, as rows may look alike here; prior (R,): their
    probabilities, float64.
    """

    table: str
    positions: Tensor
    spoken: Tensor
    words: Tensor
    prior: Tensor


@dataclass(frozen=True)
class Pattern:
    """A shape with its optional parts decided: a fixed number of words.

    slots: a word, or a pair (table, field). fixed (L,): the word id where the word is fixed,
    else -1. probability: how often this pattern is drawn.
    """

    shape: str
    slots: tuple[str | tuple[str, str], ...]
    probability: float
    fixed: Tensor
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Grammar:
    """A language: independent tables, and the shapes that read them.

    Raises ValueError at first use if a shape names a table or field that does not exist.
    """

    tables: tuple[Table, ...]
    shapes: tuple[Shape, ...]

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """The tables, by name."""
        return {table.name: table for table in self.tables}

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens in the order of their ids: the special tokens, then the words from a to z."""
        words: set[str] = set()
        for _, slots, _ in self._variants():
            for slot in slots:
                words.update([slot] if isinstance(slot, str) else self._column(*slot))
        return SPECIAL_TOKENS + tuple(sorted(words))

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """The id of every token."""
        return {word: i for i, word in enumerate(self.vocabulary)}

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """Every fixed-length form of every shape; their probabilities sum to 1."""
        total = sum(shape.weight for shape in self.shapes)
        return tuple(
            Pattern(name, slots, weight / total, self._fixed(slots), self._parts(slots))
            for name, slots, weight in self._variants()
        )

    def _variants(self) -> list[tuple[str, tuple[str | tuple[str, str], ...], float]]:
        """(shape name, slots, relative weight) with every optional part kept or left out."""
        variants = []
        for shape in self.shapes:
            pieces = _OPTIONAL.split(shape.template)  # odd places hold the optional parts
            choices = [("", p) if i % 2 else (p,) for i, p in enumerate(pieces)]
            texts = [" ".join(kept) for kept in itertools.product(*choices)]
            for text in texts:
                slots = tuple(_parse(token) for token in text.split())
                variants.append((shape.name, slots, shape.weight / len(texts)))
        return variants

    def _column(self, table: str, field: str) -> list[str]:
        if table not in self.by_name or field not in self.by_name[table].fields:
            raise ValueError(
                f"A shape names {{{table}.{field}}}, but there is no such table field."
            )
        return self.by_name[table].column(field)

    def _fixed(self, slots: tuple[str | tuple[str, str], ...]) -> Tensor:
        return torch.tensor([self.word_ids[s] if isinstance(s, str) else -1 for s in slots])

    def _parts(self, slots: tuple[str | tuple[str, str], ...]) -> tuple[Part, ...]:
        reads: dict[str, list[int]] = {}  # table -> positions that read it
        for position, slot in enumerate(slots):
            if not isinstance(slot, str):
                reads.setdefault(slot[0], []).append(position)
        return tuple(self._part(table, at, slots) for table, at in reads.items())

    def _part(self, table: str, at: list[int], slots: tuple[str | tuple[str, str], ...]) -> Part:
        columns = [[self.word_ids[w] for w in self._column(*slots[i])] for i in at]
        spoken = torch.tensor(columns).T  # (K, n)
        words, merged = torch.unique(spoken, dim=0, return_inverse=True)
        prior = torch.zeros(len(words), dtype=torch.float64)
        prior.index_add_(0, merged, self.by_name[table].probabilities)
        return Part(table, torch.tensor(at), spoken, words, prior)


def _parse(token: str) -> str | tuple[str, str]:
    slot = _SLOT.fullmatch(token)
    return (slot[1], slot[2]) if slot else token
