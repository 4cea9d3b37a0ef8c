"""The mean of a text."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vectors (3, 6, 5), and which of them are tokens, (3, 6): of six, four and two."""
    lengths = torch.tensor([6, 2, 4])
    visible = torch.arange(6) < lengths[torch.randperm(3, generator=g)][:, None]
    return torch.randn(3, 6, 5, generator=g) + 1, visible


MEAN = "(x * weights).sum(1) / weights.sum(1)"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "Padding must neither be added nor counted.",
        "visible[..., None] is (B, T, 1): as numbers it sets the vectors of padding to 0. Divide "
        "by how many tokens the row has, (B, 1).",
        "v = visible[..., None].float(); return (x * v).sum(1) / v.sum(1)",
    ),
    mistakes=(
        Mistake(
            "Padding counts as a token here: the same text gets another vector in a longer batch.",
            {MEAN: "x.mean(1)"},
        ),
        Mistake(
            "Padding is no longer added, but still counted: divide by the number of tokens, not "
            "by T.",
            {MEAN: "(x * weights).mean(1)"},
        ),
        Mistake(
            "One mean for the whole batch: every text gets the same vector. Sum over T only.",
            {MEAN: "x[visible].mean(0).expand(len(x), -1)"},
            {MEAN: "x[visible].mean(0)"},
        ),
        Mistake(
            "This is the largest number of each component, not the mean.",
            {MEAN: 'x.masked_fill(weights == 0, float("-inf")).amax(1)'},
        ),
        Mistake(
            "This is the vector of the first token alone.",
            {MEAN: "x[:, 0]"},
        ),
        Mistake(
            "This is the sum: long texts get long vectors. Divide by the number of tokens.",
            {MEAN: "(x * weights).sum(1)"},
        ),
        Mistake(
            "You divided by the number of tokens in the whole batch. Each row has its own: "
            "visible.sum(1, keepdim=True).",
            {"weights.sum(1)": "weights.sum()"},
        ),
        Mistake(
            "Padding is no longer counted, but still added: multiply by visible[..., None] before "
            "the sum.",
            {"(x * weights)": "x"},
        ),
        Mistake(
            "Inverted: the vectors of padding went in, those of tokens were left out. `visible` is "
            "True at tokens, and masked_fill writes where its mask is True.",
            {"visible[..., None]": "(~visible[..., None])"},
            {"(x * weights)": "(x * (1 - weights))"},
            {
                "visible[..., None]": "(~visible[..., None])",
                "weights.sum(1)": "weights.sum(1).clamp(min=1)",
            },
        ),
    ),
)
