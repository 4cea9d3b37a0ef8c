"""What an exercise and a quiz question are: plain data, one file of them per lesson."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

Function = Callable[..., Any]


@dataclass(frozen=True)
class Misconception:
    """A wrong implementation, and the one sentence its author needs.

    The message names the mistake and says what to do instead; `code` in backticks is set as code.
    `also` are further implementations of the same mistake, for which the message is as true.
    """

    function: Function
    message: str
    also: tuple[Function, ...] = ()

    @property
    def functions(self) -> tuple[Function, ...]:
        """All implementations of the mistake."""
        return (self.function, *self.also)


@dataclass(frozen=True)
class Exercise:
    """A function to write, with everything needed to judge it and to help.

    `inputs(generator)` returns a tuple, the positional arguments of one trial. Make the sizes
    differ from each other (most wrong answers survive square shapes) and from trial to trial where
    that matters. Results of `reference` may be tensors, numbers, bools, strings, and tuples or
    lists of these. Hints go from nudge to shape to line. `plain_numbers`: where the reference
    returns a Python number, a tensor will not do.
    """

    id: str
    prompt: str
    reference: Function
    inputs: Callable[[torch.Generator], tuple[Any, ...]]
    hints: tuple[str, ...]
    misconceptions: tuple[Misconception, ...]
    trials: int = 3
    seconds: float = 5.0  # a call that takes longer is stopped
    plain_numbers: bool = False
    minutes: int = 10  # that a learner takes, in the budget line of the lesson

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


@dataclass(frozen=True)
class Question:
    """A quiz question with a few options, each with its own feedback.

    `options` are pairs (text, feedback); `answer` is the index of the right one. Ids read "1.q2".
    """

    id: str
    prompt: str
    options: tuple[tuple[str, str], ...]
    answer: int
