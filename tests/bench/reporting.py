"""What every benchmark does with its findings: print them, judge them, hand them on."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mlm_course.results import machine, versions
from mlm_course.results.benchmarks import Measurement


class NotMeasured(Exception):
    """A sentence that says what a measurement would need and this machine does not have."""


def main(measure: Callable[[bool], Iterable[Measurement]]) -> int:
    """A benchmark as a command: 1 if a bar was missed, else 0.

    measure(small) yields findings; small asks for few rounds or tiny sizes, which show that the code
    works and nothing else, so that no bar is held against them.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="see that it works; measures nothing")
    parser.add_argument("--json", type=Path, help="where the findings go, beside the screen")
    options = parser.parse_args()
    findings, part = [], about_this_machine()
    threads = part["threads"]
    print(f"{part['machine']}; {threads} thread{'s' * (threads != 1)}", flush=True)
    began = time.perf_counter()
    try:
        for finding in measure(options.small):
            print(finding, flush=True)
            findings.append(finding)
        part["findings"] = [asdict(finding) for finding in findings]
    except NotMeasured as reason:
        print(f"Not measured: {reason}")
        part["not measured"] = str(reason)
    part["minutes"] = round((time.perf_counter() - began) / 60, 1)
    if options.json:
        options.json.write_text(json.dumps(part), "utf-8")
    return int(not options.small and any(finding.met is False for finding in findings))


def about_this_machine() -> dict[str, Any]:
    """Where something was measured, and with what."""
    return {"machine": machine(), "threads": torch.get_num_threads(), "versions": versions()}
