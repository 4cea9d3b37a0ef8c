"""One-layer students of tinyworld, by what they are taught with. Lesson 13."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments._lesson_13 import STUDENT, small
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import load_pretrained
from mlm_course.training import Loss, fit, masked_lm_loss

GOALS = ("true words", "teacher and words", "teacher", "exact chances")


def taught_by(goal: str, teacher: nn.Module) -> Loss:
    """A loss by its name: from true words, from a teacher, from both, or from exact chances."""

    if goal not in GOALS:
        raise ValueError(f"A student's goal is one of {', '.join(GOALS)}, not {goal!r}.")

    def loss(model: nn.Module, batch: Corrupted) -> tuple[Tensor, int]:
        ids, labels, masked = batch
        logits = model(ids, visible_mask(ids), masked).float()  # (n, V)
        own, there = ids.cpu(), masked.cpu()  # where the teachers are
        with torch.no_grad():
            if goal == "exact chances":
                chances = tinyworld.masked_posterior(own, there)[there]
            else:
                chances = teacher(own, visible_mask(own), there).softmax(-1)
        chances = chances.to(logits)
        taught = F.kl_div(logits.log_softmax(-1), chances, reduction="sum")
        true = F.cross_entropy(logits, labels[masked], reduction="sum")
        return (taught + true) / 2 if goal == "teacher and words" else taught, len(logits)

    return masked_lm_loss if goal == "true words" else loss


def distillation() -> dict[str, Any]:
    """Distance of one-layer students to the floor, in nats, mean of two seeds, by goal and text."""
    teacher, (corrupted, floor) = load_pretrained("tinyworld")[0], masked_test_set(500)
    record: dict[str, Any] = {
        "teacher": round(score_masked(teacher, corrupted).loss - floor, 3),
        "steps": STUDENT.steps,
    }
    for n in (300, 20_000):
        rows = DynamicMasking(masker(0.3), sentences(n, 60), seed=0)
        record[f"{n} sentences"] = {
            goal: round(sum(distances(goal, teacher, rows, corrupted, floor)) / 2, 3)
            for goal in GOALS
        }
    return record


def distances(
    goal: str, teacher: nn.Module, rows: DynamicMasking, corrupted: Corrupted, floor: float
) -> Iterator[float]:
    """The distance to the floor of a student from each of two seeds."""
    for seed in (0, 1):
        student = small(1, seed)
        fit(student, rows, taught_by(goal, teacher), replace(STUDENT, seed=seed))
        yield score_masked(student, corrupted).loss - floor


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return distillation()
