"""Eight bits a weight."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Weights (4, 9), rows of different sizes; one is all negative, the last all zeros."""
    weight = torch.tensor([0.02, 0.5, 3.0, 0.0])[:, None] * torch.randn(4, 9, generator=g)
    weight[1] = -weight[1].abs()
    return (weight,)


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    exact_types=True,
    hints=(
        "The largest number of a row, on either side of 0, should become 127 or -127.",
        "scale = largest absolute value of the row / 127, shape (R, 1); where that is 0, take 1. "
        "Codes: weight / scale, rounded, as torch.int8.",
        "most = weight.abs().amax(1, keepdim=True)\n"
        "scale = torch.where(most > 0, most / 127, 1.0)\n"
        "return (weight / scale).round().to(torch.int8), scale",
    ),
    mistakes=(
        Mistake(
            "One scale for the whole matrix: a row of small weights is left with a few small codes. "
            "Take the largest of each row.",
            {"amax(1, keepdim=True)": "amax().expand(len(weight), 1)"},
        ),
        Mistake(
            "Each column has a scale, (1, C). A row, one output of the layer, has its own: (R, 1).",
            {"amax(1, ": "amax(0, "},
        ),
        Mistake(
            "The scale comes from the largest weight with its sign. What is farthest from 0 can be "
            "negative: `weight.abs()` first.",
            {"weight.abs()": "weight"},
            {"weight.abs()": "weight", "most > 0": "most != 0"},
            {
                "weight.abs()": "weight",
                "most > 0": "most != 0",
                ".round()": ".round().clamp(-127, 127)",
            },
        ),
        Mistake(
            "The digits behind the point are cut off instead of rounded: `.round()` before "
            "`.to(torch.int8)`.",
            {".round()": ""},
        ),
        Mistake(
            "A row's largest becomes 255 instead of 127, for which int8 has no room: codes wrap around. "
            "Divide by 127.",
            {"most / 127": "most / 255"},
        ),
        Mistake(
            "A row's largest becomes 128 or -128 instead of 127 or -127; int8 has no 128. Divide by 127.",
            {"most / 127": "most / 128"},
        ),
        Mistake(
            "The codes are right, and the scale is upside down: codes * scale should give the weights.",
            {"int8), scale": "int8), 1 / scale"},
        ),
        Mistake(
            "These are the rounded weights. Return the codes themselves, int8.",
            {"int8), scale": "int8) * scale, scale"},
        ),
        Mistake(
            "The scale of a row of zeros is 0, or next to it. It should be 1.",
            {"torch.where(most > 0, most / 127, 1.0)": "most / 127"},
        ),
    ),
)
