"""Starts the processes that run students' functions, ends them, and gathers what they say."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlm_course
from mlm_course.practice import exercise as catalogue
from mlm_course.teaching import confinement
from mlm_course.teaching.written import CodeCell, call_seconds

MOST_BYTES = 256 << 20  # that a notebook may send
CALL_SECONDS = (
    20.0  # that a child may take for one call of a student's function, backward() included
)
GRACE = 3.0  # seconds for a process that says it is done, to be gone
DEFINE_SECONDS = 20.0  # that a child may take to define one thing
PATIENCE = 10.0  # seconds more than an exercise's own limits before it is ended from outside
START_SECONDS = 180.0  # for a process to import the course, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What a notebook may take: seconds in all, gigabytes; confined: whether the sandbox is used."""

    seconds: float = 90.0
    memory: float = 4.0
    confined: bool = True


@dataclass
class Tried:
    """What is known of one candidate: what to look at, its source, and a problem or behaviours.

    verdict: what `check` said, where that was asked for. ended: why its process came to an end.
    """

    exercise: str
    remarks: tuple[str, ...] = ()
    source: str = ""
    problem: tuple[str, str] | None = None
    behaviours: list[dict[str, Any]] = field(default_factory=list)
    stub: bool = False
    seconds: float = 0.0
    verdict: tuple[str, str, tuple[str, ...]] | None = None
    ended: str = ""
    complete: bool = False


@dataclass
class Gathered:
    """All candidates of a notebook by number, and the seconds that it ran.

    broken: why none of it could be read, or "".
    """

    tried: dict[int, Tried] = field(default_factory=dict)
    broken: str = ""
    spent: float = 0.0


class NotConfined(RuntimeError):
    """The sandbox could not be entered; the message says why."""


class Workers:
    """Processes that know the course and fork a child for each notebook.

    A context: when it is left, they end, and with them whatever still runs. `spare` has a number
    for each notebook that runs at the same time: as root, the user of its child.
    """

    def __init__(self, limits: Limits, jobs: int = 1) -> None:
        self.limits, self.folder = limits, Path(tempfile.mkdtemp(prefix="mlm-grade-"))
        self.spare: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(jobs):
            self.spare.put(number)
        self.running: dict[str, tuple[subprocess.Popen[bytes], socket.socket]] = {}
        self.starting, self.over = threading.Lock(), False
        package = Path(mlm_course.__file__).resolve().parent
        self.readable = (
            [str(path) for path in confinement.readable_here()] if limits.confined else []
        )
        self.emptied = [str(package / name) for name in ("exercises", "teaching", "authoring")]

    def __enter__(self) -> Workers:
        os.chmod(self.folder, 0o711)  # another user passes through, and sees nothing
        return self

    def __exit__(self, *what: object) -> None:
        self.end()
        _remove(self.folder)

    def end(self) -> None:
        """Ends everything now, whatever runs; nothing starts after that."""
        self.over = True
        for process, control in self.running.values():
            control.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()

    def control(self, kind: str) -> socket.socket:
        """The way to ask the "blind" or the "telling" process, which is started when first needed."""
        with self.starting:
            if self.over:
                raise NotConfined("everything was ended")
            if kind not in self.running:
                self.running[kind] = self._started(kind)
            return self.running[kind][1]

    def _started(self, kind: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-m", "mlm_course.teaching.worker", str(theirs.fileno()), kind]
        process = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            env=self._environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        return process, ours

    def _environment(self) -> dict[str, str]:
        """A bare one: nothing that the instructor's shell knows."""
        package = Path(mlm_course.__file__).resolve().parents[1]
        home = str(confinement.WORK if self.limits.confined else self.folder)
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": home,
            "TMPDIR": home,
            "PYTHONPATH": str(package),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
            "HF_HUB_OFFLINE": "1",
        }

    def gather(
        self, lesson: int, cells: tuple[CodeCell, ...], trials: dict[str, list[int]]
    ) -> Gathered:
        """What a notebook's functions do in these trials of each exercise. Errors: NotConfined."""
        gathered = Gathered()
        data: dict[str, Any] = {
            "trials": trials,
            "skip": _not_asked(lesson, trials),
            "skip_pieces": [],
            "remarks": True,
        }
        for _ in range(2 * len(trials) + 5):
            left = self.limits.seconds - gathered.spent
            if left <= 0 or self._once("blind", lesson, cells, data, left, gathered):
                break
            data.pop("remarks", None)
        for one in gathered.tried.values():
            if not one.complete:
                late = gathered.spent >= self.limits.seconds
                one.ended = one.ended or ("time" if late else "lost")
        return gathered

    def tell(
        self, lesson: int, cells: tuple[CodeCell, ...], trials: dict[str, list[int]]
    ) -> dict[str, tuple[str, str, tuple[str, ...]]]:
        """What `check` itself says about the exercises in `trials`, by id, where it comes to say it."""
        data = {
            "telling": True,
            "trials": trials,
            "skip": _not_asked(lesson, trials),
            "skip_pieces": [],
        }
        gathered = Gathered()
        self._once("telling", lesson, cells, data, self.limits.seconds, gathered)
        return {t.exercise: t.verdict for t in gathered.tried.values() if t.verdict}

    def _once(
        self,
        kind: str,
        lesson: int,
        cells: tuple[CodeCell, ...],
        data: dict[str, Any],
        seconds: float,
        gathered: Gathered,
    ) -> bool:
        """One child, from start to end; whether it came to the notebook's end or must not go on."""
        number = self.spare.get()
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        user = confinement.FIRST_USER + number
        if os.name == "posix" and os.getuid() == 0 and self.limits.confined:
            os.chown(folder, user, -1)
        channel, theirs = socket.socketpair()
        fate, its_fate = socket.socketpair()
        job = {
            "lesson": lesson,
            "folder": str(folder),
            "seconds": seconds,
            "memory": self.limits.memory,
            "confined": self.limits.confined,
            "readable": self.readable,
            "emptied": self.emptied,
            "user": user,
        }
        try:
            message = json.dumps(job).encode()
            socket.send_fds(self.control(kind), [message], [theirs.fileno(), its_fate.fileno()])
            theirs.close()
            its_fate.close()
            return _Listener(channel, fate, data, gathered).hear(cells, seconds)
        finally:
            channel.close()
            fate.close()
            _remove(folder)
            self.spare.put(number)


def _not_asked(lesson: int, trials: dict[str, list[int]]) -> list[str]:
    """The lesson's other exercises: their check cells may still stand in a notebook."""
    return sorted({one.id for one in catalogue.exercises(lesson)} - set(trials))


class _Listener:
    """Reads what one child says into what is gathered; believes nothing but its form."""

    def __init__(
        self, channel: socket.socket, fate: socket.socket, data: dict[str, Any], gathered: Gathered
    ) -> None:
        self.channel, self.fate, self.data, self.gathered = channel, fate, data, gathered
        self.at: dict[str, Any] = {}
        self.patience = float("inf")  # until when what runs now is waited for
        self.began, self.done = 0.0, False  # when the child was confined and had what it was asked
        self.broke, self.closed = "", False  # closed: the child's end of the channel

    def hear(self, cells: tuple[CodeCell, ...], seconds: float) -> bool:
        """Whether the child came to the end of the notebook, or could not begin."""
        asked = {**self.data, "cells": [[cell.text, cell.exercise] for cell in cells]}
        try:
            self.channel.settimeout(START_SECONDS)
            self.channel.sendall(json.dumps(asked).encode() + b"\n")
            self._listen(seconds)
        except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
            pass  # it ended while it was asked, or sent what is no message
        if self.began:
            self.gathered.spent += time.monotonic() - self.began
        return self._concluded()

    def _listen(self, seconds: float) -> None:
        heard, rest = 0, bytearray()
        while not self.done:
            until = min(self.began + seconds + PATIENCE, self.patience)
            wait = until - time.monotonic() if self.began else START_SECONDS
            self.channel.settimeout(max(wait, 0.001))
            part = self.channel.recv(1 << 20)
            heard += len(part)
            self.closed = not part
            if not part or heard > MOST_BYTES:
                return
            rest += part
            if b"\n" in part:
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    self._take(json.loads(line))

    def _take(self, said: dict[str, Any]) -> None:
        if "ready" in said and not self.began:
            self.began = time.monotonic()
        elif "about" in said and not self.at:  # later the student's own code could say so
            one = self._tried(said["candidate"], said["about"])
            one.remarks, one.source = tuple(map(str, said["remarks"])), str(said["source"])
        elif "at" in said:
            self._begin(said)
        elif "exercise" in said:
            self._note(self._tried(said["candidate"], said["exercise"]), said)
        elif "broke" in said:
            self.broke = str(said["broke"])
        elif "again" in said:
            self._complete()
            self.at = {"at": "end"}
        elif "done" in said:
            self._complete()
            self.done = True

    def _tried(self, number: Any, exercise: Any) -> Tried:
        if type(number) is not int or exercise not in self.data["trials"]:
            raise ValueError("there is no such exercise")
        one = self.gathered.tried.setdefault(number, Tried(exercise))
        if one.exercise != exercise:
            raise ValueError("that was another exercise")
        return one

    def _begin(self, said: dict[str, Any]) -> None:
        self._complete()
        self.at = said
        if said["at"] == "exercise":
            self._tried(said["candidate"], said["exercise"])
        self._wait_on()

    def _wait_on(self) -> None:
        """Waits for one more call, or piece, which the child itself should end before that."""
        some_id = self.at.get("exercise")
        seconds = call_seconds(catalogue.find_exercise(some_id)) if some_id else DEFINE_SECONDS
        self.patience = time.monotonic() + seconds + PATIENCE

    def _complete(self) -> None:
        if self.at.get("at") == "exercise":
            self._tried(self.at["candidate"], self.at["exercise"]).complete = True

    def _note(self, one: Tried, said: dict[str, Any]) -> None:
        if one.complete:
            raise ValueError("that was over")
        if "problem" in said:
            one.problem = (str(said["problem"]), str(said["sentence"])[:2000])
        elif "verdict" in said:
            status, message, details = said["verdict"]
            one.verdict = (str(status), str(message)[:4000], tuple(str(d)[:4000] for d in details))
        else:
            one.behaviours.append(said["behaviour"])
            one.stub = one.stub or bool(said["stub"])
            one.seconds += float(said["seconds"])
            self._wait_on()

    def _concluded(self) -> bool:
        """Ends the child if need be, and says of what it was at why it ended."""
        end = self._end(GRACE) if self.done or self.closed else ""
        if not end:
            with contextlib.suppress(OSError):
                self.fate.send(b"end")
            end = self._end(PATIENCE) or "wanted"
        if self.done:
            return True
        if not self.began:
            if end.startswith("failed"):
                raise NotConfined(end.removeprefix("failed: "))
            raise NotConfined(self.broke or f"its process ended before it began ({end})")
        if self.broke and not self.at:
            self.gathered.broken = self.broke
            return True
        return self._blamed(end)

    def _end(self, seconds: float) -> str:
        """How the child ended, as its supervisor says; "" if that does not come in time."""
        self.fate.settimeout(seconds)
        try:
            said = json.loads(self.fate.recv(1 << 16) or b"{}")
        except (OSError, ValueError):
            return ""
        return str(said.get("end", "exit"))

    def _blamed(self, end: str) -> bool:
        """Whatever ran when the child ended is skipped by the next; True if there is nothing to skip."""
        what = self.at.get("at")
        if what == "exercise":
            one = self._tried(self.at["candidate"], self.at["exercise"])
            one.ended = one.ended or (f"It stopped with {self.broke}." if self.broke else end)
        elif what == "piece":
            self.data["skip_pieces"].append(self.at["piece"])
        over = {one.exercise for one in self.gathered.tried.values() if one.complete or one.ended}
        self.data["skip"] = sorted(over)
        return not what


def _remove(folder: Path) -> None:
    """A folder gone, whatever a student's code has left in it."""
    for path, names, _ in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                os.chmod(Path(path) / name, 0o700, follow_symlinks=False)
    shutil.rmtree(folder, ignore_errors=True)


def sandbox_missing() -> str:
    """Why students' code cannot be confined here, found by trying; "" if it can."""
    if reason := confinement.why_not():
        return reason
    lesson = catalogue.lesson_numbers()[0]
    first = catalogue.exercises(lesson)[0].id
    try:
        with Workers(Limits()) as workers:
            workers.gather(lesson, (), {first: []})
    except NotConfined as problem:
        return str(problem)
    return ""
