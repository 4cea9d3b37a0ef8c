"""A safety net, there and back."""

import math

import torch
from torch import Tensor

from mlm_course.exercises.lesson_02.scores_and_lengths import scores_and_mask
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (B, H, T, S), an additive mask (B, 1, T, S), values (B, H, S, E).

    One query of each row has no key; query 2 has closed keys far above its open ones.
    """
    scores, mask = scores_and_mask(g)
    mask[0, :, 1] = mask[1, :, 4] = False
    mask[:, :, 2] = torch.tensor([True, False, True, True, False, True])
    scores[:, :, 2] += 200 * ~mask[:, :, 2]
    values = torch.randn(2, 3, 6, 4, generator=g)
    additive = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
    return scores.requires_grad_(), additive, values.requires_grad_()


SAFE = "scores.masked_fill(closed & ~nothing, -math.inf).softmax(-1)"
NET = "weights.masked_fill(nothing, 0.0)"
LATE = "scores.softmax(-1) * ~closed"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    backward=True,
    inputs=inputs,
    stages={"weights": "the weights, with zeros for empty queries (B, H, T, S)"},
    hints=(
        "The weights are easy to repair: write zeros where a query hears nothing. But on its way "
        "back the gradient 0 meets the nan that softmax has made, and 0 times nan is nan. Where must "
        "the nan not arise?",
        "`closed = additive_mask == -math.inf`, and `closed.all(-1, keepdim=True)` is True for queries "
        "without any key (B, 1, T, 1). Softmax should not see a row of nothing but -inf: what could "
        "stand there for the time being?",
        "Close only `closed & ~nothing`: the scores of an empty query stay as they are. After softmax "
        "write zeros into its row; no gradient goes through those.",
        "closed = additive_mask == -math.inf\n"
        "nothing = closed.all(-1, keepdim=True)\n"
        "weights = scores.masked_fill(closed & ~nothing, -math.inf).softmax(-1)\n"
        "weights = weights.masked_fill(nothing, 0.0)\n"
        "return (weights @ values).square().sum()",
    ),
    mistakes=(
        Mistake(
            "The loss is right, but the gradient of `scores` is nan at empty queries. The nan that "
            "softmax makes there was replaced, but on its way back the gradient 0 is multiplied by "
            "it. Softmax must not see a row of nothing but -inf.",
            {SAFE: "(scores + additive_mask).softmax(-1)"},
        ),
        Mistake(
            "The loss is right, but the gradients of `scores` and `values` are nan: the weights of empty "
            "queries are, and to replace the nan of the outputs comes too late. On the way back 0 is "
            "multiplied by it. Softmax must not see a row of nothing but -inf.",
            {
                SAFE: "(scores + additive_mask).softmax(-1)",
                NET: "weights",
                "(weights @ values)": "(weights @ values).nan_to_num(0.0)",
            },
        ),
        Mistake(
            "The loss is nan: the weights of empty queries are, and every sum with a nan in it is.",
            {SAFE: "(scores + additive_mask).softmax(-1)", NET: "weights"},
            {SAFE: "scores.masked_fill(closed, -math.inf).softmax(-1)", NET: "weights * ~nothing"},
        ),
        Mistake(
            "An empty query listens evenly, or as if nothing were closed, to what it must not hear. "
            "Its weights should all be 0.",
            {NET: "weights"},
            {SAFE: "(scores + additive_mask.clamp(min=-1e9)).softmax(-1)", NET: "weights"},
            {SAFE: "scores.masked_fill(closed, -1e9).softmax(-1)", NET: "weights"},
        ),
        Mistake(
            "The weights do not sum to 1: closed keys have taken their share and were set to zero "
            "after that. Close the scores before softmax.",
            {SAFE: LATE},
        ),
        Mistake(
            "A query with a closed key far above its open ones hears nothing here: beside exp(200) the "
            "others vanish. Close the scores before you take the largest, or softmax.",
            {SAFE: LATE, NET: "weights / weights.sum(-1, keepdim=True).clamp(min=1e-30)"},
        ),
        Mistake(
            "Open and closed have changed places: in an additive mask 0 means open.",
            {"additive_mask == -math.inf": "additive_mask == 0"},
        ),
        Mistake(
            "The mean of the squares is not what is asked for: add them up.",
            {".sum()": ".mean()"},
        ),
        Mistake(
            "Every query with *some* closed key was set to zero. Only those with no open key at all.",
            {"closed.all(": "closed.any("},
        ),
        Mistake(
            "The sum of squares of the *weights*: what the queries hear is missing, weights @ values.",
            {"(weights @ values)": "weights"},
        ),
    ),
)
