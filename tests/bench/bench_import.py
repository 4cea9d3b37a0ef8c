"""Seconds that importing the course takes once torch is imported. Bar: at most 0.3 s.

Each figure comes from fresh processes that import torch first and are timed from there.
"""

import statistics
import subprocess
import sys

ROUNDS = 9
CODE = "import time, torch; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def seconds(statement: str) -> float:
    command = [sys.executable, "-c", CODE.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    for statement in ("import mlm_course", "from mlm_course.practice import check"):
        found = sorted(seconds(statement) for _ in range(ROUNDS))
        print(
            f"{statement}: {statistics.median(found):.3f} s after `import torch` "
            f"(median of {ROUNDS}, {found[0]:.3f} to {found[-1]:.3f}; bar 0.3)"
        )


if __name__ == "__main__":
    main()
