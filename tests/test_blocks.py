"""Blocks, thresholds and first hitting: each setting of `refine` against a slow, plain twin."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mlm_course.attention import block_causal_mask, causal_mask
from mlm_course.decoding import (
    FIRST_HITTING,
    LLADA,
    MASK_PREDICT,
    MASKGIT,
    MDLM,
    Sampler,
    Step,
    n_masked,
    refine,
)
from mlm_course.diffusion import block_predictor, fill_gaps
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.block_reader import BlockReader
from mlm_course.models.pretrained import load_pretrained
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_IDS
from mlm_course.widgets import Diffuse

V = 23
pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
SAMPLERS = {
    "mask-predict": MASK_PREDICT,
    "maskgit": MASKGIT,
    "llada": LLADA,
    "mdlm": MDLM,
    "first hitting": FIRST_HITTING,
    "threshold": replace(LLADA, threshold=0.3),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 0, **sizes) -> MaskedLM:
    """A model whose weights are large enough for its answers to differ."""
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, **sizes}
    model = seeded_init(MaskedLM, EncoderConfig(V, 40, **sizes), seed).eval()
    g = generator(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.2 * torch.randn(p.shape, generator=g)
    return model


def recomputed(model: MaskedLM, length: int) -> Callable[[Tensor], Tensor]:
    """The slow twin: the whole row anew in every step, under a mask told place by place."""

    @torch.no_grad()
    def predict(canvas: Tensor) -> Tensor:
        N = canvas.shape[1]
        pairs = [[s // length <= t // length for s in range(N)] for t in range(N)]
        seen = torch.tensor(pairs) & (canvas != PAD_ID)[:, None, None]
        return model(canvas, seen).index_fill(-1, torch.tensor(SPECIAL_IDS), -math.inf)

    return predict


def rows(lengths: list[int], share: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Texts between [CLS] and [SEP], padded to the longest; a share of their words masked."""
    words = torch.randint(5, V, (len(lengths), max(lengths) + 2), generator=generator(seed))
    ends = torch.tensor(lengths)[:, None] + 1
    places = torch.arange(words.shape[1])
    words = words.masked_fill(places == 0, CLS_ID).masked_fill(places == ends, SEP_ID)
    words = words.masked_fill(places > ends, PAD_ID)
    drawn = torch.rand(words.shape, generator=generator(seed + 1)) < share
    return words, drawn & (words >= 5)


def agree(ours: list[Step], theirs: list[Step]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.tokens, other.tokens)
        assert torch.equal(one.masked, other.masked)
        torch.testing.assert_close(one.confidence, other.confidence, atol=1e-5, rtol=1e-4)


# ---------------------------------------------------------------- the mask


@pytest.mark.parametrize(
    ("size", "block"), list(itertools.product((0, 1, 2, 5, 8, 9), (1, 2, 4, 9, 20)))
)
def test_a_token_sees_its_own_block_and_those_before(size, block):
    plain = [[s // block <= t // block for s in range(size)] for t in range(size)]
    assert block_causal_mask(size, block).tolist() == plain


def test_blocks_of_one_are_causal_and_a_block_as_long_as_the_row_is_bidirectional():
    assert torch.equal(block_causal_mask(7, 1), causal_mask(7))
    assert block_causal_mask(7, 7).all()
    with pytest.raises(ValueError, match="block must be at least 1, not 0"):
        block_causal_mask(7, 0)


# ---------------------------------------------------------------- kept keys and values


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("length", [1, 3, 4, 8, 40])
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_with_kept_keys_as_without(name, length, share):
    canvas, masked = rows([19, 11, 1, 14], share, seed=length)
    masked[3] = False  # nothing to fill
    sampler = replace(SAMPLERS[name], block_length=length)
    model = small(length, pre_norm=length != 4)
    ours, theirs = (
        refine(predict, canvas, masked, MASK_ID, 3, sampler, generator(5))
        for predict in (block_predictor(model, length), recomputed(model, length))
    )
    agree(ours, theirs)
    assert torch.equal(ours[-1].tokens[~masked], canvas[~masked])
    assert not (ours[-1].tokens == MASK_ID).any()


def test_one_reader_for_several_canvases_and_for_blocks_within_its_own():
    model = small()
    predict, slow = block_predictor(model, 6), recomputed(model, 6)
    for seed, length in enumerate((6, 3, 2, 6)):
        canvas, masked = rows([17, 5] if seed % 2 else [9, 13, 12], 0.7, seed)
        asked = canvas, masked, MASK_ID, 4, replace(LLADA, block_length=length)
        agree(refine(predict, *asked), refine(slow, *asked))
    agree(refine(predict, *asked), refine(slow, *asked))  # the same once more


def test_finished_blocks_are_read_once_and_the_present_one_in_each_step():
    model, seen = small(), []
    model.encoder.embeddings.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[1]))
    canvas = torch.full((1, 10), MASK_ID)
    sampler = replace(LLADA, block_length=4)
    refine(block_predictor(model, 4), canvas, canvas == MASK_ID, MASK_ID, 2, sampler)
    assert seen == [4, 4, 4 + 4, 4, 4 + 2, 2]


def test_what_lies_ahead_does_not_matter():
    model, canvas = small(), rows([14], 0.0)[0]
    canvas[:, 5:] = MASK_ID
    other = canvas.clone()
    other[:, 8:] = 7
    one, two = (BlockReader(model, 4)(x)[:, 4:8] for x in (canvas, other))
    torch.testing.assert_close(one, two)
    assert BlockReader(model, 4)(canvas)[:, 8:].isnan().all()


def test_a_sampler_without_blocks_asks_for_more_than_the_reader_computes():
    canvas = torch.full((1, 10), MASK_ID)
    with pytest.raises(ValueError, match="answers NaN"):
        refine(block_predictor(small(), 4), canvas, canvas == MASK_ID, MASK_ID, 2, LLADA)


def test_a_reader_refuses_what_does_not_fit():
    with pytest.raises(TypeError, match="model must be of type MaskedLM"):
        block_predictor(small().encoder, 4)
    with pytest.raises(ValueError, match="block_length must be at least 1"):
        block_predictor(small(), 0)
    with pytest.raises(ValueError, match="vocabulary ends at 22"):
        BlockReader(small(), 4)(torch.full((1, 5), V))
    with pytest.raises(ValueError, match="41 tokens, but the model knows positions for 40"):
        BlockReader(small(), 4)(torch.full((1, 41), MASK_ID))


# ---------------------------------------------------------------- blocks without a cache


def stub(seed: int = 0) -> Callable[[Tensor], Tensor]:
    """A model whose answers hang on the whole canvas; sure of some, not of others."""
    g = generator(seed)
    words, places = torch.randn(V, 12, generator=g), torch.randn(64, 12, generator=g)
    back = 1.5 * torch.randn(12, V, generator=g)

    def predict(canvas: Tensor) -> Tensor:
        x = words[canvas] + places[: canvas.shape[1]]
        logits = (x + 2 * x.mean(1, keepdim=True)).tanh() @ back
        return logits.index_fill(-1, torch.arange(5), -math.inf)

    return predict


@pytest.mark.parametrize("name", ["mask-predict", "llada", "threshold"])
@pytest.mark.parametrize("length", [1, 3, 5, 30])
def test_blocks_are_refinements_one_after_the_other(name, length):
    """Told plainly: each block by itself, row by row, the later ones hidden."""
    sampler, predict = SAMPLERS[name], stub(length)
    canvas, masked = rows([12, 7, 9], 0.6, seed=3)
    ours = refine(predict, canvas, masked, MASK_ID, 4, replace(sampler, block_length=length))
    for row in range(3):
        tokens = canvas[row : row + 1].masked_fill(masked[row : row + 1], MASK_ID)
        for start in range(0, canvas.shape[1], length):
            block = masked[row : row + 1].clone()
            block[:, :start], block[:, start + length :] = False, False
            if block.any():
                tokens = refine(predict, tokens, block, MASK_ID, 4, sampler)[-1].tokens
        assert torch.equal(ours[-1].tokens[row], tokens[0])


def test_what_is_not_begun_is_masked_and_has_no_confidence():
    canvas, masked = rows([12, 7], 1.0)
    trace = refine(stub(), canvas, masked, MASK_ID, 2, replace(LLADA, block_length=4))
    begun = torch.zeros_like(masked)
    for step in trace:
        begun |= step.masked
        ahead = masked & ~begun
        assert (step.tokens[ahead] == MASK_ID).all() and (step.confidence[ahead] == 0).all()
        assert not (step.tokens == MASK_ID)[~ahead].any()
    assert torch.equal(begun, masked)


def test_nothing_masked_is_one_step():
    canvas, masked = rows([5, 3], 0.0)
    for how in ({"block_length": 3}, {"threshold": 0.5}):
        (only,) = refine(stub(), canvas, masked, MASK_ID, 4, replace(LLADA, **how))
        assert torch.equal(only.tokens, canvas) and not only.masked.any()


# ---------------------------------------------------------------- a threshold


def told_plainly(
    predict: Callable[[Tensor], Tensor], row: Tensor, gaps: list[int], sure: float, steps: int
) -> tuple[Tensor, int]:
    """One row, place by place (Wu et al. 2025, section 3.3); after `steps`, the text and the steps taken.

    At least as many places are kept as in as many even steps.
    """
    row, left, total = row.clone(), list(gaps), len(gaps)
    row[left] = MASK_ID
    for step in range(1, steps + 1):
        p, best = predict(row[None])[0].softmax(-1).max(-1)
        order = sorted(left, key=lambda i: -p[i].item())
        planned = len(left) - n_masked(total, steps, LLADA)[step] if step < steps else len(left)
        keep = {*order[: max(1, planned)], *[i for i in left if p[i] >= sure]}
        for i in keep:
            row[i] = best[i]
        left = [i for i in left if i not in keep]
        if not left:
            return row, step
    raise AssertionError("not full")


@pytest.mark.parametrize("sure", [0.0, 0.2, 0.35, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("steps", [1, 3, 30])
def test_a_threshold_keeps_all_that_is_sure_and_at_least_one(sure, steps):
    predict, (canvas, masked) = stub(2), rows([14, 9, 1, 11], 0.8, seed=4)
    masked[3] = False
    trace = refine(predict, canvas, masked, MASK_ID, steps, replace(LLADA, threshold=sure))
    taken = torch.stack([step.masked.any(1) for step in trace]).sum(0).tolist()
    for row in range(4):
        gaps = masked[row].nonzero()[:, 0].tolist()
        text, n = (
            told_plainly(predict, canvas[row], gaps, sure, steps) if gaps else (canvas[row], 0)
        )
        assert torch.equal(trace[-1].tokens[row], text) and taken[row] == n
    assert len(trace) == max(taken)


def test_thresholds_between_all_at_once_and_one_by_one():
    predict, (canvas, masked) = stub(2), rows([14], 1.0)
    steps = [
        len(refine(predict, canvas, masked, MASK_ID, 14, replace(LLADA, threshold=sure)))
        for sure in (0.0, 0.35, 0.5, 1.0)
    ]
    assert steps == sorted(steps) and steps[0] == 1 and steps[-1] == 14 and 1 < steps[1] < 14
    last = refine(predict, canvas, masked, MASK_ID, 14, replace(LLADA, threshold=1.0))
    agree(last, refine(predict, canvas, masked, MASK_ID, 14, LLADA))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"threshold": 0.9, "may_remask": True}, ValueError, "needs may_remask=False"),
        ({"threshold": 0.9, "order": "random"}, ValueError, 'and order="confidence"'),
        ({"threshold": 1.5}, ValueError, "threshold must be at least 0 and at most 1"),
        ({"threshold": "sure"}, TypeError, "threshold must be a number"),
        ({"block_length": 0}, ValueError, "block_length must be at least 1"),
        ({"block_length": 2.0}, TypeError, "block_length must be an integer"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Sampler(**{"may_remask": False, **fields})


def test_the_page_refuses_what_it_cannot_do_and_gaps_are_filled_in_blocks():
    tinyworld = load_pretrained("diffusion")
    for how in ({"threshold": 0.9}, {"block_length": 4}):
        with pytest.raises(ValueError, match="leave threshold and block_length out"):
            Diffuse(*tinyworld, sampler=replace(LLADA, **how))
    docs, text = load_pretrained("python_docs"), "Return the ___ ___ of the ___ ___ in ___ ."
    blocks = fill_gaps(*docs, text, replace(LLADA, block_length=4))
    assert len(blocks.tokens) == len(blocks.others) == 5  # one by one still
    assert blocks.tokens[0].count("[MASK]") == 3 and "[MASK]" not in blocks.tokens[-1]
    at_once = fill_gaps(*docs, text, replace(LLADA, threshold=0.0))
    assert at_once.tokens == fill_gaps(*docs, text).tokens[:1]


# ---------------------------------------------------------------- first hitting

PLACES, WORDS = 3, (5, 6, 7)


def inconsistent(canvas: Tensor) -> Tensor:
    """Guesses (B, 3, V) that no single joint gives: each order writes another law."""
    places = torch.arange(PLACES)
    mixed = 1.7 * (canvas % 13) * (places + 1) + (canvas % 11).sum(1, keepdim=True) * 2.3
    logits = 2 * torch.sin(mixed[..., None] * (1 + torch.arange(V) / 5)).double()
    never = torch.tensor([i for i in range(V) if i not in WORDS])
    return logits.index_fill(-1, never, -math.inf)


def chances(state: tuple[int, ...]) -> list[list[float]]:
    """The guesses for one canvas, as lists."""
    return inconsistent(torch.tensor([state]))[0].softmax(-1).tolist()


def law_of_all_orders() -> dict[tuple[int, ...], float]:
    """The probability of each text, all six orders being equally likely."""
    law = dict.fromkeys(itertools.product(WORDS, repeat=PLACES), 0.0)
    for order, text in itertools.product(itertools.permutations(range(PLACES)), law):
        state, p = [MASK_ID] * PLACES, 1 / math.factorial(PLACES)
        for i in order:
            p *= chances(tuple(state))[i][text[i]]
            state[i] = text[i]
        law[text] += p
    return law


def law_of_even_times(steps: int) -> dict[tuple[int, ...], float]:
    """The law of MDLM: at each of these times every place is released by chance, as Sahoo et al. tell it."""
    law = {(MASK_ID,) * PLACES: 1.0}
    guessed: dict[tuple[int, ...], list[list[float]]] = {}
    for step in range(steps):
        stay, after = 1 - 1 / (steps - step), {}
        for state, p in law.items():
            if state not in guessed:
                guessed[state] = chances(state)
            each = [
                [(i, 1.0)]
                if i != MASK_ID
                else [(MASK_ID, stay), *((w, (1 - stay) * guessed[state][place][w]) for w in WORDS)]
                for place, i in enumerate(state)
            ]
            for ways in itertools.product(*each):
                text = tuple(i for i, _ in ways)
                after[text] = after.get(text, 0.0) + p * math.prod(q for _, q in ways)
        law = {text: p for text, p in after.items() if p > 0}
    return law


def distance(one: dict[tuple[int, ...], float], other: dict[tuple[int, ...], float]) -> float:
    """Half the summed differences."""
    return sum(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in one | other) / 2


def drawn(sampler: Sampler, steps: int, n: int, seed: int) -> dict[tuple[int, ...], float]:
    canvas = torch.full((n, PLACES), MASK_ID)
    text = refine(
        inconsistent, canvas, canvas == MASK_ID, MASK_ID, steps, sampler, generator(seed)
    )[-1].tokens
    kinds, counts = text.unique(dim=0, return_counts=True)
    return {
        tuple(kind): count / n for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True)
    }


def test_first_hitting_is_mdlm_in_the_limit_of_many_steps():
    """Exactly: what is left of the grid of times is divided by ten with ten times the steps."""
    limit = law_of_all_orders()
    left = [distance(law_of_even_times(steps), limit) for steps in (1, 4, 40, 400)]
    assert left[0] > 0.05 and left == sorted(left, reverse=True)
    assert left[3] < 0.003 and left[2] / left[3] == pytest.approx(10, rel=0.1)


def test_first_hitting_writes_the_law_of_all_orders():
    """20,000 texts: by chance alone they are off by about .015 in all, another law by more than .05."""
    limit = law_of_all_orders()
    assert distance(drawn(FIRST_HITTING, PLACES, 20_000, 1), limit) < 0.025
    assert distance(drawn(FIRST_HITTING, PLACES + 4, 20_000, 2), limit) < 0.025
    assert distance(drawn(MDLM, 4, 20_000, 3), law_of_even_times(4)) < 0.025
    assert distance(drawn(FIRST_HITTING, 1, 20_000, 4), limit) > 0.05
    in_reading_order = replace(FIRST_HITTING, block_length=1)
    assert distance(drawn(in_reading_order, 1, 20_000, 5), limit) > 0.05


def test_each_step_of_first_hitting_fills_one_place_in_any_order():
    canvas = torch.full((3000, 3), MASK_ID)
    masked = torch.ones(3000, 3, dtype=torch.bool)
    masked[:10, 1:] = False
    trace = refine(inconsistent, canvas, masked, MASK_ID, 3, FIRST_HITTING, generator())
    filled = [trace[i].masked & ~trace[i + 1].masked for i in range(2)] + [trace[2].masked]
    assert all((step.sum(1)[10:] == 1).all() for step in filled)
    assert filled[0].sum(1)[:10].tolist() == [1] * 10  # a row of one gap is full at once
    first, second = (step[10:].float().argmax(1) for step in filled[:2])
    orders = (3 * first + second).bincount(minlength=9) / 2990
    expected = torch.tensor([0.0, 1, 1, 1, 0, 1, 1, 1, 0]) / 6
    assert (orders - expected).abs().max() < 0.03


def test_all_tensors_are_made_on_the_device_of_the_canvas():
    """As on a GPU: what is made without a device lands on another one, here "meta"."""
    model, (canvas, masked) = small(), rows([9, 5], 0.7)
    asked = canvas, masked, MASK_ID, 3, replace(LLADA, block_length=4, threshold=0.4)
    expected = refine(block_predictor(model, 4), *asked)[-1].tokens
    with torch.device("meta"):
        assert torch.equal(refine(block_predictor(model, 4), *asked)[-1].tokens, expected)
