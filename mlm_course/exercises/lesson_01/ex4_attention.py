"""Attention."""

import math  # noqa: F401 (the answer uses it)

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, H, T, D), keys (B, H, S, D) and values (B, H, S, E)."""
    q, k = torch.randn(2, 3, 5, 6, generator=g), torch.randn(2, 3, 7, 6, generator=g)
    return q, k, torch.randn(2, 3, 7, 4, generator=g)


SCALE = " / math.sqrt(q.shape[-1])"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "Three steps you have written already: scores, softmax, weighted average.",
        "scores (..., T, S) -> softmax over S -> weights @ v is (..., T, E).",
        "w = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1); return w @ v, w",
    ),
    mistakes=(
        Mistake("The scores are not divided by sqrt(D).", {SCALE: ""}),
        Mistake(
            "You divided by sqrt(D) after softmax, so the weights no longer sum to 1. Divide the "
            "scores, before softmax.",
            {SCALE: "", "softmax(-1)": f"softmax(-1){SCALE}"},
        ),
        Mistake(
            "Softmax runs over the queries. Each query needs weights that sum to 1 over the keys, "
            "the last axis.",
            {"softmax(-1)": "softmax(-2)"},
        ),
        Mistake(
            "You averaged the keys. Keys only decide the weights; what gets averaged are the values.",
            {"weights @ v": "weights @ k"},
        ),
        Mistake(
            "The output is right. Return the weights as well: `return output, weights`.",
            {"weights @ v, weights": "weights @ v"},
        ),
        Mistake(
            "Output and weights have changed places: return the output first.",
            {"weights @ v, weights": "weights, weights @ v"},
        ),
        Mistake(
            "Softmax is missing: scores can be negative and do not sum to 1.",
            {".softmax(-1)": ""},
        ),
    ),
)
