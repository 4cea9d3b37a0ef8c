"""Who sees whom in the decoder."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import MASK_ID, PAD_ID, texts
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Texts (4, 9) with some words hidden, padded."""
    target = texts(g)
    masked = (torch.rand(4, 9, generator=g) < 0.4) & (target != PAD_ID)
    masked[:, 1] = True
    return (target.masked_fill(masked, MASK_ID),)


ALL = "(target != 0)[:, None].expand(B, T, T)"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "A canvas is filled from all sides. What is the one thing that nobody may look at?",
        "`target != 0` is (B, T), about keys. A new axis for the queries makes it (B, 1, T).",
        "B, T = target.shape; return (target != 0)[:, None].expand(B, T, T)",
    ),
    mistakes=(
        Mistake(
            "The causal mask was left in: each place sees only what stands to its left. That is the "
            "autoregressive decoder. Here every place sees both sides.",
            {ALL: f"{ALL}.tril()"},
            {ALL: "torch.ones(B, T, T, dtype=torch.bool).tril()"},
        ),
        Mistake(
            "Padding is seen. The answer would depend on what else is in the batch.",
            {ALL: "torch.ones(B, T, T, dtype=torch.bool)"},
        ),
        Mistake(
            "Transposed: keys, those who are looked at, are the last axis.",
            {"[:, None]": "[..., None]"},
        ),
        Mistake(
            "Padding's own rows are all False now: a softmax over nothing. Rule padding out as a key "
            "only.",
            {ALL: f"{ALL} & (target != 0)[..., None]"},
        ),
        Mistake(
            "[MASK]s cannot be seen. They may be: each knows its place and what its "
            "neighbours told it, and on an empty canvas there is nothing else.",
            {"(target != 0)": "((target != 0) & (target != 4))"},
        ),
        Mistake(
            "No place sees itself. That is RetroMAE's rule (lesson 10). Here a hidden word shows "
            "[MASK] even to itself, so nothing is given away.",
            {ALL: f"{ALL} & ~torch.eye(T, dtype=torch.bool)"},
        ),
    ),
)
