"""Where masking after softmax fails."""

import math
from typing import Any

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

ALLOWED = torch.tensor([True, True, False, False])


def judge(value: Any) -> str | None:
    """What two queries' scores fail to do, from both ways of masking them."""
    if not isinstance(value, Tensor):
        return "Return one tensor (2, 4): `torch.tensor([[...], [...]])`."
    if value.shape != (2, 4):
        return f"Two queries with four scores each are asked for, (2, 4); yours is {tuple(value.shape)}."
    scores = value.detach().float()
    if not scores.isfinite().all():
        return "All scores have to be finite."
    in_time = scores.masked_fill(~ALLOWED, -math.inf).softmax(-1)
    too_late = scores.softmax(-1) * ALLOWED
    wanted = torch.tensor([[0.5, 0.5], [0.75, 0.25]])
    for number, (weights, right) in enumerate(zip(in_time[:, :2], wanted, strict=True)):
        if not torch.allclose(weights, right, atol=1e-3):
            said = " and ".join(f"{w:.3f}" for w in weights)
            return (
                f"Masked in time, query {number} gives the open keys the weights {said}, not "
                f"{right[0]:g} and {right[1]:g}."
            )
    left = too_late[0].sum()
    if not left < 0.01:
        return (
            f"Query 0: masked too late, {left:.3f} of the attention is left; it should be less than "
            ".01. Which scores decide how much the closed keys take away?"
        )
    again = too_late[1] / too_late[1].sum()
    if not again.isnan().any():
        return (
            "Query 1: masked too late and divided by its sum, the weights are no nan: that sum is "
            f"{too_late[1].sum():.2g}. It has to be exactly 0."
        )
    return None


def not_far_enough() -> Tensor:
    return torch.tensor([[0.0, 0.0, 9.0, 9.0], [math.log(3), 0.0, 20.0, 0.0]])


def weights_for_scores() -> Tensor:
    return torch.tensor([[0.0, 0.0, 9.0, 9.0], [3.0, 1.0, 200.0, 0.0]])


def weights_themselves() -> Tensor:
    return torch.tensor([[0.5, 0.5, 9.0, 9.0], [0.75, 0.25, 200.0, 0.0]])


def infinite() -> Tensor:
    return torch.tensor([[0.0, 0.0, math.inf, 0.0], [math.log(3), 0.0, math.inf, 0.0]])


EXERCISE = Exercise(
    minutes=10,
    kind="design",
    inputs=lambda generator: (),
    judge=judge,
    hints=(
        "The weights in time depend on the open scores alone, so the closed ones are free. What do "
        "large closed scores do to softmax before the mask comes?",
        "Weights of .75 and .25 are 3 to 1. Which difference of scores makes one exponential three "
        "times the other?",
        "Query 1: exp(-104) and less is 0 in float32. How far above the open scores must a closed "
        "one stand so that nothing is left of them?",
        "return torch.tensor([[0.0, 0.0, 9.0, 9.0], [math.log(3), 0.0, 200.0, 0.0]])",
    ),
    mistakes=(
        Mistake(
            "Query 1: the closed key takes nearly everything, but what is left of the open ones is "
            "not 0 yet, and the division brings their weights back.",
            not_far_enough,
        ),
        Mistake(
            "Query 1: scores of 3 and 1 do not give weights of 3 to 1, but of e^3 to e^1.",
            weights_for_scores,
        ),
        Mistake(
            "In query 1 the scores are the weights asked for. Softmax takes exponentials: which "
            "scores have exponentials of 3 to 1?",
            weights_themselves,
        ),
        Mistake("All scores have to be finite; inf minus inf is nan by itself.", infinite),
    ),
)
