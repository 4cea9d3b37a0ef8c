"""What makes a small model learn sooner: each choice of lesson 6's recipe undone, one at a time.

Two pairs of choices that may depend on each other are undone together as well: the optimiser and the
size of the embeddings at the start, the place of the norms and the warm-up. What is recorded is nats
above the floor at 15 % hidden after STEPS.
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
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import Recipe, fit, masked_lm_loss

CONFIG = EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=64, n_layers=4, embedding_std=0.1)
STEPS = 300
RECIPE = Recipe(STEPS, batch_size=64)
RATIO = 0.3
FOLDER = Path("runs/choices")
ADAMW = {"optimizer": "adamw", "lr": 4e-3}


def distance(
    factor: float,
    seed: int,
    config: dict[str, Any] | None = None,
    recipe: dict[str, Any] | None = None,
    ratio: float = RATIO,
) -> dict[str, float]:
    """How far above the floor at 15 % a model ends, in nats; config, recipe: what is undone."""
    corrupted, floor = masked_test_set()
    model = seeded_init(MaskedLM, replace(CONFIG, **(config or {})), seed)
    data = DynamicMasking(masker(ratio), sentences(20_000, 1000 + seed), seed=seed)
    numbers = scaled(replace(RECIPE, **(recipe or {})), factor, seed)
    fit(model, data, masked_lm_loss, numbers)
    return {"above_floor": round(score_masked(model, corrupted).loss - floor, 4)}


RIVALS: dict[str, Run] = {
    "as it is": distance,
    "AdamW": partial(distance, recipe=ADAMW),
    "post-norm": partial(distance, config={"pre_norm": False}),
    "15 % hidden": partial(distance, ratio=0.15),
    "no decay": partial(distance, recipe={"schedule": "constant"}),
    "no warm-up": partial(distance, recipe={"warmup": 0}),
    "embeddings at .02": partial(distance, config={"embedding_std": 0.02}),
    "embeddings at 1": partial(distance, config={"embedding_std": 1.0}),
    "AdamW, embeddings at .02": partial(distance, config={"embedding_std": 0.02}, recipe=ADAMW),
    "AdamW, embeddings at 1": partial(distance, config={"embedding_std": 1.0}, recipe=ADAMW),
    "post-norm, no warm-up": partial(distance, config={"pre_norm": False}, recipe={"warmup": 0}),
}
BOTH = [
    ("AdamW, embeddings at .02", "AdamW"),
    ("AdamW, embeddings at 1", "AdamW"),
    ("post-norm, no warm-up", "post-norm"),
]


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """The whole recipe, then with choices undone."""
    done = ScoreFile(Path(folder), f"{CONFIG} {RECIPE} {FACTORS}", "other settings")
    small = Contest(done, "tinyworld", RIVALS, "above_floor")
    return {
        "steps": STEPS,
        "batch_size": RECIPE.batch_size,
        "tinyworld": small.part([*each_against(RIVALS, "as it is"), *BOTH]),
        "minutes": done.minutes,
    }
