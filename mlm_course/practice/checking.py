"""check: is the learner's function right, and if not, which mistake is it?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlm_course.practice import record
from mlm_course.practice.behaviour import Behaviour, alike, behave, reference_behaviour
from mlm_course.practice.catalogue import UnknownId, find_exercise, missing_answer
from mlm_course.practice.compare import describe, short
from mlm_course.practice.complaints import (
    complaint,
    inputs_sentence,
    parameter_mismatch,
    was_stopped,
)
from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.verdict import Verdict

_FORGOTTEN = object()
PRINTED_LINES = 6  # lines shown of what a failing function printed


def check(
    exercise_id: Any = None, function: Any = _FORGOTTEN, *, seconds: float | None = None
) -> Verdict:
    """Whether a function solves an exercise, and which mistake it makes if not.

    Never raises, and what is solved is remembered. `seconds` replaces the exercise's own limit.
    """
    try:
        misuse = _misuse(exercise_id, function)
        if misuse:
            return Verdict("check", "not checked", misuse)
        exercise = find_exercise(exercise_id.strip())
        missing = missing_answer(exercise)
        if missing:
            return Verdict("check", "not checked", missing)
        return _remembered(_verdict(exercise, function, seconds or exercise.seconds))
    except UnknownId as error:
        return Verdict("check", "not checked", str(error))
    except KeyboardInterrupt:
        return Verdict("check", "stopped", "You interrupted it. Run it again when you like.")
    except Exception as error:
        fault = f"`{type(error).__name__}: {short(str(error))}`"
        return Verdict("check", "not checked", f"The check itself broke, not your code: {fault}.")


def _misuse(exercise_id: Any, function: Any) -> str | None:
    usage = 'check takes an id in quotes, then your function: `check("1.2", my_function)`.'
    if callable(exercise_id) and isinstance(function, str):
        return f"The other way round, please: {usage}"
    if not isinstance(exercise_id, str):
        return f"The id is {describe(exercise_id)}: {usage}"
    if function is _FORGOTTEN:
        return f"Your function is missing: {usage}"
    return None


def _verdict(exercise: Exercise, function: Any, seconds: float) -> Verdict:
    if not callable(function):
        problem = f"check needs the function itself, without parentheses; got {describe(function)}."
        return Verdict(exercise.id, "failed", problem)
    mismatch = parameter_mismatch(exercise, function)
    if mismatch:
        return Verdict(exercise.id, "failed", mismatch, _help(exercise))
    seen: list[Behaviour] = []
    for trial in range(1, exercise.trials + 1):
        seen.append(behave(exercise, function, trial, seconds))
        if was_stopped(seen[-1]):
            break  # three endless loops are not more instructive than one
    return _judged(exercise, function, seen, seconds)


def _judged(
    exercise: Exercise, function: Function, seen: list[Behaviour], seconds: float
) -> Verdict:
    for trial, behaviour in enumerate(seen, 1):
        expected = reference_behaviour(exercise, trial, seconds)
        problem = complaint(exercise, function, expected, behaviour, seconds)
        if problem is None:
            continue
        status, sentence = problem
        if status != "failed":
            return Verdict(exercise.id, status, sentence)
        message = _mistake(exercise, seen, seconds)
        details = _details(exercise, behaviour) + _help(exercise)
        if message:
            return Verdict(exercise.id, status, message, details)
        passed = f"Right on input {trial - 1}, but not on input {trial}: " if trial > 1 else ""
        return Verdict(exercise.id, status, passed + sentence, details)
    return Verdict(exercise.id, "passed", f"Right on {len(seen)} of {len(seen)} random inputs.")


def _mistake(exercise: Exercise, seen: list[Behaviour], seconds: float) -> str | None:
    for mistake in exercise.mistakes:
        for function in exercise.functions(mistake):
            if all(
                alike(behave(exercise, function, trial, seconds), behaviour)
                for trial, behaviour in enumerate(seen, 1)
            ):
                return mistake.sentence
    return None


def _details(exercise: Exercise, behaviour: Behaviour) -> tuple[str, ...]:
    details = [inputs_sentence(exercise, behaviour.trial)]
    lines = behaviour.outcome.printed.splitlines()
    if lines:
        more = ["..."] if len(lines) > PRINTED_LINES else []
        details.append("It printed:\n" + "\n".join(lines[:PRINTED_LINES] + more))
    return tuple(details)


def _help(exercise: Exercise) -> tuple[str, ...]:
    return (f'Stuck? `hint("{exercise.id}")` helps.',) if exercise.hints else ()


def _remembered(verdict: Verdict) -> Verdict:
    solved = {verdict.id} if verdict.status == "passed" else set()
    tried = {verdict.id} if verdict.status in ("passed", "failed", "stopped") else set()
    note = record.add(solved, tried) if tried else ""
    return replace(verdict, details=(*verdict.details, note)) if note else verdict
