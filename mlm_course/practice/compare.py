"""The difference between the expected and the returned result, as a sentence."""

from __future__ import annotations

import inspect
import itertools
import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import torch
from torch import Tensor

# Wide enough for another order of the same float operations, far below any real mistake.
TOLERANCES = {torch.float16: (1e-2, 1e-3), torch.bfloat16: (2e-2, 1e-2)}
TOLERANCE = (1e-4, 1e-5)  # relative, absolute


def difference(expected: Any, seen: Any, plain_numbers: bool = False) -> str | None:
    """The first difference that matters, as a sentence, or None where the results agree.

    In this order: type, shape, dtype, NaN or infinity, values. Tensors are compared without their
    gradient history. A tuple may stand for a list and a list for a tuple. Where a Python number is
    expected, a tensor without dimensions will do, unless `plain_numbers`; where a tensor is
    expected, a Python number will not (nothing could flow back through it).
    """
    if isinstance(expected, Tensor):
        return _tensor_difference(expected.detach(), seen)
    if isinstance(expected, (tuple, list)):
        return _sequence_difference(expected, seen, plain_numbers)
    if isinstance(expected, (bool, int, float)):
        if plain_numbers and isinstance(seen, Tensor):
            return _type_sentence(expected, seen)
        return _number_difference(expected, seen)
    if isinstance(expected, str):
        return _text_difference(expected, seen)
    raise TypeError(f"A reference must not return {describe(expected)}.")


def describe(value: Any) -> str:
    """A value in a few words: a tensor by dtype and shape, a list by length, a number by value."""
    try:
        return _described(value)
    except Exception:  # an object whose own methods fail
        return f"an object of type {type(value).__name__}"


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{_with_article(_dtype(value))} tensor of shape {tuple(value.shape)}"
    if isinstance(value, numpy.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, (tuple, list, set, frozenset, dict)):
        return f"{_with_article(type(value).__name__)} of {len(value)}"
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, (int, float)):
        return f"the {type(value).__name__} {short(value)}"
    if isinstance(value, str):
        return f"the text {short(value)}"
    return f"an object of type {type(value).__name__}"


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeioAEIO" else f"a {noun}"  # a uint8


def short(value: Any) -> str:
    """A repr of at most about 60 characters, also of objects whose repr fails."""
    try:
        text = str(float(f"{value:.4g}")) if isinstance(value, float) else reprlib.repr(value)
    except Exception:
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def unchanged(before: Any, after: Any) -> bool:
    """Whether an argument is, bit for bit, what it was before the call."""
    if isinstance(before, Tensor):
        return _identical(before, after)
    if isinstance(before, torch.nn.Module):
        return unchanged(dict(before.state_dict()), dict(after.state_dict()))
    if isinstance(before, (tuple, list)):
        same = len(before) == len(after)
        return same and all(itertools.starmap(unchanged, zip(before, after, strict=True)))
    if isinstance(before, Mapping):
        same = list(before) == list(after)
        return same and all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, (str, int, float)):
        return type(after) is type(before) and repr(after) == repr(before)
    return True  # a generator moves on when it is drawn from, and functions do not change


def _identical(before: Tensor, after: Any) -> bool:
    same = isinstance(after, Tensor) and (before.shape, before.dtype) == (after.shape, after.dtype)
    return same and bool(torch.isclose(before, after, rtol=0, atol=0, equal_nan=True).all())


def _tensor_difference(expected: Tensor, seen: Any) -> str | None:
    if not isinstance(seen, Tensor):
        return _type_sentence(expected, seen)
    seen = seen.detach().to(expected.device)
    if seen.shape != expected.shape:
        return _shape_sentence(expected, seen)
    if seen.dtype != expected.dtype:
        return (
            f"The shape is right, but the dtype is {_dtype(seen)} instead of {_dtype(expected)}: "
            f"{_conversion(expected, seen)}."
        )
    wrong = ~_close(expected, seen)
    odd = ~seen.isfinite() & expected.isfinite() & wrong
    return _value_sentence(expected, seen, odd if odd.any() else wrong) if wrong.any() else None


def _conversion(expected: Tensor, seen: Tensor) -> str:
    """How the numbers get the right dtype; an additive mask would be turned around by `.bool()`."""
    additive = seen.is_floating_point() and bool(((seen == 0) | (seen < -1)).all())
    if expected.dtype == torch.bool and additive:
        return "`mask == 0` makes a boolean mask of an additive one (0 and -inf)"
    return f"`.to(torch.{_dtype(expected)})` converts it, if the numbers mean the right thing"


def _type_sentence(expected: Any, seen: Any) -> str:
    advice = ""
    if isinstance(expected, Tensor):
        if isinstance(seen, (tuple, list, numpy.ndarray)):
            advice = " `torch.tensor` makes a tensor of numbers, `torch.stack` one of tensors."
        elif isinstance(seen, (bool, int, float)):
            advice = " Leave the number in its tensor: no `.item()`, no `float()`."
    elif isinstance(expected, (bool, int, float)) and isinstance(seen, Tensor) and seen.dim() == 0:
        advice = " `.item()` takes the number out of its tensor."
    if inspect.isroutine(seen):
        advice = " That is a function: did you forget the `()` of its call?"
    return f"Your function returns {describe(seen)}; expected is {describe(expected)}.{advice}"


def _shape_sentence(expected: Tensor, seen: Tensor) -> str:
    shapes = f"the shape is {tuple(seen.shape)} instead of {tuple(expected.shape)}"
    if seen.numel() == expected.numel() > 0 and _same(expected, seen.reshape(expected.shape)):
        return (
            f"The numbers are right, but {shapes}. Another function would broadcast this into "
            "something else: look at `keepdim`, `unsqueeze`, `squeeze` and `reshape`."
        )
    if _broadcasts(seen, expected) and _same(expected, seen.broadcast_to(expected.shape)):
        return (
            f"The numbers are right once broadcast, but {shapes}. Return the full shape: "
            "`expand` repeats along a dimension of size 1."
        )
    for a, b in itertools.combinations(range(seen.dim()), 2):
        if _same(expected, seen.transpose(a, b)):
            return f"The numbers are right, but dimensions {a} and {b} are swapped: {shapes}."
    return f"Your function returns {describe(seen)}; expected is {describe(expected)}."


def _value_sentence(expected: Tensor, seen: Tensor, wrong: Tensor) -> str:
    first = tuple(wrong.nonzero()[0].tolist())  # () for a tensor without dimensions
    right, actual = _two_numbers(expected[first].item(), seen[first].item())
    place = f" at {list(first)}" if first else ""
    share = f"{int(wrong.sum())} of {wrong.numel()} entries"
    if not seen[first].isfinite() and expected[first].isfinite():
        return (
            f"{share} are NaN or infinite where a number is expected; the first is {actual}{place} "
            f"(expected: {right}). Usual causes: 0 / 0, log(0), softmax over a row of only -inf."
        )
    if not first:
        return f"Shape and dtype are right, the value is not: it is {actual} (expected: {right})."
    return (
        f"Shape and dtype are right, the values are not: {share} differ; "
        f"the first is {actual}{place} (expected: {right})."
    )


def _two_numbers(right: Any, actual: Any) -> tuple[str, str]:
    if isinstance(right, (bool, int)):
        return str(right), str(actual)
    if f"{right:.4g}" == f"{actual:.4g}":
        return f"{right:.8g}", f"{actual:.8g}"
    return f"{right:.4g}", f"{actual:.4g}"


def _sequence_difference(
    expected: Sequence[Any], seen: Any, plain_numbers: bool = False
) -> str | None:
    if not isinstance(seen, (tuple, list)):
        return _type_sentence(expected, seen)
    if len(seen) != len(expected):
        return f"Your function returns {len(seen)} items; {len(expected)} are expected."
    for number, (right, actual) in enumerate(zip(expected, seen, strict=True), 1):
        sentence = difference(right, actual, plain_numbers)
        if sentence:
            return f"In item {number} of {len(expected)}: {sentence}"
    return None


def _number_difference(expected: float, seen: Any) -> str | None:
    if (isinstance(seen, Tensor) and seen.dim() == 0) or isinstance(seen, numpy.generic):
        seen = seen.item()
    right_type = (int, float) if type(expected) is float else (type(expected),)
    if not isinstance(seen, right_type) or isinstance(seen, bool) != isinstance(expected, bool):
        return _type_sentence(expected, seen)
    if expected == seen or (expected != expected and seen != seen):  # NaN, and NaN is expected
        return None
    relative, absolute = TOLERANCE
    if type(expected) is float and math.isclose(expected, seen, rel_tol=relative, abs_tol=absolute):
        return None
    return f"Your function returns {short(seen)}; expected is {short(expected)}."


def _text_difference(expected: str, seen: Any) -> str | None:
    if not isinstance(seen, str):
        return _type_sentence(expected, seen)
    if seen == expected:
        return None
    return f"Your function returns the text {short(seen)}; expected is {short(expected)}."


def _close(expected: Tensor, seen: Tensor) -> Tensor:
    relative, absolute = TOLERANCES.get(expected.dtype, TOLERANCE)
    if not expected.dtype.is_floating_point and not expected.dtype.is_complex:
        relative = absolute = 0
    return torch.isclose(seen, expected, rtol=relative, atol=absolute, equal_nan=True)


def _same(expected: Tensor, seen: Tensor) -> bool:
    alike = (expected.shape, expected.dtype) == (seen.shape, seen.dtype)
    return alike and bool(_close(expected, seen).all())


def _broadcasts(seen: Tensor, expected: Tensor) -> bool:
    try:
        shape = torch.broadcast_shapes(seen.shape, expected.shape)
        return shape == expected.shape and expected.numel() > 0
    except RuntimeError:
        return False


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
