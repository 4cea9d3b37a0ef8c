"""Lesson sources: py:percent files whose exercise cells hold the solution between two markers."""

import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
from nbformat import NotebookNode

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
TAGS = {"nbval-ignore-output", "nbval-skip", "raises-exception"}
STUB = "raise NotImplementedError  # your code here"


class SourceError(ValueError):
    """A mistake in a lesson source; the message says where and what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson: its text with markers, and the id of its exercise if it is one."""

    kind: str  # "markdown" or "code"
    text: str
    tags: tuple[str, ...] = ()
    exercise: str | None = None
    line: int = 0  # counted from 1 among the cells: "cell 7"

    def solved(self) -> str:
        """The text with the solution in place and the markers gone."""
        return "\n".join(x for x in self.text.splitlines() if x.strip() not in (BEGIN, END))

    def stub(self) -> str:
        """The text with the solution replaced by a line that says where to write."""
        lines, inside = [], False
        for line in self.text.splitlines():
            if line.strip() == BEGIN:
                lines.append(line.replace(BEGIN, STUB))
                inside = True
            elif line.strip() == END:
                inside = False
            elif not inside:
                lines.append(line)
        return "\n".join(lines)


@dataclass(frozen=True)
class Source:
    """A lesson: its name ("01_attention") and its cells."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def number(self) -> int:
        return int(self.name.split("_")[0])

    @property
    def title(self) -> str:
        return self.cells[0].text.splitlines()[0].lstrip("# ").strip()

    def answers(self) -> dict[str, str]:
        """The solved exercise cells by exercise id."""
        return {cell.exercise: cell.solved() for cell in self.cells if cell.exercise}


def read_source(path: Path) -> Source:
    """The lesson in a py:percent file, checked; SourceError names the cell and the mistake."""
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem):
        raise SourceError(f"{path.name}: a lesson's file is named like 01_attention.py.")
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    cells = tuple(
        _cell(f"{path.name}, cell {i}", i, node) for i, node in enumerate(notebook.cells, 1)
    )
    if not cells or cells[0].kind != "markdown" or not cells[0].text.startswith("# "):
        raise SourceError(f"{path.name}: the first cell must be markdown and start with '# Title'.")
    source = Source(path.stem, cells)
    _check_exercise_ids(path.name, source)
    return source


def _cell(place: str, number: int, node: NotebookNode) -> Cell:
    metadata = {k: v for k, v in node.metadata.items() if not k.startswith("lines_to_")}
    tags = tuple(metadata.pop("tags", ()))
    exercise = metadata.pop("exercise", None)
    for tag in tags:
        if tag not in TAGS:
            raise SourceError(f"{place}: unknown tag {tag!r}; known are {', '.join(sorted(TAGS))}.")
    if metadata:
        raise SourceError(f"{place}: unknown cell option {next(iter(metadata))!r}; "
                          'an exercise cell starts with # %% exercise="1.2".')  # fmt: skip
    _check_markers(place, node.source, exercise)
    return Cell(node.cell_type, node.source, tags, exercise, number)


def _check_markers(place: str, text: str, exercise: str | None) -> None:
    """SourceError unless an exercise has exactly one indented block and others have none."""
    opened = blocks = 0
    for line in text.splitlines():
        if line.strip() == BEGIN:
            if opened:
                raise SourceError(f"{place}: a solution block begins inside another one.")
            if not line.startswith(" "):
                raise SourceError(f"{place}: the solution must stand inside a function, indented.")
            opened, blocks = 1, blocks + 1
        elif line.strip() == END:
            if not opened:
                raise SourceError(f"{place}: {END!r} without a {BEGIN!r} before it.")
            opened = 0
        elif re.search(r"(BEGIN|END)\s+SOLUTION", line, re.IGNORECASE):
            raise SourceError(
                f"{place}: {line.strip()!r} is no marker; write {BEGIN!r} or {END!r}."
            )
    if opened:
        raise SourceError(f"{place}: {BEGIN!r} has no {END!r}.")
    if blocks and exercise is None:
        raise SourceError(f'{place}: a solution without an exercise id; write # %% exercise="1.2".')
    if exercise is not None and blocks != 1:
        raise SourceError(f"{place}: exercise {exercise} has {blocks} solution blocks, not one.")


def _check_exercise_ids(name: str, source: Source) -> None:
    """SourceError unless ids are unique, belong to this lesson and are checked further down."""
    seen: dict[str, int] = {}
    for cell in source.cells:
        if cell.exercise is None:
            continue
        place = f"{name}, cell {cell.line}"
        if not re.fullmatch(rf"{source.number}\.\d+", str(cell.exercise)):
            raise SourceError(f"{place}: exercise id {cell.exercise!r} is not like "
                              f"'{source.number}.1'.")  # fmt: skip
        if cell.exercise in seen:
            raise SourceError(f"{place}: exercise {cell.exercise} stands in cell "
                              f"{seen[cell.exercise]} already.")  # fmt: skip
        seen[cell.exercise] = cell.line
        later = "\n".join(c.text for c in source.cells[cell.line :] if c.kind == "code")
        if f'check("{cell.exercise}"' not in later:
            raise SourceError(f'{place}: no later cell calls check("{cell.exercise}", ...).')
