"""What a learner has solved: one small JSON file that can be read, deleted and carried away.

The file is `course_progress.json` in the working directory, or the path in the environment variable
MLM_COURSE_PROGRESS. It is the only memory: deleting it forgets everything. Where it cannot be
written, the news waits in `_unsaved` until it can be, or until the kernel ends. Only a regular file
of a progress file's size is ever replaced, renamed or deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "course_progress.json"
VARIABLE = "MLM_COURSE_PROGRESS"
LOCK_SECONDS = 2.0
FORMAT = 1  # a later version that writes what this one cannot keep says "format": 2
MOST_BYTES = 10_000_000  # a larger file is something else


@dataclass
class Record:
    """Ids of solved exercises and questions, and of those attempted.

    `other` holds what a later version of the course may have written beside them.
    """

    solved: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)
    other: dict[str, Any] = field(default_factory=dict)

    def include(self, news: Record) -> None:
        """Everything `news` knows, added; nothing is ever taken away."""
        self.solved |= news.solved
        self.tried |= news.tried


_unsaved = Record()


def path() -> Path:
    """Where the file is, or would be."""
    wanted = Path(os.environ.get(VARIABLE) or FILE_NAME)
    try:
        return wanted.expanduser().resolve()
    except (OSError, RuntimeError):  # no working directory, no such user, links in a circle
        return wanted


def read() -> Record:
    """What the file says, with what could not be saved. A damaged file counts as empty."""
    try:
        record = _on_disk() or Record()
    except (OSError, ValueError, RecursionError):
        record = Record()
    record.include(_unsaved)
    return record


def add(solved: set[str] | None = None, tried: set[str] | None = None) -> str:
    """Remembers ids. Returns "" or, where the file made trouble, one sentence about it."""
    _unsaved.include(Record(solved or set(), tried or set()))
    try:
        _content()  # before a lock is put beside something that is not ours
        with _lock():
            note = _set_damaged_file_aside()
            record = read()  # another kernel may have written since
            if record != (_on_disk() or Record()):
                _write(record)
    except (OSError, ValueError, RecursionError) as error:
        reason = _reason(error)
        return f"Your progress could not be saved ({reason}); it is kept until this kernel ends."
    _clear_unsaved()
    return note


def forget() -> str:
    """Removes the file. Returns "" or a sentence: why it is still there, or where a damaged one is."""
    _clear_unsaved()
    try:
        note = _set_damaged_file_aside()
        path().unlink(missing_ok=True)
    except OSError as error:
        return f"The file {path()} could not be deleted ({_reason(error)})."
    return note


def _reason(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, _NotOurs):
        return str(error)
    return getattr(error, "strerror", None) or type(error).__name__


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One kernel at a time: without it, two that save at once would lose what one of them solved.

    A lock left behind by a killed kernel is broken after LOCK_SECONDS.
    """
    lock = path().with_name(f".{path().name}.lock")
    patience = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > patience:
                break
            time.sleep(0.01)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock)


class _NotOurs(OSError):
    """What stands in the file's place must stay as it is; the message says why."""


def _content() -> bytes | None:
    """The file's bytes, None where there is no file. Errors: OSError, before anything is touched."""
    try:
        about = os.stat(path())
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(about.st_mode):
        raise _NotOurs(f"{path()} is a folder, device or pipe, not a file")
    if about.st_size > MOST_BYTES:
        raise _NotOurs(f"{path()} is too large to be a progress file")
    if not os.access(path(), os.W_OK):
        raise _NotOurs(f"{path()} may not be changed")
    return path().read_bytes()


def _on_disk() -> Record | None:
    content = _content()
    return None if content is None else _parse(content)


def _parse(content: bytes) -> Record:
    data = json.loads(content)  # in UTF-8, UTF-16 or UTF-32, with a BOM or without
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if data.get("format", FORMAT) != FORMAT:
        raise _NotOurs(f"{path()} was written by a newer version of the course")
    ids = {name: data.pop(name, []) for name in ("solved", "tried")}
    for value in ids.values():
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("not a list of ids")
    return Record(set(ids["solved"]), set(ids["tried"]), data)


def _set_damaged_file_aside() -> str:
    try:
        _on_disk()
    except (ValueError, RecursionError):
        aside = _free_name()
        os.rename(path(), aside)
        return f"{path().name} was damaged: it is now {aside.name}, and a new file begins."
    return ""


def _free_name() -> Path:
    number = 1
    while (aside := path().with_name(f"{path().name}.damaged-{number}")).exists():
        number += 1
    return aside


def _write(record: Record) -> None:
    data = {**record.other, "solved": in_order(record.solved), "tried": in_order(record.tried)}
    text = json.dumps(data, indent=2, sort_keys=True) + "\n"  # ASCII: no half characters
    handle, temporary = tempfile.mkstemp(dir=path().parent, prefix=f".{path().name}-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if path().exists():
            shutil.copymode(path(), temporary)
        os.replace(temporary, path())  # the old file or the new one, never half of one
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _clear_unsaved() -> None:
    _unsaved.solved.clear()
    _unsaved.tried.clear()


def in_order(ids: set[str]) -> list[str]:
    """Ids as the course orders them: 1.2 before 1.10, exercises before questions."""

    def key(some_id: str) -> tuple[int, str, int, str]:
        lesson, _, rest = some_id.partition(".")
        kind, number = ("q", rest[1:]) if rest.startswith("q") else ("", rest)
        places = [int(part[:6]) if part.isdecimal() else 10**6 for part in (lesson, number)]
        return places[0], kind, places[1], some_id

    return sorted(ids, key=key)
