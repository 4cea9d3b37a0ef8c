"""What of a notebook is run to judge it: imports, functions, and the values that they need.

A notebook's other statements, its trainings, pictures and loops, are left alone. What is run goes
in the order of the cells, so that a name holds what it would at its check cell.
"""

from __future__ import annotations

import ast
import builtins
import dis
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from mlm_course.practice.exercise import LAZY, Exercise, tidy_id
from mlm_course.practice.notebook import binds

MAGIC = re.compile(r"^(\s*)[%!?].*$|^(\s*)\S+\?$", re.MULTILINE)
LEAST_SECONDS = 15.0  # for a call: a class is judged on a busy machine
MOST_CHECKS = 4  # of one exercise that are tried, the last ones


@dataclass(frozen=True)
class CodeCell:
    """A code cell: its text, and the exercise that the built notebook had there."""

    text: str
    exercise: str = ""


@dataclass(frozen=True)
class Piece:
    """A statement of a cell: what it binds and what it needs."""

    node: ast.stmt
    code: CodeType
    cell: int
    binds: frozenset[str]
    needs: frozenset[str]


@dataclass(frozen=True)
class Candidate:
    """An expression, mostly a name, that is handed to check; after: how many pieces stand above."""

    exercise: str
    written: str
    cell: int
    after: int

    @property
    def names(self) -> frozenset[str]:
        """The notebook's names in the expression."""
        tree = ast.parse(self.written, mode="eval")
        own = {a.arg for n in ast.walk(tree) if isinstance(n, ast.arguments) for a in n.args}
        read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        return frozenset(name for name in read - own if not hasattr(builtins, name))


@dataclass(frozen=True)
class Plan:
    """Pieces to run, candidates to judge, and the cells that cannot be read, with the reason."""

    cells: tuple[CodeCell, ...]
    pieces: tuple[Piece, ...]
    candidates: tuple[Candidate, ...]
    unreadable: dict[int, str]

    def why_unbound(self, name: str) -> str:
        """Which cell would have defined a name if it could be read, "" if none."""
        for cell, reason in self.unreadable.items():
            if binds(self.cells[cell].text, name):
                return reason
        return ""

    def closure(self, names: Iterable[str]) -> set[int]:
        """The pieces, by index, that some names come from, through everything these need."""
        wanted, chosen = set(names), set[int]()
        while True:
            new = {i for i, p in enumerate(self.pieces) if p.binds & wanted} - chosen
            if not new:
                return chosen
            chosen |= new
            wanted |= {name for i in new for name in self.pieces[i].needs}


def call_seconds(exercise: Exercise) -> float:
    """How long a call of a student's function may take."""
    return max(LEAST_SECONDS, exercise.seconds)


def read_plan(cells: tuple[CodeCell, ...], asked: dict[str, str]) -> Plan:
    """The plan of a notebook; `asked`: an exercise's id and the name that its answer has."""
    pieces: list[Piece] = []
    candidates: list[Candidate] = []
    unreadable: dict[int, str] = {}
    for number, cell in enumerate(cells):
        tree = _parsed(cell.text, number, unreadable)
        for node in tree.body if tree else ():
            candidates += _checks(node, number, len(pieces))
            if code := _compiled(node, number, unreadable):
                pieces.append(Piece(node, code, number, _bound(node), frozenset(needed(code))))
    candidates += _unchecked(cells, asked, candidates, pieces, unreadable)
    chosen = [one for id in asked for one in _of(candidates, id)[-MOST_CHECKS:]]
    return Plan(cells, tuple(pieces), tuple(chosen), unreadable)


def _of(candidates: list[Candidate], exercise: str) -> list[Candidate]:
    return [one for one in candidates if one.exercise == exercise]


def _parsed(text: str, number: int, unreadable: dict[int, str]) -> ast.Module | None:
    """The cell as Python, lines of magic left out; else why it cannot be read goes to the table."""
    if text.lstrip().startswith("%%"):
        return None
    try:
        try:
            return ast.parse(text)
        except SyntaxError:
            return ast.parse(MAGIC.sub(r"\1\2pass", text))
    except SyntaxError as error:
        said = f"a syntax error in line {error.lineno} of its cell ({error.msg})"
        unreadable[number] = f"There is {said}."
    except (ValueError, RecursionError, MemoryError):
        unreadable[number] = "Its cell cannot be read as Python."
    return None


def _bound(node: ast.stmt) -> frozenset[str]:
    """The names that a statement gives a value, if it is one that may be run."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return frozenset({node.name})
    if isinstance(node, ast.Import | ast.ImportFrom):
        return frozenset((a.asname or a.name).partition(".")[0] for a in node.names)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return frozenset(n.id for t in targets for n in ast.walk(t) if _stored(n))  # type: ignore[attr-defined]
    if isinstance(node, ast.If | ast.Try | ast.With):
        return frozenset().union(*(_bound(child) for child in _bodies(node)))
    return frozenset()


def _stored(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _bodies(node: ast.stmt) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler):
            yield from child.body


def file_of(cell: int) -> str:
    """What tracebacks call a cell."""
    return f"<cell {cell + 1}>"


def _compiled(node: ast.stmt, cell: int, unreadable: dict[int, str]) -> CodeType | None:
    module = ast.Module([node], [])
    try:
        return compile(module, file_of(cell), "exec", LAZY, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        unreadable[cell] = f"Its cell cannot be run: {getattr(error, 'msg', error)}."
        return None


def needed(code: CodeType) -> Iterator[str]:
    """The notebook's names that some code reads, in functions within it, too."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield step.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from needed(constant)


def _checks(node: ast.stmt, cell: int, after: int) -> Iterator[Candidate]:
    """The calls `check("1.2", name)` in a statement."""
    for call in ast.walk(node):
        if not (isinstance(call, ast.Call) and _callee(call.func) == "check"):
            continue
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "function")]
        if len(given) > 1 and isinstance(given[0], ast.Constant) and type(given[0].value) is str:
            yield Candidate(tidy_id(given[0].value), ast.unparse(given[1]), cell, after)


def _callee(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _unchecked(
    cells: tuple[CodeCell, ...],
    asked: dict[str, str],
    checked: list[Candidate],
    pieces: list[Piece],
    unreadable: dict[int, str],
) -> Iterator[Candidate]:
    """For an exercise without its check cell: the last function of its cell, or of its answer's name."""
    for exercise, name in asked.items():
        if _of(checked, exercise):
            continue
        places = {i for i, cell in enumerate(cells) if cell.exercise == exercise}
        own = [p.node for p in pieces if p.cell in places]
        names = [node.name for node in own if isinstance(node, ast.FunctionDef)]
        written = names[-1] if names else name
        defined = any(written in piece.binds for piece in pieces)
        if defined or any(binds(cells[i].text, written) for i in unreadable):
            yield Candidate(exercise, written, max(places, default=0), len(pieces))


def source_of_pieces(plan: Plan, names: Iterable[str]) -> str:
    """The text of the newest definitions of names, as the student wrote it."""
    wanted, texts = set(names), []
    for piece in reversed(plan.pieces):
        if piece.binds & wanted:
            texts.append(_text(plan.cells[piece.cell].text, piece.node))
            wanted -= piece.binds
    return "\n\n".join(reversed(texts))


def _text(cell: str, node: Any) -> str:
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    return "\n".join(cell.split("\n")[first - 1 : node.end_lineno])
