"""Running a notebook in a kernel of its own, as nbval will: one torch thread, no learner's file."""

import json
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from mlm_course.authoring.cells import CellFailure
from mlm_course.authoring.notebooks import WIDGETS, Notebook

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
PAGE_MIME = (
    "application/vnd.mlm-course.widget+json"  # of widgets/base.py, which takes long to import
)
PEAK = (  # not ru_maxrss, which a kernel inherits from the process that started it
    "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
)
WATCH = "from mlm_course.authoring.overprints import watch as _watch; _watch(); del _watch"
SECONDS = 600  # after which a cell is given up


@dataclass(frozen=True)
class Measured:
    """A run: wall seconds from kernel start to the last cell, and the kernel's peak memory in MB."""

    notebook: Notebook
    seconds: float
    memory_mb: int


def run_notebook(notebook: Notebook, folder: Path) -> Notebook:
    """The notebook with its outputs, run in `folder`; CellFailure if a cell fails."""
    folder.mkdir(exist_ok=True)
    ran, started = nbformat.from_dict(notebook), [0]
    with tempfile.TemporaryDirectory() as scratch:
        client: NotebookClient = NotebookClient(
            ran,
            timeout=SECONDS,
            kernel_name="python3",
            config=_private_sockets(scratch),
            resources={"metadata": {"path": folder}},
            on_notebook_start=lambda notebook: _watch_figures(client, notebook),
            on_cell_start=lambda cell, cell_index: started.append(cell_index),
        )
        try:
            client.execute(env=_environment(scratch))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
            raise _failure(started[-1], ran.cells[started[-1]], problem) from None
    return {**clean(ran), "metadata": notebook["metadata"]}


def _watch_figures(client: NotebookClient, notebook: NotebookNode) -> None:
    """A figure that cannot be read fails its cell; nothing of this stays in the notebook."""
    if client.kc and any("show_figure(" in cell.source for cell in notebook.cells):
        client.kc.execute(WATCH, silent=True)


def _private_sockets(scratch: str) -> Config:
    """Talk to the kernel through files of ours; over TCP others here could listen, which it warns of."""
    if os.name != "posix":
        return Config()
    return Config(KernelManager={"transport": "ipc", "connection_file": f"{scratch}/kernel.json"})


def _environment(scratch: str) -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ACCELERATE_USE_CPU": "1",
        "MLM_COURSE_FAST": "0",
        "MLM_COURSE_PAGES": "1",  # widgets tell the book their state
        "MLM_COURSE_PROGRESS": str(Path(scratch) / "progress.json"),
    }


def _failure(index: int, cell: NotebookNode, problem: Exception) -> CellFailure:
    if isinstance(problem, CellExecutionError):
        return CellFailure(index, f"{problem.ename}: {problem.evalue}", _line(cell))
    if isinstance(problem, DeadKernelError):
        return CellFailure(index, "the kernel died; was there enough memory?")
    return CellFailure(index, f"the cell took longer than {SECONDS} s")


def _line(cell: NotebookNode) -> int | None:
    """The line of a cell that raised, which is the last one that the traceback names of it."""
    traces = ["\n".join(o.traceback) for o in cell.outputs if o.output_type == "error"]
    plain = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(traces))
    line_numbers = re.findall(rf"Cell In\[{cell.execution_count}\], line (\d+)", plain)
    return int(line_numbers[-1]) if line_numbers else None


def measure(notebook: Notebook, folder: Path) -> Measured:
    """A run against the clock; peak memory is the kernel's own account of itself, on Linux."""
    probe = nbformat.v4.new_code_cell(PEAK, id="peak")
    start = time.perf_counter()
    ran = run_notebook({**notebook, "cells": [*notebook["cells"], probe]}, folder)
    seconds = time.perf_counter() - start
    peak = ran["cells"].pop()["outputs"][0]["text"]
    return Measured(ran, round(seconds, 1), round(int(peak) / 1024))


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook's cells without times and widget state.

    A stored widget view would hide the static picture beside it wherever no kernel runs. An output
    that was nothing but a widget, such as a chart that followed a training, goes altogether. What
    the book shows of a widget moves to the cell's metadata, where nbval does not compare it.
    """
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_MIME, None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
            cell.metadata.update(_page_widgets(cell.outputs))
    return notebook


def _page_widgets(outputs: list[NotebookNode]) -> dict[str, Any]:
    """Takes names and states of widgets out of the outputs of a cell.

    Each is returned with the place of its output, the state as one line of JSON: a number a line
    would make files of hundreds of thousands of lines.
    """
    taken = []
    for place, output in enumerate(outputs):
        if widget := output.get("data", {}).pop(PAGE_MIME, None):
            state = compact(widget["state"])
            taken.append({"name": widget["name"], "output": place, "state": state})
    return {WIDGETS: taken} if taken else {}


def compact(state: dict[str, Any]) -> str:
    """A state as one line of JSON."""
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
