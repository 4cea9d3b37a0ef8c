"""The loss."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Guesses and targets (3, 7, 6), some guesses better than others, and a mask (3, 7).

    Two, three and five of the seven patches are removed.
    """
    mask = torch.zeros(3, 7)
    for row, count in enumerate((2, 3, 5)):
        mask[row, torch.randperm(7, generator=g)[:count]] = 1
    target = torch.rand(3, 7, 6, generator=g)
    spread = torch.tensor([0.1, 0.5, 1.0])[:, None, None]
    return target + spread * torch.randn(3, 7, 6, generator=g), target, mask


MEAN = "(errors * mask).sum() / mask.sum()"

EXERCISE = Exercise(
    minutes=5,
    inputs=inputs,
    hints=(
        "First one error for each patch. Then the mean over those that were removed.",
        "(predicted - target).square().mean(-1) is (B, L), and so is the mask: multiply, add up, "
        "divide by how many were removed.",
        "return (errors * mask).sum() / mask.sum()",
    ),
    mistakes=(
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
            "The sum is right, but it is divided by the number of all patches. Divide by mask.sum().",
            {MEAN: "(errors * mask).mean()"},
        ),
        Mistake(
            "This is a sum. Divide it by the number of removed patches, mask.sum().",
            {MEAN: "(errors * mask).sum()"},
        ),
        Mistake(
            "You took a mean for each image and the mean of these. Each removed patch should count "
            "the same: one mean over all of them.",
            {MEAN: "((errors * mask).sum(1) / mask.sum(1)).mean()"},
        ),
        Mistake(
            "You added up the squared errors of a patch's numbers. Take their mean, .mean(-1).",
            {".mean(-1)": ".sum(-1)"},
        ),
        Mistake(
            "These are absolute errors. Square the differences.",
            {".square()": ".abs()"},
        ),
    ),
)
