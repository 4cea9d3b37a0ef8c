"""Which length wins."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Three candidates of several lengths for each of four sources: confidences, real, (4, 3, 9)."""
    real = torch.arange(9) < torch.tensor([[4, 6, 9], [5, 7, 8], [3, 6, 7], [4, 5, 9]])[..., None]
    return torch.where(real, torch.rand(4, 3, 9, generator=g) * 0.9 + 0.05, 1.0), real


EXERCISE = Exercise(
    minutes=7,
    inputs=inputs,
    hints=(
        "The mean log-probability of a candidate's own words. Padding has probability 1, so its "
        "logarithm adds nothing; by what do you divide?",
        "`confidence.log() * real` is (B, n, N). Sum over the last axis, divide by "
        "`real.sum(-1)`, and take the best of the n.",
        "scores = (confidence.log() * real).sum(-1) / real.sum(-1); return scores.argmax(1), scores",
    ),
    mistakes=(
        Mistake(
            "A short candidate looks surer than it is: you took the sum, or divided by the width with "
            "its padding. Divide by the number of its own words.",
            {"/ real.sum(-1)": "/ real.shape[-1]"},
            {" / real.sum(-1)": ""},
        ),
        Mistake(
            "This is the mean probability. One impossible word hardly lowers it; take the mean "
            "of the logarithms.",
            {"confidence.log()": "confidence"},
        ),
        Mistake(
            "The worst candidate wins: log-probabilities are negative, and the largest is best.",
            {"(confidence.log()": "-(confidence.log()"},
        ),
        Mistake(
            "You compared the least sure word of each. The mean over all words decides.",
            {".sum(-1) / real.sum(-1)": ".amin(-1)"},
        ),
    ),
)
