"""Wrong ways to read off a curve where it reaches a goal, for the exercise that asks for it."""

import itertools
import math

import numpy as np
import torch


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


def running_best(counts, scores, goal):
    """The first crossing, on lines that never fall."""
    best, logs = scores.cummax(0).values, counts.log()
    if best[0] >= goal:
        return float(counts[0])
    for i in range(1, len(best)):
        if best[i] >= goal:
            share = (goal - best[i - 1]) / (best[i] - best[i - 1])
            return (logs[i - 1] + share * (logs[i] - logs[i - 1])).exp().item()
    return math.inf


def from_the_first_point(counts, scores, goal):
    """One line from the first point to the one that reaches the goal."""
    if scores[0] >= goal:
        return float(counts[0])
    for score, count in zip(scores, counts, strict=True):
        if score >= goal:
            share = (goal - scores[0]) / (score - scores[0])
            return (counts[0] * (count / counts[0]) ** share).item()
    return math.inf


def rounded_up(counts, scores, goal):
    """The next whole number of labels, without logarithms."""
    points = list(zip(counts.tolist(), scores.tolist(), strict=True))
    if points[0][1] >= goal:
        return points[0][0]
    for (before, low), (behind, high) in itertools.pairwise(points):
        if high >= goal:
            share = (goal - low) / (high - low)
            return math.ceil(before ** (1 - share) * behind**share)
    return math.inf


def to_the_best(counts, scores, goal):
    """Only the best point is asked whether it is enough."""
    return float(counts[scores.argmax()]) if scores.max() >= goal else math.inf
