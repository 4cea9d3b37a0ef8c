"""Seconds that importing the course, and loading its trained model, takes once torch is imported.

Each figure is the median of fresh processes that import torch first and are timed from there.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from reporting import main

from mlm_course.results.benchmarks import Measurement

ROUNDS = 9
CODE = "import time, torch; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
LOADING = "from mlm_course.models import load_pretrained; load_pretrained('python_docs')"
BARS = {"import mlm_course": 0.3, "from mlm_course.practice import check": 0.3, LOADING: 1.0}


def seconds(statement: str) -> float:
    command = [sys.executable, "-c", CODE.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(small: bool) -> Iterator[Measurement]:
    for statement, bar in BARS.items():
        median = statistics.median(seconds(statement) for _ in range(1 if small else ROUNDS))
        yield Measurement(what=f"`{statement}`", ours=median, unit="s", at_most=bar)


if __name__ == "__main__":
    sys.exit(main(measure))
