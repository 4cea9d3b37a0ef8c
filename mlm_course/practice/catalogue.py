"""Finding exercises and questions by id; a lesson's file is imported when first asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from dataclasses import dataclass
from types import ModuleType

from mlm_course.practice.exercise import Exercise, Question


class UnknownId(ValueError):
    """An id, or a lesson number, that the course does not have; the message names the nearest."""


@dataclass(frozen=True)
class Row:
    """One line of the list that `python -m mlm_course exercises` prints."""

    id: str
    prompt: str
    hints: int
    misconceptions: int


def lesson_numbers() -> tuple[int, ...]:
    """Numbers of the lessons that have exercises: the files lesson_NN.py beside this one."""
    package = importlib.import_module(__package__ or "mlm_course.practice")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(int(name[7:]) for name in names if re.fullmatch(r"lesson_\d\d", name)))


def exercises(lesson: int) -> tuple[Exercise, ...]:
    """Exercises of one lesson, in the order of the lesson."""
    return tuple(getattr(_lesson(lesson), "EXERCISES", ()))


def questions(lesson: int) -> tuple[Question, ...]:
    """Quiz questions of one lesson, in the order of the lesson."""
    return tuple(getattr(_lesson(lesson), "QUIZ", ()))


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise with this id, such as "1.2". Raises UnknownId."""
    for number in _lesson_of(exercise_id):
        for exercise in exercises(number):
            if exercise.id == exercise_id:
                return exercise
    known = [exercise.id for number in lesson_numbers() for exercise in exercises(number)]
    raise UnknownId(f'There is no exercise "{exercise_id}". {_nearest(exercise_id, known)}')


def find_question(question_id: str) -> Question:
    """The quiz question with this id, such as "1.q2". Raises UnknownId."""
    for number in _lesson_of(question_id):
        for question in questions(number):
            if question.id == question_id:
                return question
    known = [question.id for number in lesson_numbers() for question in questions(number)]
    raise UnknownId(f'There is no question "{question_id}". {_nearest(question_id, known)}')


def find_lesson(lesson: object) -> int:
    """The number of a lesson that exists, from "1", "01" or 1. Raises UnknownId."""
    text = str(lesson).strip()
    if text.isdecimal() and int(text) in lesson_numbers():
        return int(text)
    known = ", ".join(map(str, lesson_numbers())) or "none yet"
    raise UnknownId(f"There is no lesson {text}. Lessons with exercises: {known}.")


def title(lesson: int) -> str:
    """Title of a lesson: the TITLE of its file, or ""."""
    return str(getattr(_lesson(lesson), "TITLE", ""))


def listing() -> tuple[Row, ...]:
    """Every exercise of the course with its number of hints and of misconceptions."""
    return tuple(
        Row(exercise.id, exercise.prompt, len(exercise.hints), len(exercise.misconceptions))
        for number in lesson_numbers()
        for exercise in exercises(number)
    )


def _lesson(number: int) -> ModuleType:
    return importlib.import_module(f"{__package__}.lesson_{number:02d}")


def _lesson_of(some_id: str) -> tuple[int, ...]:
    head = some_id.partition(".")[0]
    return (int(head),) if head.isdecimal() and int(head) in lesson_numbers() else ()


def _nearest(wanted: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.3) or known[:3]
    return f"The nearest: {', '.join(near)}." if near else "The course has none yet."
