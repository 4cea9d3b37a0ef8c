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
COSINE = " / q.norm(dim=-1)[..., None] / k.norm(dim=-1)[..., None, :]"

EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    stages={"scores": "the scores (..., T, S)", "weights": "the weights (..., T, S)"},
    hints=(
        "Three steps: scores, softmax, weighted average. What has to be done to the dot products so "
        "that they do not grow with D?",
        "Swap the last two axes of k, so that one product gives (..., T, S). Divide by the square "
        "root of D, the last axis of q; softmax over S; then weights and values share the axis S.",
        "scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])\n"
        "weights = scores.softmax(-1)\n"
        "return weights @ v, weights",
    ),
    mistakes=(
        Mistake("The scores are not divided by sqrt(D).", {SCALE: ""}),
        Mistake(
            "The scores are divided by D. Their spread grows with its square root.",
            {"math.sqrt(q.shape[-1])": "q.shape[-1]"},
        ),
        Mistake(
            "The scores are divided by another number than sqrt(D). D is how many numbers a query "
            "has: the length of q's last axis.",
            {"sqrt(q.shape[-1])": "sqrt(v.shape[-1])"},
            {"sqrt(q.shape[-1])": "sqrt(k.shape[-2])"},
            {"sqrt(q.shape[-1])": "sqrt(q.shape[-2])"},
            {"sqrt(q.shape[-1])": "sqrt(q.shape[1])"},
            {"math.sqrt(q.shape[-1])": "8"},
        ),
        Mistake(
            "The scores are multiplied by sqrt(D), which makes their spread grow even faster. Divide.",
            {"/ math": "* math"},
        ),
        Mistake(
            "The scores are cosines: how long each vector is plays no part. Divide all dot products "
            "by the same number, sqrt(D).",
            {SCALE: COSINE},
        ),
        Mistake(
            "The weights of a query do not sum to 1 but to 1 / sqrt(D). Divide the scores, before "
            "softmax.",
            {SCALE: "", "softmax(-1)": f"softmax(-1){SCALE}"},
        ),
        Mistake(
            "Softmax runs over the queries. Each query needs weights that sum to 1 over the keys, "
            "the last axis.",
            {"softmax(-1)": "softmax(-2)"},
        ),
        Mistake(
            "The keys were averaged. Keys only decide the weights; what gets averaged are the values.",
            {"weights @ v": "weights @ k"},
        ),
        Mistake(
            "The output is right. Return the weights as well: `return output, weights`.",
            {"weights @ v, weights": "weights @ v"},
        ),
        Mistake(
            "The output is right; with it the scores come back instead of the weights.",
            {"weights @ v, weights": "weights @ v, scores"},
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
