"""Lesson sources: py:percent files, as jupytext and editors know them, read and checked.

They are read here and not by jupytext, whose import alone takes more than a second.
"""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from mlm_course.authoring.cells import Cell, Source, SourceError, place
from mlm_course.authoring.checks import check_cell, check_exercises
from mlm_course.text_files import read_text

MARKER = re.compile(r"#\s*%%(?P<markdown> \[markdown\])?(?P<options>.*)")
OPTION = re.compile(r'(\w+)=("[^"]*"|\["[^"]*"(?:, *"[^"]*")*\])')


def read_source(path: Path) -> Source:
    """The lesson in a py:percent file, checked; SourceError names place and mistake."""
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem):
        raise SourceError(f"{path.name}: a lesson's file is named like 01_attention.py.")
    cells = tuple(_cells(path.stem, read_text(path).split("\n")))
    if not cells or cells[0].kind != "markdown" or not cells[0].text.startswith("# "):
        raise SourceError(f"course/{path.name}, line 1: the first cell must be markdown and "
                          "start with '# Title'.")  # fmt: skip
    source = Source(path.stem, cells)
    for cell in cells:
        check_cell(source.name, cell)
    check_exercises(source)
    return source


def _cells(lesson: str, lines: list[str]) -> Iterator[Cell]:
    starts = [index for index, line in enumerate(lines) if MARKER.fullmatch(line)]
    for index, line in enumerate(lines[: starts[0] if starts else None], 1):
        if line.strip():
            raise SourceError(f"course/{lesson}.py, line {index}: text before the first '# %%'.")
    for number, (start, end) in enumerate(pairwise([*starts, len(lines)]), 1):
        yield _cell(lesson, number, start + 1, lines[start:end])


def _cell(lesson: str, number: int, line: int, lines: list[str]) -> Cell:
    """The cell whose marker is the first of `lines`, and line `line` of the source."""
    marker = MARKER.fullmatch(lines[0])
    assert marker
    kind = "markdown" if marker["markdown"] else "code"
    blank = Cell(kind, "", number=number, line=line)
    options = _options(lesson, blank, marker["options"])
    text = "\n".join(lines[1:]).rstrip("\n")
    if kind == "markdown":
        text = "\n".join(_markdown(lesson, blank, text.split("\n")))
    tags, exercise = tuple(options.pop("tags", ())), str(options.pop("exercise", "")) or None
    if options:
        raise _unknown_option(lesson, blank, next(iter(options)))
    return Cell(kind, text, tags, exercise, number, line)


def _options(lesson: str, cell: Cell, text: str) -> dict:
    """What stands behind a marker: exercise="1.2" tags=["author"]."""
    if rest := OPTION.sub("", text).strip():
        raise _unknown_option(lesson, cell, rest)
    return {name: json.loads(value) for name, value in OPTION.findall(text)}


def _unknown_option(lesson: str, cell: Cell, option: str) -> SourceError:
    return SourceError(f"{place(lesson, cell)}: unknown cell option {option!r}; "
                       'an exercise cell starts with # %% exercise="1.2".')  # fmt: skip


def _markdown(lesson: str, cell: Cell, lines: list[str]) -> Iterator[str]:
    """The lines of a markdown cell without the comment signs."""
    for index, line in enumerate(lines):
        if line.strip() and not line.startswith("#"):
            where = place(lesson, cell, cell.line_of(index))
            raise SourceError(f"{where}: a line of a markdown cell starts with '# '.")
        yield line[2:] if line.startswith("# ") else line[1:]
