"""What public functions accept: one line at the entry, and a sentence where it is something else.

Shapes are written as the docstrings write them: "B T" is any matrix, "... T D" anything with at
least two axes. Under torch.compile, and for values on a GPU, only kinds and shapes are looked at:
looking at values would make the GPU wait.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from mlm_course.wording import as_booleans, shown

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


def check_integers(name: str, value: Any, shape: str | None = None) -> None:
    """Error unless value is a tensor of whole numbers, of such a shape."""
    check_tensor(name, value, shape)
    if value.dtype not in INTEGERS:
        raise TypeError(f"{name} must hold integers (torch.int64), not {value.dtype}.")


def check_counts(name: str, value: Any, shape: str | None = None) -> None:
    """Error unless value is a tensor of whole numbers from 0 on, of such a shape."""
    check_integers(name, value, shape)
    if may_look_at(value) and value.min() < 0:
        raise ValueError(f"{name} must hold no negative numbers, such as {int(value.min())}.")


def check_ids(
    ids: Any, vocab_size: int | None = None, *, name: str = "ids", shape: str = "B T"
) -> None:
    """Error unless ids are integers of such a shape, from 0 on and below vocab_size."""
    check_integers(name, ids, shape)
    if not may_look_at(ids):
        return
    least, most = (int(number) for number in ids.aminmax())
    if least < 0:
        raise ValueError(
            f"{name} contains {least}: token ids start at 0, and -100 belongs in labels."
        )
    if vocab_size is not None and most >= vocab_size:
        raise ValueError(
            f"{name} contains {most}, but the vocabulary ends at {vocab_size - 1}: "
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
        raise TypeError(
            f"{name} must be a tensor of dtype torch.bool, not {mask.dtype}: "
            f"{_as_booleans(name.partition(',')[0], mask)}."
        )
    check_tensor(name, mask, shape)


def check_mask(name: str, mask: Any, ids: Any, *, of: str = "ids") -> None:
    """Error unless a mask is boolean and has an entry for each of the ids (B, T)."""
    check_tensor(of, ids)
    check_bools(name, mask)
    check_shapes_agree(**{of: ids, name: mask})


def check_flag(name: str, value: Any) -> None:
    """TypeError unless value is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {shown(value)}.")


def check_places(name: str, values: Any, count: int) -> None:
    """Error unless values are integers from 0 to count - 1."""
    check_integers(name, values)
    if not may_look_at(values):
        return
    least, most = (int(number) for number in values.aminmax())
    if least < 0 or most >= count:
        raise ValueError(f"{name} must lie between 0 and {count - 1}, not {least} and {most}.")


def check_count(name: str, value: Any, least: int = 0, most: int | None = None) -> None:
    """Error unless value is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, not {shown(value)}.")
    if int(value) < least or (most is not None and int(value) > most):
        wanted = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be {wanted}, not {value}.")


def check_number(
    name: str, value: Any, least: float = -math.inf, most: float = math.inf, *,
    above: bool = False, below: bool = False,
) -> None:  # fmt: skip
    """Error unless value is a finite number from `least` to `most`; above, below: not these two."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, not {shown(value)}.")
    number = float(value)
    too_small = number <= least if above else number < least
    too_large = number >= most if below else number > most
    if not math.isfinite(number) or too_small or too_large:
        wanted = f"{'above' if above else 'at least'} {least:g}"
        if math.isfinite(most):
            wanted = f"{wanted} and {'below' if below else 'at most'} {most:g}"
        if least == -math.inf:
            wanted = "finite"
        raise ValueError(f"{name} must be {wanted}, not {value}.")


def check_callable(name: str, value: Any) -> None:
    """TypeError unless value can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {shown(value)}.")


def check_kind(name: str, value: Any, *kinds: type, advice: str = "") -> None:
    """TypeError unless value is of one of these kinds; advice: what to do where it is not."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        advice = f": {advice}" if advice else ""
        raise TypeError(f"{name} must be of type {wanted}, not {type(value).__name__}{advice}.")


def check_module(name: str, value: Any) -> None:
    """TypeError unless value is a model of torch."""
    if not isinstance(value, torch.nn.Module):
        raise TypeError(f"{name} must be a torch.nn.Module, not {shown(value)}.")


def check_shapes_agree(**tensors: Tensor) -> None:
    """ValueError unless all these tensors have the shape of the first one."""
    (first, like), *others = tensors.items()
    for name, value in others:
        if value.shape != like.shape:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}, but {first} has {tuple(like.shape)}: "
                "they belong to the same places."
            )


def check_masked_batch(batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """input_ids, labels and masked (B, T) of a corrupted batch, or an error that says what is amiss."""
    names = ("input_ids", "labels", "masked")
    if all(hasattr(batch, name) for name in names):
        batch = tuple(getattr(batch, name) for name in names)
    if not isinstance(batch, tuple | list) or len(batch) != 3:
        raise TypeError(
            "The batch must have input_ids, labels and masked, as a Corrupted has, not be "
            f"{type(batch).__name__}."
        )
    ids, labels, masked = batch
    check_ids(ids, name="input_ids")
    check_integers("labels", labels)
    check_bools("masked", masked)
    check_shapes_agree(input_ids=ids, labels=labels, masked=masked)
    return ids.long(), labels.long(), masked


def check_answers(logits: Any, targets: Tensor) -> None:
    """ValueError unless logits (n, V) answer targets (n,), each a token from 0 to V - 1."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(targets):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"The model must answer logits ({len(targets)}, V), a row for each masked token, not "
            f"{shape}: ask it as model(ids, attention_mask, masked)."
        )
    if not may_look_at(targets):
        return
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        worst = int(targets.min() if targets.min() < 0 else targets.max())
        raise ValueError(
            f"A label at a masked place is {worst}, but the model knows tokens from 0 to "
            f"{logits.shape[1] - 1}: labels, mask and model belong together."
        )


def checked_texts(texts: Iterable[str]) -> list[str]:
    """The texts as a list, or an error that says which of them, counted from 0, is none."""
    if isinstance(texts, str | bytes):
        raise TypeError("texts must be several texts: put a single one into a list.")
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts must be several texts in a list, not {type(texts).__name__}.")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            kind = "None" if text is None else f"of type {type(text).__name__}"
            raise TypeError(f"texts must be strings, but text {i} is {kind}.")
        if not text.isascii() and (place := _surrogate(text)) is not None:
            raise ValueError(
                f"text {i} has half a character at place {place}, {text[place]!r}: it was read or "
                'cut wrongly. text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") '
                "mends it."
            )
    return texts


def check_devices_agree(**tensors: Tensor) -> None:
    """ValueError unless all these tensors are on the device of the first one."""
    (first, like), *others = tensors.items()
    for name, value in others:
        if value.device.type != like.device.type:
            raise ValueError(
                f"{name} is on {value.device}, but {first} is on {like.device}: "
                f"move it with {name}.to({first}.device)."
            )


def check_generator(generator: Any, like: Tensor) -> None:
    """Error unless there is a generator, on the device of the tokens."""
    device = like.device.type
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator, not {type(generator).__name__}: drawing needs a "
            f'generator, such as torch.Generator("{device}").manual_seed(0).'
        )
    if generator.device.type != device:
        raise ValueError(
            f"The generator is on {generator.device.type}, the tokens are on {device}: "
            f'make it with torch.Generator("{device}").'
        )


def may_look_at(values: Tensor) -> bool:
    """Whether the values of a tensor may be read here: some, on the CPU, and nothing is compiling."""
    return values.numel() > 0 and values.device.type == "cpu" and not torch.compiler.is_compiling()


def _surrogate(text: str) -> int | None:
    """Where a text has half of a pair that stands for one character, and so cannot be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def _as_booleans(name: str, mask: Tensor) -> str:
    """How numbers become the mask they stand for; .bool() would turn an additive one around."""
    if mask.is_meta or torch.compiler.is_compiling():
        return f"write {name} == 0 for an additive mask (0 and -inf), {name} == 1 for 0 and 1"
    values = mask.detach().cpu()
    return as_booleans(name, (values.double() if mask.is_floating_point() else values).numpy())
