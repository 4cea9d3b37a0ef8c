"""Calling a learner's function so that nothing but an Outcome comes back.

Whatever the function does (raise, exit, loop for ever, ask for input, print, close sys.stdout,
reseed, switch gradients off), the notebook afterwards is the notebook from before; and whatever the
notebook has set (a default device, float64, autocast), the function runs as in a fresh one. It is a
safety net for mistakes, not a wall against malice: files, processes and `os._exit` are not guarded.
"""

from __future__ import annotations

import _thread
import builtins
import contextlib
import ctypes
import functools
import io
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course.practice.compare import difference, unchanged
from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.notebook import shell
from mlm_course.practice.settings import neutral_settings, seeded

PRINTED_AT_MOST = 2_000  # characters kept of what a function prints
GIVE_UP_AFTER = 5.0  # seconds a worker thread may resist being stopped
_silence = id  # C code that does nothing: a TimeUp that strikes in a finaliser is no news


class TimeUp(BaseException):
    """Ends a function that takes too long; not an Exception, so `except Exception` misses it."""


class AskedForInput(BaseException):
    """Ends a function that calls input() or breakpoint()."""


class WentBackward(Exception):
    """What backward() would add to: the function has called it already."""


@dataclass
class Outcome:
    """What a call came to: a value or an error, and what was printed.

    `lingers` is True for a function that could not even be stopped.
    """

    value: Any = None
    error: BaseException | None = None
    printed: str = ""
    lingers: bool = False


def call(function: Function, arguments: tuple[Any, ...], seconds: float, seed: int = 0) -> Outcome:
    """Outcome of function(*arguments), stopped after `seconds`, with global generators seeded.

    The main thread on POSIX is interrupted by a signal, which also ends a sleeping function;
    elsewhere (Windows, other threads) the function runs in a thread of its own.
    """
    printed = Transcript()
    streams = _replaced(sys, stdout=printed, stderr=printed, unraisablehook=_silence)
    with neutral_settings(), seeded(seed), _nothing_asked(), streams:
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


def _run(function: Function, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)  # its own frame: what is above it on the stack is the learner's


def _outcome(function: Function, arguments: tuple[Any, ...]) -> Outcome:
    try:
        return Outcome(_run(function, arguments))
    except BaseException as error:
        return Outcome(error=error)


def _call_with_alarm(function: Function, arguments: tuple[Any, ...], seconds: float) -> Outcome:
    started = time.monotonic()
    time_up = _new_time_up()
    with _echo(time_up, functools.partial(_thread.interrupt_main, signal.SIGALRM)):
        before = signal.signal(signal.SIGALRM, _Alarm(time_up))
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
    """Signal handler that raises TimeUp inside the learner's function until that has ended.

    It rings every 20 ms, and after a second of this at uneven microseconds: sooner or later one
    ring falls between an `except` and the next `try`.
    """

    def __init__(self, time_up: type[TimeUp]) -> None:
        self.time_up = time_up
        self.rings = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        interrupted = frame
        while frame is not None and frame.f_code is not _run.__code__:
            frame = frame.f_back
        if frame is None:  # the learner's function is over: leave our own code alone
            return
        self.rings += 1
        pause = 0.02 if self.rings <= 50 else (2 + self.rings % 100) * 1e-6
        signal.setitimer(signal.ITIMER_REAL, pause)
        if interrupted is not None and interrupted.f_code is not _Alarm.__call__.__code__:
            raise self.time_up


def _call_in_worker(function: Function, arguments: tuple[Any, ...], seconds: float) -> Outcome:
    done: list[Outcome] = []
    work = functools.partial(_outcome_into, done, function, arguments)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        worker.join(seconds)
    finally:  # also when the waiting thread is interrupted from the keyboard
        _end(worker)
    return done[0] if done else Outcome(error=TimeUp(), lingers=worker.is_alive())


def _outcome_into(done: list[Outcome], function: Function, arguments: tuple[Any, ...]) -> None:
    done.append(_outcome(function, arguments))


def _end(worker: threading.Thread) -> None:
    patience = time.monotonic() + GIVE_UP_AFTER
    time_up = _new_time_up()
    ring = functools.partial(
        ctypes.pythonapi.PyThreadState_SetAsyncExc,
        ctypes.c_ulong(worker.ident or 0),
        ctypes.py_object(time_up),
    )
    with _echo(time_up, ring):
        while worker.is_alive() and time.monotonic() < patience:
            ring()
            worker.join(0.02)


def _new_time_up() -> type[TimeUp]:
    return type("TimeUp", (TimeUp,), {})


@contextlib.contextmanager
def _echo(time_up: type[TimeUp], ring: Callable[[], Any]) -> Iterator[None]:
    """Rings again whenever a TimeUp is freed, while the context lasts.

    `while True: try: work() except: pass` swallows what is raised in work(), for ever. But as it
    swallows, it frees the exception, and at that moment it is outside of its try; with a `try`
    around that, the next echo is. `ring` has to be C code: an echo in Python code would be
    raised inside that code.
    """
    setattr(time_up, "__del__", ring)  # noqa: B010
    try:
        yield
    finally:
        delattr(time_up, "__del__")


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
        if hasattr(running := shell(), "ask_exit"):
            stack.enter_context(_replaced(running, ask_exit=sys.exit))
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


@dataclass(frozen=True)
class Behaviour:
    """Outcome of one trial; `changed` is the index of the first argument that was written into.

    `gradients`: the outcome of backward() where the exercise asks for it, a gradient for each argument
    that requires one. `calls`: how often each of the exercise's counted arguments was called.
    """

    trial: int
    outcome: Outcome
    changed: int | None = None
    gradients: Outcome | None = None
    calls: tuple[int, ...] = ()


def behave(exercise: Exercise, function: Function, trial: int, seconds: float) -> Behaviour:
    """What a function does with its own copy of one trial's arguments. Never raises."""
    arguments = exercise.arguments(trial)
    leaves = needing_gradient(arguments)
    asked, counters = _counting(exercise, arguments)
    outcome = call(function, asked, seconds, exercise.seed(trial))
    calls = tuple(counter.count for counter in counters)
    gradients = (
        call(_gradients, (outcome.value, leaves), seconds, exercise.seed(trial))
        if exercise.backward
        else None
    )
    pairs = zip(exercise.arguments(trial), arguments, strict=True)
    changed = (index for index, (before, after) in enumerate(pairs) if not unchanged(before, after))
    return Behaviour(trial, outcome, next(changed, None), gradients, calls)


class Counter:
    """A function that counts its calls."""

    def __init__(self, function: Function) -> None:
        self.function, self.count = function, 0
        if not isinstance(function, nn.Module):
            functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the function returns."""
        self.count += 1
        return self.function(*arguments, **keywords)


def _counting(
    exercise: Exercise, arguments: tuple[Any, ...]
) -> tuple[tuple[Any, ...], list[Counter]]:
    """The arguments with the counted ones wrapped, and their counters; a module counts by a hook."""
    asked, counters = list(arguments), []
    for name in exercise.counted:
        index = exercise.parameters.index(name)
        counter = Counter(arguments[index])
        counters.append(counter)
        if isinstance(arguments[index], nn.Module):
            arguments[index].register_forward_pre_hook(_one_more(counter))
        else:
            asked[index] = counter
    return tuple(asked), counters


def _one_more(counter: Counter) -> Callable[..., None]:
    def count(*_: Any) -> None:
        counter.count += 1

    return count


def nudged_result(exercise: Exercise, trial: int, seconds: float) -> Any:
    """What the reference returns on inputs moved by a rounding error, or None where it fails."""
    generator = torch.Generator().manual_seed(trial)
    arguments = tuple(_nudged(argument, generator) for argument in exercise.arguments(trial))
    return call(exercise.reference, arguments, seconds, exercise.seed(trial)).value


def _nudged(argument: Any, generator: torch.Generator) -> Any:
    """A floating tensor with each entry moved by up to its dtype's rounding; all else as it is."""
    if not isinstance(argument, Tensor) or not argument.is_floating_point():
        return argument
    with torch.no_grad():
        noise = torch.rand(argument.shape, generator=generator) * 2 - 1
        moved = argument * (1 + torch.finfo(argument.dtype).eps * noise.to(argument.dtype))
    return moved.requires_grad_(argument.requires_grad)


def needing_gradient(arguments: tuple[Any, ...]) -> dict[int, Tensor]:
    """The arguments that require a gradient, by their index."""
    return {
        index: argument
        for index, argument in enumerate(arguments)
        if isinstance(argument, Tensor) and argument.requires_grad
    }


def _gradients(loss: Any, leaves: dict[int, Tensor]) -> tuple[Tensor, ...]:
    """What loss.backward() sends to each leaf; zeros where nothing arrives."""
    if any(leaf.grad is not None for leaf in leaves.values()):
        raise WentBackward
    if isinstance(loss, Tensor) and loss.requires_grad:
        loss.backward()
    return tuple(
        torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves.values()
    )


def reference_behaviour(exercise: Exercise, trial: int, seconds: float) -> Behaviour:
    """What the reference does. Raises RuntimeError where the exercise itself is broken."""
    expected = behave(exercise, exercise.reference, trial, seconds)
    if expected.outcome.error or expected.outcome.value is None or expected.changed is not None:
        raise RuntimeError(
            f"the reference of exercise {exercise.id} raises, returns None or writes in place"
        )
    difference(expected.outcome.value, expected.outcome.value)  # a type we can compare
    sent = expected.gradients
    if sent and (sent.error or not any(gradient.any() for gradient in sent.value)):
        raise RuntimeError(
            f"the reference of exercise {exercise.id} sends no gradient to its inputs"
        )
    return expected


def alike(one: Behaviour, other: Behaviour) -> bool:
    """Whether two functions did the same: arguments changed and called, and result or error.

    `one` is the course's own function. Errors are the same if type and text are: two different
    slips can both end in a RuntimeError, and a wrong explanation is worse than none. Gradients are
    compared where both have them.
    """
    if (one.changed, one.calls) != (other.changed, other.calls):
        return False
    if not _same_outcome(one.outcome, other.outcome):
        return False
    if one.gradients is None or other.gradients is None:
        return True
    return _same_outcome(one.gradients, other.gradients)


def _same_outcome(one: Outcome, other: Outcome) -> bool:
    if one.error is None and other.error is None:
        return safe_difference(one.value, other.value) is None
    return error_text(one.error) == error_text(other.error)


def safe_difference(
    expected: Any, seen: Any, nudged: Any = None, exact_types: bool = False
) -> str | None:
    """Like `difference`, also for objects that break when they are looked at."""
    try:
        return difference(expected, seen, nudged, exact_types)
    except Exception:
        return f"Your function returns an object of type {type(seen).__name__} that cannot be read."


def error_text(error: BaseException | None) -> str:
    """Type and first line of the text of an error, in at most 200 characters; "" for None."""
    if error is None:
        return ""
    try:
        text = (str(error).strip().splitlines() or [""])[0]
    except Exception:
        text = ""
    text = text if len(text) <= 200 else f"{text[:197]}..."
    return type(error).__name__ + (f": {text}" if text else "")
