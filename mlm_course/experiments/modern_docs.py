"""BERT in small against ModernBERT in small, on real docstrings. Lesson 14.

The plan, made before the run. Two rivals, "plain" and "all", as in `modern_changes` but for their size
(D_MODEL, LAYERS, rows of LENGTH pieces; local layers see 16 to each side). Both read packed rows of the
docstrings that `python_docs` trains on, no row twice, with the same number of steps and rows; each
chooses its learning rates among FACTORS times Muon's here, by the first half of the held-out rows, and
then trains with five other seeds, which draw first weights, rows and masks. Scored is the mean surprise,
in nats, of 15 % hidden pieces in the second half.

The plan was changed three times. With AdamW, as in `modern_changes`, plain models ended at 6.24 and 6.37
nats at the first two of three learning rates, about where guessing by frequency ends: before "all" was
trained at all, both rivals got Muon, lesson 6's optimiser, in its place. As "plain" then did best at the
least of three rates, all were given a fourth, lower one, before the five seeds of "all". And when "all" was
seen to be far ahead, "pre-norm" and "rotary" were added, which change that one thing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.corruption.masking import standard_masker
from mlm_course.evaluation import score_masked
from mlm_course.experiments._rivals import TUNING, Contest, Run, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.modern_changes import DECAY, MODERN_RATIO, RATIO
from mlm_course.experiments.python_docs import TEST_RATIO, VOCAB_SIZE, read_corpus
from mlm_course.models import seeded_init
from mlm_course.models.modern import ModernConfig, ModernMaskedLM
from mlm_course.training import Recipe, fit, masked_lm_loss

LENGTH, D_MODEL, LAYERS = 64, 128, 4
TESTED = 1_000  # rows in each half
MODERN = ModernConfig(
    VOCAB_SIZE, max_length=LENGTH, d_model=D_MODEL, n_layers=LAYERS, n_heads=4, window=32
)
PLAIN = replace(
    MODERN, pre_norm=False, bias=True, gated=False, d_ff=4 * D_MODEL, rotary=False, window=0
)  # fmt: skip
RECIPE = Recipe(steps=1_200, batch_size=32, precision="bf16")
FACTORS = (1 / 9, 1 / 3, 1.0, 3.0)
FOLDER = Path("runs/modern_docs")


@cache
def corpus() -> tuple[Tensor, Corrupted, Corrupted]:
    """Rows to train on (N, LENGTH), and two halves of held-out rows with 15 % of each hidden."""
    read = read_corpus()
    held_out = read.held_out.view(-1, LENGTH)[: 2 * TESTED]
    hide = standard_masker(VOCAB_SIZE, TEST_RATIO)
    halves = [hide(half, torch.Generator().manual_seed(7)) for half in held_out.split(TESTED)]
    return read.train.view(-1, LENGTH), halves[0], halves[1]


def surprise(
    factor: float, seed: int, config: ModernConfig, ratio: float, schedule: str, folder: Path
) -> dict[str, float]:
    """What comes of one training: nats on the rows that choose, or on those that test."""
    rows, choosing, test = corpus()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    mine = rows[order[: RECIPE.steps * RECIPE.batch_size]]
    model = seeded_init(ModernMaskedLM, config, seed)
    data = DynamicMasking(standard_masker(VOCAB_SIZE, ratio), mine, seed=seed)
    recipe = replace(scaled(RECIPE, factor, seed), schedule=schedule)
    fit(model, data, masked_lm_loss, recipe, folder=folder / f"{schedule} {factor:.3g} {seed}")
    asked = choosing if seed == TUNING else test
    return {"nats": round(score_masked(model, asked, batch_size=64).loss, 4)}


def rivals(folder: Path) -> dict[str, Run]:
    """All of them, each with its masks and its schedule."""
    return {
        "plain": partial(
            surprise, config=PLAIN, ratio=RATIO, schedule=RECIPE.schedule, folder=folder
        ),
        "pre-norm": partial(
            surprise, config=replace(PLAIN, pre_norm=True), ratio=RATIO,
            schedule=RECIPE.schedule, folder=folder / "pre-norm",
        ),
        "rotary": partial(
            surprise, config=replace(PLAIN, rotary=True), ratio=RATIO,
            schedule=RECIPE.schedule, folder=folder / "rotary",
        ),
        "all": partial(
            surprise, config=MODERN, ratio=MODERN_RATIO, schedule=DECAY, folder=folder
        ),
    }  # fmt: skip


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All changes together, and two of them alone, against none."""
    done = ScoreFile(Path(folder), f"{MODERN} {PLAIN} {RECIPE} {FACTORS}", "other settings")
    contest = Contest(done, "docs", rivals(Path(folder)), "nats", factors=FACTORS)
    return {
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "length": LENGTH,
        "docs": contest.part(
            [*each_against(("pre-norm", "rotary", "all"), "plain"), ("all", "rotary")]
        ),
        "minutes": done.minutes,
    }
