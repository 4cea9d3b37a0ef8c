"""One training in one process and in two: losses and time. Lesson 13."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from mlm_course.training import History

SHARED_STEPS = 40  # of training in one process and in two


def shared_run(processes: int, optimizer: str, folder: Path) -> History:
    """`train mlm` in so many processes, one thread each, the same whole batch."""
    launch = f"torch.distributed.run --standalone --nproc_per_node {processes} -m".split()
    options = f"--steps {SHARED_STEPS} --batch-size 64 --rows 4000 --optimizer {optimizer} --folder"
    command = [*(launch if processes > 1 else []), *"mlm_course train mlm".split()]
    subprocess.run(
        [sys.executable, "-m", *command, *options.split(), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return History(**json.loads((folder / "history.json").read_text("utf-8")))


def compare_processes() -> dict[str, Any]:
    """Losses in one process and in two, how far apart they are by optimiser, and the time a step."""
    runs: dict[str, list[History]] = {}
    for optimizer in ("adamw", "muon"):
        with tempfile.TemporaryDirectory() as folder:
            runs[optimizer] = [shared_run(n, optimizer, Path(folder) / str(n)) for n in (1, 2)]
    one, two = (median(diff(history.seconds[5:])) for history in runs["adamw"])
    names = ("one process", "two processes")
    return {
        "steps": SHARED_STEPS,
        "losses": {
            name: [round(loss, 5) for loss in history.losses]
            for name, history in zip(names, runs["adamw"], strict=True)
        },
        "largest difference": {
            optimizer: max(abs(a - b) for a, b in zip(*(h.losses for h in both), strict=True))
            for optimizer, both in runs.items()
        },
        "times as fast": round(one / two, 2),
    }


def diff(moments: list[float]) -> list[float]:
    """The time between neighbours."""
    return [after - before for before, after in pairwise(moments)]


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return compare_processes()
