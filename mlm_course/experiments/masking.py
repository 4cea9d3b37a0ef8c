"""What to hide: how often anew, how much, and in which pattern, on tinyworld. Lesson 6.

Every model is scored on the same new sentences with 15 % of each hidden, and what is noted is its
distance to the exact floor there: 0 would be perfect.
"""

from __future__ import annotations

from typing import Any

import torch

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import BERT_PROPORTIONS, DynamicMasking, StaticMasking
from mlm_course.experiments.tinyworld import TEST_RATIO, masked_test_set, tester
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import Data, Recipe, fit, masked_lm_loss

RATIOS = (0.05, 0.15, 0.3, 0.45, 0.6, 0.75)
PATTERNS = ("bernoulli", "fixed count", "spans", "block", "non-adjacent")
FEW, EPOCHS, BATCH = 320, 100, 32  # sentences, for the question how often to draw anew
LONG = Recipe(
    steps=EPOCHS * FEW // BATCH, batch_size=BATCH, optimizer="adamw", lr=1e-3,
    schedule="constant", warmup=20,
)  # fmt: skip
SHORT = Recipe(steps=400, batch_size=64)


def small_model() -> MaskedLM:
    """Two layers of 64 numbers a token, the same first weights at every call."""
    return seeded_init(
        MaskedLM, EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=64, n_layers=2)
    )


def distances(data: Data, recipe: Recipe, every: int) -> list[dict[str, float]]:
    """Distance to the floor, in nats, and accuracy, after every so many steps."""
    corrupted, floor = masked_test_set()
    history = fit(
        small_model(),
        data,
        masked_lm_loss,
        recipe,
        evaluate=tester(corrupted),
        evaluate_every=every,
    )
    return [
        {
            "step": e["step"],
            "above_floor": round(e["loss"] - floor, 4),
            "accuracy": round(e["accuracy"], 4),
        }
        for e in history.evaluations
    ]


def regimes() -> dict[str, list[dict[str, float]]]:
    """Few sentences, many epochs: masks drawn once, ten times, or anew in each epoch."""
    few, every = sentences(FEW, 3), LONG.steps // 10
    hide = masker(TEST_RATIO)
    ways: dict[str, Data] = {
        "static, 1 copy": StaticMasking(hide, few, 1, torch.Generator().manual_seed(0)),
        "static, 10 copies": StaticMasking(hide, few, 10, torch.Generator().manual_seed(0)),
        "dynamic": DynamicMasking(hide, few, seed=0),
    }
    return {name: distances(rows, LONG, every) for name, rows in ways.items()}


def ratios() -> dict[str, float]:
    """Distance to the floor at 15 % by the ratio that was trained with; enough sentences."""
    many = sentences(30_000, 4)
    return {
        str(ratio): distances(DynamicMasking(masker(ratio), many, seed=0), SHORT, 0)[-1][
            "above_floor"
        ]
        for ratio in RATIOS
    }


def patterns() -> dict[str, float]:
    """The same by pattern, at 15 %, and for BERT's 80/10/10."""
    many = sentences(30_000, 4)
    maskers = {name: masker(TEST_RATIO, name) for name in PATTERNS}
    maskers["fixed count, 80/10/10"] = masker(TEST_RATIO, proportions=BERT_PROPORTIONS)
    return {
        name: distances(DynamicMasking(hide, many, seed=0), SHORT, 0)[-1]["above_floor"]
        for name, hide in maskers.items()
    }


def run() -> dict[str, Any]:
    """All three questions."""
    return {
        "regimes": regimes(),
        "ratios": ratios(),
        "patterns": patterns(),
        "sentences": FEW,
        "batch_size": BATCH,
        "steps": SHORT.steps,
    }
