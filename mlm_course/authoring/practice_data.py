"""What the builder has to know of mlm_course/practice, read without running it.

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
    """What mlm_course/practice/lesson_NN.py says in its calls of Exercise and Question."""
    path = root / "mlm_course" / "practice" / f"lesson_{lesson:02d}.py"
    if not path.exists():
        return PracticeData()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as problem:
        raise SourceError(f"{path.name}, line {problem.lineno}: {problem.msg}.") from None
    minutes = {}
    for line, exercise in _calls(tree, "Exercise"):
        if "id" not in exercise:
            raise SourceError(f'{path.name}, line {line}: write out the id, id="{lesson}.1".')
        minutes[exercise["id"]] = exercise.get("minutes", MINUTES)
    return PracticeData(minutes, len(list(_calls(tree, "Question"))))


def _calls(tree: ast.AST, name: str) -> Iterator[tuple[int, dict[str | None, Any]]]:
    """Line and plainly written keyword arguments of each call of a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield (
                node.lineno,
                {
                    keyword.arg: keyword.value.value
                    for keyword in node.keywords
                    if isinstance(keyword.value, ast.Constant)
                },
            )
