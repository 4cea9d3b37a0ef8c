"""Some of the lessons as a folder for a class: notebooks, a page to begin with, and what is limited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mlm_course.authoring.notebooks import Notebook, code_cells, from_text, to_text
from mlm_course.practice.exercise import Exercise, UnknownId, exercises, find_exercise, title
from mlm_course.practice.exercise import lesson_numbers as all_lessons
from mlm_course.practice.released import FILE_NAME, Released
from mlm_course.text_files import read_text, write_text

LEFT_OUT = "# Exercise {id} is left out in this class: here it is solved."


def lesson_range(text: str) -> tuple[int, ...]:
    """Lessons out of "1-3" or "1,4-6". Errors: ValueError for what the course does not have."""
    numbers: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", part)
        if not ends:
            raise ValueError(f'Lessons are named like "1-3" or "1,4-6", not {text!r}.')
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if first > last:
            raise ValueError(f"Lessons are named from the first to the last, not {part.strip()!r}.")
        numbers |= set(range(first, last + 1))
        if not numbers <= set(all_lessons()):
            raise ValueError(
                f"There are lessons 1 to {max(all_lessons())}; {part.strip()} is none of them."
            )
    return tuple(sorted(numbers))


def release(root: Path, to: Path, released: Released) -> Iterator[str]:
    """Writes what a class gets, and yields a line a file.

    Errors: ValueError for an exercise that is not in these lessons; FileExistsError, before
    anything is written, where a file is in the way; FileNotFoundError without lessons.
    """
    _check_left_out(released)
    texts = {path.name: _handed_out(path, released) for path in _notebooks(root, released)}
    texts |= {FILE_NAME: released.to_text(), "README.md": readme(released, list(texts))}
    for name in texts:
        if (to / name).exists():
            raise FileExistsError(17, "is there already: name a new folder", str(to / name))
    to.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(to / name, text)
        yield f"{to / name}"


def _check_left_out(released: Released) -> None:
    for some_id in sorted(released.without):
        try:
            find_exercise(some_id)
        except UnknownId as problem:
            raise ValueError(f"--without {some_id}: {problem}") from None
        if int(some_id.partition(".")[0]) not in released.lessons:
            raise ValueError(f"--without {some_id}: its lesson is not handed out.")


def _notebooks(root: Path, released: Released) -> list[Path]:
    paths = [
        p for n in released.lessons for p in sorted((root / "lessons").glob(f"{n:02d}_*.ipynb"))
    ]
    if len(paths) != len(released.lessons):
        raise FileNotFoundError(
            2, "not all lessons are there: run this in the course's folder", "lessons"
        )
    return paths


def _handed_out(path: Path, released: Released) -> str:
    """A lesson's notebook with the exercises solved that are left out."""
    notebook: Notebook = from_text(read_text(path))
    for cell in code_cells(notebook):
        some_id = cell["metadata"].get("exercise")
        if some_id in released.without:
            cell["source"] = f"{LEFT_OUT.format(id=some_id)}\n{find_exercise(some_id).answer}"
    return to_text(notebook)


def readme(released: Released, files: list[str]) -> str:
    """One page for a class, in Markdown."""
    rows = "\n".join(
        f"| {n} | [{title(n)}]({file}) | {_listed(n, released)} |"
        for n, file in zip(released.lessons, sorted(files), strict=True)
    )
    answers = (
        '`solution("1.2")` shows an answer, once you have tried.'
        if released.answers
        else "`solution` is switched off in this class. (The package still holds the answers, since `check` "
        "compares with them: this is a convention, not a lock.)"
    )
    return README.format(rows=rows, answers=answers, first=sorted(files)[0])


def _listed(lesson: int, released: Released) -> str:
    kept: list[Exercise] = [one for one in exercises(lesson) if one.id not in released.without]
    minutes = sum(one.minutes for one in kept)
    return f"{len(kept)} exercises, {minutes} minutes for these"


README = """\
# Your lessons

| | Lesson | To do |
|---|---|---|
{rows}

1. You need the course's package in the Python that runs the notebooks. Whoever gave you this folder says how
   you get it.
2. Open *{first}* in JupyterLab, **in this folder**, and run the cells from the top.
3. Write your code where it says `your code here`, run the cell, and run the `check` below it. It says whether
   you are right, and if not, which mistake it is.
4. `hint("1.2")` helps in small steps. {answers} `progress()` says what is solved.
5. Hand in the notebook itself. Its name does not matter; keep the `check` cells.

Exercises have the numbers of the whole course, so some may be missing here. `course_release.json` says what
belongs to this class; leave it where it is.
"""
