"""Labels needed."""

import math

import numpy as np
import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

CURVES = (  # what is added to the first score; goals are first reached on the way up to 0.2
    (0.0, -0.02, 0.04, 0.2, 0.12, 0.26),
    (0.0, 0.2, 0.04, 0.1, 0.06, 0.26),
    (0.0, -0.02, 0.04, 0.2, 0.12, 0.08),  # ends below
    (0.0, 0.2, 0.04, 0.1, 0.05, 0.08),
)


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Counts (6,), scores (6,) that fall in several places, and a goal.

    The goal is between two points (three sevenths of the cases), exactly at one of them, which may be
    the first, below the first, or above all. Half of the curves end below a goal that they reached.
    """
    counts = torch.tensor([20, 50, 100, 300, 800, 2000])
    curve = CURVES[int(torch.randint(len(CURVES), (), generator=g))]
    scores = 0.5 + 0.1 * torch.rand((), generator=g) + torch.tensor(curve)
    i = curve.index(0.2)
    between = scores[i - 1] + (scores[i] - scores[i - 1]) * (
        0.7 + 0.2 * torch.rand((), generator=g)
    )
    first, peak, top = scores[0], scores[i], scores.max()
    goals = [between, top + 0.05, between, between, first, peak, first - 0.05]
    return counts, scores, goals[int(torch.randint(len(goals), (), generator=g))].item()


def at_a_point(counts, scores, goal):
    """The smallest count that was tried and is enough."""
    enough = [n for n, score in zip(counts.tolist(), scores.tolist(), strict=True) if score >= goal]
    return float(enough[0]) if enough else math.inf


def last_crossing(counts, scores, goal):
    """From where on the curve stays above the goal."""
    below = [i for i, score in enumerate(scores.tolist()) if score < goal]
    if not below:
        return float(counts[0])
    if below[-1] == len(scores) - 1:
        return math.inf
    i = below[-1] + 1
    share = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
    return (counts[i - 1] * (counts[i] / counts[i - 1]) ** share).item()


def interpolated(counts, scores, goal):
    """np.interp over scores that do not always rise."""
    return float(np.exp(np.interp(goal, scores.numpy(), counts.log().numpy())))


def interpolated_over_counts(counts, scores, goal):
    """The same, over the number of labels."""
    return float(np.interp(goal, scores.numpy(), counts.numpy()))


def interpolated_or_never(counts, scores, goal):
    """The same over logarithms, with an answer for goals above all."""
    return math.inf if goal > scores.max() else interpolated(counts, scores, goal)


def interpolated_in_range(counts, scores, goal):
    """The same with an answer for goals that the first point reaches, too."""
    if scores[0] >= goal:
        return float(counts[0])
    return interpolated_or_never(counts, scores, goal)


def searched(counts, scores, goal):
    """The right line, if the scores rose."""
    i = int(torch.searchsorted(scores, goal))
    if scores[0] >= goal or i == len(scores):
        return float(counts[0]) if scores[0] >= goal else math.inf
    share = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
    return (counts[i - 1] * (counts[i] / counts[i - 1]) ** share).item()


FIRST = "    if scores[0] >= goal:\n        return float(counts[0])\n"
CURVE = "(logs[i - 1] + share * (logs[i] - logs[i - 1])).exp().item()"
SHARE = "(goal - scores[i - 1]) / (scores[i] - scores[i - 1])"

EXERCISE = Exercise(
    minutes=14,
    inputs=inputs,
    trials=16,
    hints=(
        "Look for the first point that reaches the goal. The crossing lies between it and the point "
        "before; what is there to say if it is the very first point, or if there is none?",
        "With share = (goal - score before) / (score there - score before), between 0 and 1, go that "
        "share of the way from log(count before) to log(count there); `.exp()` leads back to labels.",
        "if scores[0] >= goal: return float(counts[0]); for i in range(1, len(scores)): if "
        "scores[i] >= goal: return (logs[i - 1] + share * (logs[i] - logs[i - 1])).exp().item(); "
        "after the loop return math.inf",
    ),
    mistakes=(
        Mistake(
            "Your lines are straight over the number of labels. They should be over its "
            "*logarithm*: from 100 to 200 is as far as from 1,000 to 2,000.",
            {"counts.log()": "counts.float()", ".exp()": ""},
        ),
        Mistake(
            "You returned a number of labels that was tried. The line reaches the goal between two "
            "of them.",
            at_a_point,
        ),
        Mistake(
            "You returned the point before the crossing, and its score is still below the goal. Go on "
            "from there along the line.",
            {CURVE: "float(counts[i - 1])"},
        ),
        Mistake(
            "Scores may fall again. You looked for the point from which the curve *stays* above the "
            "goal; the first crossing counts.",
            last_crossing,
        ),
        Mistake(
            "`np.interp` and `searchsorted` look a number up in numbers that rise, and these scores fall "
            "in between. Find the first point that reaches the goal, then join it to the one before.",
            interpolated,
            interpolated_over_counts,
            interpolated_or_never,
            interpolated_in_range,
            searched,
        ),
        Mistake(
            "A curve may end below the goal and have reached it before. It is `math.inf` only if no "
            "point reaches it.",
            {FIRST: f"    if scores[-1] < goal:\n        return math.inf\n{FIRST}"},
        ),
        Mistake(
            "For a score that is never reached, `math.inf` stands for: more than were tried. Nobody "
            "knows how the curve goes on behind its last point.",
            {"    return math.inf": "    return float(counts[-1])"},
            {"    return math.inf": "    return math.nan"},
            {"    return math.inf": "    return -1.0"},
        ),
        Mistake(
            "The first point reaches the goal already, so the answer is counts[0]: to the left of it "
            "there is no curve.",
            {FIRST: ""},
            {"return float(counts[0])": "return 0.0"},
        ),
        Mistake(
            "A score that equals the goal reaches it: `>=`, not `>`.",
            {"scores[0] >= goal": "scores[0] > goal", "scores[i] >= goal": "scores[i] > goal"},
            {"scores[0] >= goal": "scores[0] > goal"},
            {"scores[i] >= goal": "scores[i] > goal"},
        ),
        Mistake(
            "The share is measured from the wrong end: at the score of the point before it is 0, at "
            "the score of the point there 1.",
            {SHARE: "(scores[i] - goal) / (scores[i] - scores[i - 1])"},
        ),
        Mistake(
            "This is the logarithm of the number of labels. Take it back: `.exp()`.",
            {".exp()": ""},
        ),
        Mistake(
            "The logarithm and its inverse do not fit: `log` goes with `exp`, `log10` with `10 **`.",
            {"counts.log()": "counts.log10()"},
            {CURVE: "(10 ** (logs[i - 1] + share * (logs[i] - logs[i - 1]))).item()"},
        ),
    ),
)
