"""What a lesson is made of, and how a place in it is named."""

from collections.abc import Iterator
from dataclasses import dataclass

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = "raise NotImplementedError  # your code here"


class SourceError(ValueError):
    """A mistake in a lesson source; the message says where and what to do."""


class UnknownLesson(SourceError):
    """A name that no lesson has."""


class CellFailure(Exception):
    """A cell that did not come to its end: its index, why, and the line of its text, if known."""

    def __init__(self, index: int, reason: str, line: int | None = None):
        super().__init__(reason)
        self.index, self.line = index, line


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson: its text with markers, and the id of its exercise if it is one."""

    kind: str  # "markdown" or "code"
    text: str
    tags: tuple[str, ...] = ()
    exercise: str | None = None
    number: int = 0  # counted from 1 among the cells of its source; 0 for a generated cell
    line: int = 0  # of the source, where its "# %%" stands
    folded: bool = False  # shown as one closed line

    def solved(self) -> str:
        """The text with the solution in place and the markers gone."""
        return "\n".join(line for _, line in self._solved_lines())

    def _solved_lines(self) -> Iterator[tuple[int, str]]:
        """Lines of the solved text, each with its index in the text with markers."""
        for index, line in enumerate(self.text.splitlines()):
            if line.strip() not in (BEGIN, END):
                yield index, line

    def line_of_solved(self, line: int) -> int:
        """The line of the source that is line `line` (from 1) of the solved text."""
        return self.line_of([index for index, _ in self._solved_lines()][line - 1])

    def line_of(self, index: int) -> int:
        """The line of the source that is line `index` (from 0) of the text."""
        return self.line + 1 + index

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


def place(lesson: str, cell: Cell, line: int | None = None) -> str:
    """A cell in words, "course/01_attention.py, cell 3 (line 20)", and a line of the source in it."""
    file = f"course/{lesson}.py"
    if not cell.number:
        return f"{file}, in a generated cell"
    where = f"{file}, cell {cell.number} (line {cell.line})"
    return where if line is None else f"{where}, line {line}"
