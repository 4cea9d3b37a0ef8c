"""How far a wrong answer is right: which of its names hold what the right answer's steps hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

from torch import Tensor

from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.sandbox import call, safe_difference

UNSET = object()  # what a name holds before it is assigned
VALUES = 400  # that a name's history keeps; a loop may run for long
Steps = Mapping[str, list[Any]]  # a name -> all values it had, in order


class Watch:
    """A function whose own names are written down line by line while it runs."""

    def __init__(self, function: Function, code: CodeType) -> None:
        self.function, self.code = function, code
        self.given: dict[str, Any] = {}  # its arguments, as they came
        self.steps: dict[str, list[Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """The function's result."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return self.function(*arguments)
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, event: str, what: Any) -> Any:
        if frame.f_code is not self.code:
            return None
        self.given = dict(frame.f_locals)
        return self._note

    def _note(self, frame: FrameType, event: str, what: Any) -> Any:
        for name, value in frame.f_locals.items():
            values = self.steps.setdefault(name, [])
            last = values[-1] if values else self.given.get(name, UNSET)
            if value is not last and len(values) < VALUES:
                values.append(value)
        return self._note


def steps_of(exercise: Exercise, function: Function, trial: int, seconds: float) -> Steps:
    """What a function's names hold in one trial, its untouched parameters left out."""
    code = getattr(function, "__code__", None)
    if code is None:
        return {}
    watch = Watch(function, code)
    call(watch, exercise.arguments(trial), seconds, exercise.seed(trial))
    return {name: values for name, values in watch.steps.items() if values}


def stage_sentence(exercise: Exercise, function: Function, seconds: float) -> str:
    """Which steps of the work the learner's names hold, and what comes after these.

    "" where the exercise has no stages, or no name of the function's own holds the first.
    """
    if not exercise.stages:
        return ""
    trials = range(1, exercise.trials + 1)
    right = [steps_of(exercise, exercise.reference, trial, seconds) for trial in trials]
    own = [steps_of(exercise, function, trial, seconds) for trial in trials]
    if not any(own):
        return ""
    done: list[str] = []
    for stage, words in exercise.stages.items():
        name = _holder(stage, right, own)
        if name is None:
            return _sentence(done, words)
        done.append(f"`{name}` holds {words}")
    return f"{', '.join(done)}, as they should: what goes wrong comes after that."


def _sentence(done: list[str], missing: str) -> str:
    """What is right so far; "" where nothing is: the first step may be there in another form."""
    return f"So far it is right: {', '.join(done)}. Next comes {missing}." if done else ""


def _holder(stage: str, right: list[Steps], own: list[Steps]) -> str | None:
    """The learner's name that holds a step of the right answer in every trial, or None."""
    if not all(stage in steps for steps in right):  # in some trial the answer goes another way
        return None
    for name in own[0]:
        if all(_holds(r[stage][-1], o.get(name, [])) for r, o in zip(right, own, strict=True)):
            return name
    return None


def _holds(wanted: Any, values: list[Any]) -> bool:
    """Whether one of a name's values is what is wanted; axes of size 1 do not matter."""
    return any(safe_difference(_squeezed(wanted), _squeezed(value)) is None for value in values)


def _squeezed(value: Any) -> Any:
    return value.squeeze() if isinstance(value, Tensor) else value
