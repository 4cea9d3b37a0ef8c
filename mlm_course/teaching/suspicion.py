"""What a person should look at before a pass counts: code that may have the answer from elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from mlm_course.practice.exercise import LAZY
from mlm_course.teaching.written import Plan, needed

PUBLIC = {"check", "hint", "solution", "quiz", "progress"}  # of mlm_course.practice
OUTSIDE = {
    "builtins", "ctypes", "dis", "gc", "importlib", "inspect", "io", "linecache", "marshal",
    "multiprocessing", "os", "pathlib", "pickle", "pkgutil", "runpy", "shutil", "signal", "socket",
    "subprocess", "sys", "threading", "traceback",
}  # fmt: skip
CALLS = {"__import__", "eval", "exec", "compile", "globals", "open", "vars"}
MARKS = {
    "__builtins__", "__closure__", "__code__", "__dict__", "__globals__", "__loader__", "__subclasses__",
    "f_back", "f_globals", "f_locals", "gi_frame", "tb_frame",
}  # fmt: skip
SCHOOL = ("exercises", "practice", "teaching", "authoring")


def remarks_on(plan: Plan, names: Iterable[str], answer: str) -> list[str]:
    """What there is to look at in the code that some names come from; `answer` is the course's own."""
    nodes: list[ast.AST] = [plan.pieces[i].node for i in sorted(plan.closure(names))]
    remarks = [remark for node in nodes for remark in _in_node(node)]
    remarks += _of_the_package(plan, names, answer)
    if any(_replaces_check(piece.node) for piece in plan.pieces):
        remarks.append("replaces check")
    return list(dict.fromkeys(remarks))


def _in_node(top: ast.AST) -> Iterator[str]:
    for node in ast.walk(top):
        if isinstance(node, ast.Import):
            yield from _imported(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in MARKS:
            yield f"uses {node.attr}"
        elif isinstance(node, ast.Attribute) and _is_school(node):
            yield f"reaches into mlm_course.{node.attr}"
        elif isinstance(node, ast.Name) and node.id in CALLS | MARKS | {"solution", "hint"}:
            yield f"uses {node.id}"


def _is_school(node: ast.Attribute) -> bool:
    return (
        node.attr in SCHOOL and isinstance(node.value, ast.Name) and node.value.id == "mlm_course"
    )


def _imported(modules: Iterable[str]) -> Iterator[str]:
    for module in modules:
        parts = module.split(".")
        if parts[0] in OUTSIDE:
            yield f"imports {parts[0]}"
        elif parts[:2] == ["mlm_course", "practice"] and (
            len(parts) != 3 or parts[2] not in PUBLIC
        ):
            yield "reaches into mlm_course.practice"
        elif parts[0] == "mlm_course" and len(parts) > 1 and parts[1] in set(SCHOOL) - {"practice"}:
            yield f"reaches into mlm_course.{parts[1]}"


def _replaces_check(node: ast.stmt) -> bool:
    """Whether a statement gives `check` another meaning than the course's."""
    if isinstance(node, ast.ImportFrom) and node.module == "mlm_course.practice":
        return any(a.asname == "check" and a.name != "check" for a in node.names)
    for one in ast.walk(node):
        named = getattr(one, "name", None) == "check" and not isinstance(one, ast.alias)
        named |= isinstance(one, ast.alias) and (one.asname or one.name) == "check"
        stored = isinstance(one, ast.Name) and one.id == "check" and isinstance(one.ctx, ast.Store)
        put = isinstance(one, ast.Attribute) and one.attr == "check"
        if named or stored or (put and isinstance(one.ctx, ast.Store)):  # type: ignore[attr-defined]
            return True
    return False


def _of_the_package(plan: Plan, names: Iterable[str], answer: str) -> Iterator[str]:
    """The package's functions that some code uses, and the course's own answer does not."""
    own, known = _package_names(plan), _used(answer)
    for name in names:
        if name in own and name not in known:
            yield f"is the package's own {own[name]}"
    for index in sorted(plan.closure(names)):
        piece = plan.pieces[index]
        if isinstance(piece.node, ast.Import | ast.ImportFrom):
            continue
        read = set(needed(piece.code)) & own.keys()
        for name in sorted(read - known):
            if not _is_part(piece.node, name):
                yield f"uses the package's {own[name]}"
        for one in ast.walk(piece.node):
            if _root(one) in read and _last(one) not in known:
                yield f"uses the package's {_last(one)}"


def _is_part(node: ast.AST, name: str) -> bool:
    """Whether a name stands only before a dot, as a module's does."""
    dotted = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name]
    return all(id(one) in dotted for one in names)


def _used(answer: str) -> set[str]:
    """Attributes and names from elsewhere in the course's own answer."""
    tree = ast.parse(answer)
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return attributes | set(needed(compile(tree, "<answer>", "exec", LAZY, dont_inherit=True)))


def _package_names(plan: Plan) -> dict[str, str]:
    """The notebook's names for what it has from the package, each with the name that it has there."""
    names: dict[str, str] = {}
    for piece in plan.pieces:
        for node in ast.walk(piece.node):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlm_course"):
                names |= {a.asname or a.name: a.name for a in node.names}
            elif isinstance(node, ast.Import):
                ours = [a for a in node.names if a.name.startswith("mlm_course")]
                names |= {(a.asname or a.name).partition(".")[0]: a.name for a in ours}
    return names


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.AST) -> str:
    """The name that a chain of attributes begins with, "" for anything else."""
    if not isinstance(node, ast.Attribute):
        return ""
    value = node.value
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else ""
