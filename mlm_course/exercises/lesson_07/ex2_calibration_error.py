"""How far from calibrated?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, int]:
    """Confidences (60,) without the lowest bin, some on a border, some 1; right or not; bins.

    The lower half is too sure, the upper half not sure enough.
    """
    n_bins = 8 if torch.rand((), generator=g) < 0.5 else 4
    confidence = 0.27 + 0.7 * torch.rand(60, generator=g)
    confidence[:6], confidence[6:15], confidence[15:19] = 1.0, 0.5, 0.75
    chance = torch.where(confidence < 0.5, confidence - 0.25, (confidence + 0.2).clamp(max=1))
    right = torch.rand(60, generator=g) < chance
    right[:6] = torch.tensor([True, True, True, False, False, False])
    right[6:15] = torch.arange(9) < 2
    return confidence[(order := torch.randperm(60, generator=g))], right[order], n_bins


def in_bins(confidence, right, n_bins):
    """Signed gaps (n_bins,) times the number of answers, and the number of answers (n_bins,)."""
    which = (confidence * n_bins).long().clamp(max=n_bins - 1)
    gaps = torch.zeros(n_bins).index_add(0, which, confidence - right.float())
    return gaps, torch.bincount(which, minlength=n_bins)


def unweighted(confidence, right, n_bins):
    """Each bin that has answers counts the same."""
    gaps, counts = in_bins(confidence, right, n_bins)
    return (gaps[counts > 0] / counts[counts > 0]).abs().mean()


def over_all_bins(confidence, right, n_bins):
    """Each bin counts the same, an empty one as 0."""
    gaps, counts = in_bins(confidence, right, n_bins)
    return (gaps / counts.clamp(min=1)).abs().mean()


def largest(confidence, right, n_bins):
    """The largest gap."""
    gaps, counts = in_bins(confidence, right, n_bins)
    return (gaps / counts.clamp(min=1)).abs().max()


def squared(confidence, right, n_bins):
    """Squares of the gaps."""
    gaps, counts = in_bins(confidence, right, n_bins)
    return ((gaps / counts.clamp(min=1)) ** 2 * counts).sum() / counts.sum()


def empty_bins(confidence, right, n_bins):
    """A mean of no answers is nan."""
    gaps, counts = in_bins(confidence, right, n_bins)
    return ((gaps / counts).abs() * counts).sum() / counts.sum()


def without_the_surest(confidence, right, n_bins):
    """Confidence 1 belongs to no bin."""
    gaps, _ = in_bins(confidence[confidence < 1], right[confidence < 1], n_bins)
    return gaps.abs().sum() / len(confidence)


def without_the_surest_at_all(confidence, right, n_bins):
    """Confidence 1 is left out everywhere."""
    gaps, _ = in_bins(confidence[confidence < 1], right[confidence < 1], n_bins)
    return gaps.abs().sum() / (confidence < 1).sum()


def both_bins(confidence, right, n_bins):
    """A confidence on a border is in the bins on both sides."""
    error = torch.zeros(())
    for b in range(n_bins):
        inside = (confidence >= b / n_bins) & (confidence <= (b + 1) / n_bins)
        error += (confidence - right.float())[inside].sum().abs() / len(confidence)
    return error


def midpoints(confidence, right, n_bins):
    """The middle of a bin in place of the mean confidence."""
    which = (confidence * n_bins).long().clamp(max=n_bins - 1)
    gaps = torch.zeros(n_bins).index_add(0, which, (which + 0.5) / n_bins - right.float())
    return gaps.abs().sum() / len(confidence)


def equally_filled(confidence, right, n_bins):
    """Bins of equally many answers."""
    order = confidence.argsort(stable=True)
    parts = (confidence - right.float())[order].tensor_split(n_bins)
    return sum(part.sum().abs() for part in parts) / len(confidence)


WHICH = "(confidence * n_bins).long().clamp(max=n_bins - 1)"
RETURN = "gaps.abs().sum() / len(confidence)"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    hints=(
        "Do it on paper for four answers in two bins: .6 right, .8 wrong, .9 right, .3 wrong.",
        "Which bin is a confidence in? Multiply by n_bins and round down; then see what happens to 1.",
        "A bin's share of the answers times its gap: its number of answers cancels. What is left is the "
        "sum of confidence minus right over the bin, without its sign, over n. Empty bins are no case.",
        "which = (confidence * n_bins).long().clamp(max=n_bins - 1)\n"
        "gaps = torch.zeros(n_bins).index_add(0, which, confidence - right.float())\n"
        "return gaps.abs().sum() / len(confidence)",
    ),
    mistakes=(
        Mistake(
            "Each bin counts the same in it. A bin counts by how many answers it has.",
            unweighted,
        ),
        Mistake(
            "Each bin counts the same in it, an empty one as 0. A bin counts by how many answers it has.",
            over_all_bins,
        ),
        Mistake(
            "Bins that are too sure and others that are not sure enough cancel, as if there were one bin "
            "for all. Each bin's gap loses its sign before the mean is taken.",
            {RETURN: "gaps.sum().abs() / len(confidence)"},
        ),
        Mistake(
            "This is the mean distance of a confidence from 0 or 1, answer by answer. Even a perfectly "
            "calibrated guesser has that. First the means of a bin, then their difference.",
            {RETURN: "(confidence - right.float()).abs().mean()"},
        ),
        Mistake("This is the largest gap of a bin. The mean is wanted.", largest),
        Mistake("The gaps were squared. They are to lose their sign and nothing else.", squared),
        Mistake(
            "The result is nan: a bin without answers has no mean. It counts nothing.",
            empty_bins,
        ),
        Mistake(
            "Answers with a confidence of 1 are in no bin. They belong to the last one.",
            without_the_surest,
            without_the_surest_at_all,
        ),
        Mistake(
            "A confidence on a border was put into the lower bin. It belongs to the upper one.",
            {WHICH: "((confidence * n_bins).ceil().long() - 1).clamp(min=0)"},
        ),
        Mistake(
            "A confidence on a border counts in two bins. It belongs to the upper one alone.",
            both_bins,
        ),
        Mistake(
            "Confidences were rounded to the next border, so that the bins lie around the borders. Bin "
            "0 reaches from 0 to 1 / n_bins: round down.",
            {WHICH: "(confidence * n_bins).round().long().clamp(max=n_bins - 1)"},
        ),
        Mistake(
            "The middle of the bin stands for its confidences. Take their mean.",
            midpoints,
        ),
        Mistake(
            "These bins hold equally many answers. They are to be of equal width.",
            equally_filled,
        ),
        Mistake(
            "These are sums of gaps. A mean is wanted: divide by the number of answers.",
            {RETURN: "gaps.abs().sum()"},
        ),
        Mistake(
            "The sum was divided by the number of bins. Divide by the number of answers.",
            {RETURN: "gaps.abs().sum() / n_bins"},
        ),
    ),
)
