"""Whole units of the feed-forward networks removed: accuracy and speed. Lesson 13."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from mlm_course.compression import drop_units
from mlm_course.corruption import Corrupted
from mlm_course.experiments._lesson_13 import accuracy, answering, docs_rows, rounded_ratios
from mlm_course.models import load_pretrained


def units(model: nn.Module, test: Corrupted) -> dict[str, dict[str, float]]:
    """Whole units of the feed-forward networks removed: accuracy and times as fast."""
    by_share = {}
    for share in (0.0, 0.25, 0.5, 0.75):
        smaller = drop_units(model, share).eval()
        speed = rounded_ratios(answering(model, smaller, test), "whole")["smaller"]
        by_share[str(share)] = {"accuracy": accuracy(smaller, test), "times as fast": speed}
    return by_share


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {"docstrings": units(load_pretrained("python_docs")[0], docs_rows()[1])}
