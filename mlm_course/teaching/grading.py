"""A class's notebooks, judged: every student, every exercise, with the mistake that was made."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlm_course.practice.exercise import Exercise, exercises
from mlm_course.practice.released import Released
from mlm_course.teaching.judging import Judge, Result
from mlm_course.teaching.runs import Gathered, Limits, Workers
from mlm_course.teaching.submissions import Submission, digest_of_code

SALT_BYTES = 32
Told = dict[str, tuple[str, str, tuple[str, ...]]]


@dataclass(frozen=True)
class Graded:
    """A notebook and what its exercises came to; twins: others who handed in the very same code."""

    submission: Submission
    results: tuple[Result, ...]
    twins: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        """Exercises passed."""
        return sum(result.points for result in self.results)


def read_salt(path: Path) -> bytes:
    """The secret that chooses the extra inputs; made at the first use, and kept from others' eyes."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_hex(SALT_BYTES) + "\n")
    salt = path.read_bytes().strip()
    if len(salt) < 16:
        raise ValueError(f"{path} is too short for a salt: delete it, and a new one is made.")
    return salt


def write_private(path: Path, text: str) -> None:
    """A file that only its owner can read, new or replaced."""
    path.unlink(missing_ok=True)
    with open(path, "x", encoding="utf-8", errors="replace", opener=_private, newline="") as file:
        file.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def asked_of(lesson: int, released: Released | None) -> tuple[Exercise, ...]:
    """The exercises that a class was asked, of a lesson."""
    without = released.without if released else frozenset()
    return tuple(one for one in exercises(lesson) if one.id not in without)


def grade(
    submissions: list[Submission],
    judge: Judge,
    limits: Limits,
    jobs: int = 1,
    released: Released | None = None,
    say: Callable[[str], None] = print,
) -> list[Graded]:
    """Everyone's results, in the order of the submissions. Errors: NotConfined.

    Each notebook is run in a process of its own, at most `jobs` at a time; judging goes on here.
    """
    graded: dict[int, Graded] = {}
    with Workers(limits, jobs) as workers, ThreadPoolExecutor(jobs) as pool:
        class_ = _Class(submissions, judge, workers, pool, released)
        try:
            for number, one in class_.graded():
                graded[number] = one
                say(f"[{len(graded)}/{len(submissions)}] {one.submission.file}: {_summary(one)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workers.end()
            raise
    return _with_twins([graded[number] for number in range(len(submissions))])


def _with_twins(graded: list[Graded]) -> list[Graded]:
    """Each with the others whose code is the same, where there is code of a student's."""
    same: dict[str, list[str]] = {}
    for one in graded:
        if any(result.status in ("passed", "look", "failed", "stopped") for result in one.results):
            same.setdefault(digest_of_code(one.submission), []).append(one.submission.student)
    return [
        replace(one, twins=tuple(s for s in twins if s != one.submission.student))
        if (twins := same.get(digest_of_code(one.submission)))
        else one
        for one in graded
    ]


def _summary(one: Graded) -> str:
    if one.submission.unreadable:
        return one.submission.unreadable
    return f"{one.points} of {len(one.results)}"


class _Class:
    """The work on a class: what runs, and what becomes of it."""

    def __init__(
        self,
        submissions: list[Submission],
        judge: Judge,
        workers: Workers,
        pool: ThreadPoolExecutor,
        released: Released | None,
    ) -> None:
        self.submissions, self.judge, self.workers, self.pool = submissions, judge, workers, pool
        self.released = released
        self.running: dict[Future[Any], int] = {}
        self.judged: dict[int, tuple[Result, ...]] = {}

    def graded(self) -> Iterator[tuple[int, Graded]]:
        """Each notebook's results as they come."""
        for number, one in enumerate(self.submissions):
            if one.unreadable:
                yield number, Graded(one, ())
            else:
                self._start(number, one)
        while self.running:
            for future in list(wait(list(self.running), return_when=FIRST_COMPLETED).done):
                number = self.running.pop(future)
                if finished := self._took(number, future.result()):
                    yield number, finished

    def _start(self, number: int, one: Submission) -> None:
        asked = asked_of(one.lesson, self.released)
        trials = {exercise.id: self.judge.trials(exercise) for exercise in asked}
        future = self.pool.submit(self.workers.gather, one.lesson, one.cells, trials)
        self.running[future] = number

    def _took(self, number: int, came: Gathered | Told) -> Graded | None:
        """Judges what a notebook did, and asks what `check` says; or puts that in."""
        one = self.submissions[number]
        if isinstance(came, Gathered):
            asked = asked_of(one.lesson, self.released)
            self.judged[number] = tuple(self.judge.results(asked, came))
            if unnamed := [r.exercise for r in self.judged[number] if _is_unnamed(r)]:
                trials: dict[str, list[int]] = {id: [] for id in unnamed}
                future = self.pool.submit(self.workers.tell, one.lesson, one.cells, trials)
                self.running[future] = number
                return None
            came = {}
        return Graded(one, tuple(_told(result, came) for result in self.judged.pop(number)))


def _is_unnamed(result: Result) -> bool:
    """Whether the catalogue has no sentence for a wrong answer; `check` may say in which line it fails."""
    return result.status == "failed" and not result.misconception


def _told(result: Result, told: Told) -> Result:
    """The result in the words of `check`, if it came to the same; it knows the line that failed."""
    status, message, details = told.get(result.exercise, ("", "", ()))
    if status != result.status or not message or result.misconception:
        return result
    return replace(result, sentence=message, details=details)
