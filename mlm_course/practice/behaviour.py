"""What a function does in a trial, so that two functions can be compared by what they do."""

from __future__ import annotations

from dataclasses import dataclass

from mlm_course.practice.compare import difference, unchanged
from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.sandbox import Outcome, call


@dataclass(frozen=True)
class Behaviour:
    """Outcome of one trial; `changed` is the index of the first argument that was written into."""

    trial: int
    outcome: Outcome
    changed: int | None = None


def behave(exercise: Exercise, function: Function, trial: int, seconds: float) -> Behaviour:
    """What a function does with its own copy of one trial's arguments. Never raises."""
    arguments = exercise.arguments(trial)
    outcome = call(function, arguments, seconds, exercise.seed(trial))
    pairs = zip(exercise.arguments(trial), arguments, strict=True)
    changed = (index for index, (before, after) in enumerate(pairs) if not unchanged(before, after))
    return Behaviour(trial, outcome, next(changed, None))


def reference_behaviour(exercise: Exercise, trial: int, seconds: float) -> Behaviour:
    """What the reference does. Raises RuntimeError where the exercise itself is broken."""
    expected = behave(exercise, exercise.reference, trial, seconds)
    if expected.outcome.error or expected.outcome.value is None or expected.changed is not None:
        raise RuntimeError(
            f"the reference of exercise {exercise.id} raises, returns None or writes in place"
        )
    difference(expected.outcome.value, expected.outcome.value)  # a type we can compare
    return expected


def alike(one: Behaviour, other: Behaviour) -> bool:
    """Whether two functions did the same: same argument changed, and same result or same error.

    `one` is the course's own function. Errors are the same if type and text are: two different
    slips can both end in a RuntimeError, and a wrong explanation is worse than none.
    """
    if one.changed != other.changed:
        return False
    if one.outcome.error is None and other.outcome.error is None:
        return safe_difference(one.outcome.value, other.outcome.value) is None
    return error_text(one.outcome.error) == error_text(other.outcome.error)


def safe_difference(expected: object, seen: object, plain_numbers: bool = False) -> str | None:
    """Like `difference`, also for objects that break when they are looked at."""
    try:
        return difference(expected, seen, plain_numbers)
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
