"""Weights alone in fewer bits: bytes, errors and time with one token, and what is lost in answers. Lesson 13.

Planned before the run. Time: a matrix of 8,192 x 8,192 (268 MB in fp32: no cache here holds it in any
form) and, as the control, one of 512 x 512 (1 MB: it stays in the cache), times one vector. Two ways,
each compared with fp32 in the same way: "one loop" compiles (torch.compile) the same sum of products, cut
into groups of 128, so that a code becomes a float where it is used; "turned back first" makes the whole
matrix of floats, then multiplies. 21 interleaved rounds, medians of ratios. Without a C++ compiler the
first way is left out.
Accuracy: the model of docstrings with all its matrices in 4 bits, by the size of the groups;
"differences" against fp32 are over the rows of the test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mlm_course.compression import (
    Packed,
    Quantized,
    dequantize,
    dequantize_int4,
    fake_quantize_int4,
    quantize,
    quantize_int4,
)
from mlm_course.cost import take_turns, times_as_fast
from mlm_course.experiments._lesson_13 import ROUNDS, accuracy, against, docs_rows, seeded
from mlm_course.models import load_pretrained

SIZES = (8192, 512)
GROUP = 128
GROUPS = (32, 64, 192)  # a row of the model of docstrings has 192 numbers, or 768

Weight = Tensor | Quantized | Packed


def sum_of_floats(weight: Tensor, x: Tensor) -> Tensor:
    """weight (R, C) fp32 or bf16 times x (C,), in fp32."""
    return (weight.float().unflatten(1, (-1, GROUP)) * x.view(-1, GROUP)).sum(-1).sum(-1)


def sum_of_int8(codes: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    """The same with weights in 8 bits."""
    return sum_of_floats(codes, x) * scale[:, 0]


def sum_of_int4(codes: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    """The same with weights in 4 bits: the halves of a group meet the halves of x."""
    first, second = x.view(-1, 2, GROUP // 2).unbind(1)  # (C / group, group / 2) each
    halves = codes.unflatten(1, (-1, GROUP // 2))
    low, high = (halves & 15).float() - 8, (halves >> 4).float() - 8
    return ((low * first + high * second).sum(-1) * scale).sum(-1)


def forms(weight: Tensor) -> dict[str, Weight]:
    """A weight in each form."""
    return {
        "fp32": weight,
        "bf16": weight.bfloat16(),
        "int8": quantize(weight),
        f"int4, groups of {GROUP}": quantize_int4(weight, GROUP),
    }


def in_one_loop(stored: Mapping[str, Weight], x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The products as compiled loops, called with what is stored."""
    ways: dict[str, Callable[[], Tensor]] = {}
    kinds: dict[type, Callable[..., Tensor]] = {Quantized: sum_of_int8, Packed: sum_of_int4}
    for name, weight in stored.items():
        kind = kinds.get(type(weight), sum_of_floats)
        loop: Callable[..., Tensor] = torch.compile(kind, dynamic=False)
        parts = (weight,) if isinstance(weight, Tensor) else tuple(weight)
        ways[name] = partial(loop, *parts, x)
    return ways


def turned_back(weight: Weight) -> Tensor:
    """The whole matrix in fp32."""
    if isinstance(weight, Quantized):
        return dequantize(weight)
    return dequantize_int4(weight) if isinstance(weight, Packed) else weight.float()


def turned_back_first(stored: Mapping[str, Weight], x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The products by the library, after the whole matrix has become fp32."""

    def product(weight: Weight) -> Tensor:
        return turned_back(weight) @ x

    return {name: partial(product, weight) for name, weight in stored.items()}


def products(size: int, compiles: bool = True) -> dict[str, Any]:
    """By form of the weights: bytes, relative error of the product, and times as fast by way."""
    weight, x = torch.randn(size, size, generator=seeded(0)), torch.randn(size, generator=seeded(1))
    stored = forms(weight)
    kinds = {"turned back first": turned_back_first(stored, x)}
    if compiles:
        kinds["one loop"] = in_one_loop(stored, x)
    exact, table = weight @ x, dict[str, dict[str, Any]]()
    for name, form in stored.items():
        parts = (form,) if isinstance(form, Tensor) else form
        table[name] = {"bytes": sum(part.nbytes for part in parts)}
    for kind, ways in kinds.items():
        ratios = times_as_fast(take_turns(ways, 3 * ROUNDS, warm_up=3), "fp32")
        for name, way in ways.items():
            error = ((way() - exact).norm() / exact.norm()).item()
            table[name] |= {"error": round(error, 4), kind: round(ratios[name], 2)}
    return table


def answers() -> dict[str, Any]:
    """The model of docstrings with 4 bits a weight: accuracy and bytes by the size of the groups."""
    model, test = load_pretrained("python_docs")[0], docs_rows()[1]
    rounded = {f"groups of {group}": fake_quantize_int4(model, group) for group in GROUPS}
    rows = {
        name: {"accuracy": accuracy(coarse, test), "bytes": size}
        for name, (coarse, size) in rounded.items()
    }
    ways = {name: coarse for name, (coarse, _) in rounded.items()}
    whole = {"accuracy": accuracy(model, test), "bytes": sum(p.nbytes for p in model.parameters())}
    return {
        "docstrings": {"fp32": whole, **rows},
        "differences": against(ways, "fp32", model, test),
    }


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    compiles = bool(shutil.which("g++") or shutil.which("clang++"))
    by_size = {f"{size} x {size}": products(size, compiles) for size in SIZES}
    return {"times as fast": by_size, **answers()}
