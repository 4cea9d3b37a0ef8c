"""Text with labels that its own authors gave it, from the Python on this machine. Lesson 8.

Three kinds of label, none of them made for this course (a fourth in `corpora.questions`):

- `package_messages`: which package does a message come from? The source file says so.
- `messages`: is a message raised as an error, or only given as a warning? The code says so.
- `tagged_sentences`: which words are parameters, values or other code? The markup says so; it is
  taken off before a model sees the sentence.

Sources are parsed, never imported or run. What comes out differs between versions of the packages.
"""

import ast
import random
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from mlm_course.corpora import python_docs

KINDS = ("error", "warning")
TAGS = ("O", "B-PARAM", "I-PARAM", "B-VALUE", "I-VALUE", "B-CODE", "I-CODE")

_MOST_WORDS = 48  # of a sentence
_MARK = re.compile(r":(?:\w+:)?(\w+):`[~!.]?([^`<]+?)(?: *<[^`>]*>)?`|(``|`)[~!.]?([^`]{1,40}?)\3")
_WORD = re.compile(r"\w+|[^\w\s]")
_ROLE = re.compile(rb":[\w:]+:(?=`)")
_NO_LETTERS = bytes(c for c in range(256) if not (c < 128 and chr(c).isalnum()))
_LITERAL = re.compile(r"None|True|False|[-+]?[\d.]+(?:e-?\d+)?|([\"']).*\1")
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*?)(?=\w)([^*\n]+?)(?<=\w)\1(?![*])")
_NO_PROSE = re.compile(
    r">>>|::|---|===|\|\||\.\. |\\|:(?:math|ref|term|doc|rc|mpltype):| : |https?:"
    r"|^[^A-Z`:*]|[^.!?]$"
)
_NAMES_A_PACKAGE = re.compile(
    r"numpy|\bnp\b|scipy|scikit|sklearn|matplotlib|\bmpl|pyplot|\bplt\b|torch", re.I
)
_BODIES = ("body", "orelse", "handlers", "finalbody", "cases")  # where statements can be
_SECTION = re.compile(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", re.M | re.S)
_ENTRY = re.compile(r"^\*{0,2}(\w+(?:, ?\*{0,2}\w+)*) *: *(\S.*)$", re.M)


class Message(NamedTuple):
    """What a program says when something is wrong.

    kind: "error" or "warning"; or, of `package_messages`, the package.
    """

    module: str
    text: str
    kind: str


class Tagged(NamedTuple):
    """A sentence as words, and for each word one of `TAGS`: B- begins an entity, I- goes on."""

    module: str
    words: list[str]
    tags: list[str]

    @property
    def text(self) -> str:
        """The words, parted by spaces."""
        return " ".join(self.words)


class SpanQuestion(NamedTuple):
    """A question, a text that answers it, and where: the answer is context[start:end]."""

    module: str
    question: str
    context: str
    start: int
    end: int

    @property
    def answer(self) -> str:
        """The words of the answer."""
        return self.context[self.start : self.end]

    @property
    def text(self) -> str:
        """What an answer is looked for in."""
        return self.context


class _FromModule(Protocol):
    @property
    def module(self) -> str: ...

    @property
    def text(self) -> str: ...


Item = TypeVar("Item", bound=_FromModule)


def messages(packages: Iterable[str]) -> list[Message]:
    """Messages of at least four words that the code raises as errors or gives as warnings.

    A message written as an f-string shows the names of what it would fill in. Each text comes once;
    one that is used in both ways is left out. ValueError for a package that is not installed.
    """
    all_messages = [item for package in _names(packages) for item in _read(package)[1]]
    kinds: dict[str, set[str]] = {}
    for item in all_messages:
        kinds.setdefault(item.text.lower(), set()).add(item.kind)
    once = {item.text.lower(): item for item in reversed(all_messages)}
    clear = [item for text, item in once.items() if len(kinds[text]) == 1]
    return sorted(clear)


def package_messages(
    packages: Iterable[str], first: Collection[str] = (), most: int = 1000
) -> list[Message]:
    """Messages, errors and warnings alike, with the name of their package as kind.

    A large package is not read to its end: its modules come in the order of a checksum of their
    names, those in `first` before all others, until there are `most` messages. Each text comes once
    (letters and digits are compared). Left out are texts that several packages have, and all that
    name one of the five packages of lesson 8: the name would be the answer.
    """
    texts: dict[bytes, Message] = {}
    owners: dict[bytes, set[str]] = {}
    for package in _names(packages):
        own: dict[bytes, Message] = {}
        for file, module in _reading_order(package, frozenset(first)):
            for item in _read_file(file, module)[1]:
                if not _NAMES_A_PACKAGE.search(item.text):
                    own.setdefault(_letters(item.text.encode()), item._replace(kind=package))
            if len(own) >= most:
                break
        texts |= own
        for text in own:
            owners.setdefault(text, set()).add(package)
    return [item for text, item in texts.items() if len(owners[text]) == 1]


def draw_balanced(items: Sequence[Message], n: int, seed: int) -> list[int]:
    """The places of n messages in random order, as many of each kind; fewer where a kind runs out."""
    chance = random.Random(seed)
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        places.setdefault(item.kind, []).append(place)
    each = min([n // max(len(places), 1), *map(len, places.values())])
    chosen = [place for kind in sorted(places) for place in chance.sample(places[kind], each)]
    return chance.sample(chosen, len(chosen))


def _reading_order(package: str, first: Collection[str]) -> list[tuple[Path, str]]:
    """Files and modules of a package: those in `first`, then the others; both by a checksum."""
    return sorted(
        python_docs.sources(package),
        key=lambda source: (source[1] not in first, zlib.crc32(source[1].encode())),
    )


def tagged_sentences(packages: Iterable[str]) -> list[Tagged]:
    """Sentences of docstrings in which the author marked some words as code.

    PARAM: the name of a parameter of the very function (its "Parameters" section lists it); VALUE:
    None, True, False, a number or a quoted string; CODE: other code. Only docstrings that list
    parameters are read, and no sentence that several modules share. An author who forgot the marks
    leaves an O: the labels are not perfect.
    """
    tagged = (
        item
        for package in _names(packages)
        for module, text in _read(package)[0]
        for item in _tagged(module, text)
    )
    return _of_one_module(tagged, lambda item: item.text)


def split_by_held_out(
    items: Sequence[Item], test_modules: Collection[str] | float
) -> tuple[list[Item], list[Item]]:
    """Items to train on and items to test on, no module on both sides.

    test_modules: their names, or a share such as .25: then a module goes where a checksum of its
    name says, whatever else is installed.
    """
    if isinstance(test_modules, float):
        limit = test_modules * 2**32
        held = {item.module for item in items if zlib.crc32(item.module.encode()) < limit}
    else:
        held = set(test_modules)
    train = [item for item in items if item.module not in held]
    return train, [item for item in items if item.module in held]


def not_said_elsewhere(
    items: Sequence[Item], packages: Iterable[str], own: Collection[str]
) -> list[Item]:
    """Items whose text stands word for word in no module of the packages other than `own`.

    For items to test on: own are the test modules, and what is left out a model that was trained on
    the other modules may know by heart. Whole source files are searched, docstrings or not. Letters
    and digits are compared; case, markup, punctuation and line breaks do not matter.
    """
    sources = [source for package in _names(packages) for source in _letters_of(package)]
    elsewhere = b" ".join(text for module, text in sources if module not in own)
    said = {text: _letters(text.encode()) in elsewhere for text in {item.text for item in items}}
    return [item for item in items if not said[item.text]]


@cache
def _letters_of(package: str) -> tuple[tuple[str, bytes], ...]:
    """(module, its source as letters and digits)."""
    return tuple(
        (module, _letters(file.read_bytes())) for file, module in python_docs.sources(package)
    )


def _letters(text: bytes) -> bytes:
    """Its letters and digits, in lower case, without the names of roles."""
    return _ROLE.sub(b"", text).lower().translate(None, _NO_LETTERS)


def _names(packages: Iterable[str]) -> tuple[str, ...]:
    return (packages,) if isinstance(packages, str) else tuple(packages)


@cache
def _read(package: str) -> tuple[tuple[tuple[str, str], ...], tuple[Message, ...]]:
    """(module, docstring as written) and the messages of a package."""
    files = [_read_file(file, module) for file, module in python_docs.sources(package)]
    texts, said = (tuple(chain.from_iterable(part)) for part in zip(*files, strict=True))
    return texts, said


@cache
def _read_file(file: Path, module: str) -> tuple[tuple[tuple[str, str], ...], tuple[Message, ...]]:
    """(module, docstring as written) and the messages of a source file."""
    texts, said = [], []
    tree = python_docs.parsed(file)
    for node in _statements(tree) if tree is not None else ():
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Module):
            texts.append((module, (ast.get_docstring(node) or "").expandtabs()))
        elif message := _message(module, node):
            said.append(message)
    return tuple(texts), tuple(said)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all statements under it, in source order."""
    yield node
    for field in _BODIES:
        for child in getattr(node, field, ()):
            yield from _statements(child)


def _message(module: str, node: ast.AST) -> Message | None:
    """The message of `raise Error("...")` or `warnings.warn("...")`."""
    call = getattr(node, "exc", getattr(node, "value", None))  # of a raise, of an expression
    if not isinstance(call, ast.Call):
        return None
    if isinstance(node, ast.Raise):
        kind = "error"
    elif isinstance(node, ast.Expr) and _called(call.func) == "warn":
        kind = "warning"
    else:
        return None
    text = " ".join((_string(call.args[0]) if call.args else "").split())
    return Message(module, text, kind) if len(text.split()) >= 4 else None


def _called(node: ast.expr) -> str:
    """The last name of what is called or filled in: "warn" for warnings.warn(...)."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return getattr(node, "attr", getattr(node, "id", "..."))


def _string(node: ast.expr) -> str:
    """A string that is written in the code, as far as it can be told without running it."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_string, node.values))
    if isinstance(node, ast.FormattedValue):
        return _called(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _string(node.left) + _string(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _string(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _string(node.func.value) if node.func.attr == "format" else ""
    return ""


def _parameters(text: str) -> set[str]:
    """The names that a numpydoc "Parameters" section lists."""
    section = _SECTION.search(text) if "Parameters\n-" in text else None
    heads = _ENTRY.finditer(section[1]) if section else ()
    return {name.strip("* ") for head in heads for name in head[1].split(",")}


def _of_one_module(items: Iterable[Item], text_of: Callable[[Item], str]) -> list[Item]:
    """Items whose text stands in one module only, each text once: a split by module parts them."""
    modules: dict[str, set[str]] = {}
    first: dict[str, Item] = {}
    for item in items:
        modules.setdefault(text_of(item).lower(), set()).add(item.module)
        first.setdefault(text_of(item).lower(), item)
    return [item for text, item in first.items() if len(modules[text]) == 1]


def _tagged(module: str, text: str) -> Iterator[Tagged]:
    """The tagged sentences of a docstring that lists parameters."""
    names = _parameters(text) if "`" in text else set()
    if not names:
        return
    for sentence in python_docs.sentences([_ENTRY.sub("\n", text)]):
        if "`" not in sentence or _NO_PROSE.search(sentence):
            continue
        words: list[str] = []
        tags: list[str] = []
        at = 0
        for mark in _MARK.finditer(sentence):
            _add(words, tags, sentence[at : mark.start()], "O")
            content = mark[2] or mark[4]
            _add(words, tags, content, "VALUE" if _LITERAL.fullmatch(content)
                 else "PARAM" if content.strip("*") in names else "CODE")  # fmt: skip
            at = mark.end()
        _add(words, tags, sentence[at:], "O")
        if at and len(words) <= _MOST_WORDS and "`" not in words:
            yield Tagged(module, words, tags)


def _add(words: list[str], tags: list[str], text: str, kind: str) -> None:
    """The words of a piece of text, behind those that are there."""
    new_words = _WORD.findall(_EMPHASIS.sub(r"\2", text))
    words += new_words
    tags += [kind if kind == "O" else f"{'I' if i else 'B'}-{kind}" for i in range(len(new_words))]
