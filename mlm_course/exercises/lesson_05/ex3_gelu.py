"""GELU."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Numbers (3, 7) from about -4 to 4."""
    return (2 * torch.randn(3, 7, generator=g),)


ERF = "torch.erf(x / math.sqrt(2))"
GELU = f"x * (1 + {ERF}) / 2"

EXERCISE = Exercise(
    minutes=4,
    inputs=inputs,
    hints=(
        "Two factors: x itself, and the share of a bell curve that lies below x.",
        "That share is (1 + erf(x / sqrt(2))) / 2; torch.erf works on tensors.",
        "return x * (1 + torch.erf(x / math.sqrt(2))) / 2",
    ),
    mistakes=(
        Mistake(
            "Very close: this is the approximation with tanh, as in Google's own code for BERT. It "
            "differs in the fourth digit. Here the exact form is asked for, with erf.",
            {GELU: 'F.gelu(x, approximate="tanh")'},
        ),
        Mistake(
            "This is the approximation with a sigmoid. The exact form has erf.",
            {GELU: "x * torch.sigmoid(1.702 * x)"},
        ),
        Mistake(
            "This is ReLU: it cuts everything below 0 off. GELU lets a little through, and bends "
            "smoothly.",
            F.relu,
        ),
        Mistake(
            "This is the share alone, between 0 and 1. It still has to multiply x.",
            {"x * (1": "(1"},
        ),
        Mistake(
            "The square root of 2 is missing: erf(x / sqrt(2)).",
            {"x / math.sqrt(2)": "x"},
        ),
        Mistake(
            "You divided by the square root of 2 *behind* erf. It divides x, before erf sees it: "
            "erf(x / sqrt(2)).",
            {GELU: "x * (1 + torch.erf(x) / math.sqrt(2)) / 2"},
            {GELU: "x * (1 + torch.erf(x)) / math.sqrt(2) / 2"},
            {GELU: "x * (1 + torch.erf(x)) / math.sqrt(2)"},
        ),
        Mistake(
            "Inside erf stands x divided by the square root of 2: not by 2, and not multiplied.",
            {"x / math.sqrt(2)": "x / 2"},
            {"x / math.sqrt(2)": "x * math.sqrt(2)"},
        ),
        Mistake(
            "The whole sum is to be halved, the 1 included: (1 + erf(...)) / 2.",
            {GELU: f"x * (1 + {ERF})"},
            {GELU: f"x * (1 + {ERF} / 2)"},
        ),
        Mistake(
            "erf alone runs from -1 to 1. The share runs from 0 to 1: (1 + erf(...)) / 2.",
            {GELU: f"x * {ERF}"},
        ),
        Mistake(
            "This is x * sigmoid(x), also called SiLU or Swish. GELU uses erf.",
            F.silu,
        ),
    ),
)
