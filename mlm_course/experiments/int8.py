"""Weights as 8-bit integers: accuracy, size and speed, by the way of rounding. Lesson 13.

One model; "differences" in accuracy against fp32 are over the rows of the test.
"""

from __future__ import annotations

import io
from typing import Any

import torch
from torch import nn

from mlm_course.compression import fake_quantize, int8_layers
from mlm_course.corruption import Corrupted
from mlm_course.experiments._lesson_13 import (
    accuracy,
    against,
    answering,
    docs_rows,
    rounded_ratios,
)
from mlm_course.models import load_pretrained


def size_of(model: nn.Module) -> int:
    """Bytes of a model's state as PyTorch stores it."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.getbuffer().nbytes


def quantisation(model: nn.Module, test: Corrupted) -> dict[str, Any]:
    """int8: accuracy by the way of rounding; with PyTorch's layers also size and speed by rows."""
    by_way: dict[str, Any] = {"fp32": {"accuracy": accuracy(model, test), "bytes": size_of(model)}}
    layers = int8_layers(model)
    ways = {"PyTorch's layers": layers}
    for name, per_row in {"a scale for each row": True, "a scale for each matrix": False}.items():
        ways[name], size = fake_quantize(model, per_row)
        by_way[name] = {"accuracy": accuracy(ways[name], test), "bytes": size}
    by_way["PyTorch's layers"] = {"accuracy": accuracy(layers, test), "bytes": size_of(layers)}
    speed = {
        str(rows): rounded_ratios(answering(model, layers, test, rows), "whole")["smaller"]
        for rows in (1, 8, 64)
    }
    return {
        "docstrings": {**by_way, "times as fast by rows": speed},
        "differences": against(ways, "fp32", model, test),
    }


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return quantisation(load_pretrained("python_docs")[0], docs_rows()[1])
