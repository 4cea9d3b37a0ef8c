"""`python -m mlm_course build`: lessons/, solutions/ and the printed answers, from course/."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from mlm_course.authoring import execute
from mlm_course.authoring.generated import (
    Budget,
    read_publication,
    read_syllabus,
    write_syllabus,
)
from mlm_course.authoring.notebooks import (
    lesson_notebook,
    solution_notebook,
    to_text,
    with_generated_cells,
    without_outputs,
)
from mlm_course.authoring.source import Cell, Source, SourceError, read_source
from mlm_course.practice.catalogue import exercises

ANSWERS = Path("mlm_course/practice/answers.json")


def read_sources(root: Path, names: Iterable[str] = ()) -> list[Source]:
    """The lessons named, or all; a name may be short: "1", "01" or "01_attention"."""
    paths = sorted((root / "course").glob("[0-9][0-9]_*.py"))
    if not paths:
        raise SourceError(f"No lesson source course/NN_name.py below {root}.")
    chosen = [_find(paths, name) for name in names] or paths
    return [read_source(path) for path in chosen]


def _find(paths: list[Path], name: str) -> Path:
    for path in paths:
        if name in (path.stem, path.name) or (name.isdigit() and int(name) == int(path.stem[:2])):
            return path
    raise SourceError(f"No lesson {name!r}; there are {', '.join(p.stem for p in paths)}.")


def cells_of(root: Path, source: Source) -> list[Cell]:
    """All cells of a lesson, generated ones included, checked against the exercise data."""
    written = set(source.answers())
    known = {e.id for e in exercises(source.number)}
    for missing in sorted(written ^ known):
        where = "course/" if missing in known else "mlm_course/practice/"
        raise SourceError(f"{source.name}: exercise {missing} is missing from {where}.")
    return with_generated_cells(
        source, read_publication(root), read_syllabus(root).get(source.name)
    )


def build(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Writes both notebooks of each lesson and yields a line for each file written."""
    sources = read_sources(root, names)
    _write(root / ANSWERS, _answers(root))  # first: the executed notebooks may print them
    for source in sources:
        cells = cells_of(root, source)
        yield _write(root / "lessons" / f"{source.name}.ipynb", to_text(lesson_notebook(cells)))
        folder = root / "solutions"
        folder.mkdir(exist_ok=True)
        solved = execute.execute(solution_notebook(cells), folder)
        yield _write(folder / f"{source.name}.ipynb", to_text(solved))


def measure(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Runs each solved lesson against the clock and writes what it took to syllabus.toml."""
    for source in read_sources(root, names):
        found = execute.measure(solution_notebook(cells_of(root, source)), root / "solutions")
        syllabus = read_syllabus(root)
        old = syllabus.get(source.name, Budget(hours=2))
        budget = replace(old, seconds=found.seconds, memory_mb=found.memory_mb)
        write_syllabus(root, {**syllabus, source.name: budget})
        yield f"{source.name}: {found.seconds} s, {found.memory_mb} MB"


def differences(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """A line for each notebook, and each cell in it, that is not what `build` would write."""
    sources = read_sources(root, names)
    for source in sources:
        cells = cells_of(root, source)
        for folder, notebook in (
            ("lessons", lesson_notebook(cells)),
            ("solutions", solution_notebook(cells)),
        ):
            path = root / folder / f"{source.name}.ipynb"
            yield from _compare(f"{folder}/{path.name}", path, notebook)
    if not (root / ANSWERS).exists() or (root / ANSWERS).read_text("utf-8") != _answers(root):
        yield f"{ANSWERS.as_posix()} differs from course/"
    if not list(names):
        yield from _orphans(root, {source.name for source in sources})


def _compare(label: str, path: Path, expected: NotebookNode) -> Iterator[str]:
    if not path.exists():
        yield f"{label} is missing"
        return
    try:
        stored = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except Exception as problem:  # nbformat and json raise many kinds
        yield f"{label} cannot be read: {problem}"
        return
    found = stored if label.startswith("lessons") else without_outputs(stored)
    if to_text(found) == to_text(expected):
        return
    yield f"{label} differs"
    for i, (a, b) in enumerate(zip_longest(found.cells, expected.cells), 1):
        if a is None or b is None:
            yield f"  cell {i}: {'missing' if a is None else 'not in the source'}"
        elif to_text(a) != to_text(b):
            yield f"  cell {i} (id {b.id}) differs: {_first_line(b)}"


def _first_line(cell: NotebookNode) -> str:
    return next(iter(cell.source.splitlines()), "")[:60]


def _orphans(root: Path, names: set[str]) -> Iterator[str]:
    for folder in ("lessons", "solutions"):
        for path in sorted((root / folder).glob("*.ipynb")):
            if path.stem not in names:
                yield f"{folder}/{path.name} has no source in course/"


def _answers(root: Path) -> str:
    """The printed solutions of all lessons, for `solution("1.2")`."""
    answers = {id: text for s in read_sources(root) for id, text in s.answers().items()}
    return json.dumps(answers, indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return f"{path.parent.name}/{path.name}"
