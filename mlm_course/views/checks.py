"""What a picture may be made of: strings for tokens, finite numbers, boolean masks that fit."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from mlm_course.wording import as_booleans, shown

Array = np.ndarray


def numbers(
    name: str,
    values: Any,
    allow_minus_infinity: bool = False,
    allow_flags: bool = True,
    allow_nan: bool = False,
) -> Array:
    """Float array from lists, NumPy or torch; ValueError for NaN and infinities."""
    array = _array(name, values)
    if array.dtype.kind == "b" and not allow_flags:
        raise ValueError(f"{name} must hold numbers; it holds True and False, as a mask does.")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers; {_holds(array)}.")
    array = array.astype(float)
    if np.isnan(array).any() and not allow_nan:
        raise ValueError(f"{name} holds NaN (not a number); mend the computation before it.")
    infinite = np.isposinf(array) if allow_minus_infinity else np.isinf(array)
    if infinite.any():
        raise ValueError(f"{name} holds an infinite number that cannot be drawn.")
    return array


def booleans(name: str, values: Any, shape: tuple[int, ...]) -> Array:
    """Boolean array broadcast to a shape, leading axes of size 1 dropped; ValueError otherwise."""
    array = _array(name, values)
    if array.dtype.kind != "b":
        raise ValueError(f"{name} must be boolean, not {array.dtype}: {as_booleans(name, array)}.")
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {array.shape}, which does not fit {shape}.") from None


def tokens_of(name: str, tokens: Iterable[str], length: int | None = None) -> list[str]:
    """List of strings of the given length; ValueError where the length differs."""
    if isinstance(tokens, str):
        raise ValueError(f"{name} must be a list of strings, not one string; use .split().")
    if not isinstance(tokens, Iterable):
        raise ValueError(f"{name} must be a list of strings; it is {type(tokens).__name__}.")
    read = plain(name, tokens if hasattr(tokens, "tolist") else list(tokens))
    read = read if isinstance(read, list) else [read]  # an array of no axis holds one
    for place, token in enumerate(read):
        if not isinstance(token, str | int) or isinstance(token, bool):
            raise ValueError(f"{name}[{place}] must be a string; it is {type(token).__name__}.")
    if length is not None and len(read) != length:
        raise ValueError(f"{name} has {len(read)} entries where {length} are needed.")
    return [str(token) for token in read]


def entries(name: str, values: Any, length: int) -> list[Any]:
    """List of the given length from an array, a tensor or anything that can be listed."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{name} must be a list or an array; it is {type(values).__name__}.")
    read = plain(name, values if hasattr(values, "tolist") else list(values))
    if not isinstance(read, list) or len(read) != length:
        size = len(read) if isinstance(read, list) else 1
        raise ValueError(f"{name} has {size} entries where {length} are needed.")
    return read


def whole(name: str, value: Any, unit: str = "") -> int:
    """An int of Python, from whatever counts as one; ValueError otherwise, for True too."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer{unit}; it is {shown(value)}.") from None


def number(name: str, value: Any) -> float:
    """A float of Python, from a tensor or array of one number too; ValueError otherwise."""
    try:
        return float(plain(name, value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be one number; it is {shown(value)}.") from None


def at_most(what: str, size: int, limit: int, instead: str) -> None:
    """ValueError where there is more than a page can show; instead says what to pass."""
    if size > limit:
        raise ValueError(f"{what}: {size:,} are more than a page can show, {limit:,}. {instead}")


def plain(name: str, values: Any) -> Any:
    """Lists and numbers of Python from arrays, tensors of any kind, and lists of them."""
    if hasattr(values, "tolist"):
        try:
            return values.tolist()
        except Exception as problem:  # a tensor without data, such as one on the device "meta"
            reason = str(problem).splitlines()[0].rstrip(".!")
            raise ValueError(f"{name} cannot be read: {reason}.") from None
    return [plain(name, value) for value in values] if isinstance(values, list | tuple) else values


def _holds(array: Array) -> str:
    """What is there in place of numbers."""
    if array.dtype.kind != "O":
        return "it holds text" if array.dtype.kind in "US" else f"it holds {array.dtype}"
    wrong = [x for x in array.flat if not isinstance(x, int | float)]
    if not wrong:
        return "it holds an integer that is too large"
    return f"it {'holds' if array.ndim else 'is'} {type(wrong[0]).__name__}"


def _array(name: str, values: Any) -> Array:
    """Array from anything with .tolist() or from nested lists of equal length."""
    try:
        return np.asarray(plain(name, values))
    except ValueError as problem:
        if str(problem).startswith(f"{name} "):
            raise
        raise ValueError(f"{name} must be rectangular; its rows have different lengths.") from None
