"""Softmax for words that are repeated."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores (B, T, S) and counts (S,), of which one is 0.

    The queries' scores lie around 0, around 500, around -500; with one key far above the others;
    and with the key that is not there far above the others.
    """
    scores = 2 * torch.randn(2, 5, 6, generator=g)
    scores[:, 1] += 500
    scores[:, 2] -= 500
    absent, top = torch.randperm(6, generator=g)[:2].tolist()
    scores[:, 3, top] += 1000
    scores[:, 4, absent] += 900
    counts = torch.randint(1, 6, (6,), generator=g)
    counts[top], counts[absent] = 3, 0
    return scores, counts


def shares(e: Tensor) -> Tensor:
    """Numbers divided by their sum over the keys."""
    return e / e.sum(-1, keepdim=True)


def not_shifted(scores: Tensor, counts: Tensor) -> Tensor:
    return shares(counts * scores.exp())


def shifted_by_the_absent(scores: Tensor, counts: Tensor) -> Tensor:
    return shares(counts * (scores - scores.amax(-1, keepdim=True)).exp())


def shifted_by_the_mean(scores: Tensor, counts: Tensor) -> Tensor:
    return shares(counts * (scores - scores.mean(-1, keepdim=True)).exp())


def logs_in_double(scores: Tensor, counts: Tensor) -> Tensor:
    return shares((scores + counts.log()).double().exp()).float()


def unused(scores: Tensor, counts: Tensor) -> Tensor:
    return scores.softmax(-1)


def no_sum_of_one(scores: Tensor, counts: Tensor) -> Tensor:
    return scores.softmax(-1) * counts


def times_scores(scores: Tensor, counts: Tensor) -> Tensor:
    return (scores * counts).softmax(-1)


def of_one_copy(scores: Tensor, counts: Tensor) -> Tensor:
    e = (scores - (scores + counts.log()).amax(-1, keepdim=True)).exp()
    return e / (counts * e).sum(-1, keepdim=True)


OVERFLOW = (
    "Something overflows where one score lies far above the others: inf / inf, or 0 times inf, is "
    "nan. No exponent may be far above 0: subtract each query's largest score first."
)
ABSENT = (
    "Right but where a key with the count 0 has a far larger score than the others: beside it nothing "
    "is left of them, and 0 / 0 is nan. Keys that are not there have to be out of the way before the "
    "largest score is taken (softmax takes it, too)."
)

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    hints=(
        "Write the copies out: the scores 2, 2, 2, 5 for counts 3 and 1. What does a key with three "
        "copies put into the sum, and what is its share?",
        "Adding the same number to all scores of a query changes nothing. Which number keeps exp from "
        "overflowing, and leaves at least one exponential that does not vanish?",
        "The largest score *among the keys that are there*. The rest must not be heard at all: 0 "
        "times inf is nan. The logarithm of a count does both: n e^s is e^(s + log n), and log(0) is "
        "minus infinity.",
        "total = scores + counts.log()\n"
        "exponentials = (total - total.amax(-1, keepdim=True)).exp()\n"
        "return exponentials / exponentials.sum(-1, keepdim=True)",
    ),
    mistakes=(
        Mistake(
            "Right for small scores, but exp(500) overflows to inf, exp(-500) vanishes, and the "
            "division gives nan. Subtract each query's largest score first.",
            {" - total.amax(-1, keepdim=True)": ""},
            not_shifted,
        ),
        Mistake(ABSENT, shifted_by_the_absent),
        Mistake(
            OVERFLOW,
            shifted_by_the_mean,
            logs_in_double,
        ),
        Mistake(
            "One number was subtracted from all scores. Queries whose scores all lie far below it "
            "are left with zeros only, and 0 / 0 is nan. Subtract each query's own largest.",
            {"amax(-1, keepdim=True)": "max()"},
        ),
        Mistake("The counts make no difference: this is the softmax of the scores.", unused),
        Mistake(
            "The weights no longer sum to 1: softmax comes first here, and each weight is "
            "multiplied by its count. Count *before* you divide by the sum.",
            no_sum_of_one,
        ),
        Mistake(
            "Here the *scores* are multiplied by the counts. Three copies do not have three times "
            "the score; they have three times the exponential.",
            times_scores,
        ),
        Mistake(
            "That is the weight of a single copy of each key. A key's copies count together.",
            of_one_copy,
        ),
        Mistake(
            "The weights sum to 1 over the queries. They should over the keys, the last axis.",
            {"amax(-1": "amax(-2", "sum(-1": "sum(-2"},
        ),
        Mistake(
            "A key that is not there is heard as if it stood there once. Its weight should be 0.",
            {"counts.log()": "counts.clamp(min=1).log()"},
        ),
        Mistake(
            "Each key counts once too often, the one that is not there included.",
            {"counts.log()": "(counts + 1).log()"},
        ),
        Mistake(
            "The exponentials are right and safe, but they do not sum to 1 yet: divide by their sum.",
            {" / exponentials.sum(-1, keepdim=True)": ""},
        ),
    ),
)
