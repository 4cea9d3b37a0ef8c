"""A masked language model of tinyworld, trained until it is close to the exact floor. Lessons 6, 7."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import MASK_RATIO, masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results import training_record
from mlm_course.training import Recipe, fit, masked_lm_loss

SENTENCES, TEST_SENTENCES = 100_000, 2_000
TEST_RATIO = 0.15
RECIPE = Recipe(
    steps=400, batch_size=128, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95), precision="bf16"
)


@cache
def masked_test_set(n: int = TEST_SENTENCES) -> tuple[Corrupted, float]:
    """New sentences with masks that stay the same, and the exact floor there."""
    ids = sentences(n, 1)
    corrupted = masker(TEST_RATIO)(ids, torch.Generator().manual_seed(2))
    return corrupted, tinyworld.loss_floor(ids, corrupted.masked)


def tester(corrupted: Corrupted) -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`."""
    return lambda model: score_masked(model, corrupted)._asdict()


def build() -> MaskedLM:
    """The model to train: pre-norm, three layers."""
    vocab_size, length = len(tinyworld.vocabulary()), 26
    return seeded_init(MaskedLM, EncoderConfig(vocab_size, length, n_layers=3, embedding_std=0.1))


def run(folder: str | Path | None = "runs/tinyworld", display: Any = None) -> dict[str, Any]:
    """Trains the model, stores it among the checkpoints; its record, with the exact floor."""
    corrupted, floor = masked_test_set(TEST_SENTENCES)
    model = build()
    data = DynamicMasking(masker(), sentences(SENTENCES, 0), seed=0)
    history = fit(
        model, data, masked_lm_loss, RECIPE, evaluate=tester(corrupted), evaluate_every=100,
        folder=folder, save_every=200, floor=floor, display=display,
    )  # fmt: skip
    save_pretrained("tinyworld", model, tinyworld.vocabulary())
    return {"floor": floor, **training_record(model, RECIPE, MASK_RATIO, history)}
