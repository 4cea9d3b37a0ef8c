"""Projecting masked tokens only to the vocabulary, against projecting all. Lesson 13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from mlm_course.corruption import Corrupted
from mlm_course.experiments._lesson_13 import rounded_ratios, some_batch, step_of
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init


def masked_rows() -> dict[str, float]:
    """Times as fast as projecting every token, by size of the vocabulary."""
    speedups = {}
    for size in (250, 2000, 8000):
        model = seeded_init(MaskedLM, EncoderConfig(size, d_model=128, n_layers=2))
        batch = some_batch(size, rows=8, ratio=0.15)
        ways = {"all": everything(model, batch), "hidden": step_of(model, batch)}
        speedups[str(size)] = rounded_ratios(ways, "all")["hidden"]
    return speedups


def everything(model: nn.Module, batch: Corrupted) -> Callable[[], None]:
    """A step that projects all tokens to the vocabulary."""

    def step() -> None:
        logits = model(batch.input_ids)
        F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten()).backward()
        model.zero_grad()

    return step


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {"times as fast by vocabulary": masked_rows()}
