"""Softmax with a safety net."""

import math  # noqa: F401 (the answer uses it)

import torch
from torch import Tensor

from mlm_course.exercises.lesson_02.scores_and_lengths import scores_and_mask
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores (B, H, T, S) and a mask (B, 1, T, S) that leaves one query of each row without keys."""
    scores, mask = scores_and_mask(g)
    mask[0, :, 1] = mask[1, :, 4] = False
    return scores, mask


NET = ".masked_fill(~hears_something, 0.0)"

EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    hints=(
        "Compute the weights as in 2.1, then repair the rows of queries that may attend to nothing.",
        "attention_mask.any(-1, keepdim=True) is (B, 1, T, 1): True for the queries to keep.",
        "return weights.masked_fill(~attention_mask.any(-1, keepdim=True), 0.0)",
    ),
    mistakes=(
        Mistake(
            "Right wherever a query hears something, but nan where it hears nothing. Set those rows "
            "to 0.",
            {NET: ""},
        ),
        Mistake(
            "With -1e9 an empty query listens evenly to everything it must not hear. Its weights "
            "should all be 0.",
            {"-math.inf": "-1e9", NET: ""},
        ),
        Mistake(
            "The weights were set to zero after softmax, so they no longer sum to 1. Close the "
            "scores with -inf first, then take the softmax.",
            {f"weights{NET}": "scores.softmax(-1) * attention_mask"},
        ),
        Mistake(
            "You set the queries that *do* hear something to zero. The others need it: ~ in front "
            "of any.",
            {"~hears_something": "hears_something"},
        ),
        Mistake(
            "Every query with *some* closed key was set to zero. Only those with no open key at "
            "all: `any`, not `all`.",
            {".any(": ".all("},
        ),
        Mistake(
            "The mask is upside down: True means may attend, and masked_fill writes where its mask "
            "is True. Use ~attention_mask.",
            {"~attention_mask": "attention_mask", NET: ".nan_to_num(0.0)"},
        ),
    ),
)
