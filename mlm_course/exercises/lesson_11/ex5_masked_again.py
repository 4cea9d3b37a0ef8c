"""Which words are hidden again."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, int, int]:
    """Confidences (3, 11), 0 at padding; the real places (3, 11); steps done, steps in all.

    Every third trial, roughly, is a last step, at which short rows still hide one place.
    """
    is_last = bool(torch.rand((), generator=g) < 0.34)
    real = torch.arange(11) < torch.tensor([[11], [7], [4]])
    confidence = torch.rand(3, 11, generator=g) * 0.9 + 0.05
    steps = int(torch.randint(5, 8, (), generator=g))
    done = int(torch.randint(2, steps - 1, (), generator=g))
    return confidence * real, real, *((6, 7) if is_last else (done, steps))


COUNT = "real.sum(1) * (steps - done) // steps"

EXERCISE = Exercise(
    minutes=8,
    trials=6,
    inputs=inputs,
    hints=(
        "Two questions again: how many in each row, and which. The count is a matter of N, `done` "
        "and `steps`; the choice of the confidences.",
        "n = N * (steps - done) // steps, at least 1, is (B,). Padding must not be chosen: put "
        "infinity there, then take the n smallest of each row by their rank.",
        "n = (real.sum(1) * (steps - done) // steps).clamp(min=1); return "
        "confidence.masked_fill(~real, torch.inf).argsort(1).argsort(1) < n[:, None]",
    ),
    mistakes=(
        Mistake(
            "These are the words the model is *most* sure of. The doubtful ones go back.",
            {"confidence.masked_fill": "(-confidence).masked_fill"},
        ),
        Mistake(
            "One step ahead: after `done` of `steps` steps a share of 1 - done / steps is hidden.",
            {"steps - done": "steps - done - 1"},
        ),
        Mistake(
            "One step behind: after `done` of `steps` steps a share of 1 - done / steps is "
            "hidden. The first step, done = 0, is the empty canvas, and it is over.",
            {"steps - done": "steps - done + 1"},
        ),
        Mistake(
            "That many words are *kept*. The others are hidden.",
            {"rank < n[:, None]": "rank < (real.sum(1) - n)[:, None]"},
        ),
        Mistake(
            "Some rows hide nothing at all. At least one word, always.",
            {".clamp(min=1)": ""},
        ),
        Mistake(
            "You rounded up; the paper's code rounds down.",
            {COUNT: "-(-real.sum(1) * (steps - done) // steps)"},
        ),
        Mistake(
            "Padding was hidden: its confidence is 0, so it always looks doubtful. Keep it out.",
            {".masked_fill(~real, torch.inf)": ""},
        ),
        Mistake(
            "You took the longest row's count for all rows. N is the row's own length.",
            {"real.sum(1)": "real.sum(1).amax()", "rank < n[:, None]": "(rank < n) & real"},
        ),
    ),
)
