"""What exercises and quiz questions are, and where they are found.

A lesson's folder, mlm_course/exercises/lesson_NN, has a file for each exercise: `ex2_words.py` is
exercise NN.2. Its `quiz.py` has the questions, its `__init__.py` the title. The right answer stands
in one place, the lesson's source, where the builder takes it from. A mistake is written as what it
is: a small change to the right answer, or a function of its own where it is not small.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import torch

from mlm_course import exercises as folder
from mlm_course.practice.compare import describe
from mlm_course.practice.settings import neutral_settings

Function = Callable[..., Any]
LAZY = annotations.compiler_flag  # an answer's type hints need not be imported
Way = Mapping[str, str] | Function  # a part of the right answer -> what stands there instead
Kind = Literal["code", "predict", "diagnose", "design", "set by hand"]


class Mistake:
    """A mistake: the sentence its author needs, and one way or several to make it.

    The sentence names the mistake and says what to do instead; `code` in backticks is set as code.
    It must be true of every way, and of every other code with the same results. A way is a dict of
    edits to the right answer, {"this": "becomes that"}, where each "this" stands in the answer
    exactly once; or a function. `writes`: a regular expression that the learner's source must
    contain for the sentence to be said, where the sentence speaks of the code.
    """

    def __init__(self, sentence: str, *ways: Way, writes: str = "") -> None:
        self.sentence, self.ways, self.writes = sentence, ways, writes


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A function to write, with everything needed to judge it and to help.

    inputs(generator) returns a tuple, the positional arguments of one trial. Make the sizes differ
    from each other (most wrong answers survive square shapes) and from trial to trial where that
    matters. Results of the answer may be tensors, numbers, bools, strings, and tuples or lists of
    these. Hints go from nudge to shape to line: the last one is code, the body of a right answer.

    kind: what the learner does. hard: needs thought, not only the section above. exact_types: the
    width of numbers, and whether they are tensors, is part of the task. backward: the answer returns
    a loss, and what backward() sends to the inputs that require a gradient is compared, too.
    counted: parameters, functions or modules, whose calls must be as many as the answer's. stages:
    names in the answer, in the order of the work, and what each holds in words; a wrong result is
    told which of these the learner's own names already hold. judge: where several results are
    right, the sentence about a wrong one, None about a right one, instead of a comparison.

    The catalogue adds what the file's place and name say: id, prompt (its docstring's first line),
    the answer as the lesson has it, and names, in which answer and edits are run: the file's own.
    """

    inputs: Callable[[torch.Generator], tuple[Any, ...]]
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    minutes: int = 10  # that a learner takes, in the budget line of the lesson
    trials: int = 3
    seconds: float = 5.0  # a call that takes longer is stopped
    kind: Kind = "code"
    hard: bool = False
    exact_types: bool = False
    backward: bool = False
    counted: tuple[str, ...] = ()
    stages: Mapping[str, str] = field(default_factory=dict)
    judge: Callable[[Any], str | None] | None = None
    id: str = ""
    prompt: str = ""
    answer: str = ""
    names: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def reference(self) -> Function:
        """The right answer as a function."""
        return self.run(self.answer)

    def run(self, source: str) -> Function:
        """The function that a version of the answer defines."""
        namespace = dict(self.names)
        where = f"<the answer to {self.id}>"
        exec(compile(source, where, "exec", LAZY, dont_inherit=True), namespace)
        return namespace[function_name(source)]

    def functions(self, mistake: Mistake) -> tuple[Function, ...]:
        """All ways to make a mistake, as functions."""
        return tuple(
            self.run(edited(self.answer, way)) if isinstance(way, Mapping) else way
            for way in mistake.ways
        )

    def arguments(self, trial: int) -> tuple[Any, ...]:
        """A new copy of the arguments of one trial, the same at every call.

        Whatever one function does to its copy, the next function gets an unharmed one.
        """
        seed = self.seed(trial)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # for inputs that build an nn.Module
            arguments = self.inputs(torch.Generator().manual_seed(seed))
        if not isinstance(arguments, tuple):
            raise TypeError(f"inputs of exercise {self.id} must return a tuple of arguments.")
        return arguments

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the arguments, as the answer has them."""
        count = len(self.arguments(1))
        names = list(inspect.signature(self.reference).parameters)[:count]
        rest = range(len(names) + 1, count + 1)
        return (*names, *(f"argument {number}" for number in rest))

    def seed(self, trial: int) -> int:
        """A number that depends on the id and the trial and on nothing else."""
        digest = hashlib.sha256(f"{self.id}/{trial}".encode()).digest()
        return int.from_bytes(digest[:4])


def edited(source: str, edits: Mapping[str, str]) -> str:
    """The source with each part replaced. Errors: ValueError unless it stands there exactly once."""
    for old, new in edits.items():
        if source.count(old) != 1:
            raise ValueError(f"{old!r} stands in the answer {source.count(old)} times, not once.")
        source = source.replace(old, new)
    return source


def function_name(source: str) -> str:
    """The name of the function that a source defines last."""
    names = [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return names[-1]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A quiz question: what is right and what people believe, each a pair (text, feedback).

    The options are of like length and are shown in an order of the question's own. The catalogue
    adds the id: the second question of lesson 1 is "1.q2".
    """

    prompt: str
    right: tuple[str, str]
    wrong: tuple[tuple[str, str], ...]
    id: str = ""


ANSWERS = Path(folder.__path__[0]) / "answers.json"  # id -> source; written by the builder


class UnknownId(ValueError):
    """An id, or a lesson number, that the course does not have; the message says what there is."""


@dataclass(frozen=True)
class Row:
    """One line of the list that `python -m mlm_course exercises` prints."""

    id: str
    prompt: str
    hints: int
    mistakes: int


def lesson_numbers() -> tuple[int, ...]:
    """Numbers of the lessons that have exercises: the folders lesson_NN."""
    names = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return tuple(sorted(int(name[7:]) for name in names if re.fullmatch(r"lesson_\d\d", name)))


@cache
def exercises(lesson: int) -> tuple[Exercise, ...]:
    """Exercises of one lesson, in the order of the lesson."""
    package = _package(lesson)
    places = {}
    for module in pkgutil.iter_modules(package.__path__):
        if place := re.match(r"ex(\d+)_", module.name):
            places[int(place[1])] = f"{package.__name__}.{module.name}"
    stored = answers()
    with neutral_settings():  # a file may make tensors as it is imported
        return tuple(_read(f"{lesson}.{n}", name, stored) for n, name in sorted(places.items()))


def _read(exercise_id: str, name: str, stored: Mapping[str, str]) -> Exercise:
    """An exercise with what its file does not say: id, prompt, answer, names."""
    module = importlib.import_module(name)
    exercise: Exercise = module.EXERCISE
    answer = exercise.answer or stored.get(exercise_id, "")
    return replace(
        exercise, id=exercise_id, prompt=_first_line(module), answer=answer, names=vars(module)
    )


def answers() -> dict[str, str]:
    """The right answers by exercise id, as the builder took them; none from a damaged file."""
    try:
        table = json.loads(ANSWERS.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    texts = table.items() if isinstance(table, dict) else ()
    return {some_id: text for some_id, text in texts if isinstance(text, str)}


def missing_answer(exercise: Exercise) -> str | None:
    """A sentence for an exercise whose right answer is not on this machine, else None."""
    if exercise.answer:
        return None
    stored = answers()
    if exercise.id in stored:
        return (
            f"The course's own answer to {exercise.id} was not there when this kernel looked for it; "
            "now it is. Restart the kernel."
        )
    if stored:
        number = exercise.id.partition(".")[0]
        return (
            f"The course has no answer to {exercise.id} yet: `python -m mlm_course build {number}` "
            "takes it from the lesson's source. Then restart the kernel."
        )
    return (
        f"The course's own answer to {exercise.id} is lost: {ANSWERS} is missing or damaged. "
        f"In a clone `git restore mlm_course/exercises/{ANSWERS.name}` brings it back, elsewhere "
        "installing the course again. Then restart the kernel."
    )


def questions(lesson: int) -> tuple[Question, ...]:
    """Quiz questions of one lesson, in the order of the lesson."""
    package = _package(lesson)
    if "quiz" not in {module.name for module in pkgutil.iter_modules(package.__path__)}:
        return ()
    quiz = importlib.import_module(f"{package.__name__}.quiz").QUIZ
    return tuple(replace(one, id=f"{lesson}.q{n}") for n, one in enumerate(quiz, 1))


def find_exercise(exercise_id: str) -> Exercise:
    """The exercise with this id, such as "1.2". Raises UnknownId."""
    wanted = tidy_id(exercise_id)
    for number in _lesson_of(wanted):
        for exercise in exercises(number):
            if exercise.id == wanted:
                return exercise
        if wanted in (question.id for question in questions(number)):
            raise UnknownId(
                f'{wanted} is a quiz question, no exercise: `quiz("{wanted}")` asks it.'
            )
    raise UnknownId(
        f'There is no exercise "{short_name(exercise_id)}". {_known(wanted, exercises)}'
    )


def find_question(question_id: str) -> Question:
    """The quiz question with this id, such as "1.q2". Raises UnknownId."""
    wanted = tidy_id(question_id)
    for number in _lesson_of(wanted):
        for question in questions(number):
            if question.id == wanted:
                return question
    raise UnknownId(
        f'There is no question "{short_name(question_id)}". {_known(wanted, questions)}'
    )


def find_lesson(lesson: object) -> int:
    """The number of a lesson that exists, from "1", "01", "Lesson 1" or 1. Raises UnknownId."""
    if isinstance(lesson, bool) or not isinstance(lesson, (str, int, float)):
        raise UnknownId(f'A lesson is a number, like "1"; this is {describe(lesson)}.')
    whole = isinstance(lesson, float) and lesson.is_integer()
    text = str(int(lesson) if whole else lesson).lower().removeprefix("lesson").strip()
    if text.isdecimal() and int(text) in lesson_numbers():
        return int(text)
    for number in _lesson_of(tidy_id(text)):
        raise UnknownId(f'{short_name(text)} is not the number of a lesson, like "{number}".')
    raise UnknownId(f'There is no lesson "{short_name(text)}". {_lessons()}')


ID = re.compile(r"(?:exercise|ex|question)?\s*0*([0-9]+)\s*(?:[.,-]\s*(q?)|(q))\s*0*([0-9]+)[.:)]?")


def tidy_id(text: str) -> str:
    """An id as the course writes it, out of what people type: " 01.Q2 ", "Exercise 1.2", "1,2"."""
    parts = ID.fullmatch(text.strip().lower())
    return f"{parts[1]}.{parts[2] or parts[3] or ''}{parts[4]}" if parts else text.strip()


def short_name(text: str) -> str:
    """What was taken for an id, cut where it is long; what shows nothing stands as in a string."""
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return "".join(a if a.isprintable() else ascii(a)[1:-1] for a in short)


def title(lesson: int) -> str:
    """Title of a lesson: the docstring of its folder."""
    return _first_line(_package(lesson))


def listing() -> tuple[Row, ...]:
    """Every exercise of the course with its number of hints and of mistakes."""
    return tuple(
        Row(exercise.id, exercise.prompt, len(exercise.hints), len(exercise.mistakes))
        for number in lesson_numbers()
        for exercise in exercises(number)
    )


def _package(lesson: int) -> ModuleType:
    return importlib.import_module(f"{folder.__name__}.lesson_{lesson:02d}")


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").split("\n")[0].rstrip(".")


def _lesson_of(some_id: str) -> tuple[int, ...]:
    head, dot, _ = some_id.partition(".")
    return (int(head),) if dot and head.isdecimal() and int(head) in lesson_numbers() else ()


Items = tuple[Exercise, ...] | tuple[Question, ...]


def _known(wanted: str, of_lesson: Callable[[int], Items]) -> str:
    """What there is instead of an unknown id: the ids of its lesson, or the lessons."""
    for number in _lesson_of(wanted if "." in wanted else f"{wanted}."):
        ids = [item.id for item in of_lesson(number)]
        if len(ids) > 1:
            return f"Lesson {number} has {ids[0]} to {ids[-1]}."
        return f"Lesson {number} has only {ids[0]}." if ids else f"Lesson {number} has none."
    return _lessons()


def _lessons() -> str:
    return f"Lessons with exercises: {', '.join(map(str, lesson_numbers())) or 'none yet'}."
