"""Any chance of n."""

import math

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Surprises, hidden places and the chance of each n, (4, 9): rows of 7, 4, 6 and 5 words."""
    words = torch.arange(9) < torch.tensor([[7], [4], [6], [5]])
    n = torch.tensor([3, 4, 2, 1])
    rank = torch.rand(4, 9, generator=g).masked_fill(~words, 2.0).argsort(1).argsort(1)
    chance = (0.2 + torch.rand(4, 9, generator=g)) * words
    return (
        0.1 + 3 * torch.rand(4, 9, generator=g),
        rank < n[:, None],
        chance / chance.sum(1)[:, None],
    )


WORDS = "(chance > 0).sum(1)"


def by_sets(surprise, masked, chance):
    """Weighed by the probability of the set that was drawn."""
    n, words = masked.sum(1), (chance > 0).sum(1)
    ways = torch.tensor([math.comb(int(N), int(k)) for N, k in zip(words, n, strict=True)])
    of_set = chance.gather(1, n[:, None] - 1)[:, 0] / ways
    return (surprise * masked).sum(1) / n / of_set


EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    hints=(
        "The right side is a sum of N slices, each with the weight 1. A slice that is drawn seldom has "
        "to count more when it is drawn.",
        "The average over draws is the sum over n of (chance of n) times (what you return for that n, "
        "on average). For which numbers is it the sum of all mean surprises? Check it with an even "
        "chance, 1 / N: then it has to be the formula.",
        "For each row: the mean surprise of its hidden words, divided by the chance of its n. "
        "`chance.gather(1, n[:, None] - 1)` is (B, 1).",
        "n = masked.sum(1)\n"
        "mean = (surprise * masked).sum(1) / n\n"
        "return mean / chance.gather(1, n[:, None] - 1)[:, 0]",
    ),
    stages={
        "n": "the number of hidden words of each row",
        "mean": "their mean surprise",
        "likely": "the chance of the n that was drawn",
    },
    mistakes=(
        Mistake(
            "This is N times the mean surprise: right on average where every n is equally likely, and "
            "only there. What would the average be if n were nearly always 1?",
            {"mean / likely": f"mean * {WORDS}"},
        ),
        Mistake(
            "N times too large: with an even chance, 1 / N, this would be N * N times the mean. The "
            "chance has N in it already.",
            {"mean / likely": f"{WORDS} * mean / likely"},
        ),
        Mistake(
            "This is the mean surprise alone. A slice that is drawn often then counts often; yet all "
            "N slices have the weight 1 in the sum.",
            {"mean / likely": "mean"},
        ),
        Mistake(
            "Multiplied by the chance of n: what is likely anyway counts even more. Divide by it.",
            {"mean / likely": "mean * likely"},
        ),
        Mistake(
            "The surprises were added up and divided by the chance of n. A slice is the *mean* of the "
            "n surprises.",
            {".sum(1) / n": ".sum(1)"},
        ),
        Mistake(
            "The chance that was taken belongs to n + 1: column n - 1 is that of n.",
            {"n[:, None] - 1": "n[:, None]"},
        ),
        Mistake(
            "Visible words or padding are in the sum. Nobody asked about them: only hidden ones count.",
            {"(surprise * masked)": "surprise"},
            {"(surprise * masked)": f"(surprise * (torch.arange(9) < {WORDS}[:, None]))"},
        ),
        Mistake(
            "This is divided by the probability of the *set* that was hidden. The mean over all sets "
            "with n words is wanted, not their sum: divide by the chance of n alone.",
            by_sets,
        ),
        Mistake(
            "The rows were averaged. Return one number a row.",
            {"mean / likely": "(mean / likely).mean()"},
        ),
        Mistake(
            "Each row was divided by all hidden words of the batch. Take each row's own mean.",
            {".sum(1) / n": ".sum(1) / n.sum()"},
        ),
    ),
)
