"""What a student's function did, as a line of JSON, and back.

Whoever writes the line may lie, so nothing is unpickled or imported on the way back: tensors are
bytes with a known dtype and shape, an error is a name and a text, anything else is just an object.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy
import torch
from torch import Tensor

from mlm_course.practice.sandbox import (
    AskedForInput,
    Behaviour,
    Outcome,
    TimeUp,
    WentBackward,
    error_text,
)

MOST_ITEMS = 200_000  # of a result, lists and what is in them
MOST_BYTES = 16 << 20  # of a tensor
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8,
        torch.int8, torch.int16, torch.int32, torch.int64, torch.complex64, torch.complex128,
    )
}  # fmt: skip
ENDINGS = {
    "TimeUp": TimeUp,
    "AskedForInput": AskedForInput,
    "SystemExit": SystemExit,
    "KeyboardInterrupt": KeyboardInterrupt,
    "WentBackward": WentBackward,
}
PLAIN = (bool, int, float, str, type(None))
MOST_DIGITS = 4000  # of a whole number; Python itself reads no more than 4,300


class Unlike:
    """A result that is none of the things a reference returns; only its type's name is known."""


def to_json(behaviour: Behaviour) -> dict[str, Any]:
    """A behaviour in plain dicts, lists, numbers and texts."""
    return {
        "trial": behaviour.trial,
        "outcome": _outcome(behaviour.outcome),
        "changed": behaviour.changed,
        "gradients": None if behaviour.gradients is None else _outcome(behaviour.gradients),
        "calls": list(behaviour.calls),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    kind = next((name for name, one in ENDINGS.items() if isinstance(error, one)), None)
    return {
        "value": _value(outcome.value, [MOST_ITEMS]),
        "error": None if error is None else [kind or type(error).__name__, error_text(error)],
        "printed": outcome.printed,
        "lingers": outcome.lingers,
    }


def _value(value: Any, left: list[int]) -> Any:
    """A result; `left` counts down what a result may still hold."""
    left[0] -= 1
    if left[0] < 0:
        return {"object": "result of more than 200,000 items"}
    if type(value) in PLAIN:
        return _plain(value)
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, numpy.ndarray | numpy.generic):
        return {"numpy": _tensor(torch.as_tensor(numpy.array(value)))}
    if isinstance(value, tuple | list):
        items = [_value(item, left) for item in value[: MOST_ITEMS + 1]]
        return {"tuple" if isinstance(value, tuple) else "list": items}
    return {"object": type(value).__name__}


def _plain(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > 3 * MOST_DIGITS:
        return {"object": "int"}
    return value[:MOST_ITEMS] if isinstance(value, str) else value


def _tensor(value: Tensor) -> dict[str, Any]:
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPES or value.numel() * value.element_size() > MOST_BYTES:
        return {"object": "Tensor"}
    dense = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    content = dense.reshape(-1).view(torch.uint8).numpy().tobytes() if dense.numel() else b""
    return {
        "dtype": dtype,
        "shape": list(dense.shape),
        "bytes": base64.b64encode(content).decode(),
    }


def from_json(data: Any) -> Behaviour:
    """The behaviour again. Errors: ValueError, TypeError, KeyError for what nobody should send."""
    return Behaviour(
        _whole(data["trial"]),
        _outcome_again(data["outcome"]),
        None if data["changed"] is None else _whole(data["changed"]),
        None if data["gradients"] is None else _outcome_again(data["gradients"]),
        tuple(map(_whole, data["calls"])),
    )


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("a whole number is missing")
    return value


def _outcome_again(data: Any) -> Outcome:
    error = None if data["error"] is None else error_again(*map(str, data["error"]))
    value = None if error is not None else value_again(data["value"])
    return Outcome(value, error, str(data["printed"])[:2000], bool(data["lingers"]))


def error_again(name: str, text: str) -> BaseException:
    """An error that reads as the one that was raised."""
    said = text.removeprefix(name).removeprefix(": ")
    if name in ENDINGS:
        return ENDINGS[name](said)
    kind = type(name[:100].replace("\0", ""), (Exception,), {})
    return kind(said)  # error_text of it is `text` again


def value_again(data: Any) -> Any:
    """A result; what is no tensor, number, text or sequence becomes an empty object."""
    if isinstance(data, PLAIN):
        return data
    if not isinstance(data, dict) or len(data) not in (1, 3):
        raise ValueError("this is no result")
    if "dtype" in data:
        return _tensor_again(data)
    ((kind, content),) = data.items()
    if kind in ("tuple", "list"):
        items = [value_again(item) for item in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "numpy":
        return _tensor_again(content).numpy()
    return type(str(content)[:100].replace("\0", "") or "object", (Unlike,), {})()


def _tensor_again(data: dict[str, Any]) -> Tensor:
    dtype, shape = DTYPES[data["dtype"]], [_whole(size) for size in data["shape"]]
    content = bytearray(base64.b64decode(data["bytes"], validate=True))
    if min(shape, default=0) < 0 or len(shape) > 16:
        raise ValueError("this is no shape")
    if math.prod(shape) * dtype.itemsize != len(content) or len(content) > MOST_BYTES:
        raise ValueError("the shape is not that of the numbers")
    if not content:
        return torch.empty(shape, dtype=dtype)
    if dtype == torch.bool and set(content) - {0, 1}:
        raise ValueError("these are no truth values")
    return torch.frombuffer(content, dtype=dtype).reshape(shape)
