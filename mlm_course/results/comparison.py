"""One way to compare: values for each seed, the mean difference, its 95 % interval, and a sentence.

    difference = compare(pretrained, random_weights)   # two lists, one value for each seed
    print(difference)                                   # ahead by .05 to .12 (95 %, n = 10, paired)

An interval says how much the mean may still move with other seeds, all else as it was: the same
test examples, above all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from scipy import stats

FEWEST = 5  # seeds; fewer say too little
AGAINST = "against"
SHARE = 0.95


class Interval(NamedTuple):
    """A mean of n values and where it lies with 95 % confidence."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{_text(self.mean, self)} ({_text(self.low, self)} to {_text(self.high, self)})"


class Difference(NamedTuple):
    """How far one is ahead of another: the mean over n seeds, and its 95 % interval.

    paired: whether seeds were taken in pairs. Printed it is a sentence that says what the interval
    says, and no more.
    """

    mean: float
    low: float
    high: float
    n: int
    paired: bool

    def __str__(self) -> str:
        about = f"({SHARE:.0%}, n = {self.n}{', paired' if self.paired else ''})".replace("%", " %")
        if self.low <= 0 <= self.high:
            most = _rounded_up(max(-self.low, self.high), _decimals(self))
            return f"no difference larger than {_text(most, self)} seen {about}"
        ahead = self.low > 0
        least, most = (self.low, self.high) if ahead else (-self.high, -self.low)
        word = "ahead" if ahead else "behind"
        return f"{word} by {_text(least, self)} to {_text(most, self)} {about}"


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of one value a seed with its 95 % interval (Student's t).

    Errors: ValueError for fewer than five values, or one that is no number.
    """
    values = _checked(values)
    mean, error = fmean(values), stdev(values) / math.sqrt(len(values))
    reach = error * stats.t.ppf((1 + SHARE) / 2, len(values) - 1)
    return Interval(mean, mean - reach, mean + reach, len(values))


def compare(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    paired: bool = True,
    lower_is_better: bool = False,
) -> Difference:
    """How far ours is ahead of theirs, from one value a seed for each.

    paired: value i of both comes from the same seed, labels and test examples; else the two lists
    may differ in length, and the interval is Welch's. lower_is_better: for losses and errors, where
    ahead means below. Errors: ValueError for fewer than five values, or pairs that lack a partner.
    """
    ours, theirs = _checked(ours), _checked(theirs)
    if lower_is_better:
        ours, theirs = theirs, ours
    if paired:
        if len(ours) != len(theirs):
            raise ValueError(f"{len(ours)} values cannot be paired with {len(theirs)}.")
        return Difference(*mean_interval([a - b for a, b in zip(ours, theirs, strict=True)]), True)
    mean = fmean(ours) - fmean(theirs)
    if len({*ours}) == len({*theirs}) == 1:
        low = high = mean
    else:
        low, high = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(SHARE)
    return Difference(mean, float(low), float(high), min(len(ours), len(theirs)), False)


def compared_rivals(
    values: Mapping[str, Sequence[float]],
    tried: Mapping[str, Sequence[float]],
    pairs: Iterable[tuple[str, str]],
    *,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """Rivals with one value a seed each, and the difference of each pair: a part of a record.

    tried: the settings among which each rival chose its own before; pairs: the names of one rival and
    of another. Errors: ValueError for fewer than five seeds, or for rivals tuned on unequal numbers
    of settings: then the better tuned one would win.
    """
    budgets = {name: len(tried.get(name, ())) for name in values}
    if len({*budgets.values()}) > 1:
        raise ValueError(f"Rivals are tuned alike, on as many settings each, not {budgets}.")
    return {
        "tried": dict(tried),
        "values": dict(values),
        "differences": between(values, pairs, lower_is_better=lower_is_better),
    }


def between(
    values: Mapping[str, Sequence[float]],
    pairs: Iterable[tuple[str, str]],
    *,
    lower_is_better: bool = False,
) -> dict[str, dict[str, Any]]:
    """The paired difference of each pair of names, as a record holds it: "one against other"."""
    return {
        f"{one} {AGAINST} {other}": compare(
            values[one], values[other], lower_is_better=lower_is_better
        )._asdict()
        for one, other in pairs
    }


def differences(part: Mapping[str, Any]) -> dict[str, Difference]:
    """The differences that a part of a record holds, by the names of the two, ready to be printed."""
    return {pair: Difference(**numbers) for pair, numbers in part["differences"].items()}


def _checked(values: Sequence[float]) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) < FEWEST:
        raise ValueError(f"A comparison needs at least {FEWEST} seeds, not {len(numbers)}.")
    if not all(map(math.isfinite, numbers)):
        raise ValueError("A value is NaN or infinite: mend what computed it.")
    return numbers


def _decimals(interval: Interval | Difference) -> int:
    """Two, or up to four for a narrow interval."""
    smallest = min(abs(x) for x in (interval.low, interval.high, interval.mean))
    return next((d for d in (2, 3, 4) if smallest >= 0.5 * 10**-d), 4)


def _rounded_up(value: float, decimals: int) -> float:
    """A bound must not be rounded down; one that is written as 2e-05 stays."""
    if value < 0.5 * 10**-decimals:
        return value
    return math.ceil(value * 10**decimals - 1e-9) / 10**decimals


def _text(value: float, interval: Interval | Difference) -> str:
    """A number with so many decimals, or 2e-05 below; no 0 before the point."""
    decimals = _decimals(interval)
    if 0 < abs(value) < 0.5 * 10**-decimals:
        return f"{value:.0e}"
    text = f"{value + 0.0:.{decimals}f}"  # -0.0 + 0.0 is 0.0
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
