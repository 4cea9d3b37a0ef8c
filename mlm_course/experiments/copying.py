"""When copying is learned: the distance to the floor of lesson 6's small model, by kind of hidden word.

The exact posterior p of a hidden word, given the visible ones, says what the word hangs on:

- "open": p < .99, more than one answer is left;
- "fixed": p >= .99, even with all words hidden that hang on the same choice: the shape fixes it;
- "copied": p >= .99, but no longer once the same word is hidden wherever else it stands;
- "agreeing": p >= .99, even so, but no longer once all words are hidden that hang on the same choice:
  another word decides it, as a name decides between "he" and "she".

There are no others. What is recorded is the loss above the floor, in nats, of the words of one kind. The
"level" of copied and of agreeing words is the exact loss of a guesser from whom those other words
are hidden. A model that stays below it has begun to use them; half way from there to the floor the kind
counts as learned. Seeds change first weights, sentences and masks. Learning rates are those that
`choices` chose for the same three ways to train, on four layers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.experiments._rivals import each_against
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import TEST_RATIO
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.results.comparison import between, compare
from mlm_course.training import Recipe, fit, masked_lm_loss

KINDS = ("fixed", "agreeing", "copied", "open")
SEEDS, EVERY, TEST_SENTENCES = 5, 10, 600
RATIO, CERTAIN = 0.3, 0.99
CONFIG = EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=64, n_layers=2, embedding_std=0.1)
RECIPE = Recipe(steps=300, batch_size=64, lr=0.02)
WAYS = {
    "as it is": (CONFIG, RECIPE),
    "AdamW": (CONFIG, replace(RECIPE, optimizer="adamw", lr=4e-3)),
    "embeddings at .02": (
        replace(CONFIG, embedding_std=0.02), replace(RECIPE, lr=0.06, adamw_lr=6e-3)
    ),
}  # fmt: skip
"""Lesson 6's recipe, and two that change one thing (and the learning rates)."""
FOLDER = Path("runs/copying")

Curves = dict[str, list[float]]  # for each kind the distance to the floor at each evaluation


class Questions(NamedTuple):
    """Hidden words: the kind of each (n,) as a place in KINDS, its floor, its level (n,) in nats."""

    corrupted: Corrupted
    kind: Tensor
    floor: Tensor
    level: Tensor


def chances(ids: Tensor, gone: Tensor, rows: Tensor, places: Tensor) -> Tensor:
    """The exact probability of the true word at each of (rows, places), both (n,), of ids (N, T).

    gone (n, T) bool: what is out of view when that one word is asked for.
    """
    parts = []
    for k in torch.arange(len(rows)).split(512):
        row, place = rows[k], places[k]
        posterior = tinyworld.masked_posterior(ids[row], gone[k])  # (k, T, V)
        parts.append(posterior[torch.arange(len(k)), place, ids[row, place]])
    return torch.cat(parts)


def questions(n: int, seed: int) -> Questions:
    """n new sentences with 15 % of each hidden, and what each hidden word hangs on."""
    ids = sentences(n, seed)
    readings = tinyworld.sample_readings(n, torch.Generator().manual_seed(seed))
    corrupted = masker(TEST_RATIO)(ids, torch.Generator().manual_seed(seed + 1))
    rows, places = corrupted.masked.nonzero(as_tuple=True)
    masked = corrupted.masked[rows]  # (n, T)
    no_copy = masked | (ids[rows] == ids[rows, places][:, None])
    no_choice = no_copy.clone()
    for k, (row, place) in enumerate(zip(rows.tolist(), places.tolist(), strict=True)):
        no_choice[k, [other + 1 for other in readings[row].related(place - 1)]] = True
    seen, without_copy, without_choice = (
        chances(ids, gone, rows, places) for gone in (masked, no_copy, no_choice)
    )
    kind = torch.full_like(rows, KINDS.index("open"))
    certain = seen >= CERTAIN
    kind[certain] = KINDS.index("copied")
    kind[certain & (without_copy >= CERTAIN)] = KINDS.index("agreeing")
    kind[certain & (without_choice >= CERTAIN)] = KINDS.index("fixed")
    level = without_choice.where(kind == KINDS.index("agreeing"), without_copy)
    return Questions(corrupted, kind, -seen.log(), -level.log())


def by_kind(values: Tensor, kind: Tensor) -> dict[str, float]:
    """The mean of values (n,) over the words of each kind (n,)."""
    return {name: values[kind == i].mean().item() for i, name in enumerate(KINDS)}


def tester(asked: Questions) -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`: the distance to the floor of each kind, and of all words."""

    @torch.no_grad()
    def evaluate(model: nn.Module) -> dict[str, float]:
        shown, labels, masked = asked.corrupted
        parts = zip(shown.split(300), labels.split(300), masked.split(300), strict=True)
        nll = torch.cat(
            [
                F.cross_entropy(model(s, visible_mask(s), m), y[m], reduction="none")
                for s, y, m in parts
            ]
        )
        above = nll.double() - asked.floor
        return {**by_kind(above, asked.kind), "all": above.mean().item()}

    return evaluate


def curves(config: EncoderConfig, recipe: Recipe, seed: int, asked: Questions) -> Curves:
    """The distances before training and after every EVERY steps of a run."""
    evaluate = tester(asked)
    model = seeded_init(MaskedLM, config, seed=seed).eval()
    before = evaluate(model)
    data = DynamicMasking(masker(RATIO), sentences(20_000, 100 + seed), seed=seed)
    history = fit(
        model, data, masked_lm_loss, replace(recipe, seed=seed), evaluate=evaluate, evaluate_every=EVERY
    )  # fmt: skip
    return {kind: [row[kind] for row in (before, *history.evaluations)] for kind in before}


def below_for_good(curve: list[float], level: float, every: int = EVERY) -> float:
    """The step from which on a curve stays below a level, a straight line between evaluations.

    The last step where it never does.
    """
    above = [i for i, value in enumerate(curve) if value >= level]
    last = above[-1] if above else 0
    if last == len(curve) - 1 or not above:
        return float(last * every)
    left, right = curve[last], curve[last + 1]
    return every * (last + (left - level) / (left - right))


def moments(runs: list[Curves], levels: dict[str, float], share: float) -> dict[str, Any]:
    """When the loss of agreeing and of copied words stays below a share of their level: a part."""
    steps = {
        kind: [round(below_for_good(run[kind], share * level), 1) for run in runs]
        for kind, level in levels.items()
    }
    later = compare(steps["copied"], steps["agreeing"], lower_is_better=True)
    return {"values": steps, "differences": {"copied against agreeing": later._asdict()}}


def course(runs: list[Curves], n_words: dict[str, int]) -> dict[str, Any]:
    """The mean distance of each kind at each evaluation, and its share of the distance of all words."""
    mean = {
        kind: [fmean(at) for at in zip(*(run[kind] for run in runs), strict=True)]
        for kind in runs[0]
    }
    total = sum(n_words.values())
    return {
        "curves": {kind: [round(x, 4) for x in curve] for kind, curve in mean.items()},
        "shares": {
            kind: [round(n * x / (total * whole), 4) for x, whole in zip(mean[kind], mean["all"], strict=True)]
            for kind, n in n_words.items()
        },
    }  # fmt: skip


def left_at(runs: list[Curves], n_words: dict[str, int], step: int) -> dict[str, Any]:
    """The share of what is left to learn that lies at the words of each kind, after so many steps: a part.

    Ahead: a larger share.
    """
    at, total = step // EVERY, sum(n_words.values())
    values = {
        kind: [round(n * run[kind][at] / (total * run["all"][at]), 4) for run in runs]
        for kind, n in n_words.items()
    }
    larger = compare(values["open"], values["copied"])
    return {"values": values, "differences": {"open against copied": larger._asdict()}}


def at_the_end(ways: dict[str, list[Curves]], kind: str) -> dict[str, Any]:
    """The last distance of one kind in each way to train, each held against the first: a part."""
    values = {way: [round(run[kind][-1], 4) for run in runs] for way, runs in ways.items()}
    pairs = each_against(values, next(iter(values)))
    return {"values": values, "differences": between(values, pairs, lower_is_better=True)}


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """For each way to train: how the kinds fall, when two of them are learned, what is left.

    folder: keeps the curves, so that after a kill the same call goes on.
    """
    asked = questions(TEST_SENTENCES, 1)
    n_words = {kind: int((asked.kind == i).sum()) for i, kind in enumerate(KINDS)}
    levels = {kind: by_kind(asked.level, asked.kind)[kind] for kind in ("agreeing", "copied")}
    done = ScoreFile(Path(folder), f"{WAYS} {EVERY} {TEST_SENTENCES}", "other settings")
    ways: dict[str, list[Curves]] = {way: [] for way in WAYS}
    for way, (config, recipe) in WAYS.items():
        for seed in range(SEEDS):
            key = f"{way} | {seed}"
            if key not in done.scores:
                start = time.perf_counter()
                done.add(key, curves(config, recipe, seed, asked), time.perf_counter() - start)
            ways[way].append({kind: done.scores[key][kind] for kind in (*KINDS, "all")})
    return {
        "recipe": asdict(RECIPE), "mask_ratio": RATIO, "words": n_words,
        "levels": {kind: round(level, 4) for kind, level in levels.items()},
        "steps": list(range(0, RECIPE.steps + 1, EVERY)),
        "begun": moments(ways["as it is"], levels, 1.0),
        "learned": moments(ways["as it is"], levels, 0.5),
        "left": {
            f"step {step}": left_at(ways["as it is"], n_words, step)
            for step in (RECIPE.steps // 3, RECIPE.steps)
        },
        "course": {way: course(runs, n_words) for way, runs in ways.items()},
        "at the end": {kind: at_the_end(ways, kind) for kind in KINDS},
        "minutes": done.minutes,
    }  # fmt: skip
