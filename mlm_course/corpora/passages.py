"""Passages to search, and questions that they answer, from the Python on this machine. Lesson 8.

A docstring's first sentence says in short what the rest says at length: a query, and the passage that
a search should bring up for it. Nobody had to label anything.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mlm_course.contracts import check_count
from mlm_course.corpora import python_docs
from mlm_course.corpora.python_docs import Docstring

PASSAGE_WORDS = 100  # as in Karpukhin et al. 2020, section 4.1
_QUERY_WORDS = 4  # the fewest
_FEWEST_WORDS = 8  # of a passage

# Parts of the standard library that hardly anybody looks up.
_INTERNAL = {
    "idlelib",
    "lib2to3",
    "distutils",
    "ensurepip",
    "turtledemo",
    "encodings",
    "pydoc_data",
}


class QueryPair(NamedTuple):
    """A docstring's first sentence and what follows it; and the module and name they belong to."""

    module: str
    name: str
    query: str
    text: str


class Passage(NamedTuple):
    """A piece of documentation of at most PASSAGE_WORDS words, and where it stands."""

    name: str
    text: str


def query_pairs(
    items: Iterable[Docstring], held_out: Collection[str]
) -> tuple[list[QueryPair], list[QueryPair]]:
    """Pairs to train on and pairs held out, by module: the same query or passage never comes twice.

    held_out: names of modules. A held-out pair whose query a training docstring says too is left out,
    and so is each paragraph of a held-out passage; a query that its own passage repeats makes no pair.
    A passage ends after PASSAGE_WORDS words. Case does not count. Errors: TypeError for one name
    instead of several.
    """
    if isinstance(held_out, str):
        raise TypeError(f"held_out must be several modules: write [{held_out!r}].")
    sides: tuple[list[Docstring], list[Docstring]] = [], []
    for item in items:
        sides[item.module in held_out].append(item)
    said = {part.lower() for item in sides[0] for part in chain(*_parts(item.text))}
    return list(_distinct(_pairs(sides[0], set()))), list(_distinct(_pairs(sides[1], said)))


def documentation(packages: Iterable[str] = (python_docs.STDLIB,)) -> list[Passage]:
    """Python's manual and the docstrings of public names, cut into passages with a name each.

    packages as in `python_docs.docstrings`. Long texts give several passages of one name, paragraphs
    whole where they fit. Errors: as for `manual` and `docstrings` of `python_docs`.
    """
    texts = [(f"manual: {topic}", text) for topic, text in python_docs.manual_topics().items()]
    for item in python_docs.docstrings(packages):
        name = f"{item.module}.{item.name}".strip(".")
        if _is_public(name):
            texts.append((name, item.text))
    return [
        Passage(name, piece)
        for name, text in texts
        for piece in pieces_of(text, PASSAGE_WORDS)
        if len(piece.split()) >= _FEWEST_WORDS
    ]


def pieces_of(text: str, most: int) -> Iterator[str]:
    """The text in pieces of at most so many words: paragraphs joined while they fit, else cut."""
    check_count("most", most, 1)
    piece: list[str] = []
    for paragraph in python_docs.paragraphs([text], 1):
        words = paragraph.split()
        if piece and len(piece) + len(words) > most:
            yield " ".join(piece)
            piece = []
        piece += words
        while len(piece) > most:
            yield " ".join(piece[:most])
            piece = piece[most:]
    if piece:
        yield " ".join(piece)


def _parts(text: str) -> tuple[list[str], list[str]]:
    """The first sentence, and the paragraphs that follow, without what is said twice."""
    first, *others = python_docs.paragraphs([text], 1) or [""]
    query, *rest = python_docs.sentences([first], 1) or [""]
    return [query], list(dict.fromkeys(filter(None, (" ".join(rest), *others))))


def _pairs(items: Sequence[Docstring], said: set[str]) -> Iterator[QueryPair]:
    """The pairs of these docstrings; what is in `said`, in lower case, is left out."""
    for item in items:
        (query,), paragraphs = _parts(item.text)
        words = " ".join(p for p in paragraphs if p.lower() not in said).split()
        text = " ".join(words[:PASSAGE_WORDS])
        is_repeated = query.lower() in said or query.lower().rstrip(".") in text.lower()
        if len(query.split()) >= _QUERY_WORDS and len(words) >= _FEWEST_WORDS and not is_repeated:
            yield QueryPair(item.module, item.name, query, text)


def _distinct(pairs: Iterable[QueryPair]) -> Iterator[QueryPair]:
    """The pairs whose query and text both come for the first time."""
    seen: set[str] = set()
    for pair in pairs:
        texts = {pair.query.lower(), pair.text.lower()}
        if not texts & seen:
            seen |= texts
            yield pair


def _is_public(name: str) -> bool:
    parts = name.split(".")
    return parts[0] not in _INTERNAL and not any(part.startswith("_") for part in parts)
