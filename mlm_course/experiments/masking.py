"""What to hide: how often anew, how much, and in which pattern, on tinyworld. Lesson 6.

Every model is scored on the same new sentences with 15 % of each hidden, and what is noted is its
distance to the exact floor there, in nats: 0 would be perfect. With few sentences models over-fit: their
learning rates are chosen by the least distance on the way, as whoever stops in time has it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import BERT_PROPORTIONS, DynamicMasking, StaticMasking
from mlm_course.experiments._rivals import FACTORS, Contest, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import TEST_RATIO, masked_test_set, tester
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import Data, Recipe, fit, masked_lm_loss

RATIOS = (0.15, 0.3, 0.45, 0.6)
SIZES = {"32 dimensions": (32, 1), "64 dimensions": (64, 2)}  # layers
PATTERNS = {
    name: masker(TEST_RATIO, name)
    for name in ("fixed count", "bernoulli", "spans", "block", "non-adjacent")
} | {"fixed count, 80/10/10": masker(TEST_RATIO, proportions=BERT_PROPORTIONS)}
FEW, EPOCHS, BATCH, LOOKS = 320, 100, 32, 20  # sentences, for the question how often to draw anew
LONG = Recipe(
    steps=EPOCHS * FEW // BATCH, batch_size=BATCH, optimizer="adamw", lr=1e-3,
    schedule="constant", warmup=20,
)  # fmt: skip
SHORT = Recipe(steps=400, batch_size=64)
MANY = 30_000
FOLDER = Path("runs/masking")


def distances(
    data: Data, recipe: Recipe, size: tuple[int, int] = (64, 2), every: int = 0
) -> dict[str, Any]:
    """Distance to the floor at the end, the least one, and all if every so many steps are looked at."""
    corrupted, floor = masked_test_set()
    d_model, n_layers = size
    config = EncoderConfig(
        len(tinyworld.vocabulary()), 26, d_model=d_model, n_layers=n_layers, embedding_std=0.1
    )
    model = seeded_init(MaskedLM, config, recipe.seed)
    history = fit(
        model, data, masked_lm_loss, recipe, evaluate=tester(corrupted), evaluate_every=every
    )
    curve = [round(e["loss"] - floor, 4) for e in history.evaluations]
    return {"above_floor": curve[-1], "best": min(curve), **({"curve": curve} if every else {})}


def drawn_once(copies: int, seed: int) -> Data:
    """Few sentences with masks that are drawn before training, so many for each."""
    few, generator = sentences(FEW, 2000 + seed), torch.Generator().manual_seed(seed)
    return StaticMasking(masker(TEST_RATIO), few, copies, generator)


def drawn_anew(seed: int) -> Data:
    """The same sentences with masks that are drawn in each epoch."""
    return DynamicMasking(masker(TEST_RATIO), sentences(FEW, 2000 + seed), seed=seed)


def with_few(data_of: Callable[[int], Data], factor: float, seed: int) -> dict[str, Any]:
    """Few sentences, many epochs."""
    return distances(data_of(seed), scaled(LONG, factor, seed), every=LONG.steps // LOOKS)


def with_many(
    factor: float, seed: int, hide: Any = None, size: tuple[int, int] = (64, 2)
) -> dict[str, Any]:
    """So many sentences that hardly one comes twice."""
    data = DynamicMasking(hide, sentences(MANY, 3000 + seed), seed=seed)
    return distances(data, scaled(SHORT, factor, seed), size)


REGIMES = {
    "static, 1 copy": partial(with_few, partial(drawn_once, 1)),
    "static, 10 copies": partial(with_few, partial(drawn_once, 10)),
    "dynamic": partial(with_few, drawn_anew),
}


def mean_curve(scores: list[dict[str, Any]]) -> list[float]:
    """The mean over seeds, look by look."""
    return [round(fmean(values), 4) for values in zip(*(s["curve"] for s in scores), strict=True)]


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All three questions."""
    done = ScoreFile(Path(folder), f"{LONG} {SHORT} {SIZES} {FACTORS}", "other settings")
    patterns = Contest(
        done, "patterns", {name: partial(with_many, hide=h) for name, h in PATTERNS.items()},
        "above_floor",
    )  # fmt: skip
    regimes = Contest(done, "regimes", REGIMES, "best")
    pairs = [*each_against(REGIMES, "dynamic"), ("static, 1 copy", "static, 10 copies")]
    curves = {name: mean_curve(regimes.all_scores(name)) for name in REGIMES}
    return {
        "steps": SHORT.steps,
        "sentences": FEW,
        "batch_size": BATCH,
        "patterns": patterns.part(each_against(PATTERNS, "fixed count")),
        "regimes": {"curves": curves, **regimes.part(pairs)},
        "regimes, at the end": regimes.part(pairs, "above_floor"),
        "looks": [round(LONG.steps / LOOKS * (i + 1)) for i in range(LOOKS)],
        "ratios": {name: by_ratio(done, name) for name in SIZES},
        "minutes": done.minutes,
    }


def by_ratio(done: ScoreFile, size: str) -> dict[str, Any]:
    """Models of one size, by the ratio that they were trained with."""
    rivals = {
        str(ratio): partial(with_many, hide=masker(ratio), size=SIZES[size]) for ratio in RATIOS
    }
    return Contest(done, f"ratios, {size}", rivals, "above_floor").part(
        each_against(rivals, "0.15")
    )
