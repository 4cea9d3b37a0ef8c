"""hint and solution: help in small steps, and the whole answer for whoever wants it."""

from __future__ import annotations

from typing import Any

from mlm_course.practice import record
from mlm_course.practice.compare import describe
from mlm_course.practice.exercise import Exercise, UnknownId, find_exercise, missing_answer
from mlm_course.practice.released import read_released
from mlm_course.practice.verdict import Card

SWITCHED_OFF = "Your instructor has switched solutions off for this class."

# How many hints of each exercise this kernel has shown. It is not kept in the progress file: who
# comes back another day, or runs the notebook again from the top, begins with the first nudge.
_shown: dict[str, int] = {}


def hint(exercise_id: Any = None, number: Any = None) -> Card:
    """The next hint of an exercise, or hint `number` (counted from 1). Never raises."""
    try:
        exercise = _exercise(exercise_id, "hint")
    except UnknownId as error:
        return Card("open", "hint", str(error))
    count = len(exercise.hints)
    if count == 0:
        return Card("open", f"{exercise.id} hint", _solution_sentence(exercise))
    if number is None:
        number = min(_shown.get(exercise.id, 0) + 1, count)
    if type(number) is not int or not 1 <= number <= count:
        return Card("open", f"{exercise.id} hint", f"Hints are numbered from 1 to {count}.")
    _shown[exercise.id] = max(_shown.get(exercise.id, 0), number)
    left = count - number
    more = f'{left} more: `hint("{exercise.id}")`.' if left else _solution_sentence(exercise)
    heading = f"{exercise.id} hint {number} of {count}"
    if number == count and not _answers_shown():
        return Card("note", heading, f"It would be the answer. {SWITCHED_OFF}")
    if number == count:
        return Card("note", heading, "The body of a right answer.", (more,), exercise.hints[-1])
    return Card("note", heading, exercise.hints[number - 1], (more,))


def solution(exercise_id: Any = None, now: bool = False) -> Card:
    """The course's solution of an exercise, once there was an attempt, or `now`. Never raises."""
    try:
        exercise = _exercise(exercise_id, "solution")
    except UnknownId as error:
        return Card("open", "solution", str(error))
    if not _answers_shown():
        return Card("open", f"{exercise.id} solution", SWITCHED_OFF)
    missing = missing_answer(exercise)
    if missing:
        return Card("open", f"{exercise.id} solution", missing)
    if not now and exercise.id not in record.read().tried:
        anyway = f'`solution("{exercise.id}", now=True)`'
        sentence = f"Try first, it is worth it. To see it anyway: {anyway}."
        return Card("open", f"{exercise.id} solution", sentence)
    return Card("note", f"{exercise.id} solution", "One way to write it.", code=exercise.answer)


def _answers_shown() -> bool:
    released = read_released()
    return released is None or released.answers


def _exercise(exercise_id: Any, name: str) -> Exercise:
    if isinstance(exercise_id, str):
        return find_exercise(exercise_id)
    description = "missing" if exercise_id is None else describe(exercise_id)
    raise UnknownId(f'The id is {description}: {name} takes it in quotes, like `{name}("1.2")`.')


def _solution_sentence(exercise: Exercise) -> str:
    return f'No more hints; `solution("{exercise.id}")` shows the whole answer.'
