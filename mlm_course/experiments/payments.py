"""Payments with some two hundred right texts each: Mask-Predict by steps, and two twins. Lesson 11.

The plan, made before the run. A conditional masked language model, a left-to-right twin of equal depth
(2 layers in the encoder, 2 in the decoder) and one with a deep encoder and a decoder of one layer
(3 and 1; Kasai et al. 2021) train on the same payments, with the same steps and batches; each chooses
its learning rates among FACTORS on the seed TUNING, the first by its answers in ten steps with one
length, the twins by their greedy answers. Five other seeds follow. What counts is the share of TEST
payments whose text is one of the right ones, whichever. Planned differences: PLANNED.

Added after the planned run, on the five models it had trained: parts of the mechanism taken away, and
twice the steps (MECHANISM), one length each.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from mlm_course.corpora import payments
from mlm_course.corpora.payments import Payment
from mlm_course.decoding import MASK_PREDICT, Sampler, autoregressive, mask_predict
from mlm_course.evaluation import repeat_share
from mlm_course.experiments._rivals import FACTORS, SEEDS, Contest, Run, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results.comparison import between, compared_rivals
from mlm_course.training import GapPairs, NextWordPairs, Recipe, fit, gap_loss, next_word_loss

TRAIN, TEST = 20_000, 1_000
RECIPE = Recipe(500, batch_size=64, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95))
STEPS, LENGTHS = (1, 2, 4, 10), (1, 5)
PARALLEL, TWIN, SHALLOW = "Mask-Predict", "left to right", "left to right, decoder of one layer"
LAYERS = {PARALLEL: (2, 2), TWIN: (2, 2), SHALLOW: (3, 1)}
PLANNED = [
    ("T = 10", "T = 1"),
    ("T = 4", "T = 1"),
    ("T = 10", "T = 4"),
    ("T = 10, 5 lengths", "T = 10"),
    ("T = 4, 5 lengths", "T = 4"),
    ("T = 10", TWIN),
    ("T = 10, 5 lengths", TWIN),
    ("T = 10", SHALLOW),
    (SHALLOW, TWIN),
]
WHOLE = "ten steps, as they are"
MECHANISM = {
    WHOLE: (10, MASK_PREDICT),
    "kept words stay": (10, Sampler(may_remask=False)),
    "random words go": (10, Sampler(order="random")),
    "twenty steps": (20, MASK_PREDICT),
}
FOLDER = Path("runs/payments")


@cache
def test_set() -> list[Payment]:
    """The payments to be written, always the same."""
    return payments.draw(TEST, torch.Generator().manual_seed(0))


def training_set(seed: int) -> tuple[Tensor, Tensor]:
    """Other payments and one right text of each: source (N, 7), target (N, T)."""
    generator = torch.Generator().manual_seed(1000 + seed)
    drawn = payments.draw(TRAIN, generator, other_than=frozenset(test_set()))
    texts = payments.drawn_texts(drawn, generator)
    return payments.encode_records(drawn), payments.encode_texts(texts)


def build(rival: str, seed: int = 0) -> Seq2Seq:
    """A model with four layers in all, 96 numbers a token."""
    encoder, decoder = LAYERS[rival]
    sizes = Seq2SeqConfig(
        len(payments.vocabulary()), 7, d_model=96, n_layers=encoder, n_heads=4,
        decoder_layers=decoder, max_target=24, causal=rival != PARALLEL, embedding_std=0.1,
    )  # fmt: skip
    return seeded_init(Seq2Seq, sizes, seed)


def trained(rival: str, factor: float, seed: int, folder: Path) -> Seq2Seq:
    """A model after its training, which lies in the folder and is done once."""
    model, recipe = build(rival, seed), scaled(RECIPE, factor, seed)
    place = folder / f"{rival} {factor:.3g} {seed}"
    if model.config.causal:
        loss = partial(next_word_loss, label_smoothing=0.0)
        fit(model, NextWordPairs(*training_set(seed)), loss, recipe, folder=place)
    else:
        loss = partial(gap_loss, label_smoothing=0.0)
        fit(model, GapPairs(*training_set(seed), seed=seed), loss, recipe, folder=place)
    return model.eval()


def judged(written: Tensor) -> dict[str, float]:
    """Shares of the test's texts that are right, of possible lengths, and of repeated words."""
    right = payments.is_rendering(test_set(), written).float().mean().item()
    possible = payments.possible_length(test_set(), written).float().mean().item()
    return {
        "right": round(right, 4),
        "possible length": round(possible, 4),
        "repeats": round(repeat_share(written), 5),
    }


def contestant(rival: str, factor: float, seed: int, folder: Path) -> dict[str, Any]:
    """A training's "right", by which it is tuned, and what it writes in each way."""
    model, source = trained(rival, factor, seed, folder), payments.encode_records(test_set())
    if model.config.causal:
        ways = {rival: judged(autoregressive(model, source).tokens)}
        return {"right": ways[rival]["right"], "ways": ways}
    ways = {
        way(t, n): judged(mask_predict(model, source, t, n).tokens) for n in LENGTHS for t in STEPS
    }
    return {"right": ways[way(max(STEPS), 1)]["right"], "ways": ways}


def way(steps: int, n_lengths: int) -> str:
    """A way to write: its steps, and its candidate lengths where there are several."""
    return f"T = {steps}" + (f", {n_lengths} lengths" if n_lengths > 1 else "")


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Trains all, compares what they write, and ships Mask-Predict's model of the first seed."""
    folder = Path(folder)
    rivals: dict[str, Run] = {name: partial(contestant, name, folder=folder) for name in LAYERS}
    done = ScoreFile(folder, f"{RECIPE} {LAYERS} {FACTORS} {TRAIN} {TEST}", "other settings")
    contest = Contest(done, "payments", rivals, "right", lower_is_better=False)
    scores = {name: contest.all_scores(name) for name in rivals}
    first = trained(PARALLEL, contest.chosen(PARALLEL), SEEDS[0], folder)
    save_pretrained("payments", first, payments.vocabulary())
    return {
        "training": {"payments": TRAIN, "steps": RECIPE.steps, "batch_size": RECIPE.batch_size},
        "tested on": TEST,
        "layers": LAYERS,
        "parameters": {name: sum(p.numel() for p in build(name).parameters()) for name in LAYERS},
        "chosen": {name: round(contest.chosen(name), 3) for name in LAYERS},
        "right": planned_differences(scores),
        **{what: means(scores, what) for what in ("possible length", "repeats")},
        "mechanism": mechanism(contest.chosen(PARALLEL), folder),
        "minutes": done.minutes,
    }


def mechanism(factor: float, folder: Path) -> dict[str, Any]:
    """Shares of right texts of the five models with parts of the mechanism taken away."""
    source = payments.encode_records(test_set())
    values: dict[str, list[float]] = {name: [] for name in MECHANISM}
    for seed in SEEDS:
        model = trained(PARALLEL, factor, seed, folder)
        for name, (steps, sampler) in MECHANISM.items():
            generator = torch.Generator().manual_seed(seed)
            written = mask_predict(model, source, steps, 1, sampler, generator).tokens
            values[name].append(judged(written)["right"])
    return {"values": values, "differences": between(values, each_against(MECHANISM, WHOLE))}


def planned_differences(scores: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The planned differences between shares of right texts."""
    values = {
        name: [seed["ways"][name]["right"] for seed in by_seed]
        for by_seed in scores.values()
        for name in by_seed[0]["ways"]
    }
    tried = {name: [round(f, 3) for f in FACTORS] for name in values}
    return compared_rivals(values, tried, PLANNED)


def means(scores: dict[str, list[dict[str, Any]]], what: str) -> dict[str, float]:
    """The mean over seeds of another share, for every way to write."""
    return {
        name: round(fmean(seed["ways"][name][what] for seed in by_seed), 5)
        for by_seed in scores.values()
        for name in by_seed[0]["ways"]
    }
