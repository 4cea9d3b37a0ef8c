"""What a student's functions did against what the course's own do: the status, and which mistake.

The course's functions run here, in the instructor's process; the student's never do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from mlm_course.practice.checking import complaint, was_stopped
from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.sandbox import (
    Behaviour,
    alike,
    behave,
    reference_behaviour,
    safe_difference,
)
from mlm_course.practice.settings import neutral_settings
from mlm_course.teaching import wire
from mlm_course.teaching.runs import Gathered, Tried

# From the one that counts most to the one that counts least, where an exercise has several checks.
STATUSES = ("passed", "look", "failed", "stopped", "broken", "not attempted", "missing")
ENDS = {
    "time": "It was still running when the notebook's time was used up.",
    "wanted": "It was still running long after its time, could not be stopped, and was ended from outside.",
    "memory": "It took more memory than a notebook may.",
    "lost": "Its process sent what it should not; nothing was judged after that.",
    "exit": "It ended Python, or crashed it.",
}
MOST_SENTENCE = 2000
PATIENCE = 20  # times an exercise's limit, for the course's own answer: the machine may be busy


@dataclass(frozen=True)
class Result:
    """One exercise of one student.

    misconception: "4.1-3" for the third mistake of exercise 4.1, or "". flag: what a person should
    look at. cluster: the same for wrong answers that did the same. catalogued: whether the
    sentence is the catalogue's; else `check` itself may know more.
    """

    exercise: str
    status: str
    sentence: str = ""
    details: tuple[str, ...] = ()
    misconception: str = ""
    seconds: float = 0.0
    flag: str = ""
    cluster: str = ""
    source: str = ""

    @property
    def points(self) -> int:
        """1 for a pass, 0 for everything else."""
        return int(self.status == "passed")


class Judge:
    """Judges against the course's own results, which are computed once for a whole class."""

    def __init__(self, salt: bytes, extra: int = 5) -> None:
        self.salt, self.extra = salt, extra
        self._right: dict[tuple[str, int], Behaviour] = {}
        self._ways: dict[tuple[str, int], tuple[Function, ...]] = {}
        self._done: dict[tuple[Any, ...], Behaviour] = {}

    def trials(self, exercise: Exercise) -> list[int]:
        """The notebook's own trials, then those that only this salt knows: at least as many again.

        With fewer, a mistake that only some inputs show could pass on the secret ones.
        """
        public = list(range(1, exercise.trials + 1))
        if not exercise.arguments(1):
            return public  # nothing is drawn
        secret = max(self.extra, exercise.trials) if self.extra else 0
        return public + [self._salted(exercise, k) for k in range(secret)]

    def _salted(self, exercise: Exercise, number: int) -> int:
        text = f"{exercise.id}/{number}".encode()
        return int.from_bytes(hmac.digest(self.salt, text, "sha256")[:7])

    def results(self, exercises: tuple[Exercise, ...], gathered: Gathered) -> list[Result]:
        """One result an exercise: of its check cells the best, of equals the last."""
        if gathered.broken:
            return [
                Result(e.id, "broken", f"Its code cannot be read: {gathered.broken}.")
                for e in exercises
            ]
        return [self._best(exercise, gathered) for exercise in exercises]

    def _best(self, exercise: Exercise, gathered: Gathered) -> Result:
        tried = [one for _, one in sorted(gathered.tried.items()) if one.exercise == exercise.id]
        judged = [self.result(exercise, one) for one in reversed(tried)]
        missing = Result(exercise.id, "missing", "There is neither its cell nor its check.")
        return min(judged, key=lambda one: STATUSES.index(one.status), default=missing)

    def result(self, exercise: Exercise, one: Tried) -> Result:
        """What one candidate comes to."""
        try:
            with neutral_settings():
                bare = self._bare(exercise, one)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            bare = Result(
                exercise.id, "stopped", f"What it sent is no result ({type(error).__name__})."
            )
        flag = "; ".join(one.remarks)[:500]
        if bare.status == "passed" and flag:
            bare = replace(
                bare, status="look", sentence=f"It passes, but a person should look: it {flag}."
            )
        return replace(bare, flag=flag, source=one.source, seconds=round(one.seconds, 3))

    def _bare(self, exercise: Exercise, one: Tried) -> Result:
        if one.problem:
            status = "failed" if one.problem[0] == "failed" else "broken"
            return Result(exercise.id, status, one.problem[1])
        if one.ended:
            return Result(exercise.id, "stopped", ENDS.get(one.ended, one.ended))
        if one.stub:
            return Result(exercise.id, "not attempted", "There is no code of the student's in it.")
        seen = [wire.from_json(data) for data in one.behaviours]
        return self._judged(exercise, seen, one.source)

    def _judged(self, exercise: Exercise, seen: list[Behaviour], source: str) -> Result:
        wanted = self.trials(exercise)
        if [behaviour.trial for behaviour in seen] != wanted[: len(seen)] or not seen:
            raise ValueError("other trials")
        for number, behaviour in enumerate(seen):
            if problem := self.problem(exercise, behaviour):
                return self._wrong(exercise, seen, number, problem, source)
        if len(seen) != len(wanted):
            raise ValueError("too few trials")
        return Result(exercise.id, "passed", f"Right on {len(seen)} of {len(seen)} random inputs.")

    def problem(self, exercise: Exercise, seen: Behaviour) -> tuple[str, str] | None:
        """Status and sentence for what a function did in one trial, None where it is right."""
        expected = self.right(exercise, seen.trial)
        return complaint(exercise, _nothing, expected, seen, exercise.seconds)

    def _wrong(
        self,
        exercise: Exercise,
        seen: list[Behaviour],
        number: int,
        problem: tuple[str, str],
        source: str,
    ) -> Result:
        """The result of an answer that trial `number` of those seen shows to be wrong."""
        if problem[0] == "stopped" or was_stopped(seen[number]):
            return Result(exercise.id, "stopped", problem[1])
        public = seen[: exercise.trials] if number < exercise.trials else seen
        values = self.right(exercise, seen[number].trial).outcome.value, seen[number].outcome.value
        if safe_difference(*values):  # a wrong loss says enough, see practice.checking
            public = [replace(one, gradients=None) for one in public]
        named = self.mistakes(exercise, public, source)
        if len({exercise.mistakes[n].sentence for n in named}) == 1:
            (first, *_) = named
            sentence, misconception = (
                exercise.mistakes[first].sentence,
                f"{exercise.id}-{first + 1}",
            )
        else:
            secret = "Right on the notebook's own inputs, but not on others like them: "
            sentence = (secret if number >= exercise.trials else "") + problem[1]
            misconception = ""
        return Result(
            exercise.id,
            "failed",
            sentence[:MOST_SENTENCE],
            misconception=misconception,
            cluster="" if misconception else _cluster(public),
        )

    def mistakes(self, exercise: Exercise, seen: list[Behaviour], source: str) -> list[int]:
        """The mistakes of the catalogue, counted from 0, that do what was seen."""
        return [
            n
            for n, mistake in enumerate(exercise.mistakes)
            if re.search(mistake.writes, source) and self._made(exercise, n, seen)
        ]

    def _made(self, exercise: Exercise, mistake: int, seen: list[Behaviour]) -> bool:
        ways = len(exercise.mistakes[mistake].ways)
        return any(
            all(alike(self._way(exercise, mistake, n, one.trial), one) for one in seen)
            for n in range(ways)
        )

    def right(self, exercise: Exercise, trial: int) -> Behaviour:
        """What the course's own answer does."""
        key = (exercise.id, trial)
        if key not in self._right:
            self._right[key] = reference_behaviour(exercise, trial, PATIENCE * exercise.seconds)
        return self._right[key]

    def _way(self, exercise: Exercise, mistake: int, way: int, trial: int) -> Behaviour:
        key = (exercise.id, mistake, way, trial)
        if key not in self._done:
            if key[:2] not in self._ways:
                self._ways[key[:2]] = exercise.functions(exercise.mistakes[mistake])
            function = self._ways[key[:2]][way]
            self._done[key] = behave(exercise, function, trial, PATIENCE * exercise.seconds)
        return self._done[key]


def _nothing() -> None:
    """Stands for the student's function, which is not in this process."""


def _cluster(seen: list[Behaviour]) -> str:
    """The same for answers that do the same, but for rounding."""
    told = [wire.to_json(one) for one in seen]
    rounded = [_rounded(one.outcome.value) for one in seen]
    parts = [
        [t["outcome"]["error"], t["changed"], t["calls"], r]
        for t, r in zip(told, rounded, strict=True)
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.3g}")
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    if hasattr(value, "tolist"):
        return [str(getattr(value, "dtype", "")), list(value.shape), _rounded(value.tolist())]
    return value if isinstance(value, bool | int | str | None) else type(value).__name__
