"""What an exercise and a quiz question are. One file each in mlm_course/exercises/lesson_NN.

The right answer to an exercise stands in one place, the lesson's source, where the builder takes it
from. A mistake is written as what it is: a small change to the right answer, or a function of its
own where it is not small.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

Function = Callable[..., Any]
LAZY = annotations.compiler_flag  # an answer's type hints need not be imported
Way = Mapping[str, str] | Function  # a part of the right answer -> what stands there instead


class Mistake:
    """A mistake: the sentence its author needs, and one way or several to make it.

    The sentence names the mistake and says what to do instead; `code` in backticks is set as code.
    It must be true of every way. A way is a dict of edits to the right answer, {"this": "becomes
    that"}, where each "this" stands in the answer exactly once; or a function.
    """

    def __init__(self, sentence: str, *ways: Way) -> None:
        self.sentence, self.ways = sentence, ways


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A function to write, with everything needed to judge it and to help.

    inputs(generator) returns a tuple, the positional arguments of one trial. Make the sizes differ
    from each other (most wrong answers survive square shapes) and from trial to trial where that
    matters. Results of the answer may be tensors, numbers, bools, strings, and tuples or lists of
    these. Hints go from nudge to shape to line. plain_numbers: where the answer returns a Python
    number, a tensor will not do.

    The catalogue adds what the file's place and name say: id, prompt (its docstring's first line),
    the answer as the lesson has it, and names, in which answer and edits are run: the file's own.
    """

    inputs: Callable[[torch.Generator], tuple[Any, ...]]
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    minutes: int = 10  # that a learner takes, in the budget line of the lesson
    trials: int = 3
    seconds: float = 5.0  # a call that takes longer is stopped
    plain_numbers: bool = False
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


@dataclass(frozen=True)
class Question:
    """A quiz question with a few options, each with its own feedback.

    `options` are pairs (text, feedback); `answer` is the index of the right one. The catalogue adds
    the id: the second question of lesson 1 is "1.q2".
    """

    prompt: str
    options: tuple[tuple[str, str], ...]
    answer: int
    id: str = ""
