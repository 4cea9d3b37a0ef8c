"""Stored outputs: whether they still hold, and how they get from one notebook into another.

They hold as long as the solved code of the lesson and the package that it imports are the same.
The solved notebook keeps a hash of both, "executed", in its metadata. Where the course is published,
and as which version, decides no output: another address runs nothing again.
"""

import copy
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from mlm_course.authoring.generated import SAME_FOR_ALL
from mlm_course.authoring.notebooks import WIDGETS, Notebook, code_cells, from_text
from mlm_course.text_files import read_text

# What no lesson imports; the printed answers repeat code cells of the lessons.
NOT_IMPORTED = ("authoring/", "commands/", "teaching/", "__main__.py", "exercises/answers.json")
VERSION_LINE = re.compile(rb"^__version__ = .*$", re.MULTILINE)


def marked(notebook: Notebook, package: Path) -> Notebook:
    """A solved notebook with the hash of everything that decides its outputs."""
    ours = {**notebook["metadata"]["mlm_course"], "executed": fingerprint(notebook, package)}
    return {**notebook, "metadata": {**notebook["metadata"], "mlm_course": ours}}


def fingerprint(notebook: Notebook, package: Path) -> str:
    """A hash of text and tags of all code cells, and of the files of the package."""
    digest = hashlib.sha256()
    for cell in code_cells(notebook):
        deciding = [_without_address(cell["source"]), cell["metadata"].get("tags", [])]
        digest.update(json.dumps(deciding).encode())
    for path in imported_files(package):
        name = path.relative_to(package).as_posix()
        content = VERSION_LINE.sub(b"", path.read_bytes())
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _without_address(text: str) -> str:
    """A cell's text; of the set-up cell what follows the installation."""
    before, same, after = text.partition(SAME_FOR_ALL)
    return same + after or before


def imported_files(package: Path) -> Iterator[Path]:
    """Every file of the package that a lesson may import or read."""
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        cached = any(part == "__pycache__" or part.startswith(".") for part in name.split("/"))
        if path.is_file() and not cached and not name.startswith(NOT_IMPORTED):
            yield path


def stored(path: Path, notebook: Notebook, package: Path) -> Notebook | None:
    """The notebook in a file, if its outputs are those that the marked `notebook` would have."""
    try:
        existing = from_text(read_text(path))
        wanted = executed(notebook)
        return existing if wanted == executed(existing) == fingerprint(existing, package) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # there is none, or someone else wrote it


def executed(notebook: Notebook) -> str:
    """The hash that `marked` left in a notebook."""
    return notebook["metadata"]["mlm_course"]["executed"]


def with_outputs(notebook: Notebook, ran: Notebook) -> Notebook:
    """A solved notebook with outputs, states of widgets and the hash of one with the same code."""
    result = copy.deepcopy(notebook)
    for cell, other in zip(code_cells(result), code_cells(ran), strict=True):
        cell |= {key: other[key] for key in ("outputs", "execution_count")}
        if WIDGETS in other["metadata"]:
            cell["metadata"][WIDGETS] = other["metadata"][WIDGETS]
    result["metadata"]["mlm_course"]["executed"] = executed(ran)
    return result


def without_outputs(notebook: Notebook) -> Notebook:
    """A copy with outputs, execution counts, states of widgets and the hash removed."""
    bare = copy.deepcopy(notebook)
    for cell in code_cells(bare):
        cell |= {"outputs": [], "execution_count": None}
        cell["metadata"].pop(WIDGETS, None)
    bare.get("metadata", {}).get("mlm_course", {}).pop("executed", None)
    return bare
