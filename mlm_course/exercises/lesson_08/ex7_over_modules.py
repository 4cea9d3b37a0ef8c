"""Other modules."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.practice.exercise import Exercise, Mistake

SIZES = (1, 2, 4, 7, 9)  # queries of a module


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ranks (23,) of two searches, modules of five sizes, and 61 draws of five modules.

    In small modules the first search is ahead, in large ones the second; queries stand in any order.
    """
    sizes = torch.tensor(SIZES)[torch.randperm(5, generator=g)]
    module = torch.arange(5).repeat_interleave(sizes)[torch.randperm(23, generator=g)]
    far = sizes[module]  # the larger the module, the worse the first search
    first = 1 + (torch.rand(23, generator=g) * far).long()
    second = 1 + (torch.rand(23, generator=g) * (10 - far)).long()
    drawn = torch.randint(5, (61, 5), generator=g)
    drawn[0] = torch.arange(5)
    return first, second, module, drawn


def separately(first, second, module, drawn):
    """The lowest of one less the highest of the other, and the reverse."""
    of_module = F.one_hot(module, drawn.shape[1]).float()
    counts = of_module.sum(0)[drawn].sum(1)
    ends = torch.tensor([0.025, 0.975])
    one, two = (
        (((1 / ranks) @ of_module)[drawn].sum(1) / counts).quantile(ends)
        for ranks in (first, second)
    )
    return torch.stack([one[0] - two[1], one[1] - two[0]])


def end_by_end(first, second, module, drawn):
    """The difference of both ends."""
    of_module = F.one_hot(module, drawn.shape[1]).float()
    counts = of_module.sum(0)[drawn].sum(1)
    ends = torch.tensor([0.025, 0.975])
    one, two = (
        (((1 / ranks) @ of_module)[drawn].sum(1) / counts).quantile(ends)
        for ranks in (first, second)
    )
    return one - two


def each_once(first, second, module, drawn):
    """A module counts once however often it is drawn."""
    gains = 1 / first - 1 / second
    means = torch.stack([gains[torch.isin(module, row)].mean() for row in drawn])
    return means.quantile(torch.tensor([0.025, 0.975]))


def queries_for_modules(first, second, module, drawn):
    """The numbers drawn are taken for places of queries."""
    gains = 1 / first - 1 / second
    return gains[drawn].mean(1).quantile(torch.tensor([0.025, 0.975]))


def ranks_averaged_first(first, second, module, drawn):
    """One over the mean rank."""
    of_module = F.one_hot(module, drawn.shape[1]).float()
    counts = of_module.sum(0)[drawn].sum(1)
    one, two = (
        1 / ((ranks.float() @ of_module)[drawn].sum(1) / counts) for ranks in (first, second)
    )
    return (one - two).quantile(torch.tensor([0.025, 0.975]))


GAINS = "1 / first - 1 / second"
MEANS = "sums[drawn].sum(1) / counts[drawn].sum(1)"
RESULT = "means.quantile(torch.tensor([0.025, 0.975]))"

EXERCISE = Exercise(
    minutes=18,
    hard=True,
    inputs=inputs,
    stages={
        "gains": "what each query gains, (Q,)",
        "means": "the difference in each draw, (R,)",
    },
    hints=(
        "MRR is a mean over queries, so the difference of two is the mean of what each query gains. "
        "Which queries are in a draw, and how often?",
        "A module brings two numbers along: the sum of what its queries gain, and how many they are. In "
        "a draw add up the sums, add up the numbers, and divide once.",
        "gains = 1 / first - 1 / second\n"
        "sums = torch.zeros(drawn.shape[1]).index_add(0, module, gains)\n"
        "counts = torch.bincount(module, minlength=drawn.shape[1])\n"
        "means = sums[drawn].sum(1) / counts[drawn].sum(1)\n"
        "return means.quantile(torch.tensor([0.025, 0.975]))",
    ),
    mistakes=(
        Mistake(
            "Each module counts the same here: that is a mean of means. MRR runs over all queries of "
            "the draw, so a module of nine counts nine times as much as one of one.",
            {MEANS: "(sums / counts)[drawn].mean(1)"},
        ),
        Mistake(
            "Draws differ in how many queries they have. Divide by that number, not by the number of "
            "all queries.",
            {"counts[drawn].sum(1)": "len(first)"},
        ),
        Mistake(
            "A module that is drawn twice counts once here. Drawing with replacement lives on that: its "
            "queries count twice.",
            each_once,
        ),
        Mistake(
            "The numbers in `drawn` are modules; you took them for places of queries.",
            queries_for_modules,
        ),
        Mistake(
            "These are the ends of two intervals, one of each search, taken apart: their difference "
            "in the same draw is asked for, and what is hard for both cancels.",
            separately,
            end_by_end,
        ),
        Mistake(
            "This is `second` less `first`: positive is to mean that the first search is ahead.",
            {GAINS: "1 / second - 1 / first"},
        ),
        Mistake(
            "These are differences of ranks. MRR is about their reciprocals: place 1 against 2 counts for "
            "more than 9 against 10.",
            {GAINS: "(first - second).float()"},
            {GAINS: "(second - first).float()"},
        ),
        Mistake(
            "This is about 1 over the mean rank. MRR is the mean of 1 over the rank.",
            ranks_averaged_first,
        ),
        Mistake(
            "This is 1.96 standard deviations of the draws to either side of a mean. The quantiles "
            "themselves are asked for: they need not lie evenly around it.",
            {RESULT: "means.mean() + torch.tensor([-1.96, 1.96]) * means.std()"},
            {RESULT: "means.mean() + torch.tensor([-1.96, 1.96]) * means.std(correction=0)"},
            {RESULT: "gains.mean() + torch.tensor([-1.96, 1.96]) * means.std()"},
            {RESULT: "gains.mean() + torch.tensor([-1.96, 1.96]) * means.std(correction=0)"},
        ),
        Mistake(
            "Your interval gets narrower with the number of draws: that is one of the mean of the draws. "
            "Take the quantiles of the draws themselves.",
            {
                RESULT: "means.mean() + torch.tensor([-1.96, 1.96]) * means.std() "
                "/ len(means) ** 0.5"
            },
        ),
        Mistake(
            "These are the .05 and .95 quantiles, a 90 % interval.",
            {"[0.025, 0.975]": "[0.05, 0.95]"},
        ),
        Mistake(
            "Your interval goes from the smallest to the largest draw. Its ends are the .025 and .975 "
            "quantiles.",
            {RESULT: "torch.stack([means.min(), means.max()])"},
        ),
        Mistake(
            "These are the differences of all draws. Return their .025 and .975 quantiles.",
            {RESULT: "means"},
            {RESULT: "means.sort().values"},
        ),
        Mistake(
            "The upper end comes first here.",
            {"[0.025, 0.975]": "[0.975, 0.025]"},
        ),
        Mistake(
            "These are quantiles of what single queries gain, without any draw. A mean of many moves "
            "much less than one query.",
            {RESULT: "gains.quantile(torch.tensor([0.025, 0.975]))"},
        ),
    ),
)
