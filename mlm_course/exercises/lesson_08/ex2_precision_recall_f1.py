"""Precision, recall, F1."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """A confusion matrix (4, 4) with a rare class, and one that was never predicted."""
    counts = torch.randint(1, 9, (4, 4), generator=g) + torch.diag(torch.tensor([60, 12, 3, 0]))
    counts[:, 3] = 0
    return (counts,)


F1 = "2 * right / (predicted + actual).clamp(min=1)"
MEANS = "precision.mean(), recall.mean(), f1.mean()"
SWAPPED = {"counts.sum(0), counts.sum(1)": "counts.sum(1), counts.sum(0)"}
NAN_PRECISION = {"predicted.clamp(min=1)": "predicted"}
NAN_F1 = {F1: "2 * precision * recall / (precision + recall)"}

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "For each class: of what was predicted as it, how much is right? Of what is it, how much "
        "was found?",
        "right = counts.diagonal(); the columns sum to what was predicted, counts.sum(0), the "
        "rows to what is there, counts.sum(1). Each is (C,); the mean comes last.",
        "p = right / counts.sum(0).clamp(min=1); r = right / counts.sum(1).clamp(min=1); f = "
        "2 * right / (counts.sum(0) + counts.sum(1)).clamp(min=1); return the three means",
    ),
    mistakes=(
        Mistake(
            "Precision and recall are swapped: rows are what is there, columns what was predicted.",
            SWAPPED,
            SWAPPED | {"actual.clamp(min=1)": "actual"} | NAN_F1,
            SWAPPED | {"actual.clamp(min=1)": "actual"},
        ),
        Mistake(
            "You added up over all classes first (micro): with one class per item that is the "
            "accuracy, three times. Macro: a score for each class, then the mean.",
            {MEANS: "(right.sum() / counts.sum(),) * 3"},
        ),
        Mistake(
            "A class that was never predicted: 0 / 0 is NaN. It counts as 0: .clamp(min=1) the "
            "number you divide by.",
            NAN_PRECISION,
            NAN_PRECISION | NAN_F1,
            NAN_F1,
        ),
        Mistake(
            "The class that was never predicted was left out of the mean. It counts, as 0.",
            NAN_PRECISION | NAN_F1 | {MEANS: MEANS.replace("mean", "nanmean")},
            NAN_PRECISION | {"precision.mean()": "precision.nanmean()"},
        ),
        Mistake(
            "A score for each class is right so far. Now their mean: three numbers.",
            {MEANS: "precision, recall, f1"},
        ),
        Mistake(
            "These are the scores of one class. Macro: a score for each class, then the mean over "
            "the classes.",
            {MEANS: "precision[1], recall[1], f1[1]"},
            {MEANS: "precision[0], recall[0], f1[0]"},
            {MEANS: "precision[-1], recall[-1], f1[-1]"},
        ),
        Mistake(
            "Your F1 is made from the two means. Macro F1 is the mean of the classes' F1.",
            {F1: "2 * precision.mean() * recall.mean() / (precision.mean() + recall.mean())"},
        ),
        Mistake(
            "F1 is not the plain mean of precision and recall but the harmonic one, "
            "2 * p * r / (p + r), in each class.",
            {F1: "(precision + recall) / 2"},
        ),
        Mistake(
            "You weighted the classes by their size. Macro: each class counts the same.",
            {MEANS: "[one @ actual.float() / actual.sum() for one in (precision, recall, f1)]"},
        ),
    ),
)
