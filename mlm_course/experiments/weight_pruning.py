"""Accuracy by share of weights removed, at once and after training on with the rest. Lesson 13."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from mlm_course.compression import prune
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking, standard_masker
from mlm_course.experiments import python_docs as docs
from mlm_course.experiments._lesson_13 import accuracy, docs_rows
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import load_pretrained
from mlm_course.training import Recipe, fit, masked_lm_loss

SPARSITIES = (0.3, 0.5, 0.7, 0.8, 0.9)
AGAIN = Recipe(steps=60, batch_size=64, optimizer="adamw", lr=5e-4, weight_decay=0.0)


def pruning(
    model: nn.Module,
    data: DynamicMasking,
    test: Corrupted,
    recipe: Recipe,
    sparsities: tuple[float, ...] = SPARSITIES,
) -> dict[str, dict[str, float]]:
    """Accuracy by share of weights removed, at once and after training on with the rest."""
    by_sparsity = {"0": {"removed": accuracy(model, test)}}
    control = retrained(model, 0.0, data, recipe)
    by_sparsity["0"]["trained on"] = accuracy(control, test)
    for sparsity in sparsities:
        before = accuracy(prune(model, sparsity), test)
        after = accuracy(retrained(model, sparsity, data, recipe), test)
        by_sparsity[str(sparsity)] = {"removed": before, "trained on": after}
    return by_sparsity


def retrained(model: nn.Module, sparsity: float, data: DynamicMasking, recipe: Recipe) -> nn.Module:
    """A pruned copy, trained on."""
    pruned = prune(model, sparsity)
    fit(pruned, data, masked_lm_loss, recipe)
    return pruned


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    train, test = docs_rows()
    big, world = load_pretrained("python_docs")[0], load_pretrained("tinyworld")[0]
    on_docs = DynamicMasking(standard_masker(docs.VOCAB_SIZE, docs.MASK_RATIO), train, seed=0)
    on_world = DynamicMasking(masker(), sentences(20_000, 50), seed=0)
    again_docs = replace(AGAIN, batch_size=16, steps=30, lr=2e-4)
    return {
        "tinyworld": pruning(world, on_world, masked_test_set(500)[0], AGAIN),
        "docstrings": pruning(big, on_docs, test, again_docs, SPARSITIES[::2]),
    }
