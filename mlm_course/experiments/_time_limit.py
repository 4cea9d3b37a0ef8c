"""A limit of time for work in parts: what is done stays, and the rest is for another call."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE = 20.0  # seconds before the end in which a training saves itself


class TimeLimit:
    """So many minutes from now; clock: seconds that have passed, `time.monotonic` or a test's."""

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.minutes, self.clock = minutes, clock
        self.end = clock() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds until work has to stop, below 0 afterwards; GRACE comes on top."""
        return self.end - self.clock() - GRACE

    @contextmanager
    def held(self) -> Iterator[None]:
        """KeyboardInterrupt in the main thread when the time is over, again at the very end.

        `fit` answers the first as it answers Ctrl-C: it ends the step and saves. Whatever does not
        heed that one is stopped by the second.
        """
        timers = [
            threading.Timer(max(0.0, self.left + more), _thread.interrupt_main)
            for more in (0.0, GRACE)
        ]
        for timer in timers:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
