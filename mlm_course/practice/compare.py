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


def difference(
    expected: Any, seen: Any, nudged: Any = None, exact_types: bool = False
) -> str | None:
    """The first difference that matters, as a sentence, or None where the results agree.

    In this order: type, shape, dtype, NaN or infinity, values. Tensors are compared without their
    gradient history. A tuple may stand for a list and a list for a tuple. Numbers may be of any
    width, ints floats with the same value, and single numbers tensors without dimensions or the
    reverse, unless `exact_types`; truth values and numbers are never the same. `nudged` is what
    the reference returns on inputs moved by a rounding error: where that moves the result, more
    than the usual rounding is allowed.
    """
    if isinstance(expected, Tensor):
        return _tensor_difference(expected.detach(), seen, nudged, exact_types)
    if isinstance(expected, (tuple, list)):
        return _sequence_difference(expected, seen, nudged, exact_types)
    if isinstance(expected, (bool, int, float)):
        if exact_types and (isinstance(seen, Tensor) or type(expected) is not type(seen)):
            return _type_sentence(expected, seen)
        return _number_difference(expected, seen, nudged)
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


def _tensor_difference(
    expected: Tensor, seen: Any, nudged: Any = None, exact_types: bool = False
) -> str | None:
    if not exact_types and _is_number(seen) and expected.dim() == 0:
        seen = torch.as_tensor(seen)
    if not isinstance(seen, Tensor):
        return _type_sentence(expected, seen)
    seen = seen.detach().to(expected.device)
    if seen.shape != expected.shape:
        return _shape_sentence(expected, seen)
    if seen.dtype != expected.dtype and (exact_types or not _both_numbers(expected, seen)):
        return (
            f"The shape is right, but the dtype is {_dtype(seen)} instead of "
            f"{_dtype(expected)}: {_conversion(expected, seen)}."
        )
    what = "Shape and dtype are" if seen.dtype == expected.dtype else "The shape is"
    if expected.is_floating_point():
        wrong = ~_close(expected, seen.to(expected.dtype), nudged)
    else:
        wrong = ~torch.isclose(seen.double(), expected.double(), rtol=0, atol=0)
    odd = ~seen.isfinite() & expected.isfinite() & wrong
    wrong = odd if odd.any() else wrong
    return _value_sentence(expected, seen, wrong, what) if wrong.any() else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, numpy.number)) and not isinstance(value, bool)


def _both_numbers(one: Tensor, other: Tensor) -> bool:
    """Whether both tensors hold real numbers of some width, no truth values."""
    odd = [x.dtype == torch.bool or x.is_complex() or x.is_quantized for x in (one, other)]
    return not any(odd)


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


def _value_sentence(expected: Tensor, seen: Tensor, wrong: Tensor, what: str) -> str:
    first = tuple(wrong.nonzero()[0].tolist())  # () for a tensor without dimensions
    right, actual = _two_numbers(expected[first].item(), seen[first].item())
    place = f" at {list(first)}" if first else ""
    share = f"{int(wrong.sum())} of {wrong.numel()} entries"
    if not seen[first].isfinite() and expected[first].isfinite():
        return (
            f"{share} are NaN or infinite where a number is expected; the first is {actual}{place} "
            f"(expected: {right})."
        )
    if not first:
        return f"{what} right, the value is not: it is {actual} (expected: {right})."
    return (
        f"{what} right, the values are not: {share} differ; "
        f"the first is {actual}{place} (expected: {right})."
    )


def _two_numbers(right: Any, actual: Any) -> tuple[str, str]:
    if isinstance(right, int) and isinstance(actual, int):
        return short(right), short(actual)
    if f"{right:.4g}" == f"{actual:.4g}":
        return f"{right:.12g}", f"{actual:.12g}"
    return f"{right:.4g}", f"{actual:.4g}"


def _sequence_difference(
    expected: Sequence[Any], seen: Any, nudged: Any = None, exact_types: bool = False
) -> str | None:
    if isinstance(seen, (Tensor, numpy.ndarray)) and not exact_types and _plain(expected):
        seen = seen.tolist() if seen.ndim else seen
    if not isinstance(seen, (tuple, list)):
        return _type_sentence(expected, seen)
    if len(seen) != len(expected):
        count = f"{len(seen)} item{'s' * (len(seen) != 1)}"
        return f"Your function returns {count}, not {len(expected)}."
    moved = nudged if nudged is not None else [None] * len(expected)
    pairs = list(zip(expected, seen, moved, strict=True))
    for number, (right, actual, also) in enumerate(pairs, 1):
        sentence = difference(right, actual, also, exact_types)
        if sentence:
            other_order = _order_sentence(expected, seen, exact_types)
            return other_order or f"In item {number} of {len(expected)}: {sentence}"
    return None


def _plain(items: Sequence[Any]) -> bool:
    return bool(items) and all(map(_is_number, items))


def _order_sentence(
    expected: Sequence[Any], seen: Sequence[Any], exact_types: bool = False
) -> str | None:
    """A sentence where a short result has the right items in another order, else None."""
    if not 2 <= len(expected) <= 4 or all(isinstance(one, (int, str)) for one in expected):
        return None  # a list of ids or names is about the order
    for order in itertools.permutations(range(len(seen))):
        pairs = [(expected[i], seen[j]) for i, j in enumerate(order)]
        if all(difference(one, other, None, exact_types) is None for one, other in pairs):
            first = " and ".join(f"item {j + 1} comes {PLACES[i]}" for i, j in enumerate(order))
            return f"The results are right, but in another order: of yours, {first}."
    return None


PLACES = ("first", "second", "third", "fourth")


def _number_difference(expected: float, seen: Any, nudged: Any = None) -> str | None:
    if (isinstance(seen, Tensor) and seen.dim() == 0) or isinstance(seen, numpy.generic):
        seen = seen.item()
    if not isinstance(seen, (int, float)) or isinstance(seen, bool) != isinstance(expected, bool):
        return _type_sentence(expected, seen)
    if expected == seen or (expected != expected and seen != seen):  # NaN, and NaN is expected
        return None
    relative, absolute = TOLERANCE
    if type(expected) is float:
        wide = absolute if nudged is None else max(absolute, _allowance(expected, nudged))
        if math.isclose(expected, seen, rel_tol=relative, abs_tol=wide):
            return None
    right, actual = _two_numbers(expected, seen)
    return f"Your function returns {actual}; expected is {right}."


NUDGES = 8.0  # times what a rounding error in the inputs moves the result
AT_MOST = 1e-2  # of the result, whatever the inputs do


def _allowance(expected: Any, nudged: Any) -> Any:
    """How far a result may be off where rounding the inputs moves it, the same for float and Tensor."""
    moved, most = abs(nudged - expected) * NUDGES, AT_MOST * (1 + abs(expected))
    return moved.minimum(most) if isinstance(moved, Tensor) else min(moved, most)


def _text_difference(expected: str, seen: Any) -> str | None:
    if not isinstance(seen, str):
        return _type_sentence(expected, seen)
    if seen == expected:
        return None
    return f"Your function returns the text {short(seen)}; expected is {short(expected)}."


def _close(expected: Tensor, seen: Tensor, nudged: Any = None) -> Tensor:
    relative, absolute = TOLERANCES.get(expected.dtype, TOLERANCE)
    if not expected.dtype.is_floating_point and not expected.dtype.is_complex:
        relative = absolute = 0
    close = torch.isclose(seen, expected, rtol=relative, atol=absolute, equal_nan=True)
    if isinstance(nudged, Tensor) and expected.is_floating_point():
        close |= (seen - expected).abs() <= _allowance(expected, nudged.to(expected.dtype))
    return close


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
