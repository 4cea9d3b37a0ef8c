"""Notebooks as students hand them in: lesson 4 with some answers, and all that can be wrong with it."""

import json
from pathlib import Path
from typing import Any

from mlm_course.authoring.cells import STUB
from mlm_course.practice.exercise import exercises

ROOT = Path(__file__).resolve().parents[1]
LESSON = "04_corruption"
ANSWERS = {one.id: one.answer for one in exercises(4)}
MISTAKES = {one.id: one.mistakes for one in exercises(4)}


def notebook(lesson: str = LESSON, kind: str = "lessons") -> dict[str, Any]:
    """A built notebook of the course."""
    return json.loads((ROOT / kind / f"{lesson}.ipynb").read_text(encoding="utf-8"))


def solved(**changed: str) -> dict[str, Any]:
    """Lesson 4 with the course's answers; changed: ex1="..." is the cell of exercise 4.1."""
    whole = notebook()
    texts = {**ANSWERS, **{f"4.{name[2:]}": text for name, text in changed.items()}}
    for cell in whole["cells"]:
        if exercise := cell["metadata"].get("exercise"):
            cell["source"] = texts[exercise]
    return whole


def stub(exercise: str) -> str:
    """The cell of an exercise as it was handed out."""
    cells = notebook()["cells"]
    text = next(c["source"] for c in cells if c["metadata"].get("exercise") == exercise)
    assert STUB in text
    return text


def edit(exercise: str, mistake: int) -> str:
    """An answer with one of the catalogue's mistakes in it, counted from 1."""
    text = ANSWERS[exercise]
    for old, new in MISTAKES[exercise][mistake - 1].ways[0].items():
        text = text.replace(old, new)
    return text


def body(exercise: str, *lines: str, keep: bool = True) -> str:
    """An answer that does something else first; keep: and then goes on."""
    text = ANSWERS[exercise].split("\n")
    head = next(i for i, line in enumerate(text) if line.rstrip().endswith(":") and "def" in line)
    return "\n".join(
        [*text[: head + 1], *(f"    {line}" for line in lines), *text[head + 1 :] * keep]
    )


def with_cell(whole: dict[str, Any], text: str, place: int = 1) -> dict[str, Any]:
    """The notebook with one more code cell, at the front where no other place is named."""
    cell = {"cell_type": "code", "id": "extra", "metadata": {}, "source": text}
    whole["cells"].insert(place, cell | {"outputs": [], "execution_count": None})
    return whole


def store(whole: dict[str, Any], path: Path) -> Path:
    """The notebook as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path
