"""What a lesson source has to keep to; SourceError names the place and the mistake."""

import ast
import re
from collections.abc import Iterator

from mlm_course.authoring.cells import BEGIN, END, Cell, Source, SourceError, place

TAGS = {"author", "nbval-ignore-output", "nbval-skip", "raises-exception"}
SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def check_cell(lesson: str, cell: Cell) -> None:
    """SourceError unless tags, solution block and, for an author's cell, names are in order."""
    for tag in cell.tags:
        if tag not in TAGS:
            raise SourceError(f"{place(lesson, cell)}: unknown tag {tag!r}; "
                              f"known are {', '.join(sorted(TAGS))}.")  # fmt: skip
    check_markers(lesson, cell)
    if "author" in cell.tags:
        check_author(lesson, cell)


def check_markers(lesson: str, cell: Cell) -> None:
    """SourceError unless an exercise has exactly one indented block and others have none."""
    opened = blocks = 0
    for index, line in enumerate(cell.text.splitlines()):
        where = place(lesson, cell, cell.line_of(index))
        if line.strip() == BEGIN:
            if opened:
                raise SourceError(f"{where}: a solution block begins inside another one.")
            if not line.startswith(" "):
                raise SourceError(f"{where}: the solution must stand inside a function, indented.")
            opened, blocks = cell.line_of(index), blocks + 1
        elif line.strip() == END:
            if not opened:
                raise SourceError(f"{where}: {END!r} without a {BEGIN!r} before it.")
            opened = 0
        elif re.search(r"(BEGIN|END)\s+SOLUTION", line, re.IGNORECASE):
            raise SourceError(
                f"{where}: {line.strip()!r} is no marker; write {BEGIN!r} or {END!r}."
            )
    if opened:
        raise SourceError(f"{place(lesson, cell, opened)}: {BEGIN!r} has no {END!r}.")
    _check_blocks(place(lesson, cell), cell.exercise, blocks)


def _check_blocks(where: str, exercise: str | None, blocks: int) -> None:
    if blocks and exercise is None:
        raise SourceError(f'{where}: a solution without an exercise id; write # %% exercise="1.2".')
    if exercise is not None and blocks != 1:
        raise SourceError(f"{where}: exercise {exercise} has {blocks} solution blocks, not one.")


def check_author(lesson: str, cell: Cell) -> None:
    """SourceError unless learners can do without a cell that only the author's notebook has."""
    if cell.kind != "code" or cell.exercise:
        raise SourceError(f"{place(lesson, cell)}: only a code cell that is no exercise can have "
                          "the tag 'author'.")  # fmt: skip
    try:
        tree = ast.parse(cell.text)
    except SyntaxError as problem:
        where = place(lesson, cell, cell.line_of((problem.lineno or 1) - 1))
        raise SourceError(f"{where}: {problem.msg}.") from None
    for name, line in names_bound(tree):
        where = place(lesson, cell, cell.line_of(line - 1))
        raise SourceError(f"{where}: {name!r} gets a value in a cell that learners do not have; "
                          "an 'author' cell may not leave a name behind.")  # fmt: skip


def names_bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that running a cell binds, or deletes, in the notebook, each with its line."""
    if isinstance(node, SCOPES):
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node.lineno
        return
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id, node.lineno
    for child in ast.iter_child_nodes(node):
        yield from names_bound(child)


def check_exercises(source: Source) -> None:
    """SourceError unless ids are unique, belong to this lesson and are checked further down."""
    seen: dict[str, int] = {}
    for cell in source.cells:
        if cell.exercise is None:
            continue
        where = place(source.name, cell)
        if not re.fullmatch(rf"{source.number}\.\d+", cell.exercise):
            raise SourceError(f"{where}: exercise id {cell.exercise!r} is not like "
                              f"'{source.number}.1'.")  # fmt: skip
        if cell.exercise in seen:
            raise SourceError(f"{where}: exercise {cell.exercise} stands in cell "
                              f"{seen[cell.exercise]} already.")  # fmt: skip
        seen[cell.exercise] = cell.number
        if f'check("{cell.exercise}"' not in _code_of_learners(source.cells[cell.number :]):
            raise SourceError(f'{where}: no later cell calls check("{cell.exercise}", ...).')


def _code_of_learners(cells: tuple[Cell, ...]) -> str:
    return "\n".join(c.text for c in cells if c.kind == "code" and "author" not in c.tags)
