"""A small generated language in which the best possible guess for a hidden word is known.

    there were two white ducks near the river , and anna said the white ducks were hers .

Behind each sentence stand a few hidden choices (who, what, which colour, when, how many); words
that hang on the same choice give each other away. `tinyworld_grammar` says how, and
`tinyworld_language` holds the words. As the language is known completely, `masked_posterior`
gives the exact probability of every hidden word given the visible ones, and `loss_floor` the
lowest loss that any model can reach on average (both live in `tinyworld_posterior`).

Ids 0 to 4 are the special tokens; the words follow from a to z. A row holds one sentence, as
`[CLS] words [SEP] [PAD] ...` or without [CLS] and [SEP].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld_grammar import Grammar, Part, Pattern, Shape, Table
from mlm_course.corpora.tinyworld_language import TINYWORLD
from mlm_course.corpora.tinyworld_posterior import (
    beliefs,
    loss_floor,
    masked_posterior,
    sentence_probability,
)
from mlm_course.corruption import MASK_ONLY, STRATEGIES, Masker, Proportions
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS

__all__ = [
    "CLS",
    "MASK",
    "PAD",
    "SEP",
    "TINYWORLD",
    "UNK",
    "Grammar",
    "Reading",
    "Shape",
    "Table",
    "decode",
    "encode",
    "explain",
    "loss_floor",
    "masked_posterior",
    "sample",
    "sample_ids",
    "sample_readings",
    "sentence_probability",
    "vocabulary",
]

PAD, UNK, CLS, SEP, MASK = SPECIAL_IDS


MASK_RATIO = 0.4  # what the course's models of tinyworld were trained with


@dataclass(frozen=True)
class Reading:
    """A sentence and the hidden choices behind it.

    roles names for each word the table field it reads, such as "colour.name", or "" for a word
    that the shape fixes. latents maps each table that the sentence reads to its row as a dict,
    labels such as "number" included.
    """

    words: list[str]
    shape: str
    roles: list[str]
    latents: dict[str, dict[str, str]] = field(default_factory=dict)

    def repeats(self, position: int) -> list[int]:
        """Positions of the other mentions of the same thing: the same field of the same row."""
        role = self.roles[position]
        return [i for i, r in enumerate(self.roles) if role and r == role and i != position]

    def related(self, position: int) -> list[int]:
        """Positions of the other words that hang on the same hidden choice."""
        table = self.roles[position].partition(".")[0]
        tables = [role.partition(".")[0] for role in self.roles]
        return [i for i, t in enumerate(tables) if table and t == table and i != position]


def vocabulary(grammar: Grammar = TINYWORLD) -> tuple[str, ...]:
    """All tokens in the order of their ids, the special tokens first."""
    return grammar.vocabulary


def sample(n: int, generator: torch.Generator, grammar: Grammar = TINYWORLD) -> list[list[str]]:
    """n random sentences, each a list of words."""
    return decode(sample_ids(n, generator, specials=False, grammar=grammar), grammar)


def sample_ids(
    n: int, generator: torch.Generator, specials: bool = True, grammar: Grammar = TINYWORLD
) -> Tensor:
    """n random sentences as ids (n, T), padded to the longest sentence of the language.

    specials adds [CLS] in front and [SEP] behind. Sentence i depends only on the i-th row of
    random numbers, so the first sentences stay the same when n grows.
    """
    ids = _write(*_draw(n, generator, grammar), grammar)
    return _add_specials(ids) if specials else ids


def sample_readings(
    n: int, generator: torch.Generator, grammar: Grammar = TINYWORLD
) -> list[Reading]:
    """n random sentences with the hidden choices behind each; the same draw as `sample`."""
    pattern, rows = _draw(n, generator, grammar)
    sentences = decode(_write(pattern, rows, grammar), grammar)
    readings = []
    for i, words in enumerate(sentences):
        p = grammar.patterns[int(pattern[i])]
        tables = [grammar.by_name[part.table] for part in p.parts]
        drawn = {t.name: dict(zip(t.fields, t.rows[rows[t.name][i]], strict=True)) for t in tables}
        readings.append(Reading(words, p.shape, _roles(p), drawn))
    return readings


def encode(
    sentences: Sequence[Sequence[str]], specials: bool = True, grammar: Grammar = TINYWORLD
) -> Tensor:
    """Ids (B, T) of sentences given as lists of words, padded; a word not in the language is [UNK].

    Raises TypeError for a plain string: split it on spaces first.
    """
    if any(isinstance(words, str) for words in sentences):
        raise TypeError("encode takes lists of words: split each sentence on spaces first.")
    longest = max((len(words) for words in sentences), default=0)
    ids = torch.full((len(sentences), longest), PAD)
    for row, words in zip(ids, sentences, strict=True):
        row[: len(words)] = torch.tensor([grammar.word_ids.get(w, UNK) for w in words])
    return _add_specials(ids) if specials else ids


def decode(ids: Tensor, grammar: Grammar = TINYWORLD) -> list[list[str]]:
    """The tokens of each row of ids (B, T), [PAD] left out, other special tokens kept."""
    names = grammar.vocabulary
    return [[names[i] for i in row if i != PAD] for row in ids.tolist()]


def explain(words: Sequence[str], grammar: Grammar = TINYWORLD) -> Reading:
    """The shape of a sentence, what each word reads, and the hidden choices that can be told.

    A field that the words leave open is missing from the latents. Raises ValueError if the
    words are no sentence of the language.
    """
    ids = encode([words], specials=False, grammar=grammar)
    for p in grammar.patterns:
        if len(p.slots) == len(words) and beliefs(p, ids, torch.zeros_like(ids) > 0)[0] > 0:
            latents = {
                part.table: _known_fields(part, ids[0], grammar.by_name[part.table])
                for part in p.parts
            }
            return Reading(list(words), p.shape, _roles(p), latents)
    raise ValueError(f"No sentence shape of the language fits {' '.join(words)!r}.")


def _draw(n: int, generator: torch.Generator, grammar: Grammar) -> tuple[Tensor, dict[str, Tensor]]:
    """A pattern (n,) for each sentence, and a row (n,) of every table."""
    pattern = torch.tensor([p.probability for p in grammar.patterns], dtype=torch.float64)
    chances = [pattern, *(t.probabilities for t in grammar.tables)]
    uniform = torch.rand(n, len(chances), generator=generator, dtype=torch.float64)
    picks = [
        torch.searchsorted(p.cumsum(0), u.contiguous(), right=True).clamp_max(len(p) - 1)
        for p, u in zip(chances, uniform.T, strict=True)
    ]
    return picks[0], {t.name: pick for t, pick in zip(grammar.tables, picks[1:], strict=True)}


def _write(pattern: Tensor, rows: dict[str, Tensor], grammar: Grammar) -> Tensor:
    """Ids (n, T) of the sentences that the drawn patterns (n,) and table rows spell."""
    longest = max(len(p.slots) for p in grammar.patterns)
    ids = torch.full((len(pattern), longest), PAD)
    for k, p in enumerate(grammar.patterns):
        chosen = (pattern == k).nonzero()[:, 0]
        words = p.fixed.repeat(len(chosen), 1)  # (b, L)
        for part in p.parts:
            words[:, part.positions] = part.spoken[rows[part.table][chosen]]
        ids[chosen, : len(p.slots)] = words
    return ids


def _add_specials(ids: Tensor) -> Tensor:
    length = (ids != PAD).sum(1)
    out = torch.nn.functional.pad(ids, (1, 1), value=PAD)
    out[:, 0] = CLS
    out[torch.arange(len(ids)), length + 1] = SEP
    return out


def _roles(pattern: Pattern) -> list[str]:
    return ["" if isinstance(slot, str) else ".".join(slot) for slot in pattern.slots]


def _known_fields(part: Part, words: Tensor, table: Table) -> dict[str, str]:
    """Fields on which all rows that agree with the words of one sentence (T,) agree."""
    fits = (part.spoken == words[part.positions]).all(1)  # (K,)
    rows = [table.rows[r] for r in fits.nonzero()[:, 0].tolist()]
    known = {}
    for i, name in enumerate(table.fields):
        values = {row[i] for row in rows}
        if len(values) == 1:
            known[name] = values.pop()
    return known


def masker(
    ratio: float = MASK_RATIO,
    pattern: str = "fixed count",
    proportions: Proportions = MASK_ONLY,
) -> Masker:
    """A pattern of hiding, over tinyworld's words."""
    return Masker(
        len(tinyworld.vocabulary()),
        SPECIAL_IDS,
        MASK_ID,
        choose=STRATEGIES[pattern],
        ratio=ratio,
        proportions=proportions,
    )


def sentences(n: int, seed: int) -> torch.Tensor:
    """n sentences of tinyworld as ids (n, T)."""
    return tinyworld.sample_ids(n, torch.Generator().manual_seed(seed))
