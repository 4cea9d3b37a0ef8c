"""The two variants of a lesson as notebooks: the student's with stubs, the solved one."""

import hashlib
import json

import nbformat
from nbformat import NotebookNode

from mlm_course.authoring.generated import Budget, Publication, badges, bootstrap, budget_line
from mlm_course.authoring.source import Cell, Source

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def with_generated_cells(
    source: Source, publication: Publication, budget: Budget | None
) -> list[Cell]:
    """The source's cells with badges, budget line and bootstrap behind the title."""
    head = [badges(publication, source.name), budget_line(budget)]
    return [
        source.cells[0],
        Cell("markdown", "\n\n".join(filter(None, head))),
        Cell("code", bootstrap(publication), tags=("nbval-ignore-output",)),
        *source.cells[1:],
    ]


def lesson_notebook(cells: list[Cell]) -> NotebookNode:
    """The student's notebook: stubs instead of solutions, no outputs."""
    return _notebook(cells, [cell.stub() for cell in cells])


def solution_notebook(cells: list[Cell]) -> NotebookNode:
    """The solved notebook, not yet executed."""
    return _notebook(cells, [cell.solved() for cell in cells])


def _notebook(cells: list[Cell], texts: list[str]) -> NotebookNode:
    """Both variants share their cell ids, so that a comparison lines up."""
    nodes = []
    for cell, text, cell_id in zip(cells, texts, cell_ids(cells), strict=True):
        new = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        metadata: dict[str, object] = {"tags": list(cell.tags)} if cell.tags else {}
        if cell.exercise:
            metadata["exercise"] = cell.exercise
        nodes.append(new(text, id=cell_id, metadata=metadata))
    return nbformat.v4.new_notebook(cells=nodes, metadata=METADATA)


def cell_ids(cells: list[Cell]) -> list[str]:
    """An id a cell that depends on its text alone (and on how often the text came before)."""
    seen: dict[str, int] = {}
    ids = []
    for cell in cells:
        digest = hashlib.sha256(f"{cell.kind}\n{cell.text}".encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        ids.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return ids


def to_text(notebook: NotebookNode) -> str:
    """The notebook as it stands in its file: sorted keys, one newline at the end."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy with outputs and execution counts removed."""
    bare = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare
