"""Fuzzing public functions: slips of every kind, answered rightly or with a sentence of ours.

A `Target` names a function, draws arguments that are right for it, and may have an oracle. A case
takes such arguments and spoils one of them as people do: nothing, a single row, int32, a number out of
range, NaN, another shape, another type. Then either the function raises, in a `raise` statement of
this package and with a sentence, or it answers and the oracle agrees.
"""

from __future__ import annotations

import ast
import copy
import random
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mlm_course

PACKAGE = Path(mlm_course.__file__).parent
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A function or class to be tried.

    draw(rng) -> right arguments by name, small ones. oracle(answer, **arguments): an assertion about
    the answer, for spoilt arguments too: it reads lists and numpy as the function does, and fails
    (any exception counts) where there is no right answer. Without one, a spoilt argument that means
    the same (int32, a list, numpy) must give the same answer and every other must be refused.
    positional: names passed by position, in order. fixed: names that are never spoilt. sizes: names
    of counts that are never a million, which would be right, and slow.
    """

    function: Callable[..., Any]
    draw: Callable[[random.Random], Arguments]
    oracle: Callable[..., None] | None = None
    positional: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.function.__qualname__

    def call(self, arguments: Arguments) -> Any:
        given = dict(arguments)
        first = [given.pop(name) for name in self.positional]
        return self.function(*first, **given)


@dataclass
class Outcome:
    """What came of the cases: how many were right, refused with a sentence; and what went wrong."""

    right: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)  # silently wrong answers
    raw: list[str] = field(default_factory=list)  # messages that are not ours


def fuzz(target: Target, n_cases: int, seed: int = 0) -> Outcome:
    """Tries a function: first right arguments, then spoilt ones, in turn over all their names."""
    outcome = Outcome()
    for case in range(n_cases):
        rng = random.Random(f"{seed} {target.title} {case}")
        torch.manual_seed(case)
        arguments = target.draw(rng)
        slip = "right arguments"
        names = [name for name in arguments if name not in target.fixed]
        if case % 8 and names:
            name = names[case % len(names)]
            choices = list(slips(arguments[name], rng))
            if name in target.sizes:
                choices = [choice for choice in choices if choice[0] != "1000000"]
            slip, value = rng.choice(choices)
            slip = f"{name}: {slip}"
            arguments = {**arguments, name: value}
        _try(target, arguments, slip, outcome, is_right=slip == "right arguments", case=case)
    return outcome


def _try(
    target: Target, arguments: Arguments, slip: str, outcome: Outcome, is_right: bool, case: int
) -> None:
    label = f"{target.title} case {case} ({slip})"
    arguments, kept = _copied(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = target.call(arguments)
    except Exception as error:
        if is_right:
            outcome.wrong.append(f"{label}: right arguments refused: {error!r}")
        elif is_a_sentence_of_ours(error) or "can't allocate memory" in str(error):
            outcome.refused += 1
        else:
            outcome.raw.append(f"{label}: {type(error).__name__}: {str(error)[:150]}")
        return
    try:
        if target.oracle:
            target.oracle(answer, **kept)
        elif not is_right and not slip.endswith("[same]"):
            raise AssertionError("answered")
        outcome.right += 1
    except Exception as error:
        outcome.wrong.append(
            f"{label}: {type(error).__name__} {str(error)[:150]} <- {_short(answer)}"
        )


def is_a_sentence_of_ours(error: BaseException) -> bool:
    """Whether an exception was raised on purpose by this package, and says something."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(frame.filename)
    if not path.is_relative_to(PACKAGE) or frame.lineno not in _raising_lines(path):
        return False
    text = str(error.args[0]) if error.args else ""
    return len(text.split()) >= 4 and text.rstrip().endswith((".", "?"))


@cache
def _raising_lines(path: Path) -> frozenset[int]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return frozenset(n for node in nodes for n in range(node.lineno, (node.end_lineno or 0) + 1))


def slips(value: Any, rng: random.Random) -> Iterator[tuple[str, Any]]:
    """(what, value) for each slip that suits a right argument; "[same]": it means the same."""
    for kind, makes in (
        (Tensor, _tensor_slips),
        (bool, _bool_slips),
        (int, _int_slips),
        (float, _float_slips),
        (str, _text_slips),
        (list | tuple, _list_slips),
    ):
        if isinstance(value, kind):
            yield from makes(value, rng)
            return
    yield from _object_slips(value, rng)


def _tensor_slips(x: Tensor, rng: random.Random) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "a list", x.tolist()
    yield "numpy", x.numpy()
    yield "a text", "ids"
    yield "one more axis", x[None]
    yield "0 rows", x[:0] if x.ndim else x.reshape(0)
    yield "not contiguous [same]", _strided(x)
    if x.ndim:
        yield "one axis less", x[0]
        yield "a single row", x[:1]
        yield "one row more", torch.cat([x, x[:1]])
        yield "0 columns", x[..., :0]
        yield "one column less", x[..., :-1]
        yield "a single number", x.flatten()[0]
    if x.ndim > 1:
        yield "transposed", x.transpose(-1, -2)
    if x.dtype == torch.bool:
        yield "0/1", x.long()
        yield "0/-inf", torch.zeros(x.shape).masked_fill(~x, -torch.inf)
        yield "float 0/1", x.float()
        yield "all False", torch.zeros_like(x)
        yield "all True", torch.ones_like(x)
    elif x.is_floating_point():
        yield "NaN", _with(x, torch.nan, rng)
        yield "inf", _with(x, torch.inf, rng)
        yield "-inf", _with(x, -torch.inf, rng)
        yield "negative", -x.abs() - 1
        yield "huge", x * 1e30
        yield "integers", x.long()
        yield "float64", x.double()
        yield "bfloat16", x.bfloat16()
        yield "bool", x > 0
        yield "requires grad [same]", x.clone().requires_grad_()
    else:
        yield "int32", x.int()
        yield "float", x.float()
        yield "bool", x > 0
        if x.dtype != torch.uint8:
            yield "-1", _with(x, -1, rng)
            yield "-100", _with(x, -100, rng)
        if x.dtype in (torch.int32, torch.int64):
            yield "a million", _with(x, 10**6, rng)
        if x.dtype == torch.int64:
            yield "2^40", _with(x, 2**40, rng)


def _bool_slips(x: bool, rng: random.Random) -> Iterator[tuple[str, Any]]:
    yield "a text", "yes"
    yield "2.5", 2.5
    yield "a list", [x]


def _int_slips(x: int, rng: random.Random) -> Iterator[tuple[str, Any]]:
    for value in (0, -1, -7, 10**6, 2.5, float("nan"), str(x), None, [x], True):
        yield repr(value), value
    yield "numpy [same]", np.int64(x)


def _float_slips(x: float, rng: random.Random) -> Iterator[tuple[str, Any]]:
    for value in (
        -0.1,
        1.5,
        float("nan"),
        float("inf"),
        -float("inf"),
        str(x),
        None,
        [x],
        0,
        1,
        0.0,
    ):
        yield repr(value), value
    yield "numpy [same]", np.float64(x)


def _text_slips(x: str, rng: random.Random) -> Iterator[tuple[str, Any]]:
    for value in ("", "no such thing", " ", None, 3, [x], x.encode()):
        yield repr(value), value


def _list_slips(x: Any, rng: random.Random) -> Iterator[tuple[str, Any]]:
    kind = type(x)
    yield "None", None
    yield "a text", "word"
    yield "a number", 3
    if hasattr(x, "_fields"):  # a NamedTuple: one of its parts is spoilt, or it is cut short
        place = rng.randrange(len(x))
        for what, value in slips(x[place], rng):
            yield f"{x._fields[place]} {what}", x._replace(**{x._fields[place]: value})
        yield "one part less", tuple(x[:-1])
        return
    yield "nothing", kind()
    yield "one more", kind([*x, *x[:1]])
    yield "one less", kind(x[:-1])
    yield "a generator", (entry for entry in x)
    if x:
        place = rng.randrange(len(x))
        for what, value in slips(x[place], rng):
            yield f"[{place}] {what}", kind([*x[:place], value, *x[place + 1 :]])


def _object_slips(x: Any, rng: random.Random) -> Iterator[tuple[str, Any]]:
    for value in ("a text", 3.5, [], object()):
        yield type(value).__name__, value
    if x is not None:
        yield "None", None


def _strided(x: Tensor) -> Tensor:
    """The same values, a step of two apart in memory."""
    return torch.stack([x, x], -1)[..., 0]


def _with(x: Tensor, value: Any, rng: random.Random) -> Tensor:
    """A copy with one entry replaced."""
    x = x.clone()
    if x.numel():
        x.view(-1)[rng.randrange(x.numel())] = value
    return x


def _copied(arguments: Arguments) -> tuple[Arguments, Arguments]:
    """Arguments for the call, and as they were before it; what cannot be copied stands for itself."""
    pairs = {name: _twice(value) for name, value in arguments.items()}
    return {name: pair[0] for name, pair in pairs.items()}, {n: p[1] for n, p in pairs.items()}


def _twice(value: Any) -> tuple[Any, Any]:
    if isinstance(value, types.GeneratorType):  # read once: the function gets a second one
        entries = list(value)
        return (entry for entry in entries), entries
    if type(value) in (list, tuple) and value:
        firsts, seconds = zip(*map(_twice, value), strict=True)
        return type(value)(firsts), type(value)(seconds)
    try:
        return value, copy.deepcopy(value)
    except Exception:
        return value, value


def _short(value: Any) -> str:
    return repr(value).replace("\n", " ")[:120]
