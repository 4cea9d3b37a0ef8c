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

    Alone, the second Ctrl-C stops at once. One of several processes also notes SIGTERM, which torchrun
    sends to the rest when one is lost: they end their step, or fail in it, and say what has happened.
    Other threads than the main one hear no signals.
    """

    def __init__(self, is_alone: bool) -> None:
        self.asked, self.is_alone = False, is_alone
        self.signals = [signal.SIGINT] if is_alone else [signal.SIGINT, signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread():
            self.signals = []

    def __enter__(self) -> Interruption:
        self.before: dict[int, Any] = {n: signal.signal(n, self._ask) for n in self.signals}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def answer(self, history: History, folder: str | Path | None) -> None:
        """KeyboardInterrupt, with a sentence, if somebody has asked; history has been saved."""
        if self.asked:
            saved = f"saved in {folder}, fit goes on from there" if folder else "not saved"
            raise KeyboardInterrupt(
                f"Stopped after step {len(history)}: the model keeps its weights, {saved}."
            )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self.is_alone:
            raise KeyboardInterrupt
        self.asked = True
