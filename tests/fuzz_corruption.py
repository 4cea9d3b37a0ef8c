"""Right arguments and oracles for what `mlm_course.corruption` offers, written with plain loops.

Where a function draws, the oracle draws the same numbers from a copy of its generator and does the
rest by hand.
"""

from __future__ import annotations

import itertools
import math
import operator
from functools import partial

import torch
from fuzzing import Target

from mlm_course import corruption as c
from mlm_course.corruption.noise import gumbel
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS

V, SPECIALS, MASK = 20, [0, 2, 3, 4], 4


# --- what is drawn ------------------------------------------------------------------------------


def shape(rng):
    return rng.randint(1, 4), rng.randint(1, 9)


def noise_for(rng, n_rows):
    if rng.random() < 0.5:
        return torch.Generator().manual_seed(rng.randrange(99))
    return c.CounterRNG(rng.randrange(99), rng.randrange(3), rng.sample(range(99), n_rows))


def bools(B, T, share=0.7):
    return torch.rand(B, T) < share


def ratio_for(rng, B):
    one = rng.choice([0.0, 0.15, 0.5, 1.0, 1 / 3, rng.random()])
    return rng.choice([one, torch.rand(B, dtype=torch.float64), torch.rand(B)])


def draw_choice(rng, **more):
    B, T = shape(rng)
    arguments = {
        "maskable": bools(B, T),
        "ratio": ratio_for(rng, B),
        "generator": noise_for(rng, B),
    }
    return arguments | {name: draw(rng, B, T) for name, draw in more.items()}


def word_ids_for(rng, B, T):
    return bools(B, T, 0.6).cumsum(1).masked_fill(bools(B, T, 0.1), -1)


def scores_for(rng, B, T):
    return torch.randint(0, 4, (B, T)) / rng.choice([1.0, 3.0])


def rows_for(rng):
    return [[rng.randrange(V) for _ in range(rng.randint(1, 5))] for _ in range(rng.randint(1, 4))]


def ids_for(rng, B, T):
    return torch.randint(0, V, (B, T))


# --- the rules by hand --------------------------------------------------------------------------


def uniform(generator, B, T):
    if isinstance(generator, c.CounterRNG):
        return generator.uniform(T).tolist()
    return torch.rand(B, T, generator=generator).tolist()


def uniform_at(generator, places, T):
    if isinstance(generator, c.CounterRNG):
        return generator.uniform_at(torch.tensor(places).long(), T).tolist()
    return torch.rand(len(places), generator=generator).tolist()


def integers_at(generator, places, T, high):
    if isinstance(generator, c.CounterRNG):
        return generator.integers_at(torch.tensor(places).long(), T, high).tolist()
    return torch.randint(high, (len(places),), generator=generator).tolist()


def ratios(ratio, B):
    if isinstance(ratio, torch.Tensor):
        ratio = ratio.tolist()
    shares = ratio if isinstance(ratio, list) else [ratio] * B
    assert len(shares) == B and all(0 <= share <= 1 for share in shares)
    assert not isinstance(ratio, str | bool) and not any(isinstance(r, bool) for r in shares)
    return shares


def count(n, ratio):
    return min(n, max(1, round(ratio * n))) if ratio > 0 else 0


def is_mask_of(masked, maskable):
    assert isinstance(maskable, torch.Tensor) and maskable.dtype == torch.bool
    assert maskable.dim() == 2
    assert masked.dtype == torch.bool and masked.shape == maskable.shape
    assert not (masked & ~maskable).any()
    return maskable.tolist()


def places(row):
    return [t for t, on in enumerate(row) if on]


def lowest_noise(noise, can, n):
    return sorted(sorted(places(can), key=lambda t: noise[t])[:n])


def is_bernoulli(masked, maskable, ratio, generator):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    noise = uniform(generator, *maskable.shape)
    for b, row in enumerate(rows):
        assert places(masked[b]) == [t for t in places(row) if noise[b][t] < shares[b]]


def is_fixed_count(masked, maskable, ratio, generator):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    noise = uniform(generator, *maskable.shape)
    for b, row in enumerate(rows):
        assert places(masked[b]) == lowest_noise(noise[b], row, count(sum(row), shares[b]))


def is_block(masked, maskable, ratio, generator):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    noise = uniform(generator, len(rows), min(1, maskable.shape[1]))
    for b, row in enumerate(rows):
        n, can = count(sum(row), shares[b]), places(row)
        start = math.floor(noise[b][0] * (len(can) - n + 1)) if can else 0
        assert places(masked[b]) == can[start : start + n]


def is_non_adjacent(masked, maskable, ratio, generator):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    for b, row in enumerate(rows):
        in_line = [bool(masked[b, t]) for t in places(row)]
        assert not any(i and j for i, j in itertools.pairwise(in_line))
        assert sum(in_line) == min(count(sum(row), shares[b]), (sum(row) + 1) // 2)
    assert torch.equal(masked, c.choose_non_adjacent(maskable, ratio, generator))


def adapted(n, ratio, typical):
    return min(1.0, min(1.5, max(0.5, n / typical)) * ratio)


def is_adaptive(masked, maskable, ratio, generator, typical=64):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    noise = uniform(generator, *maskable.shape)
    assert not isinstance(typical, str | bool) and typical >= 1
    for b, row in enumerate(rows):
        n = count(sum(row), adapted(sum(row), shares[b], typical))
        assert places(masked[b]) == lowest_noise(noise[b], row, n)


def words_of(can, numbers):
    """[(places, may be hidden)] of a row's words."""
    grouped = itertools.groupby(range(len(can)), lambda t: numbers[t])
    words = [(n, list(run)) for n, run in grouped]
    return [(run, n >= 0 and all(can[t] for t in run)) for n, run in words]


def numbers_of(word_ids, maskable):
    if word_ids is None:
        return [list(range(maskable.shape[1])) for _ in maskable]
    assert not word_ids.is_floating_point() and word_ids.dtype != torch.bool
    assert word_ids.shape == maskable.shape
    return word_ids.tolist()


def are_words(answer, maskable, word_ids=None):
    assert maskable.dtype == torch.bool and maskable.dim() == 2
    for b, row in enumerate(numbers_of(word_ids, maskable)):
        words = words_of(maskable[b].tolist(), row)
        free = [ok for _, ok in words] + [False] * (maskable.shape[1] - len(words))
        assert answer.maskable[b].tolist() == free
        assert answer.number[b].tolist() == [w for w, (run, _) in enumerate(words) for _ in run]


def are_whole_words(masked, maskable, ratio, generator, word_ids):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    noise = uniform(generator, *maskable.shape)
    for b, numbers in enumerate(numbers_of(word_ids, maskable)):
        words = words_of(rows[b], numbers)
        free = [ok for _, ok in words]
        chosen = lowest_noise(noise[b], free, count(sum(free), shares[b]))
        assert places(masked[b]) == sorted(t for w in chosen for t in words[w][0])


def is_span_lengths(answer, like, generator, p=0.2, longest=10):
    assert like.dim() == 2 and 0 < p < 1 and operator.index(longest) >= 1
    assert not isinstance(longest, bool) and answer.shape == like.shape
    shares = [(1 - p) ** k for k in range(min(longest, 5000))]
    edges = [sum(shares[: k + 1]) / sum(shares) for k in range(min(len(shares), 60))]
    for u, n in zip(
        itertools.chain(*uniform(generator, *like.shape)), answer.flatten().tolist(), strict=True
    ):
        assert 1 <= n <= longest
        if n < len(edges):
            assert (edges[n - 2] if n > 1 else 0) - 1e-6 <= u <= edges[n - 1] + 1e-6


def are_spans(masked, maskable, ratio, generator, word_ids=None, p=0.2, longest=10):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    lengths = c.span_lengths(maskable, generator, p=p, longest=longest).tolist()
    noise = uniform(generator, *maskable.shape)
    for b, numbers in enumerate(numbers_of(word_ids, maskable)):
        words, chosen = words_of(rows[b], numbers), []
        budget = count(sum(len(run) for run, ok in words if ok), shares[b])
        free = [w for w, (_, ok) in enumerate(words) if ok]
        for start in sorted(free, key=lambda w: noise[b][w]):
            reach = words[start : start + lengths[b][start]]
            for run, _ in itertools.takewhile(operator.itemgetter(1), reach):
                chosen += [t for t in run if t not in chosen]
        assert places(masked[b]) == sorted(chosen[:budget])


def is_by_score(masked, maskable, ratio, generator, scores, temperature=0.0):
    rows, shares = is_mask_of(masked, maskable), ratios(ratio, len(maskable))
    assert scores.is_floating_point() and scores.shape == maskable.shape
    assert not isinstance(temperature, str | bool) and 0 <= temperature < math.inf
    noise = torch.tensor(uniform(generator, *maskable.shape)).reshape(maskable.shape)
    bonus, noise, keys = gumbel(noise).tolist(), noise.tolist(), scores.tolist()
    for b, row in enumerate(rows):
        assert all(math.isfinite(keys[b][t]) for t in places(row))

        def order(t, b=b):
            key = keys[b][t] + (temperature * bonus[b][t] if temperature else 0)
            return -key, noise[b][t]

        n = count(sum(row), shares[b])
        assert places(masked[b]) == sorted(sorted(places(row), key=order)[:n])


def is_pmi(answer, ids, maskable, min_count=5):
    assert maskable.dtype == torch.bool and maskable.shape == ids.shape and ids.dim() == 2
    assert not ids.is_floating_point() and operator.index(min_count) >= 1
    assert not isinstance(min_count, bool) and answer.dtype == torch.float32
    rows, can = ids.tolist(), maskable.tolist()
    pairs = [
        (row[t], row[t + 1])
        for row, on in zip(rows, can, strict=True)
        for t in range(len(row) - 1)
        if on[t] and on[t + 1]
    ]

    def pmi(pair):
        seen = pairs.count(pair)
        if seen < min_count:
            return 0.0
        left = sum(a == pair[0] for a, _ in pairs)
        right = sum(b == pair[1] for _, b in pairs)
        return math.log(seen * len(pairs) / (left * right))

    for b, row in enumerate(rows):
        assert all(i >= 0 for i in row)
        for t in range(len(row)):
            near = [(u, u + 1) for u in (t - 1, t) if 0 <= u < len(row) - 1]
            both = [pmi((row[i], row[j])) for i, j in near if can[b][i] and can[b][j]]
            assert abs(float(answer[b, t]) - max(both, default=0.0)) < 1e-4


def specials_of(special_ids):
    specials = {operator.index(i) for i in special_ids}
    assert all(i >= 0 for i in specials)
    return specials


def is_maskable(answer, ids, special_ids):
    assert ids.dim() == 2 and not ids.is_floating_point() and ids.dtype != torch.bool
    specials = specials_of(special_ids)
    assert answer.tolist() == [[i >= 0 and i not in specials for i in r] for r in ids.tolist()]


def is_ordinary(answer, vocab_size, special_ids):
    assert operator.index(vocab_size) >= 1 and not isinstance(vocab_size, bool)
    specials = specials_of(special_ids)
    assert all(i < vocab_size for i in specials)
    assert answer.tolist() == [i for i in range(vocab_size) if i not in specials]


def is_masked_count(answer, candidates, ratio):
    sizes = candidates.tolist()
    assert not candidates.is_floating_point() and candidates.dtype != torch.bool
    assert all(n >= 0 for n in sizes) and answer.dtype == torch.int64
    shares = ratios(ratio, len(sizes))
    assert answer.tolist() == [count(n, share) for n, share in zip(sizes, shares, strict=True)]


def is_adaptive_ratio(answer, lengths, ratio, typical=64):
    sizes = lengths.tolist()
    assert not lengths.is_floating_point() and lengths.dtype != torch.bool
    assert not isinstance(typical, str | bool) and typical >= 1
    shares = ratios(ratio, len(sizes))
    expected = [adapted(n, share, typical) for n, share in zip(sizes, shares, strict=True)]
    assert torch.allclose(answer, torch.tensor(expected, dtype=torch.float64), atol=1e-12)


def is_corrupted(answer, ids, masked, generator, mask_id, ordinary_ids, proportions):
    assert ids.dim() == 2 and not ids.is_floating_point() and ids.dtype != torch.bool
    assert masked.dtype == torch.bool and masked.shape == ids.shape
    assert not isinstance(mask_id, bool) and operator.index(mask_id) >= 0
    assert all(part.dtype == torch.int64 for part in answer[:2])
    flat, width = ids.flatten().tolist(), max(ids.shape[1], 1)
    assert all(i >= 0 for i in flat)
    hidden_at = places(masked.flatten().tolist())
    expected, at_random = list(flat), []
    for place, u in zip(hidden_at, uniform_at(generator, hidden_at, width), strict=True):
        if u < proportions.mask:
            expected[place] = mask_id
        elif proportions.random > 0 and u >= 1 - proportions.random:
            at_random.append(place)
    if proportions.random > 0:
        ordinary = ordinary_ids.tolist()
        assert not ordinary_ids.is_floating_point() and ordinary_ids.dtype != torch.bool
        drawn = integers_at(generator, at_random, width, len(ordinary))
        for place, i in zip(at_random, drawn, strict=True):
            expected[place] = ordinary[i]
    assert answer.input_ids.flatten().tolist() == expected
    assert torch.equal(answer.labels, ids.long().masked_fill(~masked, -100))
    assert torch.equal(answer.masked, masked)


def draw_corrupt(rng):
    B, T = shape(rng)
    return {
        "ids": ids_for(rng, B, T),
        "masked": bools(B, T),
        "generator": noise_for(rng, B),
        "mask_id": MASK,
        "ordinary_ids": c.ordinary_ids(V, SPECIALS),
        "proportions": rng.choice([c.BERT_PROPORTIONS, c.MASK_ONLY, c.Proportions(mask=0.0, random=1.0)]),
    }  # fmt: skip


def is_mask_tokens(answer, ids, masked):
    assert masked.dtype == torch.bool and masked.shape == ids.shape
    assert not ids.is_floating_point() and ids.dtype != torch.bool
    flags = masked.flatten().tolist()
    pairs = list(zip(ids.flatten().tolist(), flags, strict=True))
    assert answer.input_ids.flatten().tolist() == [MASK_ID if on else i for i, on in pairs]
    assert answer.labels.flatten().tolist() == [i if on else -100 for i, on in pairs]


def are_proportions(answer, mask, keep, random):
    shares = (answer.mask, answer.keep, answer.random)
    assert shares == (mask, keep, random) and not any(isinstance(s, str | bool) for s in shares)
    assert all(0 <= share <= 1 for share in shares) and abs(sum(shares) - 1) <= 1e-6


# --- objects: made and called -------------------------------------------------------------------


def mask_with(vocab_size, special_ids, mask_id, ratio, proportions, choose, ids, generator):
    masker = c.Masker(
        vocab_size, special_ids, mask_id, choose=choose, ratio=ratio, proportions=proportions
    )
    return masker(ids, generator)


def is_masked_with(
    answer, vocab_size, special_ids, mask_id, ratio, proportions, choose, ids, generator
):
    specials = specials_of(special_ids)
    assert mask_id in specials and int(ids.max()) < vocab_size if ids.numel() else True
    masked = choose(c.maskable(ids, specials), ratio, generator)
    assert torch.equal(masked, answer.masked)
    ordinary = torch.tensor([i for i in range(vocab_size) if i not in specials])
    is_corrupted(answer, ids, masked, generator, mask_id, ordinary, proportions)


def draw_masker(rng):
    B, T = shape(rng)
    return {
        "vocab_size": V,
        "special_ids": rng.choice([SPECIALS, [4, 0, 4], [0, 1, 2, 3, 4]]),
        "mask_id": MASK,
        "ratio": rng.choice([0.0, 0.15, 0.5, 1.0]),
        "proportions": rng.choice([c.BERT_PROPORTIONS, c.MASK_ONLY]),
        "choose": rng.choice([c.choose_fixed_count, c.STRATEGIES["spans"]]),
        "ids": ids_for(rng, B, T),
        "generator": noise_for(rng, B),
    }


MASKER = c.Masker(V, SPECIALS, MASK, choose=c.choose_spans, ratio=0.4)


def draw_data(rng, **more):
    N, T = shape(rng)
    arguments = {
        "masker": MASKER,
        "ids": ids_for(rng, N, T),
        "word_ids": word_ids_for(rng, N, T),
        "index": torch.tensor([rng.randrange(N) for _ in range(rng.randint(1, 4))]),
        "epoch": rng.randrange(5),
    }
    return arguments | {name: draw(rng) for name, draw in more.items()}


def rows_asked(index, n):
    index = (
        index.tolist() if isinstance(index, torch.Tensor) else [operator.index(i) for i in index]
    )
    assert all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < n for i in index)
    return index


def dynamic(masker, ids, seed, word_ids, index, epoch):
    return c.DynamicMasking(masker, ids, seed, word_ids=word_ids)(index, epoch)


def is_dynamic(answer, masker, ids, seed, word_ids, index, epoch):
    for b, i in enumerate(rows_asked(index, len(ids))):
        words = None if word_ids is None else word_ids[i : i + 1]
        one = masker(ids[i : i + 1], c.CounterRNG(seed, epoch, [i]), word_ids=words)
        assert all(torch.equal(a[b], o[0]) for a, o in zip(answer, one, strict=True))


def static(masker, ids, copies, generator, word_ids, index, epoch):
    return c.StaticMasking(masker, ids, copies, generator, word_ids=word_ids)(index, epoch)


def is_static(answer, masker, ids, copies, generator, word_ids, index, epoch):
    assert copies >= 1 and epoch >= 0 and not isinstance(copies, bool)
    for _ in range(epoch % copies + 1):
        everything = masker(ids, generator, word_ids=word_ids)
    rows = rows_asked(index, len(ids))
    assert all(a.tolist() == e[rows].tolist() for a, e in zip(answer, everything, strict=True))


def padded(rows, pad_id):
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
    assert rows and not isinstance(pad_id, bool)
    assert all(operator.index(i) >= 0 for row in rows for i in row)
    longest = max(map(len, rows))
    return [[*map(operator.index, row), *[pad_id] * (longest - len(row))] for row in rows]


def is_padded(answer, rows, pad_id=0):
    ids, attention_mask = answer
    assert ids.tolist() == padded(rows, pad_id) and ids.dtype == torch.int64
    for row, seen in zip(rows, attention_mask.tolist(), strict=True):
        assert seen == [t < len(row) for t in range(ids.shape[1])]


def collate(masker, pad_id, seed, rows, index, epoch):
    return c.MaskingCollator(masker, pad_id, seed=seed)(rows, index, epoch)


def is_collated(answer, masker, pad_id, seed, rows, index, epoch):
    ids = torch.tensor(padded(rows, pad_id)).long()
    ids = ids.reshape(len(rows), -1)
    noise = (
        torch.Generator().manual_seed(int(seed))
        if index is None
        else c.CounterRNG(seed, epoch, [operator.index(i) for i in index])
    )
    expected = masker(ids, noise)
    given = (answer.input_ids, answer.labels, answer.masked)
    assert all(torch.equal(a, e) for a, e in zip(given, expected, strict=True))
    assert answer.attention_mask.sum(1).tolist() == [len(row) for row in rows]


def draw_collate(rng):
    rows = rows_for(rng)
    index = rng.choice([None, rng.sample(range(99), len(rows))])
    return {
        "masker": MASKER, "pad_id": 0, "seed": rng.randrange(99), "rows": rows,
        "index": index, "epoch": rng.randrange(3),
    }  # fmt: skip


def one_of(rows, epoch, index):
    data = c.IndexedRows(rows)
    data.set_epoch(epoch)
    return data[index], len(data)


def is_indexed(answer, rows, epoch, index):
    row, n = answer
    assert n == len(rows) and 0 <= index < n and not isinstance(epoch, bool) and epoch >= 0
    assert (row.place, row.epoch) == (index, epoch)
    assert row.ids == rows[index] or list(row.ids) == list(rows[index])


def counter(seed, epoch, index, width):
    return c.CounterRNG(seed, epoch, index).uniform(width)


def mix(x):
    """SplitMix64's last step in Python's integers."""
    x %= 1 << 64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % (1 << 64)
    return x ^ (x >> 31)


def is_counter(answer, seed, epoch, index, width):
    numbers = index.tolist() if isinstance(index, torch.Tensor) else index
    assert answer.shape == (len(numbers), width) and not isinstance(width, bool)
    seed, epoch = operator.index(seed), operator.index(epoch)
    for b, i in enumerate(numbers):
        key = mix(mix(mix(seed) + epoch) + operator.index(i))
        for t in range(min(width, 20)):
            bits = mix(key + (t + 1) * 0x9E3779B97F4A7C15)
            assert float(answer[b, t]) == (bits >> 40) / 2**24


def hide_in_row(maskable, word_ids, scores, ratio, seed):
    hides = c.for_one_row(maskable, word_ids=word_ids, scores=scores)
    return {name: hide(ratio, seed) for name, hide in hides.items()}


def is_hidden_in_row(answer, maskable, word_ids, scores, ratio, seed):
    assert maskable.dim() == 1
    for name, strategy in c.STRATEGIES.items():
        g = torch.Generator().manual_seed(int(seed))
        words = None if word_ids is None else word_ids[None]
        expected = strategy(maskable[None], ratio, g, word_ids=words, scores=scores[None])
        assert answer[name] == expected[0].tolist()


def draw_row(rng):
    T = rng.randint(1, 9)
    row = {
        "maskable": bools(1, T), "word_ids": word_ids_for(rng, 1, T), "scores": scores_for(rng, 1, T),
    }  # fmt: skip
    row = {name: value[0] for name, value in row.items()}
    return row | {"ratio": rng.random(), "seed": rng.randrange(99)}


def is_standard(answer, vocab_size, ratio):
    assert set(answer.ordinary_ids.tolist()) == set(range(vocab_size)) - set(SPECIAL_IDS)
    assert (answer.choose, answer.proportions) == (c.choose_fixed_count, c.MASK_ONLY)
    ratios(answer.ratio, 1)
    assert answer.ratio == ratio and answer.mask_id == MASK_ID


TARGETS = [
    Target(c.choose_bernoulli, draw_choice, is_bernoulli),
    Target(c.choose_fixed_count, draw_choice, is_fixed_count),
    Target(c.choose_block, draw_choice, is_block),
    Target(c.choose_non_adjacent, draw_choice, is_non_adjacent),
    Target(
        c.choose_adaptive,
        partial(draw_choice, typical=lambda rng, B, T: rng.randint(1, 9)),
        is_adaptive,
    ),
    Target(c.choose_whole_words, partial(draw_choice, word_ids=word_ids_for), are_whole_words),
    Target(
        c.choose_spans,
        partial(
            draw_choice,
            word_ids=word_ids_for,
            p=lambda rng, B, T: rng.choice([0.2, 0.7]),
            longest=lambda rng, B, T: rng.randint(1, 6),
        ),
        are_spans,
    ),
    Target(
        c.choose_by_score,
        partial(
            draw_choice,
            scores=scores_for,
            temperature=lambda rng, B, T: rng.choice([0.0, 0.7, 2.0]),
        ),
        is_by_score,
    ),
    Target(
        c.find_words,
        lambda rng: {
            "maskable": bools(*(s := shape(rng))),
            "word_ids": word_ids_for(rng, *s),
        },
        are_words,
    ),
    Target(
        c.span_lengths,
        lambda rng: {
            "like": bools(*(s := shape(rng))),
            "generator": noise_for(rng, s[0]),
            "p": rng.choice([0.2, 0.5, 0.9]),
            "longest": rng.randint(1, 12),
        },
        is_span_lengths,
    ),
    Target(
        c.pmi_scores,
        lambda rng: {
            "ids": torch.randint(0, 4, (s := shape(rng))),
            "maskable": bools(*s),
            "min_count": rng.randint(1, 3),
        },
        is_pmi,
    ),
    Target(
        c.maskable,
        lambda rng: {
            "ids": ids_for(rng, *shape(rng)),
            "special_ids": rng.choice([[0, 1, 2], [2, 0, 7, 2], [5]]),
        },
        is_maskable,
    ),
    Target(
        c.ordinary_ids,
        lambda rng: {"vocab_size": V, "special_ids": rng.choice([[0, 1, 2], [2, 0, 7, 2]])},
        is_ordinary,
    ),
    Target(
        c.masked_count,
        lambda rng: {
            "candidates": torch.randint(0, 99, (B := rng.randint(1, 5),)),
            "ratio": ratio_for(rng, B),
        },
        is_masked_count,
    ),
    Target(
        c.adaptive_ratio,
        lambda rng: {
            "lengths": torch.randint(0, 99, (B := rng.randint(1, 5),)),
            "ratio": ratio_for(rng, B),
            "typical": rng.randint(1, 70),
        },
        is_adaptive_ratio,
    ),
    Target(c.corrupt, draw_corrupt, is_corrupted),
    Target(
        c.mask_tokens,
        lambda rng: {"ids": ids_for(rng, *(s := shape(rng))), "masked": bools(*s)},
        is_mask_tokens,
    ),
    Target(
        c.Proportions,
        lambda rng: {"mask": 0.5, "keep": 0.25, "random": 0.25},
        are_proportions,
    ),
    Target(mask_with, draw_masker, is_masked_with, name="Masker"),
    Target(
        dynamic, partial(draw_data, seed=lambda rng: rng.randrange(99)), is_dynamic,
        name="DynamicMasking", fixed=("masker",),
    ),
    Target(
        static,
        partial(
            draw_data, copies=lambda rng: rng.randint(1, 3),
            generator=lambda rng: torch.Generator().manual_seed(rng.randrange(99)),
        ),
        is_static, name="StaticMasking",
        fixed=("masker", "copies"),  # a million copies would be made, and take their time
    ),
    Target(
        c.pad_rows,
        lambda rng: {"rows": rows_for(rng), "pad_id": rng.choice([0, 7, -100])},
        is_padded,
    ),
    Target(collate, draw_collate, is_collated, name="MaskingCollator"),
    Target(
        one_of,
        lambda rng: {
            "rows": (rows := rows_for(rng)),
            "epoch": rng.randrange(9),
            "index": rng.randrange(len(rows)),
        },
        is_indexed, name="IndexedRows",
    ),
    Target(
        counter,
        lambda rng: {
            "seed": rng.randrange(-9, 2**40),
            "epoch": rng.randrange(9),
            "index": torch.randint(0, 99, (rng.randint(1, 4),)),
            "width": rng.randint(1, 9),
        },
        is_counter, name="CounterRNG",
    ),
    Target(hide_in_row, draw_row, is_hidden_in_row, name="for_one_row"),
    Target(
        c.standard_masker, lambda rng: {"vocab_size": V, "ratio": rng.random()}, is_standard
    ),
]  # fmt: skip
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED = {  # name: why
    "Strategy": "a Protocol",
    "Corrupted": "a NamedTuple that holds what functions of this part return",
    "MaskedBatch": "a NamedTuple that holds what the collator returns",
    "IndexedRow": "a NamedTuple that holds what IndexedRows deals out",
}
