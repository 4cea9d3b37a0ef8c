"""What the builder has to know of mlm_course/exercises, read without running it.

Importing it would import torch, which takes longer than everything else in a quick build.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlm_course.authoring.cells import SourceError

MINUTES = 10  # of an exercise that names none, as in practice.exercise.Exercise


@dataclass(frozen=True)
class PracticeData:
    """Minutes that each exercise of a lesson takes, by id, and the number of quiz questions."""

    minutes: dict[str, int] = field(default_factory=dict)
    questions: int = 0


def read_practice(root: Path, lesson: int) -> PracticeData:
    """What the files of mlm_course/exercises/lesson_NN say."""
    folder = root / "mlm_course" / "exercises" / f"lesson_{lesson:02d}"
    minutes = {}
    for path in sorted(folder.glob("ex[0-9]*_*.py")):
        number = path.stem[2:].partition("_")[0]
        written = [exercise.get("minutes", MINUTES) for exercise in _calls(path, "Exercise")]
        if len(written) != 1:
            raise SourceError(f"{path.name}: an exercise's file has one EXERCISE = Exercise(...).")
        minutes[f"{lesson}.{number}"] = written[0]
    quiz = folder / "quiz.py"
    return PracticeData(minutes, len(list(_calls(quiz, "Question"))) if quiz.exists() else 0)


def _calls(path: Path, name: str) -> Iterator[dict[str | None, Any]]:
    """The plainly written keyword arguments of each call of a name in a file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as problem:
        raise SourceError(f"{path.name}, line {problem.lineno}: {problem.msg}.") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield {
                keyword.arg: keyword.value.value
                for keyword in node.keywords
                if isinstance(keyword.value, ast.Constant)
            }
