"""Ctrl-C, or a notebook's stop button, answered between two steps and not within one."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from mlm_course.training.history import History


class Interruption:
    """A wish to stop, noted when it comes and answered when the weights are whole.

    The second Ctrl-C stops at once. Other threads than the main one hear no signals, and of several
    processes one would leave the others waiting: there nothing is changed.
    """

    def __init__(self, is_alone: bool) -> None:
        self.asked = False
        self.listens = is_alone and threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Interruption:
        if self.listens:
            self.before: Any = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *error: object) -> None:
        if self.listens:
            signal.signal(signal.SIGINT, self.before)

    def answer(self, history: History, folder: str | Path | None) -> None:
        """KeyboardInterrupt, with a sentence, if somebody has asked; history has been saved."""
        if self.asked:
            saved = f"saved in {folder}, fit goes on from there" if folder else "not saved"
            raise KeyboardInterrupt(
                f"Stopped after step {len(history)}: the model keeps its weights, {saved}."
            )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
