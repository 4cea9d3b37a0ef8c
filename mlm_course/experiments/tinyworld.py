"""A masked language model of tinyworld, trained until it is close to the exact floor. Lessons 5, 6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mlm_course.corpora import tinyworld
from mlm_course.corruption import MASK_ONLY, Corrupted, Masker, choose_fixed_count
from mlm_course.evaluation import score_hidden
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.models.pretrained import CHECKPOINTS
from mlm_course.models.storage import save_model
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import MaskedRows, Recipe, fit, masked_lm_loss

SENTENCES, TEST_SENTENCES = 100_000, 2_000
MASK_RATIO, TEST_RATIO = 0.4, 0.15
RECIPE = Recipe(
    steps=400, batch_size=128, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95), precision="bf16"
)


def masker(ratio: float = MASK_RATIO) -> Masker:
    """A fixed share of each sentence hidden behind [MASK]."""
    return Masker(
        len(tinyworld.vocabulary()),
        SPECIAL_IDS,
        MASK_ID,
        choose=choose_fixed_count,
        ratio=ratio,
        proportions=MASK_ONLY,
    )


def sentences(n: int, seed: int) -> torch.Tensor:
    """n sentences of tinyworld as ids (n, T)."""
    return tinyworld.sample_ids(n, torch.Generator().manual_seed(seed))


def masked_test_set(n: int = TEST_SENTENCES, ratio: float = TEST_RATIO) -> Corrupted:
    """New sentences with masks that stay the same."""
    return masker(ratio)(sentences(n, 1), torch.Generator().manual_seed(2))


def tester(masked: Corrupted) -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`."""
    return lambda model: score_hidden(model, masked)._asdict()


def build() -> MaskedLM:
    """The model to train: pre-norm, three layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vocab_size, length = len(tinyworld.vocabulary()), 26
        return MaskedLM(EncoderConfig(vocab_size, length, n_layers=3, embedding_std=0.1))


def run(folder: str | Path | None = "runs/tinyworld", display: Any = None) -> dict[str, Any]:
    """Trains the model, stores it among the checkpoints; its record, with the exact floor."""
    masked = masked_test_set()
    floor = tinyworld.loss_floor(sentences(TEST_SENTENCES, 1), masked.hidden)
    model = build()
    data = MaskedRows(sentences(SENTENCES, 0), masker(), seed=0)
    history = fit(
        model, data, masked_lm_loss, RECIPE, evaluate=tester(masked), evaluate_every=100,
        folder=folder, save_every=200, floor=floor, display=display,
    )  # fmt: skip
    place = CHECKPOINTS / "tinyworld"
    place.mkdir(parents=True, exist_ok=True)
    save_model(model, place / "model.safetensors", torch.float16)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": RECIPE.__dict__,
        "mask_ratio": MASK_RATIO,
        "training_minutes": round(history.seconds[-1] / 60, 1),
        "floor": floor,
        "result": history.evaluations[-1],
        "curve": history.evaluations,
    }
