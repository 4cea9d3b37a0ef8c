"""Mixed precision on a CPU: how much faster bf16 is, and what it does to the loss. Lesson 13."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments._lesson_13 import STUDENT, rounded_ratios, small, some_batch, step_of
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import fit, masked_lm_loss

WIDTHS = (128, 256, 512)
RUNS = (("fp32", "no", 0), ("fp32, another seed", "no", 1), ("bf16", "bf16", 0))


def bf16_speed() -> dict[str, float]:
    """Times as fast as fp32, forward and backward, by width."""
    speedups = {}
    for width in WIDTHS:
        model = seeded_init(MaskedLM, EncoderConfig(2000, d_model=width, n_layers=2))
        batch = some_batch(2000, rows=8)
        ways = {"fp32": step_of(model, batch), "bf16": step_of(model, batch, torch.bfloat16)}
        speedups[str(width)] = rounded_ratios(ways, "fp32")["bf16"]
    return speedups


def bf16_loss() -> dict[str, float]:
    """Loss on tinyworld's test set after a short training in each precision."""
    corrupted, floor = masked_test_set(500)
    losses = {"floor": round(floor, 4)}
    data = DynamicMasking(masker(0.3), sentences(20_000, 50), seed=0)
    for name, precision, seed in RUNS:
        model = small(2, seed)
        fit(model, data, masked_lm_loss, replace(STUDENT, precision=precision, seed=seed))
        losses[name] = round(score_masked(model, corrupted).loss, 4)
    return losses


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {"times as fast by width": bf16_speed(), "loss": bf16_loss()}
