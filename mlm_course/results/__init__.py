"""Recorded experiments: what ran longer than a lesson may, with all that is needed to run it again.

One JSON file each, written by `python -m mlm_course experiment NAME`; and benchmarks.json, which
`make bench` writes.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mlm_course.text_files import read_json, write_text

HERE = Path(__file__).parent
_PACKAGES = ("torch", "numpy", "tokenizers", "scikit-learn", "scipy", "matplotlib", "transformers")


def recorded(name: str) -> dict[str, Any]:
    """The record of an experiment. Raises ValueError for one that is not recorded, or damaged."""
    path = HERE / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in HERE.glob("*.json"))) or "none yet"
        raise ValueError(f'No experiment "{name}" is recorded. Recorded: {known}.')
    return read_json(path)


def write_record(name: str, findings: Mapping[str, Any], seconds: float) -> Path:
    """Writes what an experiment found, with the command, its minutes, the machine and versions.

    seconds: of this call; findings that took several calls say their own "minutes".
    """
    about = {
        "command": f"python -m mlm_course experiment {name}",
        "minutes": max(round(seconds / 60, 1), 0.1),
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    path = HERE / f"{name}.json"
    write_text(path, json.dumps({**about, **findings}, indent=1) + "\n")
    return path


def training_record(
    model: Any, recipe: Any, mask_ratio: float | None, history: Any
) -> dict[str, Any]:
    """What a record says of a training by `fit`: its size, its numbers, its minutes, its course.

    mask_ratio: None where no one share is hidden; the record leaves it out.
    """
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": asdict(recipe),
        **({} if mask_ratio is None else {"mask_ratio": mask_ratio}),
        "training_minutes": round(history.seconds[-1] / 60, 1),
        "step_seconds": step_seconds(history.seconds),
        "result": history.evaluations[-1],
        "curve": history.evaluations,
    }


def step_seconds(moments: Sequence[float], parts: int = 10) -> dict[str, float]:
    """The median step, and that of the quickest part of the run, when the machine did little else.

    moments: seconds from the start to the end of each step.
    """
    taken = [after - before for before, after in pairwise([0.0, *moments])]
    size = -(-len(taken) // parts)
    medians = [median(taken[i : i + size]) for i in range(0, len(taken), size)]
    return {"median": round(median(taken), 3), "quickest tenth": round(min(medians), 3)}


def machine() -> str:
    """Processor kind, number of cores and GPU, without a name that would identify the machine."""
    cores = f"{os.cpu_count()} CPU cores, {platform.machine()}, {platform.system()}"
    return f"{cores}, {torch.cuda.get_device_name()}" if torch.cuda.is_available() else cores


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what an experiment finds."""
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed
