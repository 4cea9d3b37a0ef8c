"""The two variants of a lesson as notebooks: the student's with stubs, the solved one.

A notebook is what its JSON file holds, as plain dictionaries: nbformat takes a second to import.
"""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from mlm_course import __version__ as VERSION
from mlm_course.authoring.cells import Cell, Source

Notebook = dict[str, Any]

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # JupyterLab and Colab
WIDGETS = "mlm_course_widgets"  # in a cell's metadata: names and states of those that it shows
MAY_BE_A_LIST = re.compile(r"source|text|text/.*|image/.*")  # of lines, where others saved the file


def with_generated_cells(source: Source, head: str, set_up: str) -> list[Cell]:
    """The source's cells with a line of facts and the set-up cell behind the title."""
    return [
        source.cells[0],
        Cell("markdown", head),
        Cell("code", set_up, tags=("nbval-ignore-output",), folded=True),
        *source.cells[1:],
    ]


def lesson_notebook(name: str, cells: list[Cell], version: str = VERSION) -> Notebook:
    """The student's notebook: stubs instead of solutions, no outputs, nothing for the author."""
    notebook = _notebook(name, cells, version, Cell.stub)
    pairs = zip(notebook["cells"], cells, strict=True)
    return {**notebook, "cells": [node for node, cell in pairs if "author" not in cell.tags]}


def solution_notebook(name: str, cells: list[Cell], version: str = VERSION) -> Notebook:
    """The solved notebook, not yet executed."""
    return _notebook(name, cells, version, Cell.solved)


def _notebook(name: str, cells: list[Cell], version: str, text: Callable[[Cell], str]) -> Notebook:
    """Both variants share their cell ids, so that a comparison lines up."""
    ids = cell_ids(cells)
    ours = {"lesson": name, "version": version}
    return {
        "cells": [_node(cell, text(cell), i) for cell, i in zip(cells, ids, strict=True)],
        "metadata": {**METADATA, "mlm_course": ours},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _node(cell: Cell, text: str, cell_id: str) -> dict[str, Any]:
    metadata: dict[str, object] = {"tags": list(cell.tags)} if cell.tags else {}
    metadata |= {"exercise": cell.exercise} if cell.exercise else {}
    metadata |= FOLDED if cell.folded else {}
    node = {"cell_type": cell.kind, "id": cell_id, "metadata": metadata, "source": text}
    return node | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {})


def cell_ids(cells: list[Cell]) -> list[str]:
    """An id a cell that depends on its text alone (and on how often the text came before)."""
    seen: dict[str, int] = {}
    ids = []
    for cell in cells:
        start = digest(cell.kind, cell.text)
        seen[start] = seen.get(start, 0) + 1
        ids.append(start if seen[start] == 1 else f"{start}-{seen[start]}")
    return ids


def digest(kind: str, text: str) -> str:
    """How the id of a cell with this text begins."""
    return hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()[:10]


def to_text(notebook: Notebook) -> str:
    """The notebook as it stands in its file: sorted keys, one newline at the end."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def from_text(text: str) -> Notebook:
    """The notebook in a file's text, also where Jupyter saved it; ValueError if it is none."""
    notebook = json.loads(text, object_hook=_joined)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it is not a notebook.")
    return notebook


def _joined(node: dict[str, Any]) -> dict[str, Any]:
    """The same with lists of lines as one text."""
    for key, value in node.items():
        if isinstance(value, list) and MAY_BE_A_LIST.fullmatch(key):
            node[key] = "".join(value)
    return node


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """The code cells of a notebook."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
