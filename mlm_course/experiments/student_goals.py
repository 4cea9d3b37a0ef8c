"""One-layer students of tinyworld, by what they are taught with. Lesson 13.

Nats above the floor at 15 % hidden after equally many steps; a step with a teacher costs its forward
pass as well.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
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
from mlm_course.experiments._rivals import FACTORS, Contest, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import load_pretrained
from mlm_course.training import Loss, fit, masked_lm_loss

GOALS = ("true words", "teacher and words", "teacher", "exact chances")
AMOUNTS = (300, 20_000)  # sentences
TESTED = 500
FOLDER = Path("runs/student_goals")


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


def student(n: int, goal: str, factor: float, seed: int) -> dict[str, float]:
    """How far above the floor a student of n sentences ends, in nats."""
    corrupted, floor = masked_test_set(TESTED)
    model = small(1, seed)
    data = DynamicMasking(masker(0.3), sentences(n, 6000 + seed), seed=seed)
    loss = taught_by(goal, load_pretrained("tinyworld")[0])
    fit(model, data, loss, scaled(STUDENT, factor, seed))
    return {"above_floor": round(score_masked(model, corrupted).loss - floor, 4)}


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Each goal, with little text and with much."""
    done = ScoreFile(Path(folder), f"{STUDENT} {FACTORS} {AMOUNTS}", "other settings")
    corrupted, floor = masked_test_set(TESTED)
    teacher = score_masked(load_pretrained("tinyworld")[0], corrupted)
    pairs = [*each_against(GOALS, GOALS[0]), ("exact chances", "teacher")]
    parts = {}
    for n in AMOUNTS:
        rivals = {goal: partial(student, n, goal) for goal in GOALS}
        parts[f"{n} sentences"] = Contest(done, str(n), rivals, "above_floor").part(pairs)
    return {
        "teacher": round(teacher.loss - floor, 4),
        "steps": STUDENT.steps,
        **parts,
        "minutes": done.minutes,
    }
