"""LayerNorm."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float]:
    """x (2, 4, 6), weight and bias (6,), eps. Tokens differ in size; one is constant, one nearly."""
    x = torch.randn(2, 4, 6, generator=g) * torch.tensor([0.02, 1.0, 5.0, 0.5])[:, None] + 1
    x[0, 1] = 2.0
    weight, bias = 1 + 0.5 * torch.randn(6, generator=g), torch.randn(6, generator=g)
    return x, weight, bias, 1e-3


def over(axis: str) -> dict[str, str]:
    """The edit that takes mean and variance over another axis."""
    return {"x.mean(-1": f"x.mean({axis}", "x.var(-1": f"x.var({axis}"}


UNBIASED = {", unbiased=False": ""}
NO_EPS = {"(variance + eps)": "variance"}
EPS_OUTSIDE = {"(variance + eps).sqrt()": "(variance.sqrt() + eps)"}
NO_ROOT = {".sqrt()": ""}
UNSCALED = {" * weight + bias": ""}

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Each token on its own: which axis holds the numbers of one token?",
        "mean and var over axis -1 with keepdim=True, and var with unbiased=False. The small eps goes "
        "under the root.",
        "mean = x.mean(-1, keepdim=True); var = x.var(-1, keepdim=True, unbiased=False); return (x - "
        "mean) / (var + eps).sqrt() * weight + bias",
    ),
    mistakes=(
        Mistake(
            "You normalised over the tokens (axis T). LayerNorm looks at one token at a time: its D "
            "numbers, the last axis.",
            over("-2"),
            over("-2") | UNBIASED,
        ),
        Mistake(
            "You normalised over the batch: that is batch normalisation, and a sentence would depend "
            "on its neighbours in the batch. Use the last axis.",
            over("0"),
            over("0") | UNBIASED,
        ),
        Mistake(
            "One mean and one variance were used for many tokens: those of the whole tensor, or of a "
            "row of the batch. Each token gets its own: over the last axis alone, with keepdim=True.",
            over("(0, 1, 2)"),
            over("(0, 1, 2)") | UNBIASED,
            over("(-2, -1)"),
            over("(-2, -1)") | UNBIASED,
        ),
        Mistake(
            "Your variance divides by D - 1, as `var` and `std` do unless told otherwise. LayerNorm "
            "divides by D: unbiased=False.",
            UNBIASED,
        ),
        Mistake(
            "A token whose numbers are all equal has variance 0, and 0 / 0 is NaN. Add eps to the "
            "variance.",
            NO_EPS,
            NO_EPS | UNBIASED,
        ),
        Mistake(
            "You added eps to the standard deviation. It belongs under the root: (var + eps).sqrt().",
            EPS_OUTSIDE,
            EPS_OUTSIDE | UNBIASED,
        ),
        Mistake(
            "You divided by the variance. Divide by its square root.",
            NO_ROOT,
            NO_ROOT | UNBIASED,
        ),
        Mistake(
            "The mean was not taken away. (Leaving it in is RMSNorm, which some newer models use.)",
            {
                "x.var(-1, keepdim=True, unbiased=False)": "x.square().mean(-1, keepdim=True)",
                "(x - mean)": "x",
            },
        ),
        Mistake(
            "`weight` and `bias` are not used yet: what is normalised is multiplied by weight, then "
            "bias is added.",
            UNSCALED,
            UNSCALED | UNBIASED,
        ),
        Mistake(
            "`bias` was added before `weight` multiplies. First times weight, then plus bias.",
            {"(x - mean)": "((x - mean)", " * weight + bias": " + bias) * weight"},
        ),
    ),
)
