"""Running a notebook in a kernel of its own, as nbval will: one torch thread, no learner's file."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from mlm_course.authoring.notebooks import METADATA
from mlm_course.authoring.source import SourceError

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


@dataclass(frozen=True)
class Measured:
    """Wall seconds from kernel start to the last cell, and the kernel's peak memory in MB."""

    seconds: float
    memory_mb: int


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook with its outputs, run in `folder`; SourceError shows a cell that fails."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "1",
            "MLM_COURSE_PROGRESS": str(Path(scratch) / "progress.json"),
        }
        client = NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        try:
            client.execute(env=environment)
        except CellExecutionError as failure:
            raise SourceError(
                f"A cell fails: {failure.ename}: {failure.evalue}\n{_failed(notebook)}"
            ) from None
    return clean(notebook)


def _failed(notebook: NotebookNode) -> str:
    """The text of the cell that raised."""
    for cell in notebook.cells:
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return cell.source
    return ""


def measure(notebook: NotebookNode, folder: Path) -> Measured:
    """Time and memory of a run; peak memory is the kernel's own account of itself."""
    probe = nbformat.v4.new_code_cell(PEAK, id="peak")
    notebook = nbformat.from_dict({**notebook, "cells": [*notebook.cells, probe]})
    start = time.perf_counter()
    executed = execute(notebook, folder)
    seconds = time.perf_counter() - start
    return Measured(round(seconds, 1), round(int(executed.cells[-1].outputs[0].text) / 1024))


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook without times, kernel versions and widget state.

    A stored widget view would hide the static picture beside it wherever no kernel runs. An output
    that was nothing but a widget, such as a chart that followed a training, goes altogether.
    """
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_MIME, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    return notebook
