"""What public functions accept: one line at the entry, and a sentence where it is something else.

Shapes are written as the docstrings write them: "B T" is any matrix, "... T D" anything with at
least two axes. Under torch.compile, and for values on a GPU, only kinds and shapes are looked at:
looking at values would make the GPU wait.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import torch
from torch import Tensor

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_tensor(name: str, value: Any, shape: str | None = None) -> None:
    """TypeError unless value is a tensor, ValueError unless it has such a shape."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, not {type(value).__name__}.")
    if shape is None:
        return
    axes = shape.split()
    at_least = "..." in axes
    n_axes = len(axes) - at_least
    if value.ndim < n_axes or (value.ndim > n_axes and not at_least):
        batch = value.ndim == n_axes - 1 and axes[0] == "B"
        advice = ": a single row becomes a batch with unsqueeze(0)" if batch else ""
        raise ValueError(
            f"{name} must have shape ({', '.join(axes)}), not {tuple(value.shape)}{advice}."
        )


def check_ids(
    ids: Any, vocab_size: int | None = None, *, name: str = "ids", shape: str = "B T"
) -> None:
    """Error unless ids are integers of such a shape, from 0 on and below vocab_size."""
    check_tensor(name, ids, shape)
    if ids.dtype not in INTEGERS:
        raise TypeError(f"{name} must hold integers (torch.int64), not {ids.dtype}.")
    if not may_look_at(ids):
        return
    if ids.min() < 0:
        raise ValueError(
            f"{name} contains {int(ids.min())}: token ids start at 0, and -100 belongs in labels."
        )
    if vocab_size is not None and ids.max() >= vocab_size:
        raise ValueError(
            f"{name} contains {int(ids.max())}, but the vocabulary ends at {vocab_size - 1}: "
            "tokenizer and model belong together."
        )


def check_floats(name: str, value: Any, shape: str | None = None, *, finite: bool = False) -> None:
    """Error unless value is a floating-point tensor of such a shape, without NaN and inf if finite."""
    check_tensor(name, value, shape)
    if not value.is_floating_point():
        raise TypeError(f"{name} must hold floating-point numbers, not {value.dtype}.")
    if finite and may_look_at(value) and not value.isfinite().all():
        raise ValueError(f"{name} contains NaN or an infinity: mend the computation before it.")


def check_bools(name: str, mask: Any, shape: str | None = None) -> None:
    """Error unless mask is a boolean tensor of such a shape."""
    if isinstance(mask, Tensor) and mask.dtype != torch.bool:
        raise TypeError(f"{name} must be a tensor of dtype torch.bool, not {mask.dtype}.")
    check_tensor(name, mask, shape)


def check_count(name: str, value: Any, least: int = 0, most: int | None = None) -> None:
    """Error unless value is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, not {_shown(value)}.")
    if int(value) < least or (most is not None and int(value) > most):
        wanted = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {wanted}, not {value}.")


def check_number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, *, above: bool = False
) -> None:
    """Error unless value is a finite number from `least` (or, with above, from beyond it) to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, not {_shown(value)}.")
    number = float(value)
    too_small = number <= least if above else number < least
    if not math.isfinite(number) or too_small or number > most:
        wanted = f"{'above' if above else 'at least'} {least:g}"
        if math.isfinite(most):
            wanted = f"{wanted} and at most {most:g}"
        if least == -math.inf:
            wanted = "finite"
        raise ValueError(f"{name} must be {wanted}, not {value}.")


def check_callable(name: str, value: Any) -> None:
    """TypeError unless value can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {_shown(value)}.")


def check_shapes_agree(**tensors: Tensor) -> None:
    """ValueError unless all these tensors have the shape of the first one."""
    (first, like), *others = tensors.items()
    for name, value in others:
        if value.shape != like.shape:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}, but {first} has {tuple(like.shape)}: "
                "they belong to the same places."
            )


def may_look_at(values: Tensor) -> bool:
    """Whether the values of a tensor may be read here: some, on the CPU, and nothing is compiling."""
    return values.numel() > 0 and values.device.type == "cpu" and not torch.compiler.is_compiling()


def _shown(value: Any) -> str:
    """A value in a sentence: itself where short, else its kind."""
    plain = isinstance(value, int | float | str | None)
    return repr(value) if plain and len(repr(value)) < 40 else type(value).__name__
