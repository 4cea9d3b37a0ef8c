"""progress: what is solved, where that is written, and one line of text to carry it elsewhere."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from mlm_course.practice import record
from mlm_course.practice.compare import describe
from mlm_course.practice.exercise import (
    Exercise,
    UnknownId,
    exercises,
    find_lesson,
    lesson_numbers,
    questions,
    title,
)
from mlm_course.practice.released import read_released
from mlm_course.practice.verdict import Card, html_text


@dataclass(frozen=True, repr=False)
class ProgressReport:
    """A small table with lines below it, as text and as HTML."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[str, ...]

    def __repr__(self) -> str:
        table = (self.heads, *self.rows)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        text = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join((*text, *self.lines))

    def _repr_html_(self) -> str:
        heads = "".join(
            f'<th scope="col" style="text-align:left;white-space:nowrap">{escape(h)}</th>'
            for h in self.heads
        )
        rows = "".join(
            "<tr>"
            + "".join(_cell_html(head, cell) for head, cell in zip(self.heads, row, strict=True))
            + "</tr>"
            for row in self.rows
        )
        lines = "".join(f'<p style="margin:.3em 0">{html_text(line)}</p>' for line in self.lines)
        return (
            '<div class="mathjax_ignore" style="color:inherit;max-width:50em"><table style="margin:.2em 0">'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{lines}</div>"
        )


def _cell_html(head: str, cell: str) -> str:
    """A cell of the table; only the long column, titles and prompts, may break its lines."""
    wrap = "normal" if head in ("Title", "About") else "nowrap"
    return f'<td style="text-align:left;white-space:{wrap}">{escape(cell)}</td>'


def progress(
    lesson: Any = None, *, restore: Any = None, forget: Any = False
) -> ProgressReport | Card:
    """What is solved: of every lesson, or of one ("1"). Never raises.

    `restore` adds what a passport line says, the line that progress() prints. `forget` removes the
    file, and shows the passport line with which it can be undone.
    """
    if forget is not False:
        if forget is True and lesson is None and restore is None:
            return _forgotten()
        sentence = "`progress(forget=True)`, alone, forgets every lesson. Nothing was forgotten."
        return Card("open", "progress", sentence)
    if restore is not None:
        return _restored(restore)
    note = record.add()  # tries again what could not be saved, and notices a damaged file
    if lesson is None:
        return _whole_course(note)
    try:
        return _one_lesson(find_lesson(lesson), note)
    except UnknownId as error:
        return Card("open", "progress", str(error))


def passport(ids: Iterable[str]) -> str:
    """Ids as one line with a checksum: `mlm1 1.1 1.2 1.q1 #9f3a`."""
    words = [some_id for some_id in record.in_order(set(ids)) if re.fullmatch(r"[\w.-]+", some_id)]
    return " ".join(("mlm1", *words, f"#{_checksum(words)}"))


def ids_of_passport(line: Any) -> set[str]:
    """Ids of a passport line. Raises ValueError with a sentence for the learner."""
    if not isinstance(line, str):
        raise ValueError(f"A passport is a line of text; this is {describe(line)}.")
    words = line.strip(" \t\r\n`'\"").lower().split()
    if not words or words[0] != "mlm1":
        raise ValueError("A passport line begins with `mlm1`.")
    if not words[-1].startswith("#"):
        raise ValueError("The end of the passport line is missing: `#` and four characters.")
    if words[-1] != f"#{_checksum(words[1:-1])}":
        raise ValueError("This passport line was damaged on its way: ids and checksum disagree.")
    return set(words[1:-1])


def _checksum(words: list[str]) -> str:
    return f"{zlib.crc32(' '.join(words).encode(errors='replace')) & 0xFFFF:04x}"


def _restored(line: Any) -> ProgressReport | Card:
    try:
        ids = ids_of_passport(line)
    except ValueError as error:
        return Card("open", "progress", f"{error} Nothing was changed.")
    return _whole_course(record.add(solved=ids, tried=ids))


def _forgotten() -> Card:
    line = passport(record.read().solved)
    trouble = record.forget()
    undo = f'To undo: `progress(restore="{line}")`'
    return Card("open" if trouble else "note", "progress", trouble or "All is forgotten.", (undo,))


def _whole_course(note: str) -> ProgressReport:
    solved = record.read().solved
    rows = tuple((str(n), title(n), *_counts(n, solved)) for n in _lessons())
    lines = (
        f"File: {record.path()}",
        f'Passport: `{passport(solved)}` (elsewhere: `progress(restore="...")`)',
    )
    return ProgressReport(
        ("Lesson", "Title", "Solved", "Quiz"), rows, (*lines, *([note] if note else []))
    )


def _lessons() -> tuple[int, ...]:
    """The lessons that there are, or those of them that an instructor has handed out."""
    released = read_released()
    numbers = lesson_numbers()
    return tuple(n for n in numbers if released is None or n in released.lessons) or numbers


def _asked(lesson: int) -> tuple[Exercise, ...]:
    """The exercises of a lesson, without those that an instructor has left out."""
    released = read_released()
    without = released.without if released else frozenset()
    return tuple(exercise for exercise in exercises(lesson) if exercise.id not in without)


def _counts(lesson: int, solved: set[str]) -> tuple[str, str]:
    counts = []
    for items in (_asked(lesson), questions(lesson)):
        counts.append(f"{sum(item.id in solved for item in items)} of {len(items)}")
    return counts[0], counts[1]


def _one_lesson(lesson: int, note: str) -> ProgressReport:
    solved = record.read().solved
    rows = tuple(
        ("✓ yes" if item.id in solved else "○ not yet", item.id, item.prompt)
        for item in _asked(lesson)
    )
    done, right = _counts(lesson, solved)
    line = f"Lesson {lesson}: {done} exercises solved, {right} quiz questions answered."
    return ProgressReport(("Solved", "Exercise", "About"), rows, (line, *([note] if note else [])))
