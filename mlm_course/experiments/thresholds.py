"""Every token of which the model is sure, in one step: what a threshold saves, and what it costs. Lesson 12.

Planned: five small masked diffusion models (as in `samplers`) fill sentences of tinyworld of which half the
words are hidden. The likeliest word is taken; the most confident are kept first, and stay:

- "one at a time";
- each of THRESHOLDS: in each step all tokens chosen with at least that probability, at least one;
- "fixed, as .9": the same number a step, with on average as many steps as that threshold took. A row of
  n gaps gets steps in proportion to n.

"steps": the mean number of steps until a row is full. "valid": the share of rows that become a sentence.
Every threshold is reported. The one to be judged, "chosen", is the lowest that on other sentences, those
for tuning, is at most MARGIN behind one at a time in the mean of the five. What it saves, "saved", is the
share of the steps of one at a time, on the sentences for the test, as are all other figures.

Planned, too, and given up for want of time: blank lines, every word drawn. Two of the five models had
filled some; none of that is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlm_course.corpora.tinyworld import sentences
from mlm_course.corpora.tinyworld_oracle import exact_nll
from mlm_course.corruption import maskable
from mlm_course.corruption.strategies import choose_count
from mlm_course.decoding import LLADA, Predict, refine
from mlm_course.experiments._rivals import SEEDS
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.diffusion import SMALL
from mlm_course.experiments.samplers import TRAINING, writer
from mlm_course.results.comparison import between
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
TUNING, TEXTS = 500, 1000
MARGIN = 0.01
ONE = "one at a time"
FOLDER = Path("runs/thresholds")


class Rows(NamedTuple):
    """What is to be filled: canvas and masked, both (B, T)."""

    canvas: Tensor
    masked: Tensor


def half_hidden(n: int, seed: int) -> Rows:
    """Sentences of which half the words, rounded up, are hidden."""
    ids = sentences(n, seed)
    words = maskable(ids, SPECIAL_IDS)
    generator = torch.Generator().manual_seed(seed)
    return Rows(ids, choose_count(words, (words.sum(1) + 1) // 2, generator))


def judged(text: Tensor, taken: Tensor) -> dict[str, float]:
    """The share of valid rows (B, T), and the mean number of steps (B,)."""
    valid = exact_nll(text).isfinite().double().mean().item()
    return {"valid": round(valid, 4), "steps": round(taken.double().mean().item(), 3)}


def adaptive(predict: Predict, rows: Rows, threshold: float | None = None) -> dict[str, float]:
    """One at a time, or with a threshold: as many steps as it takes."""
    steps = int(rows.masked.sum(1).max())
    trace = refine(predict, *rows, MASK_ID, steps, replace(LLADA, threshold=threshold))
    taken = torch.stack([step.masked.any(1) for step in trace]).sum(0)
    return judged(trace[-1].tokens, taken)


def shared_out(n: Tensor, mean: float) -> Tensor:
    """Steps for rows of n gaps (B,), in proportion to n: the fewest whose mean is at least `mean`."""
    low, high = 0.0, 1.0  # steps a gap
    for _ in range(40):
        middle = (low + high) / 2
        enough = in_proportion(n, middle).double().mean().item() >= mean
        low, high = (low, middle) if enough else (middle, high)
    return in_proportion(n, high)


def in_proportion(n: Tensor, rate: float) -> Tensor:
    """So many steps a gap (B,), at least one a row; part of the rows is rounded up, the others down."""
    rounding = torch.arange(len(n), dtype=torch.float64) / len(n)
    return (n * rate + rounding).floor().long().clamp(min=1)


def fixed(predict: Predict, rows: Rows, mean: float) -> dict[str, float]:
    """The same number of tokens in each step, with so many steps on average."""
    taken, text = shared_out(rows.masked.sum(1), mean), rows.canvas.clone()
    for steps in taken.unique().tolist():
        alike = taken == steps
        some = rows.canvas[alike], rows.masked[alike]
        text[alike] = refine(predict, *some, MASK_ID, steps, LLADA)[-1].tokens
    return judged(text, taken)


def fill_all(done: ScoreFile, predict: Predict, seed: int) -> None:
    """What one model makes of all rows, as far as it is not there yet."""

    def keep(key: str, work: Callable[[], dict[str, float]]) -> dict[str, Any]:
        if (key := f"{seed} | {key}") not in done.scores:
            start = time.perf_counter()
            done.add(key, work(), time.perf_counter() - start)
        return done.scores[key]

    for part, rows in (("tuning", half_hidden(TUNING, 12)), ("test", half_hidden(TEXTS, 11))):
        keep(f"{part} | {ONE}", partial(adaptive, predict, rows))
        for threshold in THRESHOLDS:
            at = keep(f"{part} | {threshold:g}", partial(adaptive, predict, rows, threshold))
            if part == "test":
                rival = partial(fixed, predict, rows, at["steps"])
                keep(f"{part} | fixed, as {threshold:g}", rival)


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Trains five models; valid shares, steps, and their differences."""
    settings = f"{SMALL} {TRAINING} {THRESHOLDS} {TUNING} {TEXTS}"
    done = ScoreFile(Path(folder), settings, "other settings")
    for seed in SEEDS:
        if f"{seed} | test | fixed, as {THRESHOLDS[-1]:g}" not in done.scores:
            start = time.perf_counter()
            predict = writer(seed)
            done.add(f"{seed} | training", {}, time.perf_counter() - start)
            fill_all(done, predict, seed)
    about = {"training": TRAINING, "texts": TEXTS, "tuning texts": TUNING, "margin": MARGIN}
    return {**about, **findings(done), "minutes": done.minutes}


def findings(done: ScoreFile) -> dict[str, Any]:
    """Every way to fill, and the threshold that is judged."""

    def table(part: str, metric: str) -> dict[str, list[float]]:
        ways = [ONE, *(f"{t:g}" for t in THRESHOLDS)]
        ways += [f"fixed, as {t:g}" for t in THRESHOLDS] if part == "test" else []
        return {
            way: [done.scores[f"{seed} | {part} | {way}"][metric] for seed in SEEDS] for way in ways
        }

    valid, steps, tuning = table("test", "valid"), table("test", "steps"), table("tuning", "valid")
    enough = [t for t in THRESHOLDS if fmean(tuning[f"{t:g}"]) >= fmean(tuning[ONE]) - MARGIN]
    chosen = f"{(enough or THRESHOLDS[-1:])[0]:g}"
    pairs = [(f"{t:g}", other) for t in THRESHOLDS for other in (ONE, f"fixed, as {t:g}")]
    shares = [1 - few / all_ for few, all_ in zip(steps[chosen], steps[ONE], strict=True)]
    saved = {chosen: [round(share, 4) for share in shares], ONE: [0.0] * len(SEEDS)}
    return {
        "chosen": float(chosen),
        "tuning": tuning,
        "steps": steps,
        "valid": {"values": valid, "differences": between(valid, pairs)},
        "saved": {"values": saved, "differences": between(saved, [(chosen, ONE)])},
    }
