"""What a stored notebook says otherwise than its source, cell by cell."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mlm_course.authoring.notebooks import Notebook, from_text, to_text
from mlm_course.authoring.outputs import without_outputs
from mlm_course.text_files import read_text

Numbered = list[tuple[int, dict[str, Any]]]  # cells with their numbers in a notebook


def compare(label: str, path: Path, expected: Notebook) -> Iterator[str]:
    """A line for a notebook that differs, and one for each cell in it that does."""
    if not path.exists():
        yield f"{label} is missing"
        return
    try:
        stored = from_text(read_text(path))
        bare = without_outputs(stored) if label.startswith("solutions") else stored
        lines = list(_differing_cells(bare, expected))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        yield f"{label} cannot be read: {problem}"
        return
    if to_text(bare) != to_text(expected):
        yield f"{label} differs"
        yield from lines or ["  only in what stands beside the cells: metadata or format"]


def _differing_cells(stored: Notebook, expected: Notebook) -> Iterator[str]:
    """Cells are matched by their ids, so that one more or less does not shift all behind it."""
    ours, theirs = _numbered(expected), _numbered(stored)
    matcher = SequenceMatcher(None, _ids(theirs), _ids(ours), autojunk=False)
    for _, begin, end, first, last in matcher.get_opcodes():
        for old, new in zip_longest(theirs[begin:end], ours[first:last]):
            if old is None:
                yield f"  {_name(new)} is missing: {_first_line(new)}"
            elif new is None:
                yield f"  {_name(old)} is not in the source: {_first_line(old)}"
            elif old[1] != new[1]:
                yield f"  {_name(new)} differs: {_first_line(new)}"


def _numbered(notebook: Notebook) -> Numbered:
    return list(enumerate(notebook["cells"], 1))


def _ids(cells: Numbered) -> list[str]:
    return [cell["id"] for _, cell in cells]


def _name(numbered: tuple[int, dict[str, Any]]) -> str:
    number, cell = numbered
    return f"cell {number} (id {cell['id']})"


def _first_line(numbered: tuple[int, dict[str, Any]]) -> str:
    return next(iter(numbered[1]["source"].splitlines()), "")[:60]
