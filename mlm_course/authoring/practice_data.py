"""What the builder has to know of mlm_course/exercises, read without running it.

Importing it would import torch, which takes longer than everything else in a quick build.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlm_course.authoring.cells import SourceError
from mlm_course.text_files import read_text

MINUTES = 10  # of an exercise that names none, as in practice.exercise.Exercise


@dataclass(frozen=True)
class PracticeData:
    """Minutes of a lesson's exercises by id, which of them are hard, and how many quiz questions."""

    minutes: dict[str, int] = field(default_factory=dict)
    questions: int = 0
    hard: frozenset[str] = frozenset()


def read_practice(root: Path, lesson: int) -> PracticeData:
    """What the files of mlm_course/exercises/lesson_NN say."""
    folder = root / "mlm_course" / "exercises" / f"lesson_{lesson:02d}"
    minutes, hard = {}, set()
    for path in sorted(folder.glob("ex[0-9]*_*.py")):
        number = path.stem[2:].partition("_")[0]
        written = list(_calls(path, "Exercise"))
        if len(written) != 1:
            raise SourceError(f"{path.name}: an exercise's file has one EXERCISE = Exercise(...).")
        minutes[f"{lesson}.{number}"] = _minutes(path, written[0])
        if "hard" in written[0]:
            hard.add(f"{lesson}.{number}")
    quiz = folder / "quiz.py"
    questions = len(list(_calls(quiz, "Question"))) if quiz.exists() else 0
    return PracticeData(minutes, questions, frozenset(hard))


def _minutes(path: Path, exercise: dict[str | None, ast.expr]) -> int:
    """The minutes of an exercise, which the builder must be able to read without running anything."""
    written = exercise.get("minutes", ast.Constant(MINUTES))
    value = written.value if isinstance(written, ast.Constant) else None
    if type(value) is not int or value < 1:
        raise SourceError(
            f"{path.name}, line {written.lineno}: minutes must be a plain whole number, such as 15, "
            f"not {ast.unparse(written)}."
        )
    return value


def _calls(path: Path, name: str) -> Iterator[dict[str | None, ast.expr]]:
    """The keyword arguments of each call of a name in a file, as they are written."""
    try:
        tree = ast.parse(read_text(path))
    except SyntaxError as problem:
        raise SourceError(f"{path.name}, line {problem.lineno}: {problem.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield {keyword.arg: keyword.value for keyword in node.keywords}
