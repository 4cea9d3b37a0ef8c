"""`python -m mlm_course start`: a learner's own copies of the lessons, which git does not know.

A copy is made once and never overwritten. Where the course has a newer version of a lesson, a copy
whose cells nobody has edited makes room for it and is kept in my_lessons/earlier; any other stays.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlm_course.authoring.files import replace_all

FOLDER = "my_lessons"
COPIED = ".copied.json"  # notebook -> hash of the version that it is a copy of
PROGRESS = "course_progress.json"


def copy_lessons(root: Path) -> Iterator[str]:
    """Makes the copies that are missing; a line for each thing worth saying.

    OSError where they cannot be written; FileNotFoundError where there are no lessons.
    """
    lessons, own = sorted((root / "lessons").glob("*.ipynb")), root / FOLDER
    if not lessons:
        raise FileNotFoundError(f"No lessons below {root}: run this in the course's folder.")
    own.mkdir(exist_ok=True)
    copied = _copied(own / COPIED)
    for lesson in lessons:
        copy, version = own / lesson.name, _hash(lesson)
        if copy.exists():
            if version in (copied.get(copy.name), _hash(copy)):
                continue
            if copied.get(copy.name) != _hash(copy):
                yield _kept(copy)
                continue
        if place := _copy(lesson, copy):
            yield f"{FOLDER}/{copy.name} is new; the one before is {place}."
        copied[copy.name] = version
        replace_all({own / COPIED: json.dumps(copied, indent=1, sort_keys=True) + "\n"})
    yield from _progress(root / "lessons" / PROGRESS, own / PROGRESS)


def _copied(path: Path) -> dict[str, str]:
    """What the copies were made of; nothing where that is lost, and then every copy stays."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _hash(path: Path) -> str:
    return hashlib.sha256(_written(path)).hexdigest() if path.is_file() else ""


def _written(path: Path) -> bytes:
    """What people write in a notebook: JupyterLab saves outputs and metadata of its own accord."""
    content = path.read_bytes()
    try:
        cells = json.loads(content)["cells"]
        return repr([(cell["cell_type"], "".join(cell["source"])) for cell in cells]).encode()
    except (ValueError, TypeError, KeyError):
        return content


def _kept(copy: Path) -> str:
    return (
        f"{FOLDER}/{copy.name} stays yours, though the course has a newer version. "
        "To get that, give yours another name and start again."
    )


def _set_aside(copy: Path) -> str:
    """Moves a copy to a free name among the earlier ones, which is returned."""
    earlier, number = copy.parent / "earlier", 1
    earlier.mkdir(exist_ok=True)
    while (place := earlier / f"{copy.stem}-{number}.ipynb").exists():
        number += 1
    copy.rename(place)
    return place.relative_to(copy.parents[1]).as_posix()


def _copy(file: Path, place: Path) -> str:
    """A copy, whole or not at all. Returns where the one before is now, or ""."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as folder:
        new = Path(folder) / place.name
        new.write_bytes(file.read_bytes())
        before = _set_aside(place) if place.exists() else ""
        new.rename(place)
    return before


def _progress(before: Path, now: Path) -> Iterator[str]:
    """Takes along what was solved in lessons/ itself."""
    if before.is_file() and not now.exists():
        _copy(before, now)
        yield f"What you have solved so far, {PROGRESS}, is in {FOLDER}/, too."
