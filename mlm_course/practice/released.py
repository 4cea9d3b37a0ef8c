"""What an instructor has handed out: course_release.json beside the notebooks limits the course."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_NAME = "course_release.json"


@dataclass(frozen=True)
class Released:
    """The lessons handed out, exercises left out of them, and whether solutions are shown."""

    lessons: tuple[int, ...]
    without: frozenset[str] = frozenset()
    answers: bool = True

    def to_text(self) -> str:
        """The file's text."""
        data = {
            "lessons": list(self.lessons),
            "without": sorted(self.without),
            "answers": self.answers,
        }
        return json.dumps(data, indent=2) + "\n"


def read_released(folder: Path | None = None) -> Released | None:
    """What the file in a folder says, the working folder if none is named; None for the whole course."""
    try:
        text = ((folder or Path()) / FILE_NAME).read_text(encoding="utf-8")
        return _parsed(json.loads(text))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # no file, or one that somebody has damaged: nothing is taken away


def _parsed(data: dict[str, Any]) -> Released:
    lessons = tuple(int(number) for number in data["lessons"])
    return Released(lessons, frozenset(map(str, data["without"])), bool(data["answers"]))
