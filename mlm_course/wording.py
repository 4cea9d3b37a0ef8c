"""Parts of sentences that tensors and pictures share: what a value is, how numbers become a mask."""

from __future__ import annotations

from typing import Any

import numpy as np


def shown(value: Any) -> str:
    """A value in a sentence: itself where short, else its kind."""
    if type(value).__name__ == "Tensor" and value.ndim == 0:
        return "a tensor: write .item() behind it"
    short = isinstance(value, int | float | str | None) and len(repr(value)) < 40
    return repr(value) if short else type(value).__name__


def as_booleans(name: str, mask: np.ndarray) -> str:
    """How numbers become the mask they stand for; .bool() would turn an additive one around."""
    if mask.dtype.kind not in "iuf":
        return "a mask comes from a comparison, such as ids != 0"
    if mask.dtype.kind in "iu" and ((mask < 0) | (mask > 1)).any():
        return f"its numbers are no mask; if they are token ids, write {name} != 0"
    if ((mask == 0) | (mask == 1)).all():
        zeros = mask.dtype.kind == "f" and mask.size and not mask.any()
        additive = f"; if it is additive, with nothing closed, {name} == 0" if zeros else ""
        return f"write {name} == 1 (or {name}.bool()) for a mask of 0 and 1{additive}"
    if (mask <= 0).all() and (mask == 0).any():
        return f"this one is additive, 0 where it is open: write {name} == 0 (not .bool())"
    return "its numbers are no mask; a mask comes from a comparison, such as ids != 0"
