"""Questions by meaning: which parameter of a list is a switch, a whole number, a function? Lesson 8.

    question: Which one is a whole number?
    text:     copy : Whether to leave the data alone. tol : Stop when changes get smaller than this. ...

The text lists `CHOICES` parameters of one function in an order that is drawn, each with the first
sentence of its description; the answer is a name. The types, which the docstring gives, say what the
answer is; they are left out of the text. All names are names of parameters: which of them is the
answer, only the question says.
Sources are parsed, never imported or run; what comes out differs between versions of the packages.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from mlm_course.corpora import python_docs
from mlm_course.corpora.labelled import SpanQuestion

CHOICES = 4  # parameters in a text
WORDS = (3, 20)  # fewest and most of a description
QUESTIONS = {
    "bool": "Which one is a switch?",
    "int": "Which one is a whole number?",
    "float": "Which one is a real number?",
    "str": "Which one is a word?",
    "callable": "Which one can be called?",
    "array": "Which one holds many numbers?",
}

_LISTS = (b"Parameters\n", b"Attributes\n", b"Args:", b"Arguments:")
_SECTION = re.compile(
    r"^(?:Other )?(?:Parameters|Attributes)\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", re.M | re.S
)
_ENTRY = re.compile(r"^\*{0,2}(\w+) *: *(\S.*)$")
_ARGS = re.compile(r"^( *)(?:Keyword )?(?:Args|Arguments):\n((?:\1 +\S.*(?:\n|\Z)|\s*\n)+)", re.M)
_ARG = re.compile(r"^\*{0,2}(\w+) *(?:\((.*?)\))? *: *(\S.*)$")
_MARK = re.compile(r":[\w:]+:`[~!.]?([^`<]+?)(?: *<[^`>]*>)?`|(``?|\*\*?)(?=\S)([^`*]+?)\2")
_NO_PROSE = re.compile(
    r"https?:|::|>>>|---|===|[\\`|]|\[\d+\]|\.\. |\b(?:[Ss]ame as|[Aa]s above)\b"
)
_KINDS = {
    "bool": re.compile(r"bool"),
    "int": re.compile(r"int(eger)?\b"),
    "float": re.compile(r"(positive |non-negative )?(float|real|scalar|number)\b"),
    "str": re.compile(r"str\b|string|\{ *[\"']"),
    "callable": re.compile(r"callable|function|Callable"),
    "array": re.compile(
        r"(\{?array|(\w+ )?ndarray|(1|2|N)-?[dD] array|\([^)]*\) (nd)?array|Tensor)"
    ),
}
_AMONG = re.compile(r" or |\bor\b|[|]|Union\[")


class Parameter(NamedTuple):
    """A parameter: its name, a key of `QUESTIONS`, the first sentence of its description."""

    name: str
    kind: str
    sentence: str


def parameter_questions(packages: Iterable[str]) -> list[SpanQuestion]:
    """Questions such as "Which one is a switch?" about texts that list `CHOICES` parameters.

    Just one of them is of the kind that is asked for. A name with one and the same description is asked
    for once. ValueError for a package that is not installed.
    """
    once: dict[tuple[str, str], SpanQuestion] = {}
    for package in (packages,) if isinstance(packages, str) else packages:
        for module, parameters in _described(package):
            for item in _about(module, parameters):
                once.setdefault((item.answer, choices(item)[item.answer]), item)
    return list(once.values())


def choices(item: SpanQuestion) -> dict[str, str]:
    """The parameters of a question's text, in order: name -> description."""
    parts = re.split(r"(?:^|(?<=\.) )(\w+) : ", item.context)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def split_by_answer(
    items: Sequence[SpanQuestion], test_modules: Collection[str]
) -> tuple[list[SpanQuestion], list[SpanQuestion]]:
    """Questions to train on and to test on; no module and no description is on both sides.

    And no name that is an answer in the test is one in training: a list of names and kinds knows none
    that is asked for.
    """
    test_modules = set(test_modules)
    test = [item for item in items if item.module in test_modules]
    said = {sentence for item in test for sentence in choices(item).values()}
    names = {item.answer.lower() for item in test}
    return [
        item
        for item in items
        if item.module not in test_modules
        and item.answer.lower() not in names
        and said.isdisjoint(choices(item).values())
    ], test


@cache
def _described(package: str) -> tuple[tuple[str, tuple[Parameter, ...]], ...]:
    """(module, parameters of a known kind) of each docstring that lists enough of them."""
    return tuple(
        (module, parameters)
        for file, module in python_docs.sources(package)
        if any(mark in file.read_bytes() for mark in _LISTS)
        for text in _docstrings(python_docs.parsed(file))
        if len(parameters := tuple(_parameters(text))) >= CHOICES
    )


def _docstrings(tree: ast.Module | None) -> Iterator[str]:
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield (ast.get_docstring(node) or "").expandtabs()


def _about(module: str, parameters: Sequence[Parameter]) -> Iterator[SpanQuestion]:
    """A question for each parameter, among others of other kinds."""
    for asked in parameters:
        rng = random.Random(f"{asked.name} {asked.sentence}")
        others = [other for other in parameters if other.kind != asked.kind]
        if len(others) < CHOICES - 1:
            continue
        listed = rng.sample(others, CHOICES - 1)
        listed.insert(rng.randrange(CHOICES), asked)
        context, start = "", 0
        for parameter in listed:
            context = f"{context} ".lstrip()
            start = len(context) if parameter is asked else start
            context += f"{parameter.name} : {parameter.sentence}"
        end = start + len(asked.name)
        yield SpanQuestion(module, QUESTIONS[asked.kind], context, start, end)


def _parameters(text: str) -> Iterator[Parameter]:
    """The parameters of a docstring whose type is of one kind, each name and sentence once."""
    said: set[str] = set()
    for name, annotation, description in _entries(text):
        sentence, kind = _first_sentence(description), _kind(annotation)
        if sentence and kind and said.isdisjoint((name, sentence)):
            said |= {name, sentence}
            yield Parameter(name, kind, sentence)


def _kind(annotation: str) -> str:
    """What a type is, a key of `QUESTIONS`; "" if it is several things or none of them."""
    plain = _unmarked(annotation).replace(" or None", "").replace("None or ", "")
    kinds = [kind for kind, pattern in _KINDS.items() if pattern.match(plain)]
    return kinds[0] if kinds and not _AMONG.search(plain) else ""


def _unmarked(text: str) -> str:
    return _MARK.sub(lambda mark: mark[1] or mark[3], text)


def _entries(text: str) -> list[tuple[str, str, str]]:
    """(name, type, description) of each entry, in the layout of numpydoc or of Google's guide."""
    entries: list[tuple[str, str, str]] = []
    for section in _SECTION.finditer(text):
        for line in section[1].splitlines():
            if line[:1].strip():
                head = _ENTRY.match(line)
                entries.append((head[1], head[2], "") if head else ("", "", ""))
            else:
                _go_on(entries, line)
    for arguments in () if entries else _ARGS.finditer(text):
        lines = [line for line in arguments[2].splitlines() if line.strip()]
        margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
        for line in lines:
            head = _ARG.match(line[margin:])
            if head:
                entries.append((head[1], head[2] or "", head[3]))
            else:
                _go_on(entries, line)
    return [entry for entry in entries if all(entry)]


def _go_on(entries: list[tuple[str, str, str]], line: str) -> None:
    """A further line of the last description."""
    if entries:
        name, annotation, description = entries[-1]
        entries[-1] = name, annotation, f"{description} {line.strip()}".strip()


def _first_sentence(description: str) -> str:
    """The first sentence without markup; "" where it is no prose, too short or too long."""
    line = _unmarked(description)
    sentence = next(iter(python_docs.sentences([line], WORDS[0])), "")
    if not line.startswith(sentence) or _NO_PROSE.search(sentence) or not sentence[:1].isupper():
        return ""
    words = sentence.split()
    plain = sum(word.strip(".,()").isalpha() for word in words)
    fits = len(words) <= WORDS[1] and plain >= 0.6 * len(words) and " : " not in sentence
    return f"{sentence.rstrip('.:,;')}." if fits else ""
