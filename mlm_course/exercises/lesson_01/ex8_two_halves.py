"""Two halves of the keys."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each half the outputs (B, T, E) and log-sums (B, T).

    Log-sums are around 0, 100 and -110, far apart, and minus infinity where a half has no keys.
    """
    output_a, output_b = torch.randn(2, 2, 6, 4, generator=g)
    log_sum_a, log_sum_b = 1 + 0.5 * torch.randn(2, 2, 6, generator=g)
    for log_sum in (log_sum_a, log_sum_b):
        log_sum[:, 1] += 100
        log_sum[:, 2] -= 112
    log_sum_a[:, 3] += 200
    log_sum_b[:, 4] += 3
    log_sum_b[:, 5] = -torch.inf
    output_b[:, 5] = 0
    return output_a, log_sum_a, output_b, log_sum_b


def logs_as_shares(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    share = (log_a / (log_a + log_b))[..., None]
    return share * a + (1 - share) * b, torch.logaddexp(log_a, log_b)


def not_shifted(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    sum_a, sum_b = log_a.exp()[..., None], log_b.exp()[..., None]
    total = sum_a + sum_b
    return (sum_a * a + sum_b * b) / total, total.log()[..., 0]


def half_and_half(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    return (a + b) / 2, torch.logaddexp(log_a, log_b)


def added(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    return a + b, torch.logaddexp(log_a, log_b)


def winner_takes_all(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where((log_a > log_b)[..., None], a, b), torch.logaddexp(log_a, log_b)


def not_divided(a: Tensor, log_a: Tensor, b: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    top = torch.maximum(log_a, log_b)
    output = (log_a - top).exp()[..., None] * a + (log_b - top).exp()[..., None] * b
    return output, torch.logaddexp(log_a, log_b)


LOG = "torch.logaddexp(log_sum_a, log_sum_b)"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    stages={
        "log_sum": "the log-sum over all keys (..., T)",
        "share_a": "the share of the first half (..., T, 1)",
        "share_b": "the share of the second half (..., T, 1)",
    },
    hints=(
        "The output over all keys is an average again: of the two outputs, each with the share of "
        "attention that its half gets. Which two numbers decide these shares?",
        "A half's share is the sum of its exponentials divided by that of all of them. The sums "
        "themselves overflow; work with their logarithms, and take exp of a difference that is never "
        "above 0.",
        "`torch.logaddexp(x, y)` is log(e^x + e^y), safely. The share of the first half is "
        "exp(log_sum_a - log_sum), with an axis added at the end to fit the outputs.",
        "log_sum = torch.logaddexp(log_sum_a, log_sum_b)\n"
        "share = (log_sum_a - log_sum).exp().unsqueeze(-1)\n"
        "return share * output_a + (1 - share) * output_b, log_sum",
    ),
    mistakes=(
        Mistake(
            "The output is the plain mean of the two. The half with the larger sum of exponentials "
            "has the larger share.",
            half_and_half,
        ),
        Mistake(
            "The two outputs are added up. Each is an average whose weights sum to 1: over all keys "
            "each half keeps only its share.",
            added,
        ),
        Mistake(
            "The shares are those of the logarithms. They should be those of the sums, that is of "
            "their exponentials.",
            logs_as_shares,
        ),
        Mistake(
            "Right for log-sums around 0. exp(100) overflows and exp(-110) vanishes: take exp of "
            "differences only.",
            not_shifted,
        ),
        Mistake(
            "The shares have changed places: the half with the smaller sum counts more.",
            {
                "(log_sum_a - log_sum)": "(log_sum_b - log_sum)",
                "share_b = (log_sum_b": "share_b = (log_sum_a",
            },
        ),
        Mistake(
            "The output is right, the log-sum is not: the sum of two logarithms belongs to the "
            "*product* of two sums.",
            {"output_b, log_sum": "output_b, log_sum_a + log_sum_b"},
        ),
        Mistake(
            "The output is right. As log-sum the larger of the two comes back; what the other half "
            "adds is missing.",
            {"output_b, log_sum": "output_b, torch.maximum(log_sum_a, log_sum_b)"},
        ),
        Mistake(
            "The output is right. As second result the sum comes back instead of its logarithm.",
            {"output_b, log_sum": "output_b, log_sum.exp()"},
        ),
        Mistake(
            "The half with the larger sum gets everything. The other one should be heard, too, with "
            "its share.",
            winner_takes_all,
        ),
        Mistake(
            "The shares do not sum to 1: the half with the larger sum counts in full, and the other "
            "comes on top of that. Divide by the sum over both.",
            {LOG: "torch.maximum(log_sum_a, log_sum_b)"},
            not_divided,
        ),
    ),
)
