"""Which guesses to keep: order, schedule and number of steps, each changed alone. Lesson 12.

Five small masked diffusion models write WRITTEN sentences of tinyworld each, 2,000 together, with each
sampler; every word is drawn from the model's probabilities. "valid": the share that is a sentence.
"surprise": the exact surprise of the valid ones, less that of the language's own sentences of the
same lengths, in nats: so it says nothing of which lengths come out valid. "perfect": the same with
exact guesses, once.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlm_course.corpora.tinyworld import sentences
from mlm_course.corpora.tinyworld_oracle import exact_nll, exact_predict, n_words
from mlm_course.decoding import Predict, Sampler, cosine_remasking, linear_remasking
from mlm_course.diffusion import predictor
from mlm_course.experiments._rivals import SEEDS
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.diffusion import SMALL, small_model, written
from mlm_course.results.comparison import between
from mlm_course.training import fit
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

TRAINING: dict[str, Any] = {"steps": 800, "batch_size": 64}
SENTENCES, WRITTEN, REAL = 50_000, 400, 50_000
STEPS = (2, 4, 8, 16, 32)
ORDERS: dict[str, dict[str, Any]] = {
    "most confident first": {},
    "most confident, masked again": {"may_remask": True},
    "confidence with noise": {"gumbel": 4.5},
    "random order": {"order": "random"},
    "each by chance": {"order": "bernoulli"},
}
SCHEDULES = {"linear": linear_remasking, "cosine": cosine_remasking}
FOLDER = Path("runs/samplers")


def all_samplers() -> dict[str, Sampler]:
    """Every order with every schedule; words are drawn, and stay unless masked again."""
    return {
        f"{order}, {schedule}": Sampler(
            remasking, **{"temperature": 1.0, "may_remask": False, **how}
        )
        for order, how in ORDERS.items()
        for schedule, remasking in SCHEDULES.items()
    }


def writer(seed: int) -> Predict:
    """A small model, trained on every share of hidden words."""
    model = small_model(seed)
    data = GapRows(sentences(SENTENCES, 5000 + seed), seed)
    fit(model, data, diffusion_loss, replace(SMALL, seed=seed, **TRAINING))
    return predictor(model.eval())


def surprise_by_length(n: int = REAL) -> Tensor:
    """The mean surprise of the language's own sentences, by their number of words."""
    real = sentences(n, 7)
    lengths, surprise = n_words(real), exact_nll(real)
    count = torch.bincount(lengths).clamp(min=1)
    return torch.bincount(lengths, weights=surprise) / count


def judged(text: Tensor, usual: Tensor) -> dict[str, float | None]:
    """The share of valid sentences, and how much more surprising they are than the language's own."""
    surprise = exact_nll(text)
    valid = surprise.isfinite()
    above = (surprise - usual[n_words(text)])[valid]
    return {
        "valid": round(valid.double().mean().item(), 4),
        "surprise": round(above.mean().item(), 3) if valid.any() else None,
    }


def write_all(done: ScoreFile, name: str, predict: Predict, seed: int) -> None:
    """What a model writes with each sampler and number of steps, as far as it is not there yet."""
    lengths, usual = n_words(sentences(WRITTEN, 5)), surprise_by_length()
    for sampler_name, sampler in all_samplers().items():
        for steps in STEPS:
            if (key := f"{name} | {sampler_name} | {steps}") not in done.scores:
                start = time.perf_counter()
                text = written(predict, lengths, steps, sampler, seed)
                done.add(key, judged(text, usual), time.perf_counter() - start)


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Five models and the perfect one, each with all samplers."""
    done = ScoreFile(Path(folder), f"{SMALL} {TRAINING} {STEPS} {WRITTEN}", "other settings")
    for seed in SEEDS:
        if f"{seed} | {list(all_samplers())[-1]} | {STEPS[-1]}" not in done.scores:
            write_all(done, str(seed), writer(seed), seed)
    write_all(done, "perfect", exact_predict, 0)
    valid = table(done, "valid")
    return {
        "training": TRAINING,
        "written": WRITTEN,
        "steps": STEPS,
        "valid": valid,
        "surprise": table(done, "surprise"),
        "perfect": {
            name: {str(T): done.scores[f"perfect | {name} | {T}"]["valid"] for T in STEPS}
            for name in all_samplers()
        },
        "differences": {str(T): differences_at(valid, str(T)) for T in STEPS},
        "minutes": done.minutes,
    }


def table(done: ScoreFile, metric: str) -> dict[str, dict[str, list[float]]]:
    """Five values, one a model, for each sampler and number of steps."""
    return {
        name: {str(T): [done.scores[f"{s} | {name} | {T}"][metric] for s in SEEDS] for T in STEPS}
        for name in all_samplers()
    }


def differences_at(valid: dict[str, dict[str, list[float]]], steps: str) -> dict[str, Any]:
    """Cosine against linear in each order; each order against the most confident first."""
    base = next(iter(ORDERS))
    pairs = [(f"{order}, cosine", f"{order}, linear") for order in ORDERS]
    pairs += [(f"{o}, {s}", f"{base}, {s}") for s in SCHEDULES for o in ORDERS if o != base]
    return between({name: by_steps[steps] for name, by_steps in valid.items()}, pairs)
