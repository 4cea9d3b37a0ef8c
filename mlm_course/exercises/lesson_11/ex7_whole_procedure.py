"""The whole procedure."""

import torch
from torch import Tensor

from mlm_course.corruption.strategies import lowest
from mlm_course.exercises.lesson_11.tiny import MASK_ID, TinyModel
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[TinyModel, Tensor, int]:
    """A model, the places (3, 11) to be written, and the number of steps."""
    steps = int(torch.randint(3, 10, (), generator=g))
    return TinyModel(g), torch.arange(11) < torch.tensor([[11], [9], [4]]), steps


def to_remask(confidence: Tensor, real: Tensor, done: int, steps: int) -> Tensor:
    """Exercise 11.5, which the answer uses."""
    n = (real.sum(1) * (steps - done) // steps).clamp(min=1)  # (B,)
    return lowest(confidence.masked_fill(~real, torch.inf), n)


def fill(predict, tokens, confidence, masked):
    """Exercise 11.6, which the answer uses."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(masked, best, tokens), torch.where(masked, p, confidence)


def judge_all(predict, tokens, masked, real):
    """One step after which all words have new confidences."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(masked, best, tokens), torch.where(real, p, 1.0)


def replace_all(predict, tokens, masked, real):
    """One step after which all words are new."""
    p, best = predict(tokens.masked_fill(masked, MASK_ID)).softmax(-1).max(-1)
    return torch.where(real, best, tokens), torch.where(real, p, 1.0)


FILL = "fill(predict, tokens, confidence, masked)"

EXERCISE = Exercise(
    minutes=15,
    trials=4,
    inputs=inputs,
    hints=(
        "The first step hides all that is real. Each later step first asks `to_remask`, then "
        "`fill`.",
        "Begin with tokens 4 where real, 0 elsewhere; confidence all 1; masked = real. In step "
        "`done` = 1, 2, ... call to_remask(confidence, real, done, steps).",
        "for done in range(steps): masked = real if done == 0 else to_remask(confidence, real, "
        "done, steps); tokens, confidence = fill(predict, tokens, confidence, masked)",
    ),
    mistakes=(
        Mistake(
            "Words that were kept once were never hidden again. In Mask-Predict every word is a "
            "candidate in every step.",
            {"to_remask(confidence,": "to_remask(confidence.masked_fill(~masked, torch.inf),"},
        ),
        Mistake(
            "All confidences are renewed in every step. A word that stays keeps the confidence it "
            "was chosen with.",
            {FILL: "judge_all(predict, tokens, masked, real)"},
        ),
        Mistake(
            "The schedule is off by one: in step number `done`, counted from 0, "
            "N * (1 - done / steps) words are hidden again.",
            {"real, done, steps": "real, done + 1, steps"},
        ),
        Mistake(
            "One step is missing: the first one, on the empty canvas, counts as a step.",
            {"range(steps)": "range(steps - 1)"},
        ),
        Mistake(
            "The words that the model is most sure of are hidden again. Take the least.",
            {"to_remask(confidence,": "to_remask(-confidence,"},
        ),
        Mistake(
            "This is one step. The doubtful words must be hidden and filled again.",
            {"range(steps)": "range(1)"},
        ),
        Mistake(
            "Every step replaces all words, also those that stay on the canvas.",
            {FILL: "replace_all(predict, tokens, masked, real)"},
        ),
    ),
)
