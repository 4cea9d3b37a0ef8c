"""A fixed count."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_04.rows import some_rows
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Noise and candidates, both (3, 14), and a ratio."""
    candidates = some_rows(g) >= 5
    candidates[2, 3:] = False  # two candidates: a third of them rounds to 1, 15 % to 0
    ratio = (0.15, 0.3, 0.5)[int(torch.randint(3, (1,), generator=g))]
    return torch.rand(3, 14, generator=g), candidates, ratio


ALL_COMPETE = {"noise.masked_fill(~maskable, 2.0)": "noise"}
CANDIDATES_ONLY = {"rank < count": "(rank < count) & maskable"}

EXERCISE = Exercise(
    minutes=20,
    inputs=inputs,
    trials=6,
    hints=(
        "Three steps: how many in each row, each place's rank by noise, rank < count.",
        "maskable.sum(1, keepdim=True) is (B, 1). Give places that may not be hidden a noise above 1, "
        "so that they come last.",
        "count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1); rank = "
        "noise.masked_fill(~maskable, 2).argsort(1).argsort(1); return rank < count",
    ),
    mistakes=(
        Mistake(
            "That is Bernoulli masking: a coin for each token. The number of hidden tokens has to be "
            "fixed: take the smallest noises.",
            {"rank < count": "(noise < ratio) & maskable"},
        ),
        Mistake(
            "Tokens that may not be hidden took some of the places. Give them a noise above 1 before "
            "you rank.",
            ALL_COMPETE,
        ),
        Mistake(
            "Tokens that may not be hidden took some of the places, and `& maskable` then left too "
            "few. Give them a noise above 1 *before* you rank.",
            ALL_COMPETE | CANDIDATES_ONLY,
        ),
        Mistake(
            "The candidates were sent to the end, and the others hidden. masked_fill writes where its "
            "mask is True: ~maskable.",
            {"~maskable": "maskable"},
        ),
        Mistake(
            "One too many in each row: ranks count from 0, so `rank < count`.",
            {"rank < count": "rank <= count"},
        ),
        Mistake(
            "A short row was left with nothing to guess. At least one: .clamp(min=1).",
            {".clamp(min=1)": ""},
        ),
        Mistake(
            "The count was cut down to an integer. It has to be rounded: .round().",
            {".round()": ".floor()"},
        ),
        Mistake(
            "argsort says which place comes first, second, ...; you need each place's rank. argsort "
            "twice.",
            {".argsort(1).argsort(1)": ".argsort(1)"},
        ),
        Mistake(
            "You took the share of the whole row, special tokens and padding included. It is a share "
            "of the candidates.",
            {"maskable.sum": "torch.ones_like(maskable).sum"} | CANDIDATES_ONLY,
        ),
    ),
)
