"""Real English from the Python on this machine: its reference manual and its docstrings.

Nothing is downloaded, imported or run: docstrings are read from source files with `ast`. What
comes out differs a little between versions of Python and of the packages read.
"""

import ast
import importlib.util
import os
import random
import re
import sysconfig
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

STDLIB = "stdlib"

# Folders with tests, other packages, copies of other packages, and the manual itself.
_SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "_vendor", "pydoc_data"}
_BODIES = ("body", "orelse", "handlers", "finalbody")

_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[*•+-]|\(?\d{1,2}[.)])\s|\s*:\w+[^:\n]*: )")
_RULE = re.compile(r"""\s*[=\-~^"'*#+]{3,}(\s+[=\-~^"'*#+]{3,})*\s*""")  # underlines a heading
_CODE_LINE = re.compile(r"\s*(>>>|\.\.\.\s|\||\+[-=]|\.\. |\$ |#)|.*::=")
_MARKER = re.compile(r"(\s*)([*•+-]|\(?\d{1,2}[.)]|\[\d+\]|:\w+[^:]*:)\s+")  # of a list item
_WORD = re.compile(r"""(?<!\S)["'(*`“:]*[A-Za-z][\w'\u2019-]*["'\u2019)*`”.,;:!?]*(?!\S)""")
_SENTENCE = re.compile(r"""[.:!?]["'\u2019)\]”`]*$""")
_ROLE = re.compile(r":(?:\w+:)?\w+:`[~!]?([^`<]*?)(?: *<[^`>]*>)?`")  # :class:`Fraction`
_QUOTED = re.compile(r"""(``?|"|')([^\s`"']+)\1(?!\w)""")  # ``None``, "None"
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*?)(?=\w)([^*\n]+?)(?<=[\w:.])\1(?![*])")  # *name*
_FOOTNOTE = re.compile(r"\s\[\d+\]_?(?=[\s.,;:)]|$)")
_SENTENCE_END = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["')]))\s+(?=["'(]?[A-Z])""")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Fig|Eq|No|Dr|[A-Z])\.)$")


class Docstring(NamedTuple):
    """One docstring: the module it is in, the name it belongs to ("" for the module), its text."""

    module: str
    name: str
    text: str


def manual() -> list[str]:
    """Python's reference manual: one text for each topic, paragraphs parted by empty lines.

    Only prose is kept: no headings, code, tables, grammar rules or markup. Raises
    ModuleNotFoundError if this Python comes without its manual.
    """
    return list(manual_topics().values())


def manual_topics() -> dict[str, str]:
    """The texts of `manual` by their topics, such as "for" or "lambda". Errors: as for `manual`."""
    return dict(_manual())


def docstrings(packages: Iterable[str] = (STDLIB,)) -> list[Docstring]:
    """Docstrings of the standard library ("stdlib") or of installed packages, each text once.

    Only prose is kept, as in `manual`. Sources are parsed and never imported; tests are left out,
    and so is what is written in C. The order is that of packages, then of files, then of lines.
    Raises ValueError for a package that is not installed or has no Python source.
    """
    if isinstance(packages, str):
        packages = (packages,)
    return list(unique(item for package in packages for item in _docstrings(package)))


def unique(items: Iterable[Docstring]) -> Iterator[Docstring]:
    """The items without those whose text came before."""
    seen = set()
    for item in items:
        if item.text not in seen:
            seen.add(item.text)
            yield item


def split_by_module(
    items: Sequence[Docstring], held_out_share: float, seed: int
) -> tuple[list[Docstring], list[Docstring]]:
    """Docstrings to train on and docstrings held out, with no module and no text on both sides.

    held_out_share: the share of all characters to hold out, reached as nearly as whole modules
    allow without going over it, but always at least one module. The draw depends on seed only.
    Raises ValueError if the share is not between 0 and 1 or there are fewer than two modules.
    """
    if not 0 < held_out_share < 1:
        raise ValueError(f"held_out_share must lie between 0 and 1, not be {held_out_share}.")
    items = list(unique(items))
    size: dict[str, int] = {}  # characters in each module
    for item in items:
        size[item.module] = size.get(item.module, 0) + len(item.text)
    if len(size) < 2:
        raise ValueError("A split by module needs docstrings from at least two modules.")
    held_out = _some_modules(size, held_out_share * sum(size.values()), seed)
    train = [item for item in items if item.module not in held_out]
    return train, [item for item in items if item.module in held_out]


def paragraphs(texts: Iterable[str], min_words: int = 8) -> list[str]:
    """The paragraphs of all texts, each on one line, that have at least min_words words."""
    candidates = (" ".join(p.split()) for text in texts for p in re.split(r"\n\s*\n", text))
    return [p for p in candidates if len(p.split()) >= min_words]


def sentences(texts: Iterable[str], min_words: int = 4) -> list[str]:
    """The sentences of all texts that have at least min_words words.

    A sentence ends at . ! or ? before a space and a capital letter; "e.g." and the like go on.
    """
    candidates = (s for p in paragraphs(texts, min_words=1) for s in _cut(p))
    return [s for s in candidates if len(s.split()) >= min_words]


@cache
def _manual() -> tuple[tuple[str, str], ...]:
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "This Python comes without its manual (pydoc_data.topics): use docstrings() instead, "
            "or a Python with its whole standard library."
        ) from error
    texts = ((name, _clean(topics[name])) for name in sorted(topics))
    return tuple((name, text) for name, text in texts if text)


@cache
def _docstrings(package: str) -> tuple[Docstring, ...]:
    return tuple(item for file, module in sources(package) for item in _read(file, module))


def sources(package: str) -> Iterator[tuple[Path, str]]:
    """Every source file of a package with the name of its module."""
    root = _root(package)
    if root.is_file():
        yield root, package
        return
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - _SKIPPED)  # os.walk goes on in this order
        for file in sorted(name for name in files if name.endswith(".py")):
            path = Path(folder, file)
            parts = path.relative_to(root).with_suffix("").parts
            names = parts if package == STDLIB else (package, *parts)
            yield path, ".".join(name for name in names if name != "__init__")


def _root(package: str) -> Path:
    """The folder of a package's sources, or its one file."""
    if package == STDLIB:
        return Path(sysconfig.get_path("stdlib"))
    if "." in package:
        raise ValueError(f"Name a whole package, not a part of it: {package.split('.')[0]!r}.")
    spec = importlib.util.find_spec(package)  # of a top-level name: finds it, does not import it
    if spec is None:
        raise ValueError(f"Package {package!r} is not installed: install it or leave it out.")
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise ValueError(f"Package {package!r} has no Python source here: leave it out.")
    return Path(spec.origin)


def parsed(file: Path) -> ast.Module | None:
    """The syntax tree of a source file; None if it is no valid Python."""
    return _tree(file.read_bytes())


def _tree(source: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def docstrings_in(source: bytes) -> list[str]:
    """The docstrings of one source file, prose only; none if it is no valid Python."""
    tree = _tree(source)
    nodes = [node for _, node in _documented(tree, "")] if tree else []
    return [text for node in nodes if (text := _clean(ast.get_docstring(node) or ""))]


def _read(file: Path, module: str) -> Iterator[Docstring]:
    """The docstrings of one file; none if it is no valid Python."""
    tree = parsed(file)
    if tree is None:
        return
    for name, node in _documented(tree, ""):
        text = _clean(ast.get_docstring(node) or "")
        if text:
            yield Docstring(module, name, text)


_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _documented(node: ast.AST, name: str) -> Iterator[tuple[str, _Documented]]:
    """Every module, class and function under a node with its dotted name, in source order."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        name = f"{name}.{node.name}".lstrip(".")
    if isinstance(node, _Documented):
        yield name, node
    for field in _BODIES:  # where statements can be; expressions hold no docstrings
        for child in getattr(node, field, ()):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                yield from _documented(child, name)


def _some_modules(size: dict[str, int], budget: float, seed: int) -> set[str]:
    """Randomly drawn modules that together stay within the budget; at least one."""
    order = sorted(size)
    random.Random(seed).shuffle(order)
    chosen: set[str] = set()
    for module in order:
        if size[module] <= budget:
            chosen.add(module)
            budget -= size[module]
    return chosen or {min(order, key=size.__getitem__)}


def _cut(paragraph: str) -> Iterator[str]:
    """The sentences of one paragraph."""
    sentence = ""
    for piece in _SENTENCE_END.split(paragraph):
        sentence = f"{sentence} {piece}".strip()
        if not _ABBREVIATION.search(sentence):
            yield sentence
            sentence = ""
    if sentence:
        yield sentence


def _clean(text: str) -> str:
    """The prose of a text in reStructuredText or in the manual's layout, markup taken off."""
    blocks = (_without_code(block) for block in _BLOCK.split(text.expandtabs()))
    return "\n\n".join(_plain(block) for block in blocks if _is_prose(block))


def _without_code(block: str) -> str:
    """The block up to its first line of code, without headings."""
    lines: list[str] = []
    for line in block.splitlines():
        if _CODE_LINE.match(line):
            break
        if _RULE.fullmatch(line):
            lines = lines[:-1]  # what it underlines
        else:
            lines.append(line)
    text = "\n".join(lines).strip("\n")
    marker = _MARKER.match(text)
    return marker[1] + text[marker.end() :] if marker else text


def _is_prose(block: str) -> bool:
    """Mostly words, and a sentence if it is indented (what else is indented is mostly code)."""
    tokens = len(block.split())
    wordy = tokens >= 3 and len(_WORD.findall(block)) >= 0.6 * tokens
    return wordy and (not block[0].isspace() or _SENTENCE.search(block) is not None)


def _plain(block: str) -> str:
    """One line of text: unwrapped, without roles, quotes around names, and footnote marks."""
    line = re.sub(r"(?<=\w)-\n\s*(?=\w)", "-", block)
    line = " ".join(line.split())
    line = _FOOTNOTE.sub("", _ROLE.sub(r"\1", line))
    return _EMPHASIS.sub(r"\2", _QUOTED.sub(r"\2", line))
