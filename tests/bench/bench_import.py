"""Seconds that importing the course adds to importing torch. Bar: at most 0.3 s.

Pairs of fresh processes in turn; each prints the time its imports took.
"""

import statistics
import subprocess
import sys

ROUNDS = 9
TORCH = "import time; t = time.perf_counter(); import torch; {more}; print(time.perf_counter() - t)"


def seconds(more: str) -> float:
    command = [sys.executable, "-c", TORCH.format(more=more)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    for more in ("import mlm_course", "from mlm_course.practice import check"):
        pairs = [(seconds(more), seconds("pass")) for _ in range(ROUNDS)]
        added = sorted(with_course - alone for with_course, alone in pairs)
        print(
            f"{more}: adds {statistics.median(added):.3f} s to `import torch` "
            f"(median of {ROUNDS} pairs, {added[0]:.3f} to {added[-1]:.3f})"
        )


if __name__ == "__main__":
    main()
