"""Runs a command and ends it when it takes too much memory: python tests/limited.py 2.0 COMMAND...

Counted is what the command and every process it started hold together: on Linux the most that each
has ever held, so that no short peak is missed. A limit on address space would not do, because torch
reserves gigabytes that it never touches. Needs psutil, which ipykernel brings.
"""

import contextlib
import sys
import time
from pathlib import Path

import psutil

PAUSE = 0.1  # seconds between two looks


def held(process: psutil.Process) -> int:
    """The most memory, in bytes, that a process has held; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line[:6] == "VmHWM:"), 0)
    except OSError:  # no Linux, or gone
        try:
            return process.memory_info().rss
        except psutil.Error:
            return 0


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and everything that it started."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def main(limit: float, command: list[str]) -> int:
    """Exit status of the command; 1 if it was ended."""
    started = psutil.Popen(command)
    peak = 0.0
    while started.poll() is None:
        members = family(started)
        peak = max(peak, sum(map(held, members)) / 1e9)
        if peak > limit:
            for member in members:
                with contextlib.suppress(psutil.Error):
                    member.kill()
            psutil.wait_procs(members, timeout=10)  # until their memory is free again
            print(
                f"limited.py: ended, because it took {peak:.1f} GB of memory; "
                f"{limit:.1f} GB is what it may take."
            )
            return 1
        time.sleep(PAUSE)
    print(f"limited.py: at most {peak:.1f} of {limit:.1f} GB of memory.")
    return started.returncode


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
