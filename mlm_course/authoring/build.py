"""`python -m mlm_course build`: lessons/, solutions/ and the printed answers, from course/."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlm_course.authoring import outputs
from mlm_course.authoring.cells import (
    Cell,
    CellFailure,
    Source,
    SourceError,
    UnknownLesson,
    place,
)
from mlm_course.authoring.differences import compare
from mlm_course.authoring.effort import hours
from mlm_course.authoring.evidence import linked
from mlm_course.authoring.files import replace_all, taken_back_on_failure
from mlm_course.authoring.generated import (
    SYLLABUS,
    Budget,
    budget_line,
    framed,
    head,
    read_course_version,
    read_publication,
    read_syllabus,
    set_up,
    syllabus_text,
)
from mlm_course.authoring.notebooks import (
    Notebook,
    from_text,
    lesson_notebook,
    solution_notebook,
    to_text,
    with_generated_cells,
)
from mlm_course.authoring.practice_data import PracticeData, read_practice
from mlm_course.authoring.source import read_source
from mlm_course.text_files import read_text

PACKAGE = Path("mlm_course")
ANSWERS = PACKAGE / "exercises" / "answers.json"
Run = Callable[[Path, Source, Notebook], Notebook]  # a solved notebook with outputs


def write_notebooks(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Writes both notebooks of each lesson and yields a line for each file.

    A lesson is executed only if its stored outputs no longer hold.
    """
    return _build(root, names, _stored_or_executed)


def build_and_execute(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Like `build`, but every lesson is executed."""
    return _build(root, names, _executed)


def measure(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """Runs each solved lesson against the clock, and writes what it took and both notebooks."""
    for source in read_sources(root, names):
        with taken_back_on_failure(root / ANSWERS, answers(root, [source])):
            line = _measure(root, source)
        yield line


def differences(root: Path, names: Iterable[str] = ()) -> Iterator[str]:
    """A line for each notebook, and each cell in it, that is not what `build` would write."""
    names = list(names)
    sources, version = read_sources(root, names), read_course_version(root)
    for source in sources:
        named = (source.name, _cells(root, source), version)
        for path, expected in zip(
            _files(root, source),
            (lesson_notebook(*named), solution_notebook(*named)),
            strict=True,
        ):
            yield from compare(f"{path.parent.name}/{path.name}", path, expected)
    if _text(root / ANSWERS) != answers(root, sources):
        yield f"{ANSWERS.as_posix()} differs from course/"
    if not names:
        yield from _orphans(root, {source.name for source in sources})


def with_stored_outputs(root: Path) -> dict[Path, str]:
    """The files of all lessons as their sources say, with the outputs that are stored: nothing runs."""
    texts: dict[Path, str] = {}
    for source in read_sources(root):
        stored = from_text(read_text(_files(root, source)[1]))
        texts |= _texts(root, source, _cells(root, source), stored)
    return texts


def stale_outputs(root: Path, names: Iterable[str] = ()) -> list[str]:
    """The lessons whose stored outputs are of an earlier text or an earlier package."""
    return [
        source.name
        for source in read_sources(root, names)
        if not outputs.stored(
            _files(root, source)[1], _draft(root, source, _cells(root, source)), root / PACKAGE
        )
    ]


def _orphans(root: Path, names: set[str]) -> Iterator[str]:
    for folder in ("lessons", "solutions"):
        for path in sorted((root / folder).glob("*.ipynb")):
            if path.stem not in names:
                yield f"{folder}/{path.name} has no source in course/"


def read_sources(root: Path, names: Iterable[str] = ()) -> list[Source]:
    """The lessons named, or all; a name may be short: "1", "01" or "01_attention"."""
    paths = _paths(root)
    if not paths:
        raise SourceError(f"No lesson source course/NN_name.py below {root}.")
    chosen = [_find(paths, name) for name in names] or paths
    return [read_source(path) for path in chosen]


def _paths(root: Path) -> list[Path]:
    return sorted((root / "course").glob("[0-9][0-9]_*.py"))


def _find(paths: list[Path], name: str) -> Path:
    for path in paths:
        if name in (path.stem, path.name) or (name.isdigit() and int(name) == int(path.stem[:2])):
            return path
    raise UnknownLesson(f"No lesson {name!r}; there are {', '.join(p.stem for p in paths)}.")


def cells_of(root: Path, source: Source, budget: Budget | None) -> list[Cell]:
    """All cells of a lesson, generated ones included, checked against the exercise data."""
    practice = read_practice(root, source.number)
    _check_ids(source, practice)
    publication = read_publication(root)
    time = hours(source, practice, budget.seconds if budget else 0)
    facts = head(publication, source.name, budget_line(time, budget))
    cells = with_generated_cells(source, facts, set_up(publication))
    return [
        replace(cell, text=framed(_linked(source, cell), practice))
        if cell.kind == "markdown"
        else cell
        for cell in cells
    ]


def _linked(source: Source, cell: Cell) -> str:
    """The text of a markdown cell, with links to records for its markers."""
    try:
        return linked(cell.text)
    except ValueError as error:
        raise SourceError(f"{place(source.name, cell)}: {error}") from None


def _check_ids(source: Source, practice: PracticeData) -> None:
    """SourceError unless course/ and mlm_course/exercises/ have the same exercises."""
    for cell in source.cells:
        if cell.exercise and cell.exercise not in practice.minutes:
            raise SourceError(f"{place(source.name, cell)}: exercise {cell.exercise} is missing "
                              "from mlm_course/exercises/.")  # fmt: skip
    for missing in sorted(practice.minutes.keys() - source.answers().keys()):
        raise SourceError(f"course/{source.name}.py: exercise {missing} is missing from course/.")


def _cells(root: Path, source: Source) -> list[Cell]:
    return cells_of(root, source, read_syllabus(root).get(source.name))


def _build(root: Path, names: Iterable[str], run: Run) -> Iterator[str]:
    lessons = [(source, _cells(root, source)) for source in read_sources(root, names)]
    for source, cells in lessons:
        with taken_back_on_failure(root / ANSWERS, answers(root, [source])):
            with _failure_placed(source, cells):
                ran = run(root, source, _draft(root, source, cells))
            texts = _texts(root, source, cells, ran)
            replace_all(texts)
        yield from (path.relative_to(root).as_posix() for path in texts)


def _measure(root: Path, source: Source) -> str:
    from mlm_course.authoring import execute

    _check_weights(source)
    cells, syllabus = _cells(root, source), read_syllabus(root)
    with _failure_placed(source, cells):
        execution = execute.measure(_draft(root, source, cells), _folder(root))
    old = syllabus.get(source.name, Budget())
    budget = replace(old, seconds=execution.seconds, memory_mb=execution.memory_mb)
    facts = {root / SYLLABUS: syllabus_text({**syllabus, source.name: budget})}
    replace_all(facts | _texts(root, source, cells_of(root, source, budget), execution.notebook))
    return f"{source.name}: {execution.seconds} s, {execution.memory_mb} MB"


def _draft(root: Path, source: Source, cells: list[Cell]) -> Notebook:
    """The solved notebook before it runs, marked with what it is made of at this moment."""
    notebook = solution_notebook(source.name, cells, read_course_version(root))
    return outputs.marked(notebook, root / PACKAGE)


def _stored_or_executed(root: Path, source: Source, draft: Notebook) -> Notebook:
    _, path = _files(root, source)
    return outputs.stored(path, draft, root / PACKAGE) or _executed(root, source, draft)


def _executed(root: Path, source: Source, draft: Notebook) -> Notebook:
    from mlm_course.authoring import execute  # a second and more, which stored outputs spare

    _check_weights(source)
    return execute.run_notebook(draft, _folder(root))


def _check_weights(source: Source) -> None:
    """SourceError where a lesson would be stored without the published weights that it shows."""
    if not any("load_minilm(" in cell.text for cell in source.cells):
        return
    from mlm_course.models.minilm import INSTALL, minilm_here

    files, wrong = minilm_here()
    if not files:
        reason = f"but {wrong}" if wrong else f"which are not here: `{INSTALL}`, then again."
        raise SourceError(f"course/{source.name}.py shows published weights, {reason}")


@contextmanager
def _failure_placed(source: Source, cells: list[Cell]) -> Iterator[None]:
    """A cell that fails becomes a SourceError with its place in the source and its text."""
    try:
        yield
    except CellFailure as failure:
        cell = cells[failure.index]
        line = cell.line_of_solved(failure.line) if failure.line and cell.number else None
        where = place(source.name, cell, line)
        raise SourceError(f"{where}: {failure}\n\n{cell.solved()}") from None


def _texts(root: Path, source: Source, cells: list[Cell], ran: Notebook) -> dict[Path, str]:
    """The files of both notebooks, with the outputs of one that was run."""
    lesson, solution = _files(root, source)
    named = (source.name, cells, read_course_version(root))
    solved = outputs.with_outputs(solution_notebook(*named), ran)
    return {lesson: to_text(lesson_notebook(*named)), solution: to_text(solved)}


def _files(root: Path, source: Source) -> tuple[Path, Path]:
    file = f"{source.name}.ipynb"
    return root / "lessons" / file, _folder(root) / file


def _folder(root: Path) -> Path:
    return root / "solutions"


def answers(root: Path, sources: list[Source]) -> str:
    """The printed solutions, for `solution("1.2")`: of these lessons anew, of others as stored."""
    others = {str(int(path.stem[:2])) for path in _paths(root)}
    others -= {str(source.number) for source in sources}
    stored = _stored_answers(root).items()
    texts = {id: text for id, text in stored if id.partition(".")[0] in others}
    texts |= {id: text for source in sources for id, text in source.answers().items()}
    by_lesson = sorted(texts.items(), key=lambda item: int(item[0].partition(".")[0]))
    return json.dumps(dict(by_lesson), indent=1, ensure_ascii=False) + "\n"


def _stored_answers(root: Path) -> dict[str, str]:
    try:
        by_exercise = json.loads(_text(root / ANSWERS) or "{}")
    except (ValueError, RecursionError):  # damaged; the next build of all lessons mends it
        return {}
    return by_exercise if isinstance(by_exercise, dict) else {}


def _text(path: Path) -> str | None:
    return read_text(path) if path.exists() else None
