"""What a picture may be made of: strings for tokens, finite numbers, boolean masks that fit."""

from collections.abc import Iterable
from typing import Any

import numpy as np

Array = np.ndarray


def numbers(name: str, values: Any, allow_minus_infinity: bool = False) -> Array:
    """Float array from lists, NumPy or torch; ValueError for NaN and infinities."""
    array = _array(name, values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold numbers; it holds {array.dtype}.")
    array = array.astype(float)
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN (not a number); mend the computation before it.")
    infinite = np.isposinf(array) if allow_minus_infinity else np.isinf(array)
    if infinite.any():
        raise ValueError(f"{name} holds an infinite number that cannot be drawn.")
    return array


def booleans(name: str, values: Any, shape: tuple[int, ...]) -> Array:
    """Boolean array broadcast to a shape, leading axes of size 1 dropped; ValueError otherwise."""
    array = _array(name, values)
    if array.dtype.kind != "b":
        raise ValueError(f"{name} must be boolean (True or False); convert 0/1 with .bool().")
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
    entries = list(tokens)
    for place, token in enumerate(entries):
        if not isinstance(token, str | int):
            raise ValueError(f"{name}[{place}] must be a string; it is {type(token).__name__}.")
    if length is not None and len(entries) != length:
        raise ValueError(f"{name} has {len(entries)} entries where {length} are needed.")
    return [str(token) for token in entries]


def _array(name: str, values: Any) -> Array:
    """Array from anything with .tolist() or from nested lists of equal length."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    try:
        return np.asarray(plain)
    except ValueError:
        raise ValueError(f"{name} must be rectangular; its rows have different lengths.") from None
