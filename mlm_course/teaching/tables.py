"""Grades as tables: grades.csv, a file for a learning management system, and who is who."""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from mlm_course.teaching.grading import Graded
from mlm_course.text_files import read_text

COLUMNS = (
    "student", "lesson", "id", "status", "points", "misconception", "seconds", "flag",
)  # fmt: skip
STARTS_A_FORMULA = "=+-@\t\r"


def pseudonyms(students: Iterable[str], salt: bytes) -> dict[str, str]:
    """A name for each student that says nothing, and is the same whenever the salt is."""
    names: dict[str, str] = {}
    for student in sorted(set(students)):
        digest = hmac.digest(salt, f"student/{student}".encode(errors="replace"), "sha256").hex()
        length = next(n for n in range(4, 65) if f"s-{digest[:n]}" not in names.values())
        names[student] = f"s-{digest[:length]}"
    return names


def read_map(path: Path) -> dict[str, str]:
    """Folder or file name -> the id that the class list has. Errors: ValueError, OSError."""
    rows = [row for row in csv.reader(io.StringIO(read_text(path))) if any(row)]
    if not all(len(row) >= 2 for row in rows):
        raise ValueError(f"{path}: each row has two columns, the name handed in under and the id.")
    ids = {row[0].strip(): row[1].strip() for row in rows}
    if len(set(ids.values())) != len(ids):
        raise ValueError(f"{path} gives one id to two names.")
    return ids


def named(students: Iterable[str], ids: Mapping[str, str]) -> dict[str, str]:
    """The ids of students. Errors: ValueError that names those without."""
    everyone = sorted(set(students))
    if unknown := [student for student in everyone if student not in ids]:
        raise ValueError(f"The map has no id for: {', '.join(unknown[:10])}.")
    return {student: ids[student] for student in everyone}


def grades_csv(graded: Iterable[Graded], names: Mapping[str, str]) -> str:
    """A row for each student and exercise; a notebook that could not be read has one row."""
    rows = []
    for one in graded:
        student, lesson = names[one.submission.student], one.submission.lesson or ""
        if one.submission.unreadable:
            rows.append((student, lesson, "", "broken", 0, "", "", one.submission.unreadable))
        for result in one.results:
            rows.append(
                (
                    student,
                    lesson,
                    result.exercise,
                    result.status,
                    result.points,
                    result.misconception,
                    f"{result.seconds:.2f}",
                    _flags(result.flag, [names[twin] for twin in one.twins]),
                )
            )
    return _csv(COLUMNS, rows)


def _flags(flag: str, twins: list[str]) -> str:
    same = f"the same code as {', '.join(twins)}" if twins else ""
    return "; ".join(filter(None, (flag, same)))


def lms_csv(graded: Iterable[Graded], names: Mapping[str, str], kind: str) -> str:
    """A row a student, a column a lesson. "moodle": as its gradebook imports it, by ID number."""
    table: dict[str, dict[int, Graded]] = {name: {} for name in names.values()}
    for one in graded:
        if one.submission.lesson:
            row = table[names[one.submission.student]]
            before = row.get(one.submission.lesson)
            row[one.submission.lesson] = (
                one if before is None or one.points > before.points else before
            )
    lessons = sorted({lesson for row in table.values() for lesson in row})
    most = {n: max(len(row[n].results) for row in table.values() if n in row) for n in lessons}
    head = (
        "ID number" if kind == "moodle" else "student",
        *(f"Lesson {n} ({most[n]})" for n in lessons),
    )
    none = "-" if kind == "moodle" else ""  # how Moodle writes a grade that is not there
    rows = [
        (name, *(row[n].points if n in row else none for n in lessons))
        for name, row in sorted(table.items())
    ]
    return _csv(head, rows)


def key_csv(names: Mapping[str, str]) -> str:
    """Which name or file stands for which id."""
    return _csv(("handed in as", "student"), sorted(names.items()))


def _csv(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue()


def _harmless(value: object) -> object:
    """A text that no spreadsheet takes for a formula; Moodle's "-" is none."""
    if isinstance(value, str) and value != "-" and value[:1] in STARTS_A_FORMULA and value:
        return f"'{value}"
    return value
