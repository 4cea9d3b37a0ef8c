"""How a training shows its progress: a chart in a notebook, a line in a terminal, a log elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from IPython.core.getipython import get_ipython

from mlm_course.widgets.status import status_line
from mlm_course.widgets.training_curve import TrainingCurve


def progress_display(
    total: float | None = None,
    floor: float | None = None,
    title: str = "Training curve",
    y: str = "loss (nats)",
) -> TrainingCurve | TerminalLine | Log:
    """Display that suits where the code runs.

    total, the number of steps; floor, the lowest loss there can be; y, what the loss is and its
    unit. In a notebook's kernel a TrainingCurve, shown at once; in a terminal one line, written
    over; otherwise (a file, a pipe) a plain line every tenth of the way.
    """
    if hasattr(get_ipython(), "kernel"):
        return TrainingCurve(floor, total, title, y=y, only="loss").live()
    return TerminalLine(total) if sys.stdout.isatty() else Log(total)


class Log:
    """Progress as plain lines: the first step, every tenth of the total, and the last.

    Without a total, each line stands for twice as many steps as the one before.
    """

    def __init__(self, total: float | None = None, out: TextIO | None = None) -> None:
        self._total, self._out = total, out or sys.stdout
        self._step, self._next = 0.0, 0.0
        self._values: dict[str, float] = {}
        self._text = ""
        self._unsaid, self._has_status = False, False

    def add(self, step: float, **values: float | None) -> None:
        """New values, one a curve; None stands for no value."""
        if self._unsaid and not self._has_status:  # nobody says more about the step before
            self._show()
        self._step, self._text, self._unsaid = step, "", True
        self._values |= {name: value for name, value in values.items() if value is not None}

    def status(self, text: str = "", **values: Any) -> None:
        """What else to say: a text, or rate= (tokens/s), left= (s) and any value by its name."""
        self._text = text or status_line(self._step, self._total, self._values, values)
        self._unsaid, self._has_status = True, True
        self._show()

    def finish(self, best: float | None = None) -> None:
        """The last line, with the best step."""
        if self._unsaid:
            self._write(self._line())
        if best is not None:
            self._write(f"best: step {best:,.0f}")

    def _show(self) -> None:
        if self._step >= self._next:
            self._write(self._line())
            tenth = (self._total or 0) / 10
            self._next = (self._step // tenth + 1) * tenth if tenth else self._step * 2

    def _line(self) -> str:
        return self._text or status_line(self._step, self._total, self._values, {})

    def _write(self, line: str, end: str = "\n") -> None:
        self._unsaid = False
        letters = getattr(self._out, "encoding", None) or "utf-8"
        print(line.encode(letters, "replace").decode(letters), end=end, file=self._out, flush=True)


class TerminalLine(Log):
    """Progress as one line that is written over, at most ten times a second."""

    def __init__(
        self,
        total: float | None = None,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(total, out)
        self._clock, self._again, self._length = clock, 0.0, 0

    def finish(self, best: float | None = None) -> None:
        """The last state of the line, and its end."""
        more = f", best: step {best:,.0f}" if best is not None else ""
        self._over(self._line() + more, end="\n")

    def _show(self) -> None:
        if self._clock() >= self._again:
            self._again = self._clock() + 0.1
            self._over(self._line())

    def _over(self, line: str, end: str = "") -> None:
        line = line[: shutil.get_terminal_size().columns - 1]  # a full line would wrap
        self._write("\r" + line.ljust(self._length), end)
        self._length = len(line)
