"""The loss of norm_pix."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Guesses at normalised patches, patches (3, 7, 6), and a mask (3, 7).

    Two, three and five of the seven patches are removed. Brightness and contrast differ; one patch
    that is removed is of a single colour.
    """
    mask = torch.zeros(3, 7)
    for row, count in enumerate((2, 3, 5)):
        mask[row, torch.randperm(7, generator=g)[:count]] = 1
    contrast = 0.003 * 60 ** torch.rand(3, 7, 1, generator=g)
    patches = torch.rand(3, 7, 1, generator=g) + contrast * torch.randn(3, 7, 6, generator=g)
    patches[2, int(mask[2].argmax())] = 0.25
    spread = torch.tensor([0.3, 1.0, 2.0])[:, None, None]
    predicted = spread * torch.randn(3, 7, 6, generator=g) + 0.5
    return predicted.requires_grad_(), patches, mask


MEAN = "(errors * mask).sum() / mask.sum()"
NORMALISED = "(patches - mean) / (variance + 1e-6).sqrt()"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    backward=True,
    stages={
        "target": "the normalised patches",
        "errors": "the mean squared error of each patch",
    },
    hints=(
        "Two steps: make the target, patch by patch; then compare, and count removed patches only.",
        "Mean and variance run over a patch's own numbers: axis -1, with keepdim=True. Then one error "
        "for each patch is (B, L), and so is the mask: multiply, add up, divide by how many were "
        "removed.",
        "mean = patches.mean(-1, keepdim=True)\n"
        "variance = patches.var(-1, keepdim=True)\n"
        "target = (patches - mean) / (variance + 1e-6).sqrt()\n"
        "errors = (predicted - target).square().mean(-1)\n"
        "return (errors * mask).sum() / mask.sum()",
    ),
    mistakes=(
        Mistake(
            "This is the loss on the patches as they are. The guess is of normalised ones: normalise "
            "them first.",
            {NORMALISED: "patches"},
        ),
        Mistake(
            "The target's variance is divided by n (biased). Here it is divided by n - 1, as "
            "Tensor.var does unless told otherwise.",
            {"var(-1,": "var(-1, unbiased=False,"},
        ),
        Mistake(
            "The 1e-6 belongs inside the root, beside the variance: on patches of little contrast "
            "that is a large difference.",
            {"(variance + 1e-6).sqrt()": "(variance.sqrt() + 1e-6)"},
        ),
        Mistake(
            "The loss is not a number: a patch of one colour has variance 0, and 0 / 0 is nan. Add "
            "1e-6 to the variance, under the root.",
            {" + 1e-6": ""},
        ),
        Mistake(
            "The target is divided by the variance. Divide by its root, the standard deviation.",
            {".sqrt()": ""},
        ),
        Mistake(
            "Mean and variance are those of the whole image. Each patch has its own: the last axis "
            "only.",
            {"patches.mean(-1": "patches.mean((1, 2)", "var(-1": "var((1, 2)"},
        ),
        Mistake(
            "Mean and variance run over the patches, one number in the patch at a time. They are "
            "those of a patch's own numbers: axis -1.",
            {"patches.mean(-1": "patches.mean(1", "var(-1": "var(1"},
        ),
        Mistake(
            "The target still has each patch's mean in it: subtract it first.",
            {"(patches - mean)": "patches"},
        ),
        Mistake(
            "The target has mean 0, but its variance is not 1: divide by the root of variance + 1e-6.",
            {" / (variance + 1e-6).sqrt()": ""},
        ),
        Mistake(
            "The guess was normalised, too. It is a guess at normalised patches already: only the "
            "true ones are normalised.",
            {
                "(predicted - target)": "((predicted - predicted.mean(-1, keepdim=True)) / "
                "(predicted.var(-1, keepdim=True) + 1e-6).sqrt() - target)"
            },
        ),
        Mistake(
            "This is the mean over all patches. The encoder saw the visible ones: count the removed "
            "patches only.",
            {MEAN: "errors.mean()"},
        ),
        Mistake(
            "This is the loss of the visible patches. In the mask, 1 means removed.",
            {MEAN: "(errors * (1 - mask)).sum() / (1 - mask).sum()"},
        ),
        Mistake(
            "The sum over removed patches is right, but it is divided by the number of all patches. "
            "Divide by the number of removed ones.",
            {MEAN: "(errors * mask).mean()"},
        ),
        Mistake(
            "This is a sum over removed patches. Divide it by their number.",
            {MEAN: "(errors * mask).sum()"},
        ),
        Mistake(
            "This is the mean of the images' means. Each removed patch should count the same: one "
            "mean over all of them.",
            {MEAN: "((errors * mask).sum(1) / mask.sum(1)).mean()"},
        ),
        Mistake(
            "A patch's squared errors were added up, so the loss is P * P * C times too large. Take "
            "the mean over its numbers, too.",
            {"square().mean(-1)": "square().sum(-1)"},
        ),
        Mistake(
            "These are absolute errors. Square the differences.",
            {".square()": ".abs()"},
        ),
    ),
)
