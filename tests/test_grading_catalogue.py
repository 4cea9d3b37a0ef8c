"""Every mistake of the catalogue, judged as `grade` judges: named, and never a pass, whatever the salt.

In this process: what the sandbox adds is tried in test_grading.py.
"""

import inspect
from collections.abc import Mapping

import pytest

from mlm_course.practice.exercise import edited, exercises, lesson_numbers
from mlm_course.practice.sandbox import behave
from mlm_course.teaching import wire
from mlm_course.teaching.judging import Judge
from mlm_course.teaching.runs import Tried

EXERCISES = [exercise for number in lesson_numbers() for exercise in exercises(number)]
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
SALTS = [f"salt number {number}".encode() for number in range(5)]


# On the inputs that only a salt knows, without the notebook's own: suspects with up to four faults, of which
# 24 need not hold the one that shows a mistake. With the notebook's own inputs it fails always.
SLIPS = {("5.7", 4)}


def tried(exercise, function, judge, source="") -> Tried:
    """What the worker would send of a function."""
    one = Tried(exercise.id, source=source or exercise.answer, complete=True)
    for trial in judge.trials(exercise):
        one.behaviours.append(wire.to_json(behave(exercise, function, trial, exercise.seconds)))
    return one


def source_of_way(exercise, way) -> str:
    """A mistake as a student would write it."""
    edit = isinstance(way, Mapping)
    return edited(exercise.answer, way) if edit else inspect.getsource(way)


@pytest.mark.slow
@each_exercise
def test_the_courses_own_answer_passes(exercise):
    judge = Judge(SALTS[0])
    result = judge.result(exercise, tried(exercise, exercise.reference, judge))
    assert result.status == "passed", result


@pytest.mark.long
@each_exercise
def test_every_mistake_is_named_and_fails_under_five_salts(exercise):
    """Its public trials name it; its salted ones alone fail it, under each salt."""
    first, problems = Judge(SALTS[0]), []
    judges = [Judge(salt) for salt in SALTS]
    for number, mistake in enumerate(exercise.mistakes, 1):
        for way, function in zip(mistake.ways, exercise.functions(mistake), strict=True):
            sent = tried(exercise, function, first, source_of_way(exercise, way))
            result = first.result(exercise, sent)
            if (result.status, result.misconception) != ("failed", f"{exercise.id}-{number}"):
                problems.append((number, result.status, result.misconception, result.sentence))
            if (exercise.id, number) not in SLIPS:
                slips = [j.salt for j in judges if not wrong(j, exercise, function)]
                problems += [(number, "passes under", salt) for salt in slips]
    assert problems == []


def wrong(judge: Judge, exercise, way) -> bool:
    """Whether the inputs that only a salt knows show a mistake; there are none where nothing is drawn."""
    salted = judge.trials(exercise)[exercise.trials :]
    seen = (behave(exercise, way, trial, exercise.seconds) for trial in salted)
    return not salted or any(judge.problem(exercise, one) for one in seen)
