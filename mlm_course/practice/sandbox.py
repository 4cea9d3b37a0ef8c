"""Calling a learner's function so that nothing but an Outcome comes back.

Whatever the function does (raise, exit, loop for ever, ask for input, print, close sys.stdout,
reseed, switch gradients off), the notebook afterwards is the notebook from before. It is a safety
net for mistakes, not a wall against malice: files, processes and `os._exit` are not guarded.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import io
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy
import torch

PRINTED_AT_MOST = 2_000  # characters kept of what a function prints
GIVE_UP_AFTER = 5.0  # seconds a worker thread may resist being stopped


class TimeUp(BaseException):
    """Ends a function that takes too long; not an Exception, so `except Exception` misses it."""


class AskedForInput(BaseException):
    """Ends a function that calls input() or breakpoint()."""


@dataclass
class Outcome:
    """What a call came to: a value or an error, and what was printed."""

    value: Any = None
    error: BaseException | None = None
    printed: str = ""


def call(function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> Outcome:
    """Outcome of function(*arguments), stopped after `seconds`. Never raises.

    The main thread on POSIX is interrupted by a signal, which also ends a sleeping function;
    elsewhere (Windows, other threads) the function runs in a thread of its own.
    """
    printed = Transcript()
    with _settings_kept(), _nothing_asked(), _replaced(sys, stdout=printed, stderr=printed):
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            outcome = _call_with_alarm(function, arguments, seconds)
        else:
            outcome = _call_in_worker(function, arguments, seconds)
    outcome.printed = printed.text
    return outcome


class Transcript(io.TextIOBase):
    """A stand-in for sys.stdout that keeps the beginning of what is printed."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        """True, as for every stream one prints to."""
        return True

    def write(self, text: str) -> int:
        """Number of characters taken, kept or not."""
        self.text += str(text)[: PRINTED_AT_MOST - len(self.text)]
        return len(text)


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)  # its own frame: what is above it on the stack is the learner's


def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Outcome:
    try:
        return Outcome(_run(function, arguments))
    except BaseException as error:
        return Outcome(error=error)


def _call_with_alarm(
    function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float
) -> Outcome:
    started = time.monotonic()
    before = signal.signal(signal.SIGALRM, _Alarm())
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return _outcome(function, arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        if left:  # somebody else's timer was running: it goes on
            left = max(left - (time.monotonic() - started), 1e-3)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


class _Alarm:
    """Signal handler that raises TimeUp inside the learner's function until it has ended.

    `while True: try: work() except: pass` swallows it, if it arrives inside the try. So the alarm
    rings again: first at leisure, then after 2, 3, 4, ... microseconds, until one arrives between
    the except and the next try.
    """

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        interrupted = frame
        while frame is not None and frame.f_code is not _run.__code__:
            frame = frame.f_back
        if frame is None:  # the learner's function is over: leave our own code alone
            return
        self.rings += 1
        pause = 0.02 if self.rings <= 3 else (2 + self.rings % 100) * 1e-6
        signal.setitimer(signal.ITIMER_REAL, pause)
        if interrupted is not None and interrupted.f_code is not _Alarm.__call__.__code__:
            raise TimeUp


def _call_in_worker(
    function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float
) -> Outcome:
    done: list[Outcome] = []
    worker = threading.Thread(target=lambda: done.append(_outcome(function, arguments)), daemon=True)
    worker.start()
    try:
        worker.join(seconds)
    finally:  # also when the waiting thread is interrupted by the keyboard
        _end(worker)
    return done[0] if done else Outcome(error=TimeUp())


def _end(worker: threading.Thread) -> None:
    patience = time.monotonic() + GIVE_UP_AFTER
    with _switching_fast():
        while worker.is_alive() and time.monotonic() < patience:
            identity = ctypes.c_ulong(worker.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(TimeUp))
            worker.join(random.random() * 1e-3)


@contextlib.contextmanager
def _switching_fast() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # a busy worker gives way between any two of its steps
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    settings: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
        (torch.get_rng_state, torch.set_rng_state),
        (torch.get_default_dtype, torch.set_default_dtype),
        (torch.is_grad_enabled, torch._C._set_grad_enabled),
        (random.getstate, random.setstate),
        (numpy.random.get_state, numpy.random.set_state),
        (sys.getrecursionlimit, sys.setrecursionlimit),
    )
    before = [read() for read, _ in settings]
    with warnings.catch_warnings():
        try:
            yield
        finally:
            for (_, write), value in zip(settings, before, strict=True):
                write(value)


@contextlib.contextmanager
def _nothing_asked() -> Iterator[None]:
    """Nothing that would wait for the keyboard, nor end the kernel.

    Jupyter's exit() and quit() do not raise SystemExit but ask the running shell to shut down.
    """

    def ask(*_: Any, **__: Any) -> None:
        raise AskedForInput

    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(builtins, input=ask))
        stack.enter_context(_replaced(sys, breakpointhook=ask, stdin=io.StringIO()))
        if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
            stack.enter_context(_replaced(shell, ask_exit=sys.exit))
        yield


@contextlib.contextmanager
def _replaced(owner: Any, **attributes: Any) -> Iterator[None]:
    before = {name: getattr(owner, name) for name in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
