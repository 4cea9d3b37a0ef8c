"""The process that runs students' functions: `python -m mlm_course.teaching.worker SOCKET KIND`.

It imports the course once, then forks a supervisor and a child for each notebook: nothing that one
notebook does is left when the next begins. KIND "blind" has forgotten all answers, hints and
mistakes, so that a student's code cannot have them from this process: it says what functions do on
inputs, and another process judges. KIND "telling" knows them, and says what `check` says.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import linecache
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch

from mlm_course.practice import exercise as catalogue
from mlm_course.practice.checking import (
    check,
    has_empty_body,
    is_stub,
    parameter_mismatch,
    was_stopped,
)
from mlm_course.practice.exercise import Exercise, exercises, function_name
from mlm_course.practice.sandbox import behave, call, error_text
from mlm_course.teaching import confinement, wire
from mlm_course.teaching.suspicion import remarks_on
from mlm_course.teaching.written import (
    Candidate,
    CodeCell,
    call_seconds,
    file_of,
    needed,
    read_plan,
    source_of_pieces,
)

DEFINE_SECONDS = 10.0  # for all that is run besides the exercises' functions
STEP = 0.05  # seconds between two looks at a child
WEIGH_EVERY = 0.5  # seconds between two looks at how much memory it takes


def serve(control: socket.socket, blind: bool) -> None:
    """Forks for each request that comes in, until nobody is there to ask."""
    lessons = Lessons(blind)
    while True:
        message, files, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            return
        job = json.loads(message)
        lessons.load(job["lesson"])
        if os.fork() == 0:
            control.close()
            _supervise(job, lessons, *files)
        for one in files:
            os.close(one)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


class Lessons:
    """The lessons imported so far: exercises, and their answers, which a child throws away."""

    def __init__(self, blind: bool) -> None:
        self.blind = blind
        self.exercises: dict[int, tuple[Exercise, ...]] = {}
        self.answers: dict[str, str] = {}

    def load(self, lesson: int) -> None:
        """Imports a lesson's exercises, before anything of a student's is there."""
        if lesson in self.exercises:
            return
        whole = exercises(lesson)
        self.answers |= {one.id: one.answer for one in whole}
        self.exercises[lesson] = tuple(map(_forgotten, whole)) if self.blind else whole
        if self.blind:
            del whole
            catalogue.exercises.cache_clear()
            gc.collect()  # else answers could be picked out of the rubbish


def _forgotten(exercise: Exercise) -> Exercise:
    """The exercise without what helps; its module keeps what its inputs need, and nothing else."""
    bare = _stripped(exercise)
    names = vars(sys.modules[exercise.names["__name__"]])
    kept = _needed_by(exercise.inputs, names)
    for name in [name for name in names if not name.startswith("__") and name not in kept]:
        del names[name]
    names["EXERCISE"] = bare
    return bare


def _needed_by(function: Any, names: Mapping[str, Any]) -> set[str]:
    """The names of a module that a function needs, through all that it calls there."""
    kept, new = set[str](), [function]
    while new:
        one = inspect.unwrap(new.pop()) if callable(new[-1]) else new.pop()
        code = getattr(one, "__code__", None)
        asked = {name for name in needed(code) if name in names} - kept if code else set()
        kept |= asked
        new += [*(names[name] for name in asked), *_within(one, names["__name__"])]
    return kept


def _within(value: Any, module: str) -> list[Any]:
    """What a container, a partial function or a class of this module holds."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    own_class = isinstance(value, type) and value.__module__ == module
    return list(vars(value).values()) if own_class else []


def _stripped(exercise: Exercise) -> Exercise:
    bare = replace(exercise, answer="", hints=(), mistakes=(), judge=None, stages={}, names={})
    vars(bare)["parameters"] = exercise.parameters  # else they would be read from the answer
    return bare


def _supervise(job: dict[str, Any], lessons: Lessons, channel: int, fate: int) -> None:
    """Runs a child in its own session until it ends or its time is up. Does not return."""
    status: dict[str, Any] = {"end": "failed"}
    try:
        os.setsid()
        confinement.adopt_orphans()
        if job["confined"]:
            confinement.detach()
        child = os.fork()
        if child == 0:
            os.close(fate)
            _child(job, lessons, channel)
        os.close(channel)
        status = {"end": _awaited(child, job, fate)}
    except OSError as error:
        status = {"end": f"failed: {error}"}
    finally:
        with contextlib.suppress(OSError):
            os.write(fate, json.dumps(status).encode())
        os._exit(0)


def _awaited(child: int, job: dict[str, Any], fate: int) -> str:
    """How a child ended: "exit", "time", "memory" or "wanted"; nothing of it is left afterwards."""
    asker, deadline, end = os.getppid(), time.monotonic() + job["seconds"], "exit"
    pause, weighed = 0.005, time.monotonic()
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if select.select([fate], [], [], pause)[0] or os.getppid() != asker:
            end = "wanted"
        elif time.monotonic() > deadline:
            end = "time"
        elif time.monotonic() > weighed + WEIGH_EVERY and _bytes_in_use() > job["memory"] * 2**30:
            end = "memory"
        else:
            pause = min(STEP, 2 * pause)
            weighed = time.monotonic() if time.monotonic() > weighed + WEIGH_EVERY else weighed
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        break
    _sweep()
    return end


def _offspring() -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process().children(recursive=True)
    return []


def _bytes_in_use() -> int:
    """Memory of everything below this process that is not shared with it."""
    total = 0
    for one in _offspring():
        with contextlib.suppress(psutil.Error, OSError):
            about = one.memory_info()
            total += about.rss - getattr(about, "shared", 0)
    return total


def _sweep() -> None:
    """Ends whatever is left below this process; within a namespace of processes that is nothing."""
    while left := _offspring():
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.001)


def _child(job: dict[str, Any], lessons: Lessons, channel: int) -> None:
    """Confined, reads a notebook from the channel and says there what its functions do."""
    said = Channel(os.fdopen(channel, "rb+", buffering=0))
    try:
        _settle(job)
        data = json.loads(said.line())
        said.say(ready=True)
        cells = tuple(CodeCell(*cell) for cell in data["cells"])
        _Notebook(job, lessons, cells, said).run(data)
        said.say(done=True)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            said.say(broke=error_text(error))
    finally:
        os._exit(0)


def _settle(job: dict[str, Any]) -> None:
    folder = Path(job["folder"])
    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_RDWR)
    for one in (0, 1, 2):
        os.dup2(null, one)
    confinement.limit(job["seconds"], job["memory"])
    if job["confined"]:
        paths = {k: tuple(map(Path, job[k])) for k in ("readable", "emptied")}
        confinement.settle(confinement.Place(folder, user=job["user"], **paths))
    else:
        os.chdir(folder)


def _has_children() -> bool:
    """Whether a student's code has left processes behind; those it disowned are ours, too."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
        return True
    return False


class Channel:
    """Lines of JSON, to and from the process that asked."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.owner = stream, os.getpid()

    def line(self) -> bytes:
        """The next line."""
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):
            part = self.stream.read(1 << 20)
            if not part:
                raise EOFError
            parts.append(part)
        return b"".join(parts)

    def say(self, **what: Any) -> None:
        """One line; a copy of this process, which a student's code has forked, ends instead."""
        if os.getpid() != self.owner:
            os._exit(1)
        rest = memoryview(json.dumps(what).encode() + b"\n")
        while rest:
            rest = rest[self.stream.write(rest) :]


class _Notebook:
    """A notebook's code, run piece by piece, and its functions, tried where check would be called."""

    def __init__(
        self, job: dict[str, Any], lessons: Lessons, cells: tuple[CodeCell, ...], said: Channel
    ) -> None:
        self.said, self.answers = said, lessons.answers
        self.exercises = {one.id: one for one in lessons.exercises[job["lesson"]]}
        asked = {id: function_name(self.answers[id]) for id in self.exercises}
        self.plan = read_plan(cells, asked)
        self.tried: set[int] = set()
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.failed: dict[str, str] = {}  # name -> why its definition came to nothing
        for number, cell in enumerate(cells):
            place = file_of(number)
            linecache.cache[place] = (len(cell.text), None, cell.text.splitlines(True), place)

    def run(self, data: dict[str, Any]) -> None:
        """Everything that is asked, but for pieces and exercises that are to be skipped."""
        wanted = [one for one in self.plan.candidates if one.exercise not in data["skip"]]
        needed = {index for one in wanted for index in self.plan.closure(one.names)}
        if "remarks" in data:
            self._say_remarks(wanted)
        self.answers.clear()  # from here on, code of the student's runs
        stuck, left = set(data["skip_pieces"]), DEFINE_SECONDS
        for index, piece in enumerate(self.plan.pieces):
            self._try([c for c in wanted if c.after == index], early=True, data=data)
            if index in needed and piece.binds:
                if index in stuck:
                    self._lost(piece.binds, "It stops or ends Python while it is being defined.")
                    continue
                self.said.say(at="piece", piece=index)
                left -= self._define(index, left)
        self._try(wanted, early=False, data=data)

    def _say_remarks(self, wanted: list[Candidate]) -> None:
        """Before any of it runs: what there is to look at, and the source that is judged."""
        for n, one in enumerate(self.plan.candidates):
            if one in wanted:
                names = one.names
                remarks = remarks_on(self.plan, names, self.answers[one.exercise])
                source = source_of_pieces(self.plan, names) or one.written
                self.said.say(about=one.exercise, candidate=n, remarks=remarks, source=source)

    def _define(self, index: int, seconds: float) -> float:
        """Runs one piece and returns how long that took."""
        piece, began = self.plan.pieces[index], time.monotonic()
        outcome = call(exec, (piece.code, self.names), max(seconds, 0.1))
        if outcome.error is not None:
            text = error_text(outcome.error).replace("`", "'")
            self._lost(piece.binds, f"Defining it stops with `{text}`.")
        return time.monotonic() - began

    def _lost(self, names: frozenset[str], reason: str) -> None:
        for name in names:
            self.failed[name] = reason

    def _try(self, candidates: list[Candidate], early: bool, data: dict[str, Any]) -> None:
        """Tries candidates; `early`: only those that are defined at this place."""
        for one in candidates:
            if early and not all(name in self.names for name in one.names):
                continue
            number = self.plan.candidates.index(one)
            if number in self.tried:
                continue
            self.tried.add(number)
            self.said.say(at="exercise", exercise=one.exercise, candidate=number)
            for told in self._told(one, data):
                self.said.say(exercise=one.exercise, candidate=number, **told)
            if _has_children():
                self.said.say(again=True)  # what comes next is judged in a process without them
                os._exit(0)

    def _told(self, one: Candidate, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What there is to say of a candidate: a problem with it, or what it does trial by trial."""
        exercise = self.exercises[one.exercise]
        function, problem = self._function(one)
        if problem:
            yield {"problem": "broken", "sentence": problem}
        elif data.get("telling"):
            verdict = check(one.exercise, function, seconds=call_seconds(exercise))
            yield {"verdict": [verdict.status, verdict.message, list(verdict.details)]}
        elif not callable(function):
            yield {"problem": "failed", "sentence": f"`{one.written}` is no function."}
        elif mismatch := parameter_mismatch(exercise, function):
            yield {"problem": "failed", "sentence": mismatch}
        else:
            yield from self._behaviours(exercise, function, data["trials"][one.exercise])

    def _function(self, one: Candidate) -> tuple[Any, str]:
        """What a candidate is, and "" or why it is nothing."""
        for name in one.names:
            if name not in self.names:
                reason = self.failed.get(name) or self.plan.why_unbound(name)
                return None, reason or f"No cell of the notebook defines `{name}`."
        outcome = call(eval, (one.written, self.names), 5.0)
        if outcome.error is not None:
            return None, f"`{one.written}` stops with `{error_text(outcome.error)}`."
        return outcome.value, ""

    def _behaviours(
        self, exercise: Exercise, function: Any, trials: list[int]
    ) -> Iterator[dict[str, Any]]:
        for trial in trials:
            began = time.monotonic()
            seen = behave(exercise, function, trial, call_seconds(exercise))
            error = seen.outcome.error
            stub = isinstance(error, NotImplementedError) and is_stub(error)
            empty = error is None and seen.outcome.value is None and has_empty_body(function)
            took = round(time.monotonic() - began, 4)
            yield {"behaviour": wire.to_json(seen), "stub": stub or empty, "seconds": took}
            if was_stopped(seen) or stub or empty:
                return


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the asker's business
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2] == "blind")
