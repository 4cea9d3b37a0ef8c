"""Whole units of the feed-forward networks removed: accuracy and speed. Lesson 13.

One model; "differences" in accuracy against the whole model are over the rows of the test.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mlm_course.compression import drop_units
from mlm_course.corruption import Corrupted
from mlm_course.experiments._lesson_13 import (
    accuracy,
    against,
    answering,
    docs_rows,
    rounded_ratios,
)
from mlm_course.models import load_pretrained


def units(model: nn.Module, test: Corrupted) -> dict[str, dict[str, Any]]:
    """By share of units removed: accuracy and times as fast; and differences to the whole."""
    by_share, ways = {}, {str(s): drop_units(model, s).eval() for s in (0.0, 0.25, 0.5, 0.75)}
    for share, smaller in ways.items():
        speed = rounded_ratios(answering(model, smaller, test), "whole")["smaller"]
        by_share[share] = {"accuracy": accuracy(smaller, test), "times as fast": speed}
    return {"docstrings": by_share, "differences": against(ways, "all units", model, test)}


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return units(load_pretrained("python_docs")[0], docs_rows()[1])
