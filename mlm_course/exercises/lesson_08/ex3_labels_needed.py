"""Labels needed."""

import math  # noqa: F401 (the answer uses it)

import torch
from torch import Tensor

from mlm_course.exercises.lesson_08 import curves
from mlm_course.practice.exercise import Exercise, Mistake

CURVES = (  # what is added to the first score; goals are first reached on the way up to 0.2
    (0.0, -0.02, 0.06, 0.03, 0.2, 0.12, 0.26),
    (0.0, -0.03, 0.2, 0.04, 0.1, 0.06, 0.26),
    (0.0, -0.02, 0.06, 0.03, 0.2, 0.12, 0.08),  # ends below
    (0.0, -0.03, 0.2, 0.04, 0.1, 0.05, 0.08),
)


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Counts (7,), scores (7,) that fall in several places, and a goal.

    The goal is between two points (three eighths of the cases), exactly at one of them, which may be
    the first, below the first, or above all. Half of the curves end below a goal that they reached.
    """
    counts = torch.tensor([20, 50, 100, 250, 600, 1300, 2000])
    curve = CURVES[int(torch.randint(len(CURVES), (), generator=g))]
    scores = 0.5 + 0.1 * torch.rand((), generator=g) + torch.tensor(curve)
    i = curve.index(0.2)
    between = scores[i - 1] + (scores[i] - scores[i - 1]) * (
        0.7 + 0.2 * torch.rand((), generator=g)
    )
    first, peak, top = scores[0], scores[i], scores.max()
    goals = [between, top + 0.05, between, between, first, first, peak, first - 0.05]
    return counts, scores, goals[int(torch.randint(len(goals), (), generator=g))].item()


FIRST = "    if scores[0] >= goal:\n        return float(counts[0])\n"
CURVE = "(logs[i - 1] + share * (logs[i] - logs[i - 1])).exp().item()"
SHARE = "(goal - scores[i - 1]) / (scores[i] - scores[i - 1])"

EXERCISE = Exercise(
    minutes=14,
    inputs=inputs,
    trials=30,
    hints=(
        "Look for the first point that reaches the goal. The crossing lies between it and the point "
        "before; what is there to say if it is the very first point, or if there is none?",
        "With share = (goal - score before) / (score there - score before), between 0 and 1, go that "
        "share of the way from log(count before) to log(count there); `.exp()` leads back to labels.",
        "logs = counts.log()\n"
        "if scores[0] >= goal:\n"
        "    return float(counts[0])\n"
        "for i in range(1, len(scores)):\n"
        "    if scores[i] >= goal:\n"
        "        share = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])\n"
        "        return (logs[i - 1] + share * (logs[i] - logs[i - 1])).exp().item()\n"
        "return math.inf",
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
            curves.at_a_point,
        ),
        Mistake(
            "This is halfway between the two points, whatever the scores say. Go as far along the line "
            "as the goal lies between their scores.",
            {SHARE: "0.5"},
        ),
        Mistake(
            "You returned the point before the crossing, and its score is still below the goal. Go on "
            "from there along the line.",
            {CURVE: "float(counts[i - 1])"},
        ),
        Mistake(
            "Scores may fall again. You looked for the point from which the curve *stays* above the "
            "goal; the first crossing counts.",
            curves.last_crossing,
        ),
        Mistake(
            "`np.interp` and `searchsorted` look a number up in numbers that rise, and these scores fall "
            "in between. Find the first point that reaches the goal, then join it to the one before.",
            curves.interpolated,
            curves.interpolated_over_counts,
            curves.interpolated_or_never,
            curves.interpolated_in_range,
            curves.searched,
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
            "Your lines never fall: you took the best score so far. Where the curve falls before it "
            "reaches the goal, the line begins at the lower point.",
            curves.running_best,
        ),
        Mistake(
            "You drew one line from the first point to the one that reaches the goal. Join *neighbours*: "
            "the line begins at the point just before.",
            curves.from_the_first_point,
        ),
        Mistake(
            "This is the number of labels of the best score. The goal is reached sooner, on the way.",
            curves.to_the_best,
        ),
        Mistake(
            "You returned a rounded number. The line reaches the goal between whole numbers of labels.",
            {CURVE: f"round({CURVE})", "float(counts[0])": "int(counts[0])"},
            {CURVE: f"math.ceil({CURVE})", "float(counts[0])": "int(counts[0])"},
            {CURVE: f"int({CURVE})", "float(counts[0])": "int(counts[0])"},
            curves.rounded_up,
        ),
        Mistake(
            "Only a curve that *crosses* the goal from below is taken here. One that begins there has "
            "reached it with counts[0].",
            {FIRST: "    if scores[0] > goal:\n        return math.inf\n"},
            {FIRST: "    if scores[0] >= goal:\n        return math.inf\n"},
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
