"""Corruption: properties of every strategy, their distributions, replacement, collating."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import random
from array import array
from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import DEVICE, stand_in
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from mlm_course import corruption as c
from mlm_course.corruption.noise import mix64, uniform
from mlm_course.corruption.strategies import lowest

V = 60
SPECIALS = (0, 1, 2, 3, 4)
MASK = 4
ORDINARY = c.ordinary_ids(V, SPECIALS)
tidy = settings(deadline=None, max_examples=60, derandomize=True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_of(*rows: list[int]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.bool)


def everything(batch: int, length: int) -> torch.Tensor:
    return torch.ones(batch, length, dtype=torch.bool)


def chi_square(counts: Counter, expected: dict) -> float:
    assert set(counts) <= set(expected), set(counts) - set(expected)
    total = sum(counts.values())
    return sum((counts[k] - total * p) ** 2 / (total * p) for k, p in expected.items())


def chi_limit(cells: int) -> float:
    """About the point that chance exceeds once in 30,000 runs (mean plus 4 standard deviations)."""
    return cells - 1 + 4 * math.sqrt(2 * (cells - 1)) + 8


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """maskable (B, T), word ids (B, T), scores (B, T), T from 0 to 512, with hopeless rows."""
    batch, length = draw(st.integers(0, 4)), draw(st.integers(0, 40) | st.integers(0, 512))
    g = generator(draw(st.integers(0, 999)))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    maskable = torch.rand(batch, length, generator=g) < share
    if batch:
        maskable[0] = draw(st.booleans())  # a row with nothing, or with everything
    begins = torch.rand(batch, length, generator=g) < draw(st.sampled_from([0.2, 0.7, 1.0]))
    word_ids = begins.cumsum(1).masked_fill(torch.rand(batch, length, generator=g) < 0.1, -1)
    scores = torch.randn(batch, length, generator=g).masked_fill(~maskable, math.nan)
    return maskable, word_ids, scores


ratios = st.sampled_from([0.0, 1.0, 0.15, 0.5]) | st.floats(0, 1)


# --- every strategy ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", c.STRATEGIES)
@tidy
@given(batches(), ratios, st.integers(0, 99))
def test_hides_candidates_only_and_can_be_repeated(name, batch, ratio, seed):
    maskable, word_ids, scores = batch
    before = maskable.clone(), word_ids.clone(), scores.clone()
    choose = partial(c.STRATEGIES[name], maskable, ratio, word_ids=word_ids, scores=scores)
    masked = choose(generator(seed))
    assert masked.dtype == torch.bool and masked.shape == maskable.shape
    assert not (masked & ~maskable).any()
    assert torch.equal(masked, choose(generator(seed)))
    assert torch.equal(maskable, before[0]) and torch.equal(word_ids, before[1])
    assert torch.equal(scores.nan_to_num(), before[2].nan_to_num())
    if ratio == 0:
        assert not masked.any()


@pytest.mark.parametrize("name", c.STRATEGIES)
@tidy
@given(batches(), st.lists(ratios, min_size=4, max_size=4), st.integers(0, 99))
def test_a_ratio_per_row(name, batch, ratio, seed):
    maskable, word_ids, scores = batch
    per_row = torch.tensor(ratio, dtype=torch.float64)[: len(maskable)]
    masked = c.STRATEGIES[name](
        maskable, per_row, generator(seed), word_ids=word_ids, scores=scores
    )
    for r in set(ratio):  # each row as if its ratio were everyone's
        alone = c.STRATEGIES[name](maskable, r, generator(seed), word_ids=word_ids, scores=scores)
        assert torch.equal(masked[per_row == r], alone[per_row == r])


@pytest.mark.parametrize("name", [name for name in c.STRATEGIES if name != "score"])
def test_another_seed_hides_other_tokens(name):
    maskable = everything(8, 64)
    one, other = (c.STRATEGIES[name](maskable, 0.3, generator(seed)) for seed in (1, 2))
    assert not torch.equal(one, other)


def expected_count(candidates: int, ratio: float) -> int:
    """The rule in plain Python."""
    if ratio == 0 or candidates == 0:
        return 0
    return min(candidates, max(1, round(ratio * candidates)))


@tidy
@given(batches(), ratios, st.integers(0, 99))
def test_counts_are_exact(batch, ratio, seed):
    maskable, _, scores = batch
    g = generator(seed)
    counts = [expected_count(int(n), ratio) for n in maskable.sum(1)]
    assert c.choose_fixed_count(maskable, ratio, g).sum(1).tolist() == counts
    assert c.choose_block(maskable, ratio, g).sum(1).tolist() == counts
    assert c.choose_spans(maskable, ratio, g).sum(1).tolist() == counts
    assert c.choose_by_score(maskable, ratio, g, scores=scores).sum(1).tolist() == counts
    warm = c.choose_by_score(maskable, ratio, g, scores=scores, temperature=0.7)
    assert warm.sum(1).tolist() == counts


def test_the_rounding_is_that_of_python():
    """Halves to even, in float64, for every count up to 512; .15 * 30 = 4.5 is the trap."""
    candidates = torch.arange(513)
    for ratio in [0.0, 1.0, 0.05, 0.1, 0.15, 0.25, 0.35, 0.5, 1 / 3, 0.7, 0.85, 1e-9, 1 - 1e-9]:
        expected = [expected_count(n, ratio) for n in range(513)]
        assert c.masked_count(candidates, ratio).tolist() == expected
    assert c.masked_count(torch.tensor([10, 30]), 0.25).tolist() == [2, 8]  # 2.5, 7.5
    assert c.masked_count(torch.tensor([30, 50]), 0.15).tolist() == [4, 8]  # 4.5, 7.5


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan, math.inf])
@pytest.mark.parametrize("name", c.STRATEGIES)
def test_a_bad_ratio_is_refused(name, ratio):
    maskable, scores = everything(2, 5), torch.zeros(2, 5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        c.STRATEGIES[name](maskable, ratio, generator(), scores=scores)
    with pytest.raises(ValueError, match="between 0 and 1"):
        c.STRATEGIES[name](maskable, torch.tensor([0.5, ratio]), generator(), scores=scores)


def test_arguments_of_the_wrong_kind_are_refused():
    ok = everything(2, 5)
    choose = c.choose_fixed_count
    for wrong, error, words in [
        (lambda: choose(ok.long(), 0.5, generator()), TypeError, "torch.bool"),
        (lambda: choose([[True]], 0.5, generator()), TypeError, "tensor, not list"),
        (lambda: choose(ok[0], 0.5, generator()), ValueError, "unsqueeze"),
        (lambda: choose(ok, "half", generator()), TypeError, "number"),
        (lambda: choose(ok, torch.rand(3), generator()), ValueError, r"one per row: \(2,\)"),
        (lambda: choose(ok, 0.5, 17), TypeError, "manual_seed"),
        (lambda: choose(ok, 0.5, c.CounterRNG(0, 0, [1])), ValueError, "made for 1 rows"),
        (lambda: c.choose_bernoulli(ok.to("meta"), 0.5, generator()), ValueError, "on meta"),
        (lambda: c.CounterRNG(0, 0, torch.rand(2)), TypeError, "int64"),
        (lambda: c.CounterRNG(0.5, 0, [1]), TypeError, "integers"),
        (lambda: c.maskable(torch.zeros(2, 3), [0]), TypeError, "torch.int64"),
        (lambda: c.pmi_scores(torch.tensor([[-100]]), ok[:1, :1]), ValueError, "-100"),
        (lambda: c.STRATEGIES["score"](ok, 0.5, generator()), ValueError, "needs scores"),
        (
            lambda: c.choose_whole_words(ok, 0.5, generator(), word_ids=torch.ones(2, 4).long()),
            ValueError,
            "shape",
        ),
        (
            lambda: c.choose_whole_words(ok, 0.5, generator(), word_ids=torch.rand(2, 5)),
            TypeError,
            "integers",
        ),
        (lambda: c.choose_adaptive(ok, 0.5, generator(), typical=0), ValueError, "typical"),
        (lambda: c.choose_spans(ok, 0.5, generator(), p=0), ValueError, "p must be above 0"),
    ]:
        with pytest.raises(error, match=words):
            wrong()


def test_one_row_for_a_widget_is_that_row_of_the_strategy():
    maskable, word_ids = torch.arange(30) % 7 > 0, torch.arange(30) // 2
    scores = torch.randn(30, generator=generator())
    hides = c.for_one_row(maskable, word_ids=word_ids, scores=scores)
    assert list(hides) == list(c.STRATEGIES)
    for name, hide in hides.items():
        expected = c.STRATEGIES[name](
            maskable[None], 0.3, generator(5), word_ids=word_ids[None], scores=scores[None]
        )
        assert hide(0.3, 5) == expected[0].tolist() and any(hide(0.3, 5))
    bare = c.for_one_row(maskable)  # enough for all but the one that needs scores
    assert sum(bare["whole words"](0.3, 5)) == round(0.3 * int(maskable.sum()))


# --- distributions ----------------------------------------------------------------------------


def test_bernoulli_rate():
    masked = c.choose_bernoulli(everything(4000, 30), 0.15, generator())
    sigma = math.sqrt(0.15 * 0.85 / masked.numel())
    assert abs(masked.float().mean() - 0.15) < 4 * sigma
    per_position = masked.float().mean(0)  # (30,)
    assert (per_position - 0.15).abs().max() < 4.5 * sigma * math.sqrt(30)


def subsets(masked: torch.Tensor) -> Counter:
    return Counter(tuple(row.nonzero().squeeze(1).tolist()) for row in masked)


def test_fixed_count_draws_every_subset_equally_often():
    maskable = rows_of([0, 1, 1, 0, 1, 1, 1]).expand(6000, 7)  # 2 of 5: ten subsets
    counts = subsets(c.choose_fixed_count(maskable, 0.4, generator()))
    expected = dict.fromkeys(itertools.combinations([1, 2, 4, 5, 6], 2), 0.1)
    assert chi_square(counts, expected) < chi_limit(10)


def test_non_adjacent_draws_every_separated_set_equally_often():
    maskable = rows_of([0, 1, 1, 1, 0, 1, 1, 1, 0]).expand(6000, 9)  # 2 of 6 in a line
    candidates = [1, 2, 3, 5, 6, 7]
    expected = {
        (candidates[i], candidates[j]): 0.1 for i in range(6) for j in range(i + 2, 6)
    }  # ten sets; 3 and 5 are neighbours: only a special token stands between
    assert len(expected) == 10
    counts = subsets(c.choose_non_adjacent(maskable, 1 / 3, generator()))
    assert chi_square(counts, expected) < chi_limit(10)


@tidy
@given(batches(), ratios, st.integers(0, 99))
def test_non_adjacent_leaves_gaps_and_hides_half_at_most(batch, ratio, seed):
    maskable = batch[0]
    masked = c.choose_non_adjacent(maskable, ratio, generator(seed))
    assert not (masked[:, 1:] & masked[:, :-1]).any()
    for row, chosen in zip(maskable, masked, strict=True):
        n = int(row.sum())
        assert int(chosen.sum()) == min(expected_count(n, ratio), (n + 1) // 2)
        in_line = chosen[row]
        assert not (in_line[1:] & in_line[:-1]).any()


def test_block_lies_anywhere_it_fits():
    maskable = rows_of([0, 1, 1, 1, 0, 1, 1, 0]).expand(4000, 8)  # 2 of 5: four places
    counts = subsets(c.choose_block(maskable, 0.4, generator()))
    expected = dict.fromkeys([(1, 2), (2, 3), (3, 5), (5, 6)], 0.25)
    assert chi_square(counts, expected) < chi_limit(4)


def test_span_lengths_have_spanberts_distribution():
    lengths = c.span_lengths(everything(1000, 200), generator())
    assert lengths.min() == 1 and lengths.max() == 10
    assert abs(lengths.double().mean() - 3.797) < 4 * 2.6 / math.sqrt(lengths.numel()) + 0.001
    share = [0.2 * 0.8**k for k in range(10)]
    expected = {k + 1: p / sum(share) for k, p in enumerate(share)}
    assert math.isclose(sum(k * p for k, p in expected.items()), 3.797, abs_tol=5e-4)
    assert chi_square(Counter(lengths.flatten().tolist()), expected) < chi_limit(10)


def spans_one_by_one(maskable: list, word_ids: list, budget: int, starts: list, lengths: list):
    """SpanBERT's procedure for one row in plain Python, with the draws given."""
    words = [
        list(places) for _, places in itertools.groupby(range(len(maskable)), lambda t: word_ids[t])
    ]
    free = [all(maskable[t] and word_ids[t] >= 0 for t in places) for places in words]
    masked: set[int] = set()
    for start in starts:
        for word in range(start, min(start + lengths[start], len(words))):
            if not (start < len(words) and free[word]):
                break
            for t in words[word]:
                if len(masked) < budget:
                    masked.add(t)
    return masked


@tidy
@given(batches(), ratios, st.integers(0, 99))
def test_spans_agree_with_laying_them_one_by_one(batch, ratio, seed):
    maskable, word_ids, _ = batch
    masked = c.choose_spans(maskable, ratio, generator(seed), word_ids=word_ids)
    g = generator(seed)  # the same draws, in the same order
    lengths = c.span_lengths(maskable, g).tolist()
    words = c.find_words(maskable, word_ids)
    noise = torch.rand(maskable.shape, generator=g).masked_fill(~words.maskable, 2.0)
    starts = noise.argsort(dim=1, stable=True).tolist()
    for b in range(len(maskable)):
        candidates = int(words.maskable[b][words.number[b]].sum())
        expected = spans_one_by_one(
            maskable[b].tolist(),
            word_ids[b].tolist(),
            expected_count(candidates, ratio),
            starts[b],
            lengths[b],
        )
        assert set(masked[b].nonzero().squeeze(1).tolist()) == expected


def test_spans_are_longer_than_chance():
    maskable = everything(2000, 200)
    for choose, low, high in [(c.choose_spans, 2.5, 4.5), (c.choose_fixed_count, 1.0, 1.3)]:
        masked = choose(maskable, 0.15, generator())
        runs = masked[:, 0].sum() + (masked[:, 1:] & ~masked[:, :-1]).sum()
        assert low < masked.sum() / runs < high


@tidy
@given(batches(), ratios, st.integers(0, 99))
def test_whole_words_are_hidden_as_a_whole(batch, ratio, seed):
    maskable, word_ids, _ = batch
    masked = c.choose_whole_words(maskable, ratio, generator(seed), word_ids=word_ids)
    for b in range(len(maskable)):
        words = [
            (w, list(places))
            for w, places in itertools.groupby(
                range(maskable.shape[1]), lambda t, b=b: int(word_ids[b, t])
            )
        ]
        free = [p for w, p in words if w >= 0 and all(maskable[b, t] for t in p)]
        chosen = [p for p in free if masked[b, p[0]]]
        assert all(masked[b, p].all() for p in chosen)
        assert len(chosen) == expected_count(len(free), ratio)
        assert int(masked[b].sum()) == sum(map(len, chosen))


def test_long_words_are_hidden_as_often_as_short_ones():
    word_ids = torch.tensor([[0, 1, 1, 1, 2, 3, 3]]).expand(4000, 7)
    masked = c.choose_whole_words(everything(4000, 7), 0.5, generator(), word_ids=word_ids)
    assert (masked.float().mean(0) - 0.5).abs().max() < 4 * 0.5 / math.sqrt(4000)


def test_adaptive_ratio_follows_the_length():
    lengths = torch.tensor([0, 1, 32, 64, 80, 96, 500])
    ratios = c.adaptive_ratio(lengths, 0.2, typical=64)
    assert torch.allclose(ratios, torch.tensor([0.1, 0.1, 0.1, 0.2, 0.25, 0.3, 0.3]).double())
    assert c.adaptive_ratio(lengths, 0.9).max() == 1.0
    maskable = torch.arange(500) < lengths.unsqueeze(1)
    masked = c.choose_adaptive(maskable, 0.2, generator())
    assert masked.sum(1).tolist() == [0, 1, 3, 13, 20, 29, 150]


def test_scores_decide_and_ties_are_drawn():
    maskable = rows_of([1, 1, 0, 1, 1])
    scores = torch.tensor([[0.1, 3.0, 9.0, -2.0, 2.0]])
    masked = c.choose_by_score(maskable, 0.5, generator(), scores=scores)
    assert masked.tolist() == [[False, True, False, False, True]]
    flat = c.choose_by_score(everything(3000, 4), 0.25, generator(), scores=torch.zeros(3000, 4))
    assert chi_square(subsets(flat), {(t,): 0.25 for t in range(4)}) < chi_limit(4)


def test_scores_with_a_temperature_draw_in_proportion():
    weights = torch.tensor([1.0, 2.0, 5.0]) / 8
    scores = (3 * weights.log()).expand(6000, 3)
    one = c.choose_by_score(everything(6000, 3), 1 / 3, generator(), scores=scores, temperature=3.0)
    assert chi_square(subsets(one), {(0,): 1 / 8, (1,): 2 / 8, (2,): 5 / 8}) < chi_limit(3)
    two = c.choose_by_score(everything(6000, 3), 2 / 3, generator(), scores=scores, temperature=3.0)
    w = weights.tolist()
    pair = {(i, j): w[i] * w[j] * (1 / (1 - w[i]) + 1 / (1 - w[j])) for i, j in [(0, 1), (0, 2)]}
    pair[1, 2] = 1 - sum(pair.values())
    assert chi_square(subsets(two), pair) < chi_limit(3)


def test_scores_must_be_usable():
    ok = rows_of([1, 1, 0])
    choose = partial(c.choose_by_score, ok, 0.5, generator())
    with pytest.raises(ValueError, match="finite"):
        choose(scores=torch.tensor([[1.0, math.nan, 1.0]]))
    with pytest.raises(TypeError, match="floating"):
        choose(scores=torch.tensor([[1, 2, 3]]))
    with pytest.raises(ValueError, match="shape"):
        choose(scores=torch.zeros(1, 2))
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="temperature"):
            choose(scores=torch.zeros(1, 3), temperature=bad)


def pmi_one_by_one(ids: list, maskable: list, min_count: int) -> list:
    pairs = [
        (row[t], row[t + 1])
        for row, can in zip(ids, maskable, strict=True)
        for t in range(len(row) - 1)
        if can[t] and can[t + 1]
    ]
    seen, left, right = Counter(pairs), Counter(a for a, _ in pairs), Counter(b for _, b in pairs)

    def pmi(a: int, b: int) -> float:
        if seen[a, b] < min_count:
            return 0.0
        p = seen[a, b] / len(pairs)
        return math.log(p / (left[a] / len(pairs) * right[b] / len(pairs)))

    def score(row: list, can: list, t: int) -> float:
        near = [u for u in (t - 1, t + 1) if can[t] and 0 <= u < len(row) and can[u]]
        return max((pmi(row[min(t, u)], row[max(t, u)]) for u in near), default=0.0)

    return [
        [score(row, can, t) for t in range(len(row))]
        for row, can in zip(ids, maskable, strict=True)
    ]


@tidy
@given(st.integers(0, 6), st.integers(0, 20), st.integers(1, 3), st.integers(0, 999))
def test_pmi_agrees_with_counting_by_hand(batch, length, min_count, seed):
    ids = torch.randint(0, 7, (batch, length), generator=generator(seed))
    maskable = ids > 0
    scores = c.pmi_scores(ids, maskable, min_count=min_count)
    assert scores.shape == ids.shape and scores.dtype == torch.float32
    expected = pmi_one_by_one(ids.tolist(), maskable.tolist(), min_count)
    assert torch.allclose(scores, torch.tensor(expected).reshape(ids.shape), atol=1e-5)


def test_a_collocation_has_the_highest_pmi():
    ids = torch.randint(5, 40, (300, 20), generator=generator())
    ids[:, 7], ids[:, 8] = 50, 51  # always together, and only here
    scores = c.pmi_scores(ids, ids > 4)
    masked = c.choose_by_score(ids > 4, 0.1, generator(), scores=scores)
    assert masked[:, 7:9].all() and masked.sum() == 600
    with pytest.raises(ValueError, match="min_count"):
        c.pmi_scores(ids, ids > 4, min_count=0)


# --- replacement ------------------------------------------------------------------------------


def corrupted(ids: torch.Tensor, ratio: float = 0.15, seed: int = 0, **kinds) -> c.Corrupted:
    g = generator(seed)
    masked = c.choose_bernoulli(c.maskable(ids, SPECIALS), ratio, g)
    return c.corrupt(ids, masked, g, mask_id=MASK, ordinary_ids=ORDINARY, **kinds)


def test_eighty_ten_ten():
    ids = torch.full((4000, 30), 59)  # a random token equals the original once in 55
    ids[:, 0], ids[:, -1] = 2, 3
    batch = corrupted(ids)
    now = batch.input_ids[batch.masked]
    n = len(now)
    same = 0.1 + 0.1 / len(ORDINARY)
    for share, p in [((now == MASK), 0.8), ((now == 59), same)]:
        assert abs(share.double().mean() - p) < 4 * math.sqrt(p * (1 - p) / n)
    assert abs(batch.masked.double().mean() - 0.15 * 28 / 30) < 4 * math.sqrt(0.14 * 0.86 / 120000)
    assert (batch.input_ids[:, 0] == 2).all() and (batch.input_ids[:, -1] == 3).all()


@pytest.mark.parametrize("noise", [generator(3), c.CounterRNG(3, 0, torch.arange(4000))])
def test_random_tokens_are_ordinary_and_uniform(noise):
    ids = torch.full((4000, 30), 59)
    batch = c.corrupt(
        ids,
        everything(4000, 30),
        noise,
        mask_id=MASK,
        ordinary_ids=c.ordinary_ids(60, (0, 1, 2, 3, 4, 17, 31)),
        proportions=c.Proportions(mask=0, random=1),
    )
    expected = {i: 1 / 53 for i in range(5, 60) if i not in (17, 31)}
    counts = Counter(batch.input_ids.flatten().tolist())
    assert chi_square(counts, expected) < chi_limit(53)


@tidy
@given(
    st.integers(0, 5),
    st.integers(0, 512),
    ratios,
    st.integers(0, 99),
    st.sampled_from(
        [(0.8, 0.1, 0.1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.7, 0.3, 0), (0.9, 0, 0.1)]
    ),
)
def test_only_hidden_tokens_change(batch, length, ratio, seed, shares):
    to_mask, kept, at_random = shares
    proportions = c.Proportions(mask=to_mask, keep=kept, random=at_random)
    ids = torch.randint(0, V, (batch, length), generator=generator(seed))
    before = ids.clone()
    out = corrupted(ids, ratio, seed, proportions=proportions)
    masked = out.masked
    assert torch.equal(ids, before)
    assert out.input_ids.data_ptr() != ids.data_ptr() or not ids.numel()
    assert torch.equal(out.input_ids[~masked], ids[~masked])
    assert torch.equal(out.labels, torch.where(masked, ids, -100))
    assert not (masked & (ids < 5)).any()
    new = out.input_ids[masked]
    assert not (new[new != MASK] < 5).any()
    if to_mask == 1:
        assert (new == MASK).all()
    if to_mask == 0:
        assert (new != MASK).all()
    if kept == 1:
        assert torch.equal(out.input_ids, ids)


def test_a_view_of_the_ids_is_not_written_to():
    wide = torch.randint(5, V, (8, 40), generator=generator())
    ids, before = wide.T[::2], wide.clone()  # not contiguous
    out = corrupted(ids, 0.5)
    assert torch.equal(wide, before)
    assert torch.equal(out.input_ids[~out.masked], ids[~out.masked])
    assert torch.equal(
        c.corrupt(ids.clone(), out.masked, generator(1), mask_id=MASK, ordinary_ids=ORDINARY)[0],
        c.corrupt(ids, out.masked, generator(1), mask_id=MASK, ordinary_ids=ORDINARY)[0],
    )


def test_bad_replacements_are_refused():
    ids, masked = torch.full((1, 3), 9), everything(1, 3)
    replace = partial(c.corrupt, generator=generator(), mask_id=MASK, ordinary_ids=ORDINARY)
    with pytest.raises(ValueError, match="add up to 1"):
        c.Proportions(mask=0.8, keep=0.1, random=0.2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        c.Proportions(mask=1.5, keep=-0.5)
    with pytest.raises(TypeError, match="must be Proportions"):
        replace(ids, masked, proportions=(0.8, 0.1, 0.1))
    with pytest.raises(TypeError, match=r"torch\.bool"):
        replace(ids, masked.long())
    with pytest.raises(ValueError, match="shape"):
        replace(ids, everything(1, 4))
    with pytest.raises(TypeError, match="int64"):
        replace(ids.float(), masked)
    with pytest.raises(ValueError, match="nothing to put in"):
        c.corrupt(ids, masked, generator(), mask_id=4, ordinary_ids=torch.tensor([]).long())
    with pytest.raises(ValueError, match="outside the vocabulary"):
        c.ordinary_ids(10, [0, 10])


def test_maskable_with_specials_anywhere():
    ids = torch.tensor([[0, 101, 7, 102, 103, 30521, 0]])
    assert c.maskable(ids, [0, 100, 101, 102, 103]).tolist() == [
        [False, False, True, False, False, True, False]
    ]
    assert c.maskable(ids, []).all()
    labels = torch.tensor([[-100, 0, 5, 9]])
    for specials in ([0, 1], [0, 5], []):
        expected = [i >= 0 and i not in specials for i in labels[0].tolist()]
        assert c.maskable(labels, specials).tolist() == [expected]
    low = torch.arange(12).view(2, 6)
    assert torch.equal(c.maskable(low, [2, 0, 1]), low > 2)
    assert torch.equal(c.maskable(low.T, [0, 2]), (low.T != 0) & (low.T != 2))


# --- noise by row -----------------------------------------------------------------------------


def test_mix64_is_splitmix64():
    """The published first outputs for seed 1234567."""
    golden = 0x9E3779B97F4A7C15 - (1 << 64)
    out = mix64(1234567 + torch.arange(1, 4) * golden)
    assert [x % (1 << 64) for x in out.tolist()] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_counter_noise_is_uniform_and_unrelated_to_its_neighbours():
    noise = torch.stack([c.CounterRNG(1, e, range(400)).uniform(100) for e in range(6)])
    assert noise.min() >= 0 and noise.max() < 1
    counts = Counter((noise * 64).long().flatten().tolist())
    assert chi_square(counts, dict.fromkeys(range(64), 1 / 64)) < chi_limit(64)
    centred = noise - 0.5
    for axis in range(3):  # epochs, samples, places
        size = centred.shape[axis] - 1
        product = centred.narrow(axis, 0, size) * centred.narrow(axis, 1, size)
        assert abs(product.mean() * 12) < 4 / math.sqrt(product.numel())
    again = c.CounterRNG(1, 0, [7])
    assert not torch.equal(again.uniform(50), again.uniform(50))
    assert not torch.equal(c.CounterRNG(2, 0, [7]).uniform(50), c.CounterRNG(1, 0, [7]).uniform(50))


ROWS = [[2, *range(5, 5 + n), 3] for n in (1, 12, 40, 3, 25, 54, 0, 8)]


def pieces(ids: torch.Tensor) -> torch.Tensor:
    """Every third id begins a word."""
    return ((ids % 3 == 0).cumsum(1)).masked_fill(ids < 5, -1)


@pytest.mark.parametrize("name", c.STRATEGIES)
def test_a_sample_is_corrupted_the_same_in_any_company(name):
    masker = c.Masker(V, SPECIALS, MASK, choose=c.STRATEGIES[name], ratio=0.4)
    scores_of = lambda ids: (ids * 7 % 11).float()  # noqa: E731  many ties
    collate = c.MaskingCollator(masker, word_ids_of=pieces, scores_of=scores_of, seed=5)
    whole = collate(ROWS, index=range(8), epoch=3)
    for some in ([2], [6], [3, 0, 7], [5, 1, 5]):
        part = collate([ROWS[i] for i in some], index=some, epoch=3)
        for b, i in enumerate(some):
            n = len(ROWS[i])
            assert torch.equal(part.input_ids[b, :n], whole.input_ids[i, :n])
            assert torch.equal(part.labels[b, :n], whole.labels[i, :n])
    other = collate(ROWS, index=range(8), epoch=4)
    assert not torch.equal(whole.input_ids, other.input_ids)


# --- static and dynamic -----------------------------------------------------------------------


def make_ids() -> torch.Tensor:
    ids = torch.randint(5, V, (50, 20), generator=generator(9))
    ids[:, 0] = 2
    return ids


def test_static_shows_each_copy_in_turn():
    ids, masker = make_ids(), c.Masker(V, SPECIALS, MASK, ratio=0.3)
    masking = c.StaticMasking(masker, ids, 3, generator())
    everyone = torch.arange(50)
    epochs = [masking(everyone, e).input_ids for e in range(6)]
    for e in range(3):
        assert torch.equal(epochs[e], epochs[e + 3])
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])
    some = torch.tensor([4, 40])
    assert torch.equal(masking(some, 4).labels, masking(everyone, 1).labels[some])
    for copies in (0, -1, 2.5, "3", None, True):
        with pytest.raises((ValueError, TypeError), match="copies must be"):
            c.StaticMasking(masker, ids, copies, generator())


def test_dynamic_draws_anew_in_each_epoch_at_the_right_rate():
    ids, masker = make_ids(), c.Masker(V, SPECIALS, MASK, ratio=0.15)
    masking = c.DynamicMasking(masker, ids, seed=7)
    everyone = torch.arange(50)
    masked = torch.stack([masking(everyone, e).masked for e in range(200)]).double()
    assert torch.equal(masking(everyone, 3).masked.double(), masked[3])
    some = torch.tensor([31, 2])
    assert torch.equal(masking(some, 3).masked.double(), masked[3][some])
    each = masked[:, :, 1:].mean(0)  # (50, 19) over epochs
    sigma = math.sqrt(0.15 * 0.85 / 200)
    assert abs(each.mean() - 0.15) < 4 * sigma / math.sqrt(each.numel())
    assert 0.9 < each.std() / sigma < 1.1
    assert not masked[:, :, 0].any()


def test_maskers_hand_on_word_ids_and_scores():
    ids = make_ids()
    words = c.Masker(V, SPECIALS, MASK, choose=c.choose_whole_words, ratio=0.3)
    word_ids = pieces(ids)
    dynamic = c.DynamicMasking(words, ids, 0, word_ids=word_ids)(torch.tensor([5, 6]), 0)
    static = c.StaticMasking(words, ids, 1, generator(), word_ids=word_ids)(torch.arange(50), 0)
    for masked, numbers in [(dynamic.masked, word_ids[5:7]), (static.masked, word_ids)]:
        together = numbers[:, 1:] == numbers[:, :-1]
        assert masked.any() and (masked[:, 1:] == masked[:, :-1])[together].all()
    scored = c.Masker(V, SPECIALS, MASK, choose=c.choose_by_score, ratio=0.05)
    some = torch.tensor([30, 7, 41])
    best = c.DynamicMasking(scored, ids, 0, scores=-ids.double())(some, 0)
    assert best.masked.sum(1).tolist() == [1, 1, 1]
    assert torch.equal(ids[some][best.masked], ids[some, 1:].amin(1))


def test_a_masker_is_checked_when_made():
    with pytest.raises(ValueError, match="not among special_ids"):
        c.Masker(V, SPECIALS, 9)
    with pytest.raises(ValueError, match="pad_id"):
        c.MaskingCollator(c.Masker(V, SPECIALS, MASK), pad_id=9)


# --- collating --------------------------------------------------------------------------------


@tidy
@given(st.lists(st.lists(st.integers(0, V - 1), max_size=30), min_size=1, max_size=6))
def test_padding_keeps_every_row(rows):
    ids, attention_mask = c.pad_rows(rows, 0)
    assert ids.dtype == torch.int64 and attention_mask.dtype == torch.bool
    assert ids.shape == (len(rows), max(map(len, rows)))
    for row, padded, mask in zip(rows, ids, attention_mask, strict=True):
        assert padded[mask].tolist() == row
        assert mask.tolist() == [True] * len(row) + [False] * (ids.shape[1] - len(row))
        assert (padded[~mask] == 0).all()


@tidy
@given(st.integers(0, 20), st.integers(0, 512), ratios)
def test_collating_hides_no_special_token_and_no_padding(seed, longest, ratio):
    r = random.Random(seed)
    rows = [[r.randrange(V) for _ in range(r.randint(0, longest))] for _ in range(5)]
    rows += [[2, 3], [7]]
    masker = c.Masker(V, SPECIALS, MASK, choose=c.choose_fixed_count, ratio=ratio)
    batch = c.MaskingCollator(masker, seed=seed)(rows)
    ids, attention_mask = c.pad_rows(rows)
    assert torch.equal(batch.attention_mask, attention_mask)
    assert not (batch.masked & ((ids < 5) | ~attention_mask)).any()
    assert (batch.input_ids[~attention_mask] == 0).all()
    assert torch.equal(batch.labels, torch.where(batch.masked, ids, -100))
    counts = [expected_count(sum(i > 4 for i in row), ratio) for row in rows]
    assert batch.masked.sum(1).tolist() == counts


def test_a_collator_moves_on_and_can_be_repeated():
    make = partial(c.MaskingCollator, c.Masker(V, SPECIALS, MASK))
    one, two = make(seed=1), make(seed=1)
    first, second = one(ROWS), one(ROWS)
    assert not torch.equal(first.masked, second.masked)
    assert torch.equal(first.input_ids, two(ROWS).input_ids)
    assert torch.equal(second.input_ids, two(ROWS).input_ids)


def test_bad_rows_are_refused():
    for rows, error in [
        ([], ValueError),
        ([[1.5, 2]], TypeError),
        ([["a"]], TypeError),
        ([[None]], TypeError),
        ([[1], [[2]]], TypeError),
        ([1, 2], TypeError),
        ([[2**70]], TypeError),
        ([[-1]], TypeError),
    ]:
        with pytest.raises(error):
            c.pad_rows(rows)


def test_the_number_of_threads_is_left_as_it_was():
    collate = c.MaskingCollator(c.Masker(V, SPECIALS, MASK))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        seen = []
        collate.word_ids_of = lambda ids: seen.append(torch.get_num_threads())
        collate(ROWS)
        assert seen == [1] and torch.get_num_threads() == 2
        collate.word_ids_of = lambda ids: ids / 0 + None
        with pytest.raises(TypeError):
            collate(ROWS)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_of_equal_keys_the_leftmost_are_taken():
    keys = torch.tensor([[0.3, 0.1, 0.1, 0.2], [0.5, 0.5, 0.5, 0.5]])
    taken = lowest(keys, torch.tensor([2, 3]))
    assert taken.int().tolist() == [[0, 1, 1, 0], [1, 1, 1, 0]]


# --- workers ----------------------------------------------------------------------------------


def every_other(maskable, ratio, generator, *, shift=0):
    """A learner's own strategy, bound by `partial`."""
    places = torch.arange(maskable.shape[1]) + shift
    return c.choose_bernoulli(maskable, ratio, generator) & (places % 2 == 0)


@pytest.mark.parametrize("choose", [*c.STRATEGIES.values(), partial(every_other, shift=1)])
def test_everything_can_be_sent_to_another_process(choose):
    ids, row = make_ids(), torch.arange(9) > 2
    masker = c.Masker(V, SPECIALS, MASK, choose=choose, ratio=0.3)
    needs = (
        {} if isinstance(choose, partial) and choose.func is every_other else {"scores": ids / 7}
    )
    for masks in (
        c.DynamicMasking(masker, ids, 3, **needs),
        c.StaticMasking(masker, ids, 2, generator(), **needs),
    ):
        again = pickle.loads(pickle.dumps(masks))
        assert torch.equal(again(torch.arange(50), 1).masked, masks(torch.arange(50), 1).masked)
    noise = c.CounterRNG(1, 2, range(3))
    noise.uniform(5)
    assert torch.equal(pickle.loads(pickle.dumps(noise)).uniform(5), noise.uniform(5))
    hide = c.for_one_row(row, scores=row.float())["score"]
    assert pickle.loads(pickle.dumps(hide))(0.5, 1) == hide(0.5, 1)


def test_a_copied_collator_goes_on_where_the_first_one_stood():
    collate = c.MaskingCollator(c.Masker(V, SPECIALS, MASK), seed=4)
    collate(ROWS)
    for again in (pickle.loads(pickle.dumps(collate)), copy.deepcopy(collate)):
        assert torch.equal(again.generator.get_state(), collate.generator.get_state())
        assert again(ROWS).masked.any()
    assert torch.equal(pickle.loads(pickle.dumps(collate))(ROWS).masked, collate(ROWS).masked)


MANY_ROWS = [[2, *(5 + (i * k) % 55 for k in range(i % 7 + 1)), 3] for i in range(26)]
COLLATE = c.MaskingCollator(
    c.Masker(V, SPECIALS, MASK, choose=c.STRATEGIES["whole words"], ratio=0.4),
    word_ids_of=pieces,
    seed=5,
)


def dealt(n_workers: int, order: str = "in order", epochs: int = 3, **options) -> list:
    """The batches that a DataLoader deals out in some epochs."""
    data = c.IndexedRows(MANY_ROWS)
    sampler = {
        "in order": SequentialSampler(data),
        "shuffled": RandomSampler(data, generator=generator(3)),
        "one process of two": DistributedSampler(data, num_replicas=2, rank=1, seed=2),
    }[order]
    loader = DataLoader(
        data, 4, sampler=sampler, collate_fn=COLLATE, num_workers=n_workers, **options
    )
    batches = []
    for epoch in range(epochs):
        data.set_epoch(epoch)
        if isinstance(sampler, DistributedSampler):
            sampler.set_epoch(epoch)
        batches += list(loader)
    return batches


def same_batches(one: list, other: list) -> bool:
    pairs = [(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return all(torch.equal(a, b) for a, b in pairs)


def test_masks_follow_from_seed_epoch_and_index():
    batches = dealt(0)
    for epoch, rows in itertools.product(range(3), range(0, 26, 4)):
        some = range(26)[rows : rows + 4]
        expected = COLLATE([MANY_ROWS[i] for i in some], index=some, epoch=epoch)
        assert same_batches([batches[epoch * 7 + rows // 4]], [expected])
    assert not same_batches(batches[:7], batches[7:14])


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize(
    "n_workers, order, drop_last",
    [(1, "in order", False), (2, "shuffled", True), (2, "one process of two", False)],
)
def test_forked_workers_deal_out_the_same_batches(n_workers, order, drop_last, persistent):
    given = {"order": order, "drop_last": drop_last}
    workers = {"multiprocessing_context": "fork", "persistent_workers": persistent}
    assert same_batches(dealt(n_workers, **given, **workers), dealt(0, **given))


@pytest.mark.slow
@pytest.mark.parametrize("start, persistent", [("spawn", True), ("forkserver", False)])
def test_started_workers_deal_out_the_same_batches(start, persistent):
    workers = {"multiprocessing_context": start, "persistent_workers": persistent}
    assert same_batches(dealt(1, epochs=2, **workers), dealt(0, epochs=2))


def test_a_loop_left_early_spoils_no_epoch():
    data = c.IndexedRows(MANY_ROWS)
    loader = DataLoader(
        data, 4, collate_fn=COLLATE, num_workers=1, multiprocessing_context="fork",
        persistent_workers=True,
    )  # fmt: skip
    data.set_epoch(0)
    next(iter(loader))
    data.set_epoch(2)
    assert same_batches(list(loader), dealt(0)[14:])


def test_a_copy_of_the_rows_reaches_its_workers_too():
    for copied in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        data = copied(c.IndexedRows(MANY_ROWS))
        loader = DataLoader(
            data, 26, num_workers=1, multiprocessing_context="fork", persistent_workers=True,
            collate_fn=list,
        )  # fmt: skip
        for epoch in (3, 4):
            data.set_epoch(epoch)
            assert {row.epoch for (rows,) in [list(loader)] for row in rows} == {epoch}


def test_rows_alone_are_refused_in_a_worker():
    loader = DataLoader(MANY_ROWS, 4, collate_fn=COLLATE, num_workers=1)
    with pytest.raises(RuntimeError, match="IndexedRows"):
        list(loader)
    assert len(list(DataLoader(MANY_ROWS, 4, collate_fn=COLLATE))) == 7


def test_indexed_rows_say_what_is_missing():
    data = c.IndexedRows(MANY_ROWS)
    with pytest.raises(RuntimeError, match=r"Call set_epoch\(epoch\)"):
        data[0]
    data.set_epoch(0)
    early = data[0]
    assert early == (0, 0, MANY_ROWS[0]) and [row.place for row in data] == list(range(26))
    assert data[torch.tensor(3)].place == 3  # as some samplers say it
    data.set_epoch(1)
    with pytest.raises(RuntimeError, match=r"epochs \[0, 1\]"):
        COLLATE([early, data[1]])
    for wrong, error in [(-1, IndexError), (26, IndexError), ([0], TypeError)]:
        with pytest.raises(error):
            data[wrong]
    with pytest.raises(TypeError, match="Some rows are IndexedRows"):
        COLLATE([early, MANY_ROWS[1]])


# --- devices ----------------------------------------------------------------------------------


def answers(move) -> dict:
    """What each function says for tensors moved by `move`."""
    ids, mask = (make_ids()[:6], rows_of([0, 1, 1, 1, 1] * 4).expand(6, 20))
    words, scores = move(pieces(ids)), move(ids.sin())
    noise = partial(c.CounterRNG, 0, 0, range(6))
    masker = c.Masker(V, SPECIALS, MASK, ratio=0.5)
    per_row, on = torch.arange(6).double() / 7, move(mask)
    out = {
        "maskable": c.maskable(move(ids), SPECIALS),
        "other specials": c.maskable(move(ids), [0, 9, 7]),
        "count": c.masked_count(move(torch.arange(50)), 0.15),
        "adaptive": c.choose_adaptive(on, move(per_row.float()), noise()),
        "score": c.choose_by_score(on, 0.4, noise(), scores=scores, temperature=0.5),
        "lengths": c.span_lengths(on, noise()),
        "pmi": c.pmi_scores(move(ids % 7), on, min_count=2),
        "words": c.find_words(on, words).maskable,
        "corrupted": masker(move(ids), noise()).input_ids,
        "dynamic": c.DynamicMasking(masker, move(ids), 0)(torch.arange(3), 1).labels,
        "static": c.StaticMasking(masker, move(ids), 2, noise())(torch.arange(3), 1).labels,
    }
    for name, choose in c.STRATEGIES.items():
        for ratio in (0.3, per_row):
            out[name, str(ratio)] = choose(on, ratio, noise(), word_ids=words, scores=scores)
    return out


@pytest.mark.slow  # entering a mode of torch imports its compiler
def test_a_device_without_float64_gives_the_same():
    expected = answers(lambda x: x)
    with stand_in():
        there = answers(lambda x: x.to(DEVICE))
        assert {x.device for x in there.values()} == {DEVICE}
        there = {name: x.cpu() for name, x in there.items()}
    assert all(torch.equal(there[name], x) for name, x in expected.items())


def test_a_default_device_or_dtype_changes_nothing():
    ids = make_ids()
    for set_default, other, usual in [
        (torch.set_default_device, "meta", None),
        (torch.set_default_dtype, torch.float64, torch.float32),
    ]:
        expected = answers(lambda x: x), COLLATE(ROWS, range(8)), c.pad_rows([[], []])
        made = c.Masker(V, SPECIALS, MASK)(ids, generator())
        try:
            set_default(other)
            masker = c.Masker(V, SPECIALS, MASK)
            rows = c.IndexedRows(ROWS)
            rows.set_epoch(0)
            batch, empty = COLLATE(list(rows)), c.pad_rows([[], []])
            again = masker(ids, torch.Generator("cpu").manual_seed(0))
            fresh = c.MaskingCollator(masker)(ROWS)
        finally:
            set_default(usual)
        assert same_batches([batch, again], [expected[1], made])
        assert same_batches([fresh], [c.MaskingCollator(masker)(ROWS)])
        assert same_batches([empty], [expected[2]])


def test_tensors_on_two_devices_are_refused_with_their_names():
    ids, mask = make_ids(), everything(50, 20)
    masker = c.Masker(V, SPECIALS, MASK)
    there = partial(torch.Tensor.to, device="meta")
    for wrong, words in [
        (lambda: masker(there(ids), generator()), "generator is on cpu, the tokens are on meta"),
        (lambda: c.mask_tokens(ids, there(mask)), "masked is on meta, but ids is on cpu"),
        (
            lambda: c.choose_spans(mask, 0.5, generator(), word_ids=there(ids)),
            "word_ids is on meta, but maskable is on cpu",
        ),
        (lambda: c.pmi_scores(ids, there(mask)), "maskable is on meta"),
        (
            lambda: c.Masker(V, SPECIALS, MASK, choose=lambda m, r, g: there(m))(ids, generator()),
            "masked is on meta",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            wrong()


# --- slips ------------------------------------------------------------------------------------


def test_rows_of_any_kind_are_padded_alike():
    expected = c.pad_rows([[5], [7, 8]])
    for rows in (
        [[5], np.array([7, 8])],
        [torch.tensor([5]), (7, 8)],
        [np.array([5], dtype=np.uint8), range(7, 9)],
        ([np.int64(5)], array("i", [7, 8])),
    ):
        assert same_batches([c.pad_rows(rows)], [expected])
    assert c.pad_rows(np.array([[1, 2], [3, 4]]))[0].tolist() == [[1, 2], [3, 4]]
    assert c.pad_rows([[2**63 - 1]])[0].tolist() == [[2**63 - 1]]


@pytest.mark.parametrize(
    "rows, words",
    [
        ([[5, 2**63]], "not as large as 9223372036854775808"),
        ([[True, False], [True]], "True and False"),
        ([np.array([True])], "True and False"),
        ([np.array([1.5])], "integer"),
        ([[5], None], "not NoneType"),
        ([{"input_ids": [1]}], 'pass its row\\["input_ids"\\]'),
        (["ab"], "not str"),
        ("ab", "not str"),
        (None, "not NoneType"),
        (iter([[1]]), "list of rows"),
    ],
)
def test_rows_that_are_none_are_refused(rows, words):
    with pytest.raises(TypeError, match=words):
        c.pad_rows(rows)
    with pytest.raises(TypeError, match=words):
        COLLATE(rows)


@pytest.mark.parametrize(
    "given, error, words",
    [
        ({"ids": [[5, 6]]}, TypeError, "not list"),
        ({"ids": np.array([[5]])}, TypeError, "not ndarray"),
        ({"ids": None}, TypeError, "not NoneType"),
        ({"ids": torch.ones(1, 2)}, TypeError, "torch.int64"),
        ({"ids": torch.tensor([5, 6])}, ValueError, "unsqueeze"),
        ({"ids": torch.tensor([[5, -100]])}, ValueError, "-100 belongs in labels"),
        ({"ids": torch.tensor([[5, V]])}, ValueError, "vocabulary ends at 59"),
        ({"generator": None}, TypeError, "manual_seed"),
        ({"word_ids": torch.zeros(2, 2).long()}, TypeError, "unexpected .* 'word_ids'"),
        ({"choose": c.choose_whole_words}, TypeError, "missing a required argument: 'word_ids'"),
        ({"choose": 3}, TypeError, "choose must be a function"),
        (
            {"choose": lambda m, r, g: m.long()},
            TypeError,
            "strategy returned it.* write masked == 1",
        ),
        ({"choose": lambda m, r, g: m.tolist()}, TypeError, "as the strategy returned it"),
        ({"choose": lambda m, r, g: m[:, 1:]}, ValueError, r"shape \(2, 1\)"),
        ({"choose": lambda m, r, g: ~m}, ValueError, "return masked & maskable"),
        ({"ratio": "0.15"}, TypeError, "ratio must be a number, not str"),
        ({"ratio": math.nan}, ValueError, "between 0 and 1"),
        ({"ratio": True}, TypeError, "not bool"),
        ({"ratio": torch.tensor([0.5, math.nan])}, ValueError, "between 0 and 1"),
        ({"special_ids": []}, ValueError, "not among"),
        ({"special_ids": 4}, TypeError, "special_ids must be integers"),
        ({"special_ids": [4, 1.5]}, TypeError, "special_ids must be integers"),
        ({"special_ids": [4, -5]}, ValueError, "token ids start at 0"),
        ({"special_ids": [4, V]}, ValueError, "outside the vocabulary"),
        ({"mask_id": 4.0}, TypeError, "mask_id must be an integer"),
        ({"proportions": 0.8}, TypeError, "must be Proportions"),
    ],
)
def test_slips_with_a_masker_are_answered(given, error, words):
    right = {"ids": torch.tensor([[2, 6], [7, 8]]), "generator": generator()}
    made = {"vocab_size": V, "special_ids": SPECIALS, "mask_id": MASK}
    both = right | made | given
    call = {name: both.pop(name) for name in ("ids", "generator", "word_ids") if name in both}
    with pytest.raises(error, match=words):
        c.Masker(**both)(**call)


def test_what_means_the_same_is_taken():
    ids = make_ids()
    expected = c.Masker(V, [0, 4], MASK)(ids, generator())
    for special_ids in (torch.tensor([4, 0]), np.array([0, 4, 4]), (i for i in (0, 4))):
        masker = c.Masker(np.int64(V), special_ids, MASK)
        for same in (ids, ids.int(), ids.T.contiguous().T):
            assert same_batches([masker(same, generator())], [expected])


def test_a_strategy_that_draws_from_generators_alone_is_told_how_to_draw():
    def tossed(maskable, ratio, generator):
        return maskable & (torch.rand(maskable.shape, generator=generator) < ratio)

    def drawn(maskable, ratio, generator):
        return maskable & (uniform(maskable, generator) < ratio)

    ids, index = make_ids(), torch.arange(2)
    for choose in (tossed, drawn):
        assert c.Masker(V, SPECIALS, MASK, choose=choose)(ids, generator()).masked.any()
    with pytest.raises(TypeError, match=r"tossed .*noise\.uniform\(maskable, generator\)\.$"):
        c.DynamicMasking(c.Masker(V, SPECIALS, MASK, choose=tossed), ids, 0)(index, 0)
    masker = c.Masker(V, SPECIALS, MASK, choose=drawn, ratio=0.9)
    assert c.DynamicMasking(masker, ids, 0)(index, 0).masked.any()


def test_a_strategys_own_type_error_stays_as_it_is():
    with pytest.raises(TypeError, match="unsupported operand"):
        c.Masker(V, SPECIALS, MASK, choose=lambda m, r, g: m + None)(make_ids(), generator())


@pytest.mark.parametrize("wrong", [[-1], [50], [0.5], torch.tensor([True]), torch.tensor(3), None])
def test_an_index_that_is_none_is_refused(wrong):
    ids, masker = make_ids(), c.Masker(V, SPECIALS, MASK)
    for masks in (c.DynamicMasking(masker, ids, 0), c.StaticMasking(masker, ids, 1, generator())):
        with pytest.raises((TypeError, IndexError), match="index"):
            masks(wrong, 0)


def test_pmi_of_ids_beyond_any_vocabulary():
    """Pairs of ids were numbered left * size + right, which ran over the end of int64."""
    ids = make_ids() % 7
    assert torch.equal(
        c.pmi_scores(ids * 2**40, ids > 0), c.pmi_scores(ids, ids > 0)
    )  # fmt: skip
