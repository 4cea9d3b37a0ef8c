"""A learner's answers in a new version of a lesson.

An exercise is known by its number, which stands in the cell's metadata; where a program has lost
that, by the names that its cell defines.
"""

import ast
import copy
from dataclasses import dataclass, field
from typing import Any

from mlm_course.authoring.cells import STUB
from mlm_course.authoring.notebooks import Notebook, code_cells, digest

AnyCell = dict[str, Any]


@dataclass
class Carried:
    """A notebook with answers in it, and what became of each: numbers of exercises."""

    notebook: Notebook
    placed: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)  # the exercise asks for other names now
    unfinished: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)  # there is no such exercise any more
    own_cells: int = 0

    def sentences(self) -> str:
        """What was carried over, and what only the earlier notebook has."""
        said = []
        if self.placed:
            said.append(f"It has your {_answers(self.placed)}.")
        if self.below:
            said.append(
                f"Your {_answers(self.below)} stands below its exercise, which asks for "
                "something else now."
            )
        left = [f"{number} (unfinished)" for number in self.unfinished]
        left += [f"{number} (no exercise any more)" for number in self.gone]
        if self.own_cells:
            cells = "1 other cell" if self.own_cells == 1 else f"{self.own_cells} other cells"
            left.append(f"{cells} that you wrote or changed")
        if left:
            said.append(f"Only in the one before: {', '.join(left)}.")
        return " ".join(said) or "Nothing of yours was in it."


def _answers(numbers: list[str]) -> str:
    if len(numbers) == 1:
        return f"answer to {numbers[0]}"
    return f"answers to {', '.join(numbers[:-1])} and {numbers[-1]}"


def carry_over(new: Notebook, old: Notebook) -> Carried:
    """The new notebook with the answers that stand in the old one, which is not changed."""
    carried = Carried(copy.deepcopy(new))
    stubs = {number(cell): cell for cell in code_cells(carried.notebook) if number(cell)}
    answers = written_answers(old, {id: cell["source"] for id, cell in stubs.items()})
    for id, text in answers.items():
        if id not in stubs:
            carried.gone.append(id)
        elif without_comments(text) == without_comments(stubs[id]["source"]):
            continue
        elif STUB in text:
            carried.unfinished.append(id)
        else:
            _place(carried, id, stubs[id], text)
    taken = set(answers.values())
    others = [cell for cell in old["cells"] if cell["source"] not in taken and not is_stub(cell)]
    carried.own_cells = sum(map(is_changed, others))
    return carried


def _place(carried: Carried, id: str, stub: AnyCell, text: str) -> None:
    """An answer in its exercise's cell, or below where other names are asked for."""
    asked, given = signatures(stub["source"]), signatures(text)
    if not given or all(given.get(name) == ours for name, ours in asked.items()):
        stub["source"] = text
        carried.placed.append(id)
        return
    cells = carried.notebook["cells"]
    mine = {**copy.deepcopy(stub), "source": text, "metadata": {}, "id": f"{stub['id']}-yours"}
    cells.insert(next(i for i, cell in enumerate(cells) if cell is stub) + 1, mine)
    carried.below.append(id)


def number(cell: AnyCell) -> str:
    """The number of the exercise that a cell is the place for, or ""."""
    return str(cell.get("metadata", {}).get("exercise", ""))


def written_answers(old: Notebook, stubs: dict[str, str]) -> dict[str, str]:
    """What has been written in the cells of exercises; of several with one number, the last."""
    written = [cell for cell in code_cells(old) if not is_empty(cell["source"])]
    answers = {number(cell): cell["source"] for cell in written if number(cell)}
    for id in stubs.keys() - {number(cell) for cell in code_cells(old)}:
        names = signatures(stubs[id]).keys()
        texts = [cell["source"] for cell in written if not number(cell)]
        if fitting := [text for text in texts if names and names <= signatures(text).keys()]:
            answers[id] = fitting[-1]
    return dict(sorted(answers.items(), key=lambda item: item[0].zfill(8)))


def parsed(text: str) -> ast.Module:
    """The code of a cell; an empty module where it has an error."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.parse("")


def signatures(text: str) -> dict[str, list[str]]:
    """Names that a cell defines, each with the names of its arguments; none where it has an error."""
    body = parsed(text).body
    functions = {
        node.name: [
            argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
        ]
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    return functions | {node.name: [] for node in body if isinstance(node, ast.ClassDef)}


def without_comments(text: str) -> str:
    """A cell without comments, docstrings and the look of its code; as it is where it has an error."""
    tree = parsed(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree) or text


def is_empty(text: str) -> bool:
    """Whether every function in a cell still has nothing but the line that says where to write."""
    functions = [node for node in ast.walk(parsed(text)) if isinstance(node, ast.FunctionDef)]
    bodies = [node.body[ast.get_docstring(node) is not None :] for node in functions]
    return bool(bodies) and all(
        len(body) == 1 and ast.unparse(body[0]) == "raise NotImplementedError" for body in bodies
    )


def is_stub(cell: AnyCell) -> bool:
    """Whether a cell is the place of an exercise in which nothing has been written."""
    return bool(number(cell)) and is_empty(cell["source"])


def is_changed(cell: AnyCell) -> bool:
    """Whether a cell is not as the builder wrote it, whose ids say what the text was."""
    text = cell["source"]
    is_ours = str(cell.get("id", "")).startswith(digest(cell["cell_type"], text))
    return "id" in cell and bool(text.strip()) and not is_ours
