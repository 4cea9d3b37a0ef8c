"""What is said about an error: where it happened, what stood in that line, what would have helped.

The shapes and values are those of the learner's own names. An advice is given only where the line
contains what it speaks of.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import linecache
import re
import traceback
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from torch import Tensor

from mlm_course.practice.compare import describe
from mlm_course.practice.exercise import Exercise, Function
from mlm_course.practice.notebook import missing_name
from mlm_course.practice.sandbox import error_text

NAMES = 4  # described of a line


class Advice(NamedTuple):
    """A part of an error's text, a pattern in the line that failed, and what then helps."""

    text: str
    line: str
    words: str


REDUCTION = r"\.(sum|mean|amax|amin|max|min|var|std|norm|any|all)\((?!.*keepdim)"
CUTS = "`.item()`, `.detach()`, `torch.tensor(...)` and `torch.no_grad()` cut a tensor off"
ADVICE = (
    Advice(
        "Boolean value of Tensor",
        r"\b(and|or|not)\b",
        "For tensors write `~`, `&` and `|` instead of not, and, or.",
    ),
    Advice(
        "Boolean value of Tensor",
        r"(?<![.\w])(max|min)\(",
        "Python's own max and min do not go entry by entry: `.clamp`, `torch.maximum` and "
        "`torch.minimum` do.",
    ),
    Advice(
        "Boolean value of Tensor",
        r"\b(if|while)\b",
        "One condition cannot decide for many entries: `torch.where` decides for each.",
    ),
    Advice(
        "bitwise_and",
        r"&.*[<>=]|[<>=].*&",
        "Mind the parentheses: `a & (b < c)`, since `&` binds more tightly than `<`.",
    ),
    Advice("doesn't define __round__", r"round\(", "For tensors write `.round()`, not round()."),
    Advice(
        "must match the size of tensor b",
        "",
        "Axes are matched from the last one backwards, and each pair must be equal or have a 1.",
    ),
    Advice(
        "must match the size of tensor b",
        REDUCTION,
        "`keepdim=True` keeps a reduced axis with size 1.",
    ),
    Advice(
        "Embedding' object is not subscriptable",
        "",
        "An embedding module is called, with round brackets: `table(ids)`. Square ones work on its "
        "table, `.weight`.",
    ),
    Advice(
        "'Tensor' object is not callable",
        "",
        "A tensor is looked up with square brackets: `table[ids]`.",
    ),
    Advice(
        "Index tensor must have the same number of dimensions",
        "gather",
        "`gather` wants an index with as many axes as what it picks from: `index[..., None]`.",
    ),
    Advice("values to unpack", "", "There must be as many names on the left as an item has parts."),
    Advice(
        "'tuple' object has no attribute",
        "",
        "The parts of a plain tuple have no names: unpack it, as in `a, b = pair`.",
    ),
    Advice(
        "Expected target size",
        "cross_entropy",
        "`F.cross_entropy` wants the classes on axis 1: rows of logits (N, V) and targets (N,).",
    ),
    Advice(
        "to match target batch_size",
        "cross_entropy",
        "There must be one target for each row of logits.",
    ),
    Advice("does not require grad", "backward", f"No gradient can start there: {CUTS}."),
    Advice(
        "'float' object has no attribute 'backward'",
        "",
        "`.item()` makes a plain number of the loss: call `backward()` on the tensor, before that.",
    ),
    Advice(
        "backward through the graph a second time",
        "",
        "`backward()` goes through each loss once: call it on the loss of one batch, not on a "
        "running sum.",
    ),
    Advice(
        "leaf Variable that requires grad is being used",
        r"[-+*/]=|\]\s*=|_\(",
        "`x /= y` and `x[i] = y` write into a tensor that is to be learnt. `x = x / y` makes a new "
        "one, and so does `torch.where`.",
    ),
    Advice(
        "modified by an inplace operation",
        "",
        "Use operations that make new tensors: `x = x + y`, not `x += y`.",
    ),
    Advice(
        "call numpy() on Tensor that requires grad",
        "",
        "No gradient flows through NumPy: stay with the functions of torch.",
    ),
    Advice(
        "operator, with a bool tensor",
        "-",
        "`~mask` turns a boolean tensor around, `.long()` and `.float()` make numbers of it.",
    ),
    Advice("must be Tensor, not int", "torch", "For a single number there is `math`."),
    Advice("must be Tensor, not float", "torch", "For a single number there is `math`."),
    Advice(
        "divmod(): 'Tensor' and",
        "",
        "`.item()` makes a Python number of a tensor with one entry.",
    ),
    Advice("index out of range in self", r"^(?!.*\.index_)", "An id has no row in its table."),
    Advice(
        "index out of range in self",
        r"\.index_",
        "Places are counted from 0: the largest index is one less than the size of the axis.",
    ),
    Advice(
        "'Embedding' object has no attribute",
        "",
        "The table of an embedding module is its `.weight`.",
    ),
    Advice(
        "can be converted to Python scalars",
        r"\bmath\.|\bfloat\(|\bint\(|\.item\(",
        "`math`, `float()`, `int()` and `.item()` take single numbers; for tensors there are the "
        "functions of `torch`.",
    ),
    Advice(
        "can be converted to Python scalars",
        r"\btensor\(",
        "`torch.tensor` takes numbers; `torch.stack` makes one tensor of several.",
    ),
    Advice(
        "mean(): could not infer output dtype",
        "",
        "Only float numbers have a mean: `.float()` first.",
    ),
    Advice(
        "on the same device",
        "",
        "check calls your function on the CPU: make tensors from its arguments.",
    ),
    Advice(
        "not on the expected device",
        "",
        "check calls your function on the CPU: make tensors from its arguments.",
    ),
    Advice(
        "shapes cannot be multiplied",
        "",
        "In `a @ b` the last axis of a is as long as the second to last of b.",
    ),
)


def advised(text: str, line: str) -> str:
    """What helps with an error of this text that came out of this line; "" where nothing is known."""
    fitting = (one.words for one in ADVICE if one.text in text and re.search(one.line, line))
    return "".join(f" {words}" for words in fitting)


def error_sentence(exercise: Exercise, function: Function, error: BaseException) -> str:
    """What stopped a learner's function, in which line, and what is known about it."""
    text = error_text(error).replace("`", "'")
    place = line = held = ""
    code = code_of(function)
    frames = [(frame, n) for frame, n in traceback.walk_tb(error.__traceback__) if _in(frame, code)]
    if code and frames:
        frame, number = frames[-1]
        line = linecache.getline(code.co_filename, number).strip().replace("`", "'")
        place = f" in line {number}" + (f", `{line}`" if line else "")
        held = "" if isinstance(error, NameError) else _held_sentence(frame, line)
    endless = " It calls itself again and again." if isinstance(error, RecursionError) else ""
    names = getattr(getattr(error, "obj", None), "_fields", ())  # of a named tuple
    fields = f" It has {', '.join(f'`{name}`' for name in names)}." if names else ""
    taken = _taken_name_sentence(exercise, function)
    helps = f"{advised(text, line)}{taken} {missing_name(error)}".rstrip()
    return f"Your function stops with `{text}`{place}.{endless}{held}{fields}{helps}"


def _in(frame: FrameType, code: CodeType | None) -> bool:
    return code is not None and frame.f_code.co_filename == code.co_filename


def _held_sentence(frame: FrameType, line: str) -> str:
    """What the tensors are that a line names."""
    names = dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*", line))
    held = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
    said = [f"`{n}` is {_tensor(value)}" for n, value in held.items() if isinstance(value, Tensor)]
    return f" There {', '.join(said[:NAMES])}." if said else ""


def _tensor(value: Tensor) -> str:
    """A tensor in words; one of whole numbers with its range, which is what an index is about."""
    try:
        if value.numel() and not value.is_floating_point() and value.dtype.itemsize > 1:
            return f"{describe(value)} with {value.min().item()} to {value.max().item()}"
    except Exception:  # complex, or without numbers
        pass
    return describe(value)


def _taken_name_sentence(exercise: Exercise, function: Function) -> str:
    """Which name of Python's, or module, the notebook uses for something else, if it is used."""
    code = code_of(function)
    own_names = getattr(inspect.unwrap(function), "__globals__", {})
    for name in code.co_names if code else ():
        value, imported = own_names.get(name), exercise.names.get(name)
        if name not in own_names or callable(value) or inspect.ismodule(value):
            continue
        if hasattr(builtins, name):
            back = f"`del {name}` in a cell brings Python's own back"
        elif inspect.ismodule(imported):
            back = f"`import {imported.__name__}{_as(name, imported)}` in a cell brings it back"
        else:
            continue
        return f" `{name}` is {describe(value)} in this notebook: {back}."
    return ""


def _as(name: str, module: ModuleType) -> str:
    return "" if name == module.__name__ else f" as {name}"


def code_of(function: Any) -> CodeType | None:
    """The code of a function, of what a partial or a callable object calls; None for built-ins."""
    function = inspect.unwrap(function)
    if isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__code__"):
        function = type(function).__call__
    return getattr(function, "__code__", None)


def source_of(function: Any) -> str:
    """The source of a learner's function, "" where it cannot be read."""
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return ""
