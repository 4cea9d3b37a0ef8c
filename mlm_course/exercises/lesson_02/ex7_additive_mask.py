"""An additive mask."""

import math  # noqa: F401 (the answer uses it)

import torch
from torch import Tensor

from mlm_course.exercises.lesson_02.scores_and_lengths import scores_and_mask
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """A mask (B, 1, T, S) that leaves every query at least one key."""
    return (scores_and_mask(g)[1],)


FILLED = "torch.zeros(attention_mask.shape).masked_fill(~attention_mask, -math.inf)"

EXERCISE = Exercise(
    minutes=4,
    inputs=inputs,
    hints=(
        "Start from zeros and write -inf into the closed places.",
        "torch.zeros(attention_mask.shape) has the right shape and the right dtype.",
        "return torch.zeros(attention_mask.shape).masked_fill(~attention_mask, -math.inf)",
    ),
    mistakes=(
        Mistake(
            "0 times minus infinity is nan, so every open place became nan. Use masked_fill or "
            "torch.where.",
            {FILLED: "(~attention_mask).float() * -math.inf"},
        ),
        Mistake(
            "Upside down: the places where a query may attend got -inf.",
            {"~attention_mask": "attention_mask"},
        ),
        Mistake(
            "Added to the scores, 1 and 0 change little: exp(1) is just 2.7 times exp(0). Closed "
            "places need minus infinity.",
            {FILLED: "attention_mask.float()"},
        ),
        Mistake(
            "zeros_like of a boolean mask is boolean too, and a boolean cannot hold -inf. Start "
            "from torch.zeros(attention_mask.shape).",
            {"zeros(attention_mask.shape)": "zeros_like(attention_mask)"},
        ),
        Mistake(
            "-1e9 is nearly right, but a query with nothing to hear would listen to everything "
            "(section 6). Use -math.inf.",
            {"-math.inf": "-1e9"},
        ),
        Mistake(
            "Open places got 1. That cancels in softmax, but an additive mask adds 0 where nothing "
            "is closed.",
            {"zeros": "ones"},
        ),
    ),
)
