"""Runs benchmarks, each in a process of its own, and records what they find.

    python tests/bench/run.py                   all of them: what `make bench` does
    python tests/bench/run.py encoder trainer   some; the rest of the record stays
    python tests/bench/run.py --small --into found.json    see that they work; measures nothing

A benchmark that fails is recorded with the sentence it failed with, and the others run. The exit
status is 1 if one failed or missed a bar. `python -m mlm_course results` makes the record a page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from reporting import about_this_machine

from mlm_course import results
from mlm_course.results.benchmarks import write_part
from mlm_course.results.page import summary

FOLDER = Path(__file__).resolve().parent
RECORD = results.HERE / "benchmarks.json"


def about(name: str) -> dict[str, str]:
    """What a benchmark is, and its command."""
    return {
        "about": summary(f"bench_{name}", FOLDER),
        "command": f"python tests/bench/run.py {name}",
    }


def measure(name: str, small: bool) -> tuple[dict[str, Any], int]:
    """What one benchmark says for the record, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "found.json"
        command = [sys.executable, FOLDER / f"bench_{name}.py", "--json", said]
        ended = subprocess.run(
            [*command, *["--small"] * small], stderr=subprocess.PIPE, text=True, check=False
        )
        sys.stderr.write(ended.stderr)
        if said.exists():
            return about(name) | json.loads(said.read_text("utf-8")), ended.returncode
    last = ended.stderr.strip().rsplit("\n", 1)[-1] or f"ended with status {ended.returncode}"
    return about(name) | about_this_machine() | {"failed": last}, 1


def main() -> int:
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--small", action="store_true", help="see that they work; needs --into")
    parser.add_argument("--into", type=Path, help="another place for the record")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if options.small and not options.into:
        parser.error("--small measures nothing to record: say with --into where its numbers go")
    worst = 0
    for name in options.names or known:
        print(f"==> {name}", flush=True)
        part, status = measure(name, options.small)
        write_part(options.into or RECORD, name, part)
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
