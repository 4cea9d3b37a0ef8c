"""How long?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Scores (3, 8) for the lengths 0 to 7, with 0 the best of most rows, and how many are wanted."""
    scores = torch.randn(3, 8, generator=g)
    scores[:2, 0] = scores.max() + 1
    return scores, 3


RULED_OUT = ".masked_fill(is_zero, -torch.inf)"
CUT_OFF = {f"scores{RULED_OUT}": "scores[:, 1:]"}

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Rule length 0 out first, while these are still scores; softmax then shares everything "
        "among the others.",
        "Scores of minus infinity get probability 0. `topk(n)` returns values and indices, the "
        "largest first; the index is the length.",
        "scores = scores.masked_fill(torch.arange(scores.shape[1]) == 0, -torch.inf); best = "
        "scores.log_softmax(-1).topk(n); return best.indices, best.values",
    ),
    mistakes=(
        Mistake(
            "Length 0 is among the answers. An empty answer is none, and its mean "
            "log-probability is 0/0. Rule it out.",
            {RULED_OUT: ""},
        ),
        Mistake(
            "You cut class 0 off, and now class 1 is called 0: all lengths are one too short.",
            CUT_OFF,
        ),
        Mistake(
            "The lengths are right. But their probabilities still share with length 0: rule it out "
            "before the softmax, not after.",
            {f"{RULED_OUT}.log_softmax(-1)": f".log_softmax(-1){RULED_OUT}"},
        ),
        Mistake(
            "These are the *least* likely lengths.",
            CUT_OFF | {"topk(n)": "topk(n, largest=False)", "best.indices": "best.indices + 1"},
        ),
        Mistake(
            "The lengths are right, but these are scores, not log-probabilities: log_softmax.",
            {".log_softmax(-1)": ""},
        ),
        Mistake(
            "The lengths are right. Return log-probabilities, not probabilities.",
            {"best.values": "best.values.exp()"},
        ),
    ),
)
