"""Answers as learners write them, right and wrong, and what check has to say about each.

A file tests/answers/lesson_NN.py holds blocks. A block's first line names the exercise and whether
the answer is right; its comments say what the author believes and, of a wrong one, words that the
message must contain (`says:`, which may stand on several lines). Then comes the cell a learner would
run; the last function in it is the answer. It sees the names that the lesson has at that place.
"""

import ast
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlm_course.authoring.cells import Source
from mlm_course.authoring.source import read_source
from mlm_course.practice.exercise import Exercise, Function, find_exercise, function_name

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((Path(__file__).parent / "answers").glob("**/*.py"))
LESSONS = {s.number: s for s in map(read_source, sorted((ROOT / "course").glob("[0-9]*.py")))}
LAZY = 0x1000000  # annotations are not evaluated


@dataclass(frozen=True)
class Answer:
    """One block: the exercise, whether it is right, what the message must say, and the code."""

    file: str
    line: int
    exercise: str
    right: bool
    says: tuple[str, ...]
    code: str

    @property
    def name(self) -> str:
        """A name for a test."""
        return f"{self.exercise}-{self.file}:{self.line}"

    def function(self) -> Function:
        """The last function that the code defines, in the lesson's names, with a source to read."""
        names = dict(names_above(self.exercise))
        where = f"<answer {self.name}>"
        linecache.cache[where] = (len(self.code), None, self.code.splitlines(True), where)
        exec(compile(self.code, where, "exec", LAZY, dont_inherit=True), names)
        return names[function_name(self.code)]


def answers() -> list[Answer]:
    """Every block of every file."""
    return [answer for path in FILES for answer in read(path)]


def read(path: Path) -> Iterator[Answer]:
    """The blocks of one file."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(
        r"^# %% (\S+) (right|wrong)\n((?:(?!# %% ).*\n?)*)", text, re.MULTILINE
    ):
        line = text.count("\n", 0, match.start()) + 1
        says = tuple(re.findall(r"^# says: (.+)$", match[3], re.MULTILINE))
        yield Answer(path.stem, line, match[1], match[2] == "right", says, match[3].strip() + "\n")


def lesson_of(exercise_id: str) -> Source:
    """The source of the lesson that an exercise stands in."""
    return LESSONS[int(exercise_id.split(".")[0])]


def cell_of(exercise: Exercise) -> Any:
    """The cell of an exercise in the lesson's source."""
    return next(cell for cell in lesson_of(exercise.id).cells if cell.exercise == exercise.id)


@cache
def names_above(exercise_id: str) -> dict[str, Any]:
    """What imports, functions and constants the cells above an exercise, and its own, define."""
    names: dict[str, Any] = {}
    end = cell_of(find_exercise(exercise_id)).number
    for cell in lesson_of(exercise_id).cells:
        if cell.kind == "code" and "author" not in cell.tags and cell.number <= end:
            for node in ast.parse(cell.solved()).body:
                if kept(node):
                    run(node, names)
    return names


def kept(node: ast.stmt) -> bool:
    """Whether a statement defines something without computing it."""
    literal = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    return literal or isinstance(node, kinds)


def run(node: ast.stmt, names: dict[str, Any]) -> None:
    """Adds what a statement defines; nothing where it needs what only a lesson that ran has."""
    module = ast.Module([node], [])
    try:
        exec(compile(module, "<lesson>", "exec", LAZY, dont_inherit=True), names)
    except NameError:
        return
