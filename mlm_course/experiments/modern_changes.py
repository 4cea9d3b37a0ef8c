"""What sets ModernBERT apart from BERT, each change by itself, and all together, on tinyworld. Lesson 14.

The plan, made before the run. "plain" is BERT in small: post-norm, biases, a feed-forward network without
a gate, learned positions, every layer global, 15 % hidden, the learning rate falling evenly after the
warm-up. Each rival changes one thing; "all" changes all of them. With a gate the feed-forward network is
narrower, so that it has as many weights. Local layers are the second and the third of three, and see 4
tokens to each side, in sentences of about 20. Every rival chooses its learning rate among FACTORS times
AdamW's here, and then trains with five other seeds for the same number of steps. What is recorded is
nats above the exact floor, on the same new sentences with 15 % of each hidden.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments._rivals import FACTORS, Contest, Run, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import seeded_init
from mlm_course.models.modern import ModernConfig, ModernMaskedLM
from mlm_course.training import Recipe, fit, masked_lm_loss

WINDOW = 8
MODERN = ModernConfig(
    len(tinyworld.vocabulary()), max_length=26, d_model=64, n_layers=3, n_heads=4, window=WINDOW
)
PLAIN = replace(
    MODERN, pre_norm=False, bias=True, gated=False, d_ff=256, rotary=False, window=0
)  # fmt: skip
RECIPE = Recipe(steps=600, batch_size=64, optimizer="adamw", lr=4e-3)
RATIO, MODERN_RATIO = 0.15, 0.3
DECAY = "trapezoid"  # up, level, down in the last fifth
FOLDER = Path("runs/modern_changes")


def distance(
    factor: float,
    seed: int,
    config: ModernConfig = PLAIN,
    ratio: float = RATIO,
    schedule: str = RECIPE.schedule,
) -> dict[str, float]:
    """How far above the floor at 15 % a model ends, in nats."""
    corrupted, floor = masked_test_set()
    model = seeded_init(ModernMaskedLM, config, seed)
    data = DynamicMasking(masker(ratio), sentences(30_000, 4000 + seed), seed=seed)
    fit(model, data, masked_lm_loss, replace(scaled(RECIPE, factor, seed), schedule=schedule))
    return {"above_floor": round(score_masked(model, corrupted).loss - floor, 4)}


RIVALS: dict[str, Run] = {
    "plain": distance,
    "no biases": partial(distance, config=replace(PLAIN, bias=False)),
    "pre-norm": partial(distance, config=replace(PLAIN, pre_norm=True)),
    "GeGLU": partial(distance, config=replace(PLAIN, gated=True, d_ff=MODERN.d_ff)),
    "rotary": partial(distance, config=replace(PLAIN, rotary=True)),
    "local and global": partial(distance, config=replace(PLAIN, window=WINDOW)),
    "30 % masks": partial(distance, ratio=MODERN_RATIO),
    "warm-up, stable, decay": partial(distance, schedule=DECAY),
    "all": partial(distance, config=MODERN, ratio=MODERN_RATIO, schedule=DECAY),
}


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Every change by itself against the plain model, and all of them together."""
    done = ScoreFile(Path(folder), f"{MODERN} {PLAIN} {RECIPE} {FACTORS}", "other settings")
    contest = Contest(done, "tinyworld", RIVALS, "above_floor")
    return {
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "tinyworld": contest.part(each_against(RIVALS, "plain")),
        "minutes": done.minutes,
    }
