"""The same by a rate."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Surprises (4, 7), noise (4, 7) of which some is below each rate and some above, and rates (4,)."""
    noise = torch.rand(4, 7, generator=g)
    noise[:, 0], noise[:, 1] = 0.05, 0.95
    rate = 0.2 + 0.5 * torch.rand(4, generator=g)
    rate[0], rate[1] = 0.3, 0.7
    return 0.1 + 3 * torch.rand(4, 7, generator=g), noise, rate


ROUNDED = "(rate[:, None] * noise.shape[1]).round()"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "A noise below the rate happens with just that chance. What is hidden by a small rate is "
        "rare, so it counts more.",
        "`rate[:, None]` is (B, 1) and compares with each of a row's noises. The sum over hidden "
        "places is (B,), like the rate.",
        "return (surprise * (noise < rate[:, None])).sum(1) / rate",
    ),
    mistakes=(
        Mistake(
            "Inverted: this hides with probability 1 - t. Hide where the noise is *below* the rate.",
            {"noise < rate": "noise >= rate"},
        ),
        Mistake(
            "Multiplied by the rate; divide by it. What a small rate hides is hidden seldom, and must "
            "count more.",
            {"/ rate": "* rate"},
        ),
        Mistake(
            "Divided by the number that happened to be hidden. Here the weight is 1 / t.",
            {"/ rate": "/ masked.sum(1)"},
        ),
        Mistake(
            "The weight 1 / t is missing.",
            {" / rate": ""},
        ),
        Mistake(
            "That is exercise 12.2 again: N times the mean. Here the weight is 1 / t, whatever number "
            "of words was hidden.",
            {"/ rate": "/ masked.sum(1) * masked.shape[1]"},
        ),
        Mistake(
            "This hides a fixed number of words. Each word is hidden by a chance of its own: where "
            "its noise is below the rate.",
            {"noise < rate[:, None]": f"noise.argsort(1).argsort(1) < {ROUNDED}"},
        ),
        Mistake(
            "One rate for the whole batch. Each row has its own: `rate[:, None]`.",
            {"rate[:, None]": "rate.mean()"},
            {"rate[:, None]": "rate[0]"},
        ),
    ),
)
