"""Each patch by itself."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Patches (2, 5, 6) of different brightness and contrast; one nearly flat, one of one colour."""
    contrast = 10 ** (2 * torch.rand(2, 5, 1, generator=g) - 2)
    patches = torch.rand(2, 5, 1, generator=g) + contrast * torch.randn(2, 5, 6, generator=g)
    patches[0, 1] = patches[0, 1].mean() + 0.001 * torch.randn(6, generator=g)
    patches[1, 2] = 0.25
    return (patches,)


EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "Mean and variance of one patch run over its own numbers, the last axis.",
        "patches.mean(-1, keepdim=True) is (B, L, 1), and so is var; the eps goes into the root.",
        "return (patches - mean) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()",
    ),
    mistakes=(
        Mistake(
            "Your variance is divided by n (biased). MAE divides by n - 1, as Tensor.var does unless "
            "told otherwise.",
            {"var(-1,": "var(-1, unbiased=False,"},
        ),
        Mistake(
            "The 1e-6 belongs inside the root, beside the variance: on a nearly flat patch that is a "
            "large difference.",
            {"(variance + 1e-6).sqrt()": "(variance.sqrt() + 1e-6)"},
        ),
        Mistake(
            "A patch of one colour has variance 0, and 0 / 0 is not a number: add 1e-6 to the "
            "variance.",
            {" + 1e-6": ""},
        ),
        Mistake(
            "You divided by the variance. Divide by its root, the standard deviation.",
            {".sqrt()": ""},
        ),
        Mistake(
            "Mean and variance are those of the whole image. Each patch has its own: the last axis "
            "only.",
            {"mean(-1": "mean((1, 2)", "var(-1": "var((1, 2)"},
        ),
        Mistake(
            "You averaged over the patches, one number in the patch at a time. Average over a patch's "
            "own numbers: axis -1.",
            {"mean(-1": "mean(1", "var(-1": "var(1"},
        ),
        Mistake(
            "The mean is still in: subtract it first.",
            {"(patches - mean)": "patches"},
        ),
        Mistake(
            "The mean is out, but the variance is not 1 yet: divide by the root of variance + 1e-6.",
            {" / (variance + 1e-6).sqrt()": ""},
        ),
    ),
)
