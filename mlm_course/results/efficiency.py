"""Label efficiency: with how many labels a rival gets as far as we do with n.

    worth = label_efficiency(pretrained, random_weights, 20)
    print(worth)        # 20 labels are worth 150 (95 %: 110 to 240)

Both arguments are curves: {number of labels: one score for each draw of labels}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mlm_course.contracts import check_count
from mlm_course.results.comparison import FEWEST, SHARE

Curve = Mapping[int, Sequence[float]]


class Efficiency(NamedTuple):
    """Labels that a rival needs for what we reach with `labels`, and the 95 % interval of that.

    A number is infinite where the rival's curve ends below our score, at `most` labels; one that is
    `least` means so many or fewer.
    """

    labels: int
    needed: float
    low: float
    high: float
    least: int
    most: int

    def __str__(self) -> str:
        needed, low, high = map(self._text, (self.needed, self.low, self.high))
        return f"{self.labels} labels are worth {needed} (95 %: {low} to {high})"

    def _text(self, value: float) -> str:
        if math.isinf(value):
            return f"more than {self.most}"
        if value <= self.least:
            return f"{self.least} or fewer"
        return f"{value:.0f}" if value < 100 else f"{round(value, -1):.0f}"


def labels_needed(curve: Mapping[int, float], score: float) -> float:
    """The fewest labels with which a curve reaches a score: read off between points, in log n.

    curve: {number of labels: score}. The smallest number of the curve where that suffices; infinite
    where the score is never reached.
    """
    points = sorted(curve.items())
    if not points:
        raise ValueError("The curve has no points: give it {number of labels: score}.")
    if points[0][1] >= score:
        return float(points[0][0])
    for (n, below), (m, above) in pairwise(points):
        if above >= score:
            share = (score - below) / (above - below)
            return float(math.exp(math.log(n) + share * math.log(m / n)))
    return math.inf


def label_efficiency(
    ours: Curve, theirs: Curve, labels: int, *, resamples: int = 2000, seed: int = 0
) -> Efficiency:
    """How many labels a rival needs to be as good as we are with `labels`.

    Both curves: {n: scores}, score i from draw i of the labels, the same draws everywhere. The
    interval comes from drawing the draws again, with replacement (bootstrap), `resamples` times.
    Errors: ValueError for fewer than five draws, or lists of different lengths.
    """
    check_count("resamples", resamples, 1)
    if labels not in ours:
        raise ValueError(f"Our curve has no scores with {labels} labels.")
    lengths = {len(scores) for scores in (ours[labels], *theirs.values())}
    if len(lengths) != 1 or min(lengths) < FEWEST:
        raise ValueError(f"Each point needs the same draws, {FEWEST} at least, not {lengths}.")
    score, curve = np.array(ours[labels]), {n: np.array(x) for n, x in theirs.items()}

    def needed(rows: np.ndarray) -> float:
        means = {n: float(x[rows].mean()) for n, x in curve.items()}
        return labels_needed(means, float(score[rows].mean()))

    n_draws = lengths.pop()
    draws = np.random.default_rng(seed).integers(n_draws, size=(resamples, n_draws))
    tails = [(1 - SHARE) / 2, (1 + SHARE) / 2]
    low, high = np.quantile([needed(rows) for rows in draws], tails, method="nearest")
    return Efficiency(
        labels, needed(np.arange(n_draws)), float(low), float(high), min(theirs), max(theirs)
    )
