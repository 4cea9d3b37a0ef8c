"""All that a GPU has to say, in one command of at most ten minutes: the GPU benchmark, then experiment gpu.

    python tests/bench/on_a_gpu.py               smallest first; each result is recorded as soon as it exists
    python tests/bench/on_a_gpu.py --minutes 4

The same command goes on where it stopped: a benchmark that was measured to its end on this machine
stays (`python tests/bench/run.py gpu` measures it again), and so do the experiment's sections.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import bench_gpu
from reporting import NotMeasured, about_this_machine
from run import RECORD, about

from mlm_course.experiments import gpu
from mlm_course.experiments._time_limit import TimeLimit
from mlm_course.results import write_record
from mlm_course.results.benchmarks import Measurement, write_part
from mlm_course.text_files import read_json

NAME = "gpu"
CUT_SHORT = "cut short"  # in a part that lacks findings


def was_run() -> bool:
    """Whether the benchmark was measured to its end on this machine."""
    part = read_json(RECORD).get(NAME, {}) if RECORD.exists() else {}
    is_whole = "findings" in part and CUT_SHORT not in part
    return is_whole and part["machine"] == about_this_machine()["machine"]


def benchmark(measure: Callable[[bool], Iterable[Measurement]]) -> None:
    """Measures, and writes the part of the record anew after each finding."""
    began, findings = time.perf_counter(), []

    def write(**more: Any) -> None:
        minutes = round((time.perf_counter() - began) / 60, 1)
        part = {"findings": [asdict(finding) for finding in findings], "minutes": minutes}
        write_part(RECORD, NAME, about(NAME) | about_this_machine() | part | more)

    for finding in measure(False):
        print(finding, flush=True)
        findings.append(finding)
        write(**{CUT_SHORT: True})
    write()


def main() -> int:
    """0 if all was done or the time is over; 1 without a GPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=gpu.MINUTES)
    limit = TimeLimit(parser.parse_args().minutes)
    began = time.perf_counter()
    try:
        with limit.held():
            if was_run():
                print("The benchmark is measured: it stays.", flush=True)
            else:
                benchmark(bench_gpu.measure)
    except NotMeasured as reason:
        print(f"Nothing measured: {reason}")
        return 1
    except KeyboardInterrupt:
        if limit.left > 0:  # somebody's own Ctrl-C
            raise
        print("The time is over: the same command goes on.", flush=True)
        return 0
    write_record("gpu", gpu.run(limit), time.perf_counter() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
