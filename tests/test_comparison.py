"""Comparisons with their intervals, and label efficiency: against scipy, and curves worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from mlm_course.results import efficiency
from mlm_course.results.comparison import Difference, compare, mean_interval
from mlm_course.results.efficiency import Efficiency, label_efficiency, labels_needed

OURS, THEIRS = [0.8, 0.82, 0.79, 0.85, 0.81], [0.7, 0.75, 0.71, 0.74, 0.70]


def test_a_paired_difference_is_scipys():
    theirs = stats.ttest_rel(OURS, THEIRS)
    interval = theirs.confidence_interval(0.95)
    difference = compare(OURS, THEIRS)
    assert difference[:3] == pytest.approx((np.subtract(OURS, THEIRS).mean(), *interval))
    assert difference[3:] == (5, True)


def test_an_unpaired_difference_is_welchs():
    more = [*THEIRS, 0.9]
    interval = stats.ttest_ind(OURS, more, equal_var=False).confidence_interval(0.95)
    difference = compare(OURS, more, paired=False)
    assert (difference.low, difference.high) == pytest.approx(tuple(interval))
    assert compare([1.0] * 5, [0.5] * 5, paired=False)[:3] == (0.5, 0.5, 0.5)


def test_a_mean_has_students_interval():
    low, high = stats.t.interval(0.95, 4, np.mean(OURS), stats.sem(OURS))
    assert mean_interval(OURS)[1:3] == pytest.approx((low, high))
    assert mean_interval([0.5] * 6) == (0.5, 0.5, 0.5, 6)


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ((0.085, 0.05, 0.12), "ahead by .05 to .12 (95 %, n = 10, paired)"),
        ((-0.085, -0.12, -0.05), "behind by .05 to .12 (95 %, n = 10, paired)"),
        ((0.01, -0.01, 0.03), "no difference larger than .03 seen (95 %, n = 10, paired)"),
        ((0.01, 0.002, 0.018), "ahead by .002 to .018 (95 %, n = 10, paired)"),
        ((1.5, 1.0, 2.0), "ahead by 1.00 to 2.00 (95 %, n = 10, paired)"),
        ((0.0, 0.0, 0.0), "no difference larger than .0000 seen (95 %, n = 10, paired)"),
        ((0.0, -0.0, 0.0), "no difference larger than .0000 seen (95 %, n = 10, paired)"),
        ((0.0, -2e-6, 1e-6), "no difference larger than 2e-06 seen (95 %, n = 10, paired)"),
        ((0.02, 2e-5, 0.04), "ahead by 2e-05 to .0400 (95 %, n = 10, paired)"),
    ],
)
def test_a_sentence_says_what_the_interval_says(bounds, says):
    assert str(Difference(*bounds, 10, True)) == says


def test_below_is_ahead_for_losses():
    assert str(compare(OURS, THEIRS, lower_is_better=True)).startswith("behind by ")
    assert ", paired" not in str(compare(OURS, THEIRS, paired=False))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: compare(OURS[:4], THEIRS[:4]), "at least 5 seeds, not 4"),
        (lambda: compare(OURS, [*THEIRS, 1.0]), "5 values cannot be paired with 6"),
        (lambda: mean_interval([1.0] * 4 + [math.nan]), "NaN"),
        (lambda: label_efficiency({20: OURS}, {20: OURS[:4]}, 20), "same draws"),
        (lambda: label_efficiency({20: OURS}, {20: OURS}, 60), "no scores with 60"),
        (lambda: label_efficiency({20: OURS}, {}, 20), "none at all in theirs"),
        (lambda: label_efficiency({20: [*OURS[:4], math.nan]}, {20: OURS}, 20), "finite, not nan"),
        (lambda: label_efficiency({20: OURS}, {20: OURS, 60: [*OURS[:4], math.nan]}, 20),
         "score with 60 labels must be finite, not nan"),
        (lambda: label_efficiency({20: OURS}, {0: THEIRS, 60: OURS}, 20), "at least 1, not 0"),
        (lambda: labels_needed({}, 0.5), "no points"),
        (lambda: labels_needed({10: 0.5}, math.nan), "score must be finite"),
    ],
)  # fmt: skip
def test_too_little_to_compare_is_said(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize(
    ("score", "needed"),
    [(0.1, 10), (0.2, 10), (0.3, math.sqrt(1000)), (0.6, 1000), (0.61, math.inf)],
)
def test_labels_are_read_off_between_points_in_log_n(score, needed):
    assert labels_needed({1000: 0.6, 10: 0.2, 100: 0.4}, score) == pytest.approx(needed)


def test_label_efficiency_has_an_interval_that_holds_it():
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 10))
    theirs = {n: list(mean + noise[i]) for i, (n, mean) in enumerate({20: 0.3, 180: 0.5}.items())}
    ours = {20: list(0.4 + noise[2]), 180: [0.9] * 10}
    worth = label_efficiency(ours, theirs, 20)
    assert worth.needed == pytest.approx(60, rel=0.1) and 45 < worth.low < 60 < worth.high < 80
    assert worth == label_efficiency(ours, theirs, 20)
    assert str(label_efficiency(ours, theirs, 180)) == (
        "180 labels are worth more than 180 (95 %: more than 180 to more than 180)"
    )
    assert str(Efficiency(20, 152.3, 20, math.inf, 20, 1500)) == (
        "20 labels are worth 150 (95 %: 20 or fewer to more than 1500)"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n_draws", "least", "plain_most"), [(5, 0.88, 0.86), (10, 0.9, 0.9)])
def test_an_interval_from_few_draws_holds_the_truth(n_draws, least, plain_most, monkeypatch):
    """Curves whose truth is known: 60 labels. Plain percentiles are too narrow."""
    means, rng = {20: 0.3, 180: 0.5, 1620: 0.7}, np.random.default_rng(1)
    noise = rng.normal(0, 0.05, (400, 4, n_draws))

    def share_that_holds_it():
        cases = [
            label_efficiency(
                {20: 0.4 + x[3]}, {n: m + x[i] for i, (n, m) in enumerate(means.items())}, 20,
                resamples=150, seed=seed,
            )
            for seed, x in enumerate(noise)
        ]  # fmt: skip
        return np.mean([worth.low <= 60 <= worth.high for worth in cases])

    assert least < share_that_holds_it() < 0.97
    monkeypatch.setattr(efficiency, "_tails", lambda n: [0.025, 0.975])
    assert share_that_holds_it() < plain_most


def test_a_curve_may_fall_again():
    assert labels_needed({10: 0.2, 100: 0.6, 1000: 0.4}, 0.6) == pytest.approx(100)
