"""Hide any number of words."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import texts
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Texts (4, 9), shares (4,) of which one is nearly 0 and one nearly 1, and noise (4, 9)."""
    target = texts(g)
    share = torch.tensor([0.5, 0.97, 0.02, 0.7]) + 0.02 * torch.rand(4, generator=g)
    return target, share, torch.rand(4, 9, generator=g)


WITH_PADDING = {".masked_fill(~real, torch.inf)": ""}

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "First how many words each row has and how many of them go; then which. Noise behind a "
        "row's end must never win.",
        "n = 1 + (share * L).long() is (B,). A place's rank among the noise of its row is "
        "`noise.argsort(1).argsort(1)`; set the noise of padding to infinity before.",
        "real = target != 0; n = 1 + (share * real.sum(1)).long(); return "
        "noise.masked_fill(~real, torch.inf).argsort(1).argsort(1) < n[:, None]",
    ),
    mistakes=(
        Mistake(
            "15 % in every row, as in BERT. A model trained like this has never seen an empty "
            "canvas. Use `share`.",
            {"1 + (share * real.sum(1))": "(0.15 * real.sum(1)).round()"},
        ),
        Mistake(
            "Your numbers run from 0 to L - 1: some rows hide nothing, and none hides all. Add 1.",
            {"1 + ": ""},
        ),
        Mistake(
            "Padding was counted or hidden. L is the number of words of the row, and padding's noise "
            "must never be among the smallest.",
            WITH_PADDING | {"real.sum(1)": "real.shape[1]"},
            WITH_PADDING,
        ),
        Mistake(
            "All rows use the first one's share. Each row has its own.",
            {"share *": "share[0] *"},
        ),
        Mistake(
            "You drew for each word apart, so the number of hidden words is left to chance, and can "
            "be 0. Take exactly n, those with the smallest noise.",
            {"rank < n[:, None]": "(noise < share[:, None]) & real"},
        ),
        Mistake(
            "Hide the words with the *smallest* noise; yours are those with the largest.",
            {"noise.masked_fill": "(-noise).masked_fill"},
        ),
    ),
)
