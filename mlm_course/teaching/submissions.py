"""Notebooks that students handed in, from folders and zip files, read without running anything."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlm_course.authoring.notebooks import from_text
from mlm_course.practice.exercise import lesson_numbers
from mlm_course.teaching.written import CodeCell

MOST_BYTES = 32 << 20  # of a notebook
CHECK = re.compile(r"""\bcheck\(\s*["']\s*0*(\d+)\s*\.\s*\d+""")
OF_MOODLE = re.compile(r"(.+)_\d+_assignsubmission_.*")  # name_number_assignsubmission_file_


@dataclass(frozen=True)
class Submission:
    """A student's notebook of one lesson; unreadable: why it is none, or "".

    digest: of the file, so that two who hand in the same are told.
    """

    student: str
    file: str
    lesson: int = 0
    cells: tuple[CodeCell, ...] = ()
    digest: str = ""
    unreadable: str = ""


def read_submissions(paths: Iterable[Path]) -> list[Submission]:
    """Every notebook in folders, zip files and files. Errors: OSError, ValueError if there is none."""
    handed_in = [one for path in paths for one in _notebooks(path)]
    all_found = [_read(_whose(*one[:2], handed_in), *one[1:]) for one in handed_in]
    if not all_found:
        raise ValueError("There is no notebook (.ipynb) in what you named.")
    return sorted(all_found, key=lambda one: (one.student, one.lesson, one.file))


def _notebooks(path: Path) -> Iterator[tuple[Path, str, bytes | None]]:
    """Folder or zip, name in it and content of each notebook; None for one that is too large."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if not file.is_file() or file.is_symlink() or not _counts(inside):
                continue
            if file.suffix.lower() == ".ipynb":
                large = file.stat().st_size > MOST_BYTES
                yield path, inside.as_posix(), None if large else file.read_bytes()
            elif file.suffix.lower() == ".zip" and zipfile.is_zipfile(file):
                students = len(inside.parts) > 1 or OF_MOODLE.fullmatch(file.stem)  # not a class's
                own = f"{inside.with_suffix('').as_posix()}/" if students else ""
                for _, name, text in _notebooks(file):
                    yield path if own else file, own + name, text
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from ((path, *one) for one in _in_archive(archive))
    else:
        yield path, path.name, path.read_bytes()


def _in_archive(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes | None]]:
    """Nothing is unpacked: a name such as ../../x leads nowhere, and a bomb ends at the limit."""
    for about in archive.infolist():
        inside = PurePosixPath(about.filename.replace("\\", "/"))  # some programs of Windows
        if inside.suffix.lower() != ".ipynb" or about.is_dir() or not _counts(inside):
            continue
        try:
            with archive.open(about) as file:
                content = file.read(MOST_BYTES + 1)
        except (RuntimeError, zipfile.BadZipFile, NotImplementedError):  # a password, damage
            content = b""
        large = len(content) > MOST_BYTES
        yield inside.as_posix(), None if large else content


def _counts(inside: Path | PurePosixPath) -> bool:
    """Whether a notebook was handed in, and is no copy that Jupyter or macOS keeps beside it."""
    return not any(re.match(r"\.[^.]|__MACOSX$", part) for part in inside.parts)


def _whose(place: Path, file: str, handed_in: list[tuple[Path, str, bytes | None]]) -> str:
    """The student; one file name in two of the folders or zip files is not one student's."""
    student, inside = _student(PurePosixPath(file)), PurePosixPath(file)
    places = {other for other, name, _ in handed_in if name == file}
    if len(_folders(inside)) > 1 or len(places) == 1:
        return student
    return f"{_student(PurePosixPath(place.name))}/{student}"


def _folders(inside: PurePosixPath) -> list[str]:
    return [part for part in inside.parts if part not in ("..", "/")]


def _student(inside: PurePosixPath) -> str:
    """The folder of a student, as an LMS packs it, or else the file's name."""
    parts = _folders(inside)
    name = parts[0] if len(parts) > 1 else inside.stem
    moodle = OF_MOODLE.fullmatch(name)
    return moodle[1] if moodle else name


def _read(student: str, file: str, content: bytes | None) -> Submission:
    if content is None:
        return Submission(student, file, unreadable="It is larger than 32 MB.")
    digest = hashlib.sha256(content).hexdigest()
    try:
        notebook = from_text(content.decode("utf-8-sig"))
        cells = tuple(
            CodeCell(str(cell.get("source", "")), _exercise(cell))
            for cell in notebook["cells"]
            if cell.get("cell_type") == "code"
        )
        lesson = _lesson(notebook, cells)
    except (ValueError, AttributeError, TypeError, RecursionError, KeyError):
        return Submission(student, file, digest=digest, unreadable="It is no notebook.")
    if not lesson:
        return Submission(student, file, digest=digest, unreadable="It is of no lesson.")
    return Submission(student, file, lesson, cells, digest)


def _exercise(cell: dict[str, object]) -> str:
    metadata = cell.get("metadata")
    return str(metadata.get("exercise", "")) if isinstance(metadata, dict) else ""


def _lesson(notebook: dict[str, object], cells: tuple[CodeCell, ...]) -> int:
    """The number of the lesson: what the builder wrote, else what most check cells are of, else 0."""
    metadata = notebook.get("metadata")
    ours = metadata.get("mlm_course") if isinstance(metadata, dict) else None
    name = str(ours.get("lesson", "")) if isinstance(ours, dict) else ""
    said = [int(name[:2])] if re.match(r"\d\d_", name) else []
    checked = Counter(int(number) for cell in cells for number in CHECK.findall(cell.text))
    said += [number for number, _ in checked.most_common()]
    return next((number for number in said if number in lesson_numbers()), 0)


def digest_of_code(one: Submission) -> str:
    """A hash of what was written, whatever outputs are stored beside it."""
    return hashlib.sha256(json.dumps([cell.text for cell in one.cells]).encode()).hexdigest()
