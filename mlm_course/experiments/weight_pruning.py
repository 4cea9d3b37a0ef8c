"""Accuracy by share of weights removed, at once and after training on with the rest. Lesson 13.

"removed": the shares of hidden tokens restored right after. "trained on": after a short training with
the removed weights held at 0; with sparsity 0 nothing is removed, so that what training on gains by
itself is told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mlm_course.compression import prune
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking, standard_masker
from mlm_course.experiments import python_docs as docs
from mlm_course.experiments._lesson_13 import accuracy, docs_rows
from mlm_course.experiments._rivals import FACTORS, Contest, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import load_pretrained
from mlm_course.training import Recipe, fit, masked_lm_loss

SPARSITIES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
AGAIN = Recipe(steps=60, batch_size=64, optimizer="adamw", lr=5e-4, weight_decay=0.0)
AGAIN_DOCS = replace(AGAIN, batch_size=16, steps=30, lr=2e-4)
FOLDER = Path("runs/weight_pruning")

# rows(seed) -> what a training on sees
Rows = Callable[[int], DynamicMasking]


def world_rows(seed: int) -> DynamicMasking:
    """Sentences of tinyworld."""
    return DynamicMasking(masker(), sentences(20_000, 7000 + seed), seed=seed)


def docs_data(train: Tensor, seed: int) -> DynamicMasking:
    """Docstrings."""
    return DynamicMasking(standard_masker(docs.VOCAB_SIZE, docs.MASK_RATIO), train, seed=seed)


def trained_on(
    model: nn.Module,
    sparsity: float,
    rows: Rows,
    test: Corrupted,
    recipe: Recipe,
    factor: float,
    seed: int,
) -> dict[str, float]:
    """The accuracy of a pruned copy that was trained on."""
    pruned = prune(model, sparsity)
    fit(pruned, rows(seed), masked_lm_loss, scaled(recipe, factor, seed))
    return {"accuracy": accuracy(pruned, test)}


def pruning(
    done: ScoreFile,
    name: str,
    rows: Rows,
    test: Corrupted,
    recipe: Recipe,
    sparsities: tuple[float, ...] = SPARSITIES,
) -> dict[str, Any]:
    """Accuracy by share of weights removed, at once and trained on, of a shipped model."""
    model = load_pretrained(name)[0]
    rivals = {
        f"{sparsity:g}": partial(trained_on, model, sparsity, rows, test, recipe)
        for sparsity in sparsities
    }
    contest = Contest(done, name, rivals, "accuracy", lower_is_better=False)
    return {
        "removed": {f"{s:g}": accuracy(prune(model, s), test) for s in sparsities},
        "trained on": contest.part(each_against(rivals, "0")),
    }


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """A model of tinyworld and one of docstrings."""
    done = ScoreFile(Path(folder), f"{AGAIN} {AGAIN_DOCS} {FACTORS}", "other settings")
    train, test = docs_rows()
    on_docs = partial(docs_data, train)
    return {
        "steps": {"tinyworld": AGAIN.steps, "docstrings": AGAIN_DOCS.steps},
        "tinyworld": pruning(done, "tinyworld", world_rows, masked_test_set(500)[0], AGAIN),
        "docstrings": pruning(done, "python_docs", on_docs, test, AGAIN_DOCS, (0.0, 0.3, 0.7, 0.9)),
        "minutes": done.minutes,
    }
