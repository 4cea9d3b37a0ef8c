"""Who wrote this?"""

from typing import Any

import torch
from torch import Tensor

from mlm_course.decoding import Sampler, Step, cosine_remasking, linear_remasking, refine
from mlm_course.practice.exercise import Exercise, Mistake


def run(g: torch.Generator, sampler: Sampler, S: int, N: int) -> tuple[Tensor, Tensor]:
    """Confidences and what was masked, each (S, 3, N), of a run with a model that answers at random."""

    def predict(canvas: Tensor) -> Tensor:
        return 2 * torch.randn(3, N, 6, generator=g)

    canvas, masked = torch.full((3, N), 4), torch.ones(3, N, dtype=torch.bool)
    steps: list[Step] = refine(predict, canvas, masked, 4, S, sampler, g)
    return torch.stack([s.confidence for s in steps]), torch.stack([s.masked for s in steps])


def inputs(g: torch.Generator) -> tuple[Any, ...]:
    """A run of 4 to 6 steps with 12 to 20 places, of one of the eight samplers."""
    draw = torch.randint(2, (3,), generator=g).tolist()
    S, N = ((4, 12), (5, 15), (6, 20))[int(torch.randint(3, (), generator=g))]
    schedule = (linear_remasking, cosine_remasking)[draw[1]]
    sampler = Sampler(schedule, 1.0, bool(draw[2]), ("confidence", "random")[draw[0]])
    confidence, masked = run(g, sampler, S, N)
    while draw[2] and not (masked[1:] & ~masked[:-1]).any():
        confidence, masked = run(g, sampler, S, N)
    return confidence, masked


CHOICE = "before | may_remask"

EXERCISE = Exercise(
    minutes=20,
    hard=True,
    kind="diagnose",
    inputs=inputs,
    trials=24,
    hints=(
        "Three questions with three kinds of evidence. Is anything masked again that was not masked a "
        "step before? How many are masked before the second step? And were those masked again less "
        "confident than those they competed with?",
        "After 1 of S steps N (S - 1) / S or N cos(pi / (2 S)) places are masked, rounded down: in "
        "integers `N * (S - 1) // S`.",
        "Who competes: if kept words may be masked again, all places; if not, only those that were masked "
        "in that step. What is masked before step s + 1 was chosen by the confidences after step s.",
        "before, after = masked[:-1], masked[1:]\n"
        "S, _, N = masked.shape\n"
        "again = bool((after & ~before).any())\n"
        'schedule = "linear" if after[0, 0].sum() == N * (S - 1) // S else "cosine"\n'
        "choice = before | again\n"
        "most = confidence[:-1].where(after, -torch.inf).amax(-1)\n"
        "least = confidence[:-1].where(choice & ~after, torch.inf).amin(-1)\n"
        'return "confidence" if (most <= least).all() else "random", schedule, again',
    ),
    stages={"may_remask": "whether kept words may be masked again"},
    mistakes=(
        Mistake(
            "Runs in which the least confident were masked again are called random where kept words stay. "
            "There only the places filled in a step compete, not those kept before.",
            {CHOICE: "torch.ones_like(before)"},
        ),
        Mistake(
            "The order is judged by the wrong confidences. What is masked before a step was chosen by "
            "those *after the step before it*.",
            {
                "most = confidence[:-1]": "most = confidence[1:]",
                "least = confidence[:-1]": "least = confidence[1:]",
            },
        ),
        Mistake(
            "The two orders are exchanged: with `confidence` the *least* confident are masked again.",
            {
                'return "confidence" if': 'return "random" if',
                'else "random"': 'else "confidence"',
            },
        ),
        Mistake(
            "The two schedules are exchanged: cosine fills few places at first, so many are still masked.",
            {'"linear" if': '"cosine" if', 'else "cosine"': 'else "linear"'},
        ),
        Mistake(
            "Whether kept words may be masked again is turned around.",
            {"schedule, may_remask": "schedule, not may_remask"},
        ),
        Mistake(
            "In no run kept words count as masked again. Look for a place that is masked and was not "
            "masked the step before.",
            {"bool((after & ~before).any())": "False"},
        ),
        Mistake(
            "In every run kept words count as masked again. Places that are masked step after step were "
            "never kept.",
            {"bool((after & ~before).any())": "True"},
        ),
        Mistake(
            "The last step was asked about the schedule, or the number of masked places was compared with "
            "what is *filled*: after one of S steps N (1 - 1 / S) places are still masked, if even.",
            {"N * (S - 1) // S": "N // S"},
        ),
    ),
)
