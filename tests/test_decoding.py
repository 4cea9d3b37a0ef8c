"""Mask-Predict and its relatives against plain re-tellings of the papers, and the models they run on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from mlm_course.decoding import (
    LLADA,
    MASK_PREDICT,
    MASKGIT,
    MDLM,
    Sampler,
    autoregressive,
    choose_tokens,
    mask_predict,
    n_masked,
    refine,
)
from mlm_course.models import seeded_init
from mlm_course.models.seq2seq import Seq2Seq, Seq2SeqConfig
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID
from mlm_course.training import Recipe, fit
from mlm_course.training.datasets import GapPairs, NextWordPairs
from mlm_course.training.losses import gap_loss, next_word_loss

V = 40
pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
SIZES = {"vocab_size": V, "max_length": 10, "d_model": 32, "n_layers": 1, "n_heads": 2}
SAMPLERS = {"mask-predict": MASK_PREDICT, "maskgit": MASKGIT, "llada": LLADA, "mdlm": MDLM}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stub(seed: int = 0) -> Callable[[Tensor], Tensor]:
    """A model whose answers hang on the whole canvas; the same for the same canvas."""
    g = generator(seed)
    words, places = torch.randn(V, 12, generator=g), torch.randn(64, 12, generator=g)
    back = torch.randn(12, V, generator=g)

    def predict(canvas: Tensor) -> Tensor:
        x = words[canvas] + places[: canvas.shape[1]]
        logits = (x + 2 * x.mean(1, keepdim=True)).tanh() @ back
        logits[..., :5] = -1e9
        return logits

    return predict


def told_plainly(predict: Callable[[Tensor], Tensor], N: int, T: int) -> tuple[Tensor, Tensor]:
    """Mask-Predict for one sentence, place by place, as Ghazvininejad et al. 2019 tell it."""
    tokens, p, corrupted = torch.full((N,), MASK_ID), torch.zeros(N), list(range(N))
    for t in range(T):
        if t:
            n = max(1, N * (T - t) // T)  # floor(N * (1 - t / T))
            corrupted = sorted(range(N), key=lambda i: (p[i].item(), i))[:n]
        canvas = tokens.clone()
        canvas[corrupted] = MASK_ID
        best = predict(canvas[None])[0].softmax(-1).max(-1)
        tokens = canvas
        for i in corrupted:
            tokens[i], p[i] = best.indices[i], best.values[i]
    return tokens, p


@pytest.mark.parametrize("N", [1, 2, 3, 7, 9, 12, 22])
@pytest.mark.parametrize("T", [1, 2, 4, 10, 22])
def test_mask_predict_is_the_papers(N, T):
    for seed in range(5):
        predict = stub(seed)
        tokens, p = told_plainly(predict, N, T)
        everything = torch.ones(1, N, dtype=torch.bool)
        last = refine(predict, torch.full((1, N), MASK_ID), everything, MASK_ID, T)[-1]
        assert torch.equal(last.tokens[0], tokens)
        torch.testing.assert_close(last.confidence[0], p, atol=1e-5, rtol=0)


def masks_by_llada(n: int, steps: int) -> list[int]:
    """LLaDA's code: the same number is kept in each step, one more in the first n % steps."""
    base, remainder = divmod(n, steps)
    kept = [base + (step < remainder) for step in range(steps)]
    return [n - sum(kept[:step]) for step in range(steps)]


def masks_by_maskgit(n: int, steps: int) -> list[int]:
    """MaskGIT's code: at least one is kept, at least one masked."""
    counts = [n]
    for step in range(steps - 1):
        share = round(math.cos(math.pi / 2 * (step + 1) / steps), 12)  # cos(pi / 3) is 0.5
        counts.append(max(1, min(counts[-1] - 1, math.floor(n * share))))
    return counts


def masks_by_mask_predict(n: int, steps: int) -> list[int]:
    """The paper's floor(n (1 - t / T)), at least one, in exact numbers."""
    return [n] + [max(1, n * (steps - t) // steps) for t in range(1, steps)]


@pytest.mark.parametrize(
    ("sampler", "plain"),
    [
        (MASK_PREDICT, masks_by_mask_predict),
        (MASKGIT, masks_by_maskgit),
        (LLADA, masks_by_llada),
    ],
)
def test_how_many_places_are_masked(sampler, plain):
    for n, steps in itertools.product(range(1, 65), repeat=2):
        assert n_masked(n, steps, sampler) == plain(n, steps), (n, steps)
    assert n_masked(0, 4, sampler) == [0, 0, 0, 0]


def test_how_many_places_are_masked_in_examples():
    assert n_masked(22, 22, MASK_PREDICT) == list(range(22, 0, -1))  # one word a step
    assert n_masked(12, 10, MASK_PREDICT) == [12, 10, 9, 8, 7, 6, 4, 3, 2, 1]
    assert n_masked(6, 4, LLADA) == [6, 4, 2, 1]  # 2, 2, 1 and 1 are kept
    assert n_masked(2, 5, LLADA) == [2, 1, 0, 0, 0]
    assert n_masked(20, 10, MASKGIT)[:4] == [20, 19, 18, 17]
    assert n_masked(2, 5, MASKGIT) == [2, 1, 1, 1, 1]
    assert n_masked(12, 3, Sampler(lambda done: 0.0)) == [12, 1, 1]


def test_mask_predicts_own_float32_has_other_counts():
    """As the docstring of n_masked says: in 24 of the pairs up to 64."""
    differing: dict[tuple[int, int], int] = {}
    for n, steps in itertools.product(range(1, 65), repeat=2):
        shares = torch.tensor([1.0 - t / steps for t in range(1, steps)])  # float32
        theirs = [n, *(torch.tensor(n).float() * shares).long().clamp(min=1).tolist()]
        ours = n_masked(n, steps, MASK_PREDICT)
        if theirs != ours:
            differing[n, steps] = sum(a != b for a, b in zip(theirs, ours, strict=True))
    assert (len(differing), sum(differing.values())) == (24, 53)
    assert differing.keys().isdisjoint(itertools.product(range(1, 22), range(1, 65)))


@pytest.mark.parametrize("name", ["maskgit", "llada"])
@pytest.mark.parametrize(("n", "steps"), [(22, 22), (20, 10), (6, 4), (3, 7)])
def test_each_step_fills_so_many(name, n, steps):
    everything = torch.ones(2, n, dtype=torch.bool)
    everything[1, 1:] = False
    canvas, sampler = torch.full((2, n), 7), SAMPLERS[name]
    trace = refine(stub(), canvas, everything, MASK_ID, steps, sampler, generator())
    for row, total in enumerate((n, 1)):
        assert [int(step.masked[row].sum()) for step in trace] == n_masked(total, steps, sampler)


def test_rows_of_several_lengths_do_not_disturb_each_other():
    predict, lengths = stub(), (3, 7, 12)

    def by_row(canvas):
        rows = [predict(row[: row.ne(PAD_ID).sum()][None])[0] for row in canvas]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    masked = torch.arange(12) < torch.tensor(lengths)[:, None]
    canvas = torch.where(masked, MASK_ID, PAD_ID)
    last = refine(by_row, canvas, masked, MASK_ID, 4)[-1]
    for row, n in enumerate(lengths):
        assert torch.equal(last.tokens[row, :n], told_plainly(predict, n, 4)[0])
        assert (last.tokens[row, n:] == PAD_ID).all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_given_stays_and_all_gaps_are_filled(name):
    canvas = torch.randint(5, V, (6, 9), generator=generator(1))
    masked = torch.rand(6, 9, generator=generator(2)) < 0.6
    trace = refine(stub(), canvas, masked, MASK_ID, 5, SAMPLERS[name], generator(3))
    for step in trace:
        assert torch.equal(step.tokens[~masked], canvas[~masked])
        assert not (step.masked & ~masked).any()
    assert torch.equal(trace[0].masked, masked)
    assert not (trace[-1].tokens == MASK_ID).any()
    again = refine(stub(), canvas, masked, MASK_ID, 5, SAMPLERS[name], generator(3))
    assert torch.equal(trace[-1].tokens, again[-1].tokens)


@pytest.mark.parametrize("name", ["maskgit", "llada", "mdlm"])
def test_frozen_tokens_are_never_opened_again(name):
    masked = torch.ones(4, 12, dtype=torch.bool)
    trace = refine(stub(), torch.full((4, 12), MASK_ID), masked, MASK_ID, 6, SAMPLERS[name],
                   generator())  # fmt: skip
    for before, after in pairwise(trace):
        assert not (after.masked & ~before.masked).any()
        kept = ~after.masked
        assert torch.equal(after.tokens[kept], before.tokens[kept])


def test_mask_predict_opens_kept_tokens_again_and_keeps_old_confidences():
    reopened = stale = False
    for seed in range(8):
        masked = torch.ones(1, 12, dtype=torch.bool)
        trace = refine(stub(seed), torch.full((1, 12), MASK_ID), masked, MASK_ID, 6)
        for first, second, third in zip(trace, trace[1:], trace[2:], strict=False):
            reopened |= bool((third.masked & ~second.masked).any())
            untouched = ~second.masked
            assert torch.equal(second.confidence[untouched], first.confidence[untouched])
            stale |= bool(untouched.any())
    assert reopened and stale


def test_mdlm_keeps_a_place_open_with_the_right_chance():
    masked = torch.ones(2000, 10, dtype=torch.bool)
    trace = refine(lambda c: torch.zeros(*c.shape, 7), torch.full((2000, 10), MASK_ID), masked,
                   MASK_ID, 4, MDLM, generator())  # fmt: skip
    shares = [step.masked.float().mean().item() for step in trace]
    assert shares == pytest.approx([1, 0.75, 0.5, 0.25], abs=0.015)


def test_a_drawn_token_has_the_models_probability_whatever_the_temperature():
    logits = torch.randn(3, 5, V, generator=generator())
    tokens, p = choose_tokens(logits, 0.5, generator())
    torch.testing.assert_close(p, logits.softmax(-1).gather(-1, tokens[..., None])[..., 0])
    best, p = choose_tokens(logits, 0)
    assert torch.equal(best, logits.argmax(-1))


def test_bad_settings_are_named():
    row = torch.full((1, 3), MASK_ID)
    with pytest.raises(ValueError, match="steps must be from 1 to 100000, not 0"):
        refine(stub(), row, row == MASK_ID, MASK_ID, 0)
    with pytest.raises(ValueError, match='order must be "confidence"'):
        Sampler(order="best")
    with pytest.raises(ValueError, match="n_lengths must be from 1 to 12, not 0"):
        mask_predict(model(), sources(), 2, n_lengths=0)
    with pytest.raises(ValueError, match="use mask_predict"):
        autoregressive(model(), sources())
    with pytest.raises(ValueError, match="beam must be from 1 to 40, not 0"):
        autoregressive(model(causal=True), sources(), beam=0)
    with pytest.raises(ValueError, match="13 tokens, but the model knows 12 places"):
        model().decode(model().encode(sources()), torch.full((3, 13), 7))


def model(causal: bool = False, seed: int = 0) -> Seq2Seq:
    """A small model whose weights are large enough for its answers to differ."""
    config = Seq2SeqConfig(causal=causal, max_target=12, **SIZES)
    seq2seq = seeded_init(Seq2Seq, config, seed).eval()
    g = generator(seed)
    with torch.no_grad():
        for p in seq2seq.parameters():
            p += 0.15 * torch.randn(p.shape, generator=g)
    return seq2seq


def sources() -> Tensor:
    ids = torch.randint(5, V, (3, 8), generator=generator(5))
    ids[:, 0], ids[1, 5:] = CLS_ID, PAD_ID
    return ids


def test_written_word_by_word_with_and_without_kept_keys():
    twin, source = model(causal=True), sources()
    memory = twin.encode(source)
    target = torch.randint(5, V, (3, 9), generator=generator(6))
    whole, kept, past = twin.decode(memory, target), twin.start(memory), None
    for place in range(9):
        logits, past = twin.step(target[:, place], place, memory, kept, past)
        torch.testing.assert_close(logits, whole[:, place], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def best_by_search(twin: Seq2Seq, source: Tensor, width: int) -> list[int]:
    """Beam search for one source, told plainly, without kept keys."""
    beams, never = [([CLS_ID], 0.0)], [PAD_ID, 1, CLS_ID, MASK_ID]
    for _ in range(twin.config.max_target):
        grown = []
        for tokens, score in beams:
            if tokens[-1] == SEP_ID:
                grown.append((tokens, score))
                continue
            logits = twin.decode(twin.encode(source), torch.tensor([tokens]))[0, -1]
            logits[never] = -math.inf
            log_p = logits.log_softmax(-1)
            grown += [([*tokens, i], score + log_p[i].item()) for i in range(V) if i not in never]
        beams = sorted(grown, key=lambda b: -b[1])[:width]
    return max(beams, key=lambda b: b[1] / (len(b[0]) - 1))[0][1:]


@pytest.mark.parametrize("beam", [1, 3])
def test_beam_search_finds_what_a_plain_one_finds(beam):
    for seed in range(3):
        twin, source = model(causal=True, seed=seed), sources()
        answers = autoregressive(twin, source, beam)
        for row in range(3):
            plain = [i for i in best_by_search(twin, source[row : row + 1], beam) if i != SEP_ID]
            assert answers.tokens[row][answers.tokens[row] != PAD_ID].tolist() == plain


def test_a_canvas_sees_both_sides_and_a_causal_target_only_the_left():
    for causal in (False, True):
        twin, memory = model(causal), model(causal).encode(sources())
        target = torch.randint(5, V, (3, 6), generator=generator(7))
        changed = target.clone()
        changed[:, 4] = 5 + (target[:, 4] - 4) % (V - 5)
        moved = (twin.decode(memory, target) - twin.decode(memory, changed)).abs().amax((0, 2))
        assert (moved[:4] > 1e-4).all() != causal
        assert (moved[4:] > 1e-4).all()


def test_padding_of_source_and_target_changes_nothing():
    for causal in (False, True):
        twin, source = model(causal), sources()
        target = torch.randint(5, V, (1, 4), generator=generator(8))
        alone = twin.decode(twin.encode(source[1:2, :5]), target)
        padded = torch.nn.functional.pad(target, (0, 3))
        together = twin.decode(twin.encode(source[1:2]), padded)[:, :4]
        torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)


def test_a_length_of_0_is_never_proposed():
    twin = model()
    with torch.no_grad():
        twin.length_head.bias[0] = 100.0
    memory = twin.encode(sources())
    assert (twin.log_lengths(memory).topk(12).indices >= 1).all()
    assert (mask_predict(twin, sources(), 1, n_lengths=12).tokens[:, 0] > MASK_ID).all()
    assert twin.log_lengths(memory).exp().sum(1).tolist() == pytest.approx([1, 1, 1])


def test_of_several_lengths_the_surest_wins():
    twin, source = model(), sources()
    together = mask_predict(twin, source, 3, n_lengths=4)
    tried = twin.log_lengths(twin.encode(source)).topk(4).indices
    alone = [mask_predict(twin, source, 3, lengths=tried[:, i]) for i in range(4)]
    scores = torch.stack([a.scores for a in alone], 1)
    torch.testing.assert_close(together.scores, scores.max(1).values)
    for row, best in enumerate(scores.argmax(1).tolist()):
        n = int(tried[row, best])
        assert together.tokens[row, :n].tolist() == alone[best].tokens[row, :n].tolist()
        assert (together.tokens[row, n:] == PAD_ID).all()
    assert len(together.trace) == 3


def pairs() -> tuple[Tensor, Tensor]:
    """Targets are the source's numbers, each plus one."""
    source = torch.randint(5, V - 1, (64, 6), generator=generator(9))
    lengths = torch.randint(2, 7, (64, 1), generator=generator(10))
    source = source.masked_fill(torch.arange(6) >= lengths, PAD_ID)
    target = torch.where(source == PAD_ID, PAD_ID, source + 1)
    return torch.nn.functional.pad(source, (1, 0), value=CLS_ID), target


def test_gaps_from_one_to_all_each_as_often():
    source, target = pairs()
    lengths = (target != PAD_ID).sum(1)
    data, shares = GapPairs(source, target, seed=0), []
    for epoch in range(200):
        batch = data(torch.arange(64), epoch)
        masked = batch.labels != -100
        assert (masked.sum(1) >= 1).all() and not (masked & (target == PAD_ID)).any()
        assert torch.equal(batch.shown == MASK_ID, masked)
        assert torch.equal(batch.labels[masked], target[masked])
        shares.append(masked.sum(1)[lengths == 4])
    counts = torch.cat(shares).bincount(minlength=5)[1:].float()
    assert (counts / counts.sum()).tolist() == pytest.approx([0.25] * 4, abs=0.03)
    one, other = data(torch.tensor([5, 9]), 3), data(torch.tensor([9]), 3)
    assert torch.equal(one.shown[1], other.shown[0])


def test_next_words_are_asked_and_the_end_with_them():
    source, target = pairs()
    batch = NextWordPairs(source, target)(torch.arange(3), 0)
    for row in range(3):
        n = int((target[row] != PAD_ID).sum())
        assert batch.shown[row, : n + 1].tolist() == [CLS_ID, *target[row, :n].tolist()]
        assert batch.labels[row, : n + 1].tolist() == [*target[row, :n].tolist(), SEP_ID]
        assert (batch.labels[row, n + 1 :] == -100).all()


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("wrap", [lambda twin: twin, nn.DataParallel])
def test_a_model_is_not_trained_to_do_what_it_was_not_built_for(causal, wrap):
    """One that sees the canvas would only copy the next word."""
    source, target = sources()[:, :6], sources()[:, 1:6]
    data, loss = (
        (GapPairs(source, target, 0), gap_loss)
        if causal
        else (NextWordPairs(source, target), next_word_loss)
    )
    batch = data(torch.arange(2), 0)
    with pytest.raises(ValueError, match=f"needs a model built with causal={not causal}"):
        loss(wrap(model(causal)), batch)
    assert loss(wrap(model(not causal)), batch)[0].isfinite()


@pytest.mark.parametrize("causal", [False, True])
def test_both_learn(causal):
    source, target = pairs()
    twin = seeded_init(Seq2Seq, Seq2SeqConfig(causal=causal, max_target=12, **SIZES))
    data = NextWordPairs(source, target) if causal else GapPairs(source, target, seed=0)
    loss = partial(next_word_loss if causal else gap_loss, label_smoothing=0.0)
    history = fit(twin, data, loss, Recipe(steps=60, batch_size=32, adamw_lr=1e-2))
    assert sum(history.losses[-5:]) < 0.7 * sum(history.losses[:5])


def test_rows_that_do_not_match_are_named():
    with pytest.raises(ValueError, match=r"as many of the one as of the other"):
        GapPairs(torch.zeros(3, 4, dtype=torch.int64), torch.zeros(2, 4, dtype=torch.int64), 0)


# --- slips ---


def spoilt(seed: int = 0, value: float = math.nan, **where: bool) -> Seq2Seq:
    twin = model(seed=seed, **where)
    with torch.no_grad():
        twin.output_bias += value
    return twin


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_model_that_answers_nan_is_not_decoded(value):
    with pytest.raises(ValueError, match="The model answers NaN"):
        mask_predict(spoilt(value=value), sources(), 2)
    with pytest.raises(ValueError, match="The model answers NaN"):
        autoregressive(spoilt(value=value, causal=True), sources())
    everything = torch.ones(2, 3, dtype=torch.bool)
    for sampler in SAMPLERS.values():
        with pytest.raises(ValueError, match="The model answers NaN"):
            refine(lambda c: torch.full((*c.shape, V), value), everything.long(), everything,
                   MASK_ID, 2, sampler, generator())  # fmt: skip
    for temperature in (0.0, 1.0):
        with pytest.raises(ValueError, match="The model answers NaN"):
            choose_tokens(torch.full((1, 2, V), value), temperature, generator())


def test_nan_where_nothing_is_asked_does_no_harm():
    def half(canvas):
        return stub()(canvas).masked_fill((torch.arange(4) < 2)[:, None], math.nan)

    masked = torch.tensor([[False, False, True, True]])
    for sampler in SAMPLERS.values():
        last = refine(half, torch.full((1, 4), 7), masked, MASK_ID, 3, sampler, generator())[-1]
        assert last.tokens[0, :2].tolist() == [7, 7] and last.confidence.isfinite().all()


def test_lengths_that_are_nan_are_named():
    twin = model()
    with torch.no_grad():
        twin.length_head.bias.fill_(math.nan)
    with pytest.raises(ValueError, match="lengths are NaN"):
        mask_predict(twin, sources(), 2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_nothing_to_write_is_written(name):
    none = sources()[:0]
    answer = mask_predict(model(), none, 3, 2, SAMPLERS[name], generator())
    assert answer.tokens.shape == (0, 0) and answer.scores.shape == (0,) and len(answer.trace) == 3
    assert autoregressive(model(causal=True), none, beam=2).scores.shape == (0,)
    for shape in ((0, 4), (2, 0)):
        empty = torch.ones(shape, dtype=torch.bool)
        trace = refine(stub(), empty.long(), empty, MASK_ID, 3, SAMPLERS[name], generator())
        assert [tuple(step.tokens.shape) for step in trace] == [shape] * 3
    row = torch.full((1, 4), 7)
    assert torch.equal(refine(stub(), row, row == MASK_ID, MASK_ID, 3)[-1].tokens, row)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"temperature": -1.0}, ValueError, "temperature must be at least 0, not -1.0"),
        ({"temperature": math.nan}, ValueError, "temperature"),
        ({"temperature": "warm"}, TypeError, "temperature must be a number"),
        ({"gumbel": -4.5}, ValueError, "gumbel must be at least 0"),
        ({"schedule": 0.5}, TypeError, "schedule must be a function, not 0.5"),
        ({"may_remask": 0}, TypeError, "may_remask must be True or False, not 0"),
        ({"order": None}, ValueError, 'order must be "confidence"'),
    ],
)
def test_samplers_with_wrong_settings_are_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Sampler(**fields)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: mask_predict(model(), sources(), 2.0), TypeError, "steps must be an integer"),
        (lambda: mask_predict(model(), sources(), -1), ValueError, "steps must be from 1"),
        (lambda: mask_predict(model(), sources(), 2, True), TypeError, "n_lengths must be an int"),
        (lambda: mask_predict(model(), sources(), 2, sampler="llada"), TypeError, "be a Sampler"),
        (lambda: mask_predict(model(), sources(), 2, sampler=MDLM), TypeError, "needs a generator"),
        (lambda: mask_predict(model(causal=True), sources(), 2), ValueError, "use autoregressive"),
        (lambda: mask_predict(model(), sources() + V, 2), ValueError, "vocabulary ends at 39"),
        (lambda: mask_predict(model(), sources()[0], 2), ValueError, r"shape \(B, S\)"),
        (lambda: mask_predict(model(), sources(), 2, lengths=torch.tensor([1, 2])), ValueError,
         "2 lengths for 3 sources"),
        (lambda: mask_predict(model(), sources(), 2, lengths=torch.tensor([1, 2, 13])), ValueError,
         "from 1 to 12"),
        (lambda: mask_predict(lambda x: x, sources(), 2), TypeError, "must be a Seq2Seq"),
        (lambda: autoregressive(model(causal=True), sources(), "4"), TypeError, "beam must be an"),
        (lambda: choose_tokens(torch.zeros(1, 2, V), -1.0), ValueError, "temperature must be"),
        (lambda: choose_tokens(torch.zeros(1, 2, V), 1.0), TypeError, "needs a generator"),
        (lambda: refine(lambda c: c, sources(), sources() > 0, 4, 2), ValueError, "logits \\(B, N"),
        (lambda: refine(stub(), sources(), sources(), 4, 2), TypeError, r"torch\.bool"),
        (lambda: refine(stub(), sources(), sources()[1:] > 0, 4, 2), ValueError, "has shape"),
        (lambda: n_masked(4, 3, Sampler(lambda done: 2.0)), ValueError, r"schedule\(0.33"),
    ],
)  # fmt: skip
def test_slips_in_decoding_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use()


@pytest.mark.parametrize("name", SAMPLERS)
def test_all_tensors_are_made_on_the_device_of_the_source(name):
    """As on a GPU: what is made without a device lands on another one, here "meta"."""
    twin, causal, source, drawn = model(), model(causal=True), sources(), generator()
    expected = mask_predict(twin, source, 4, 2, SAMPLERS[name], generator()).tokens
    written = autoregressive(causal, source, beam=2).tokens
    with torch.device("meta"):
        assert torch.equal(mask_predict(twin, source, 4, 2, SAMPLERS[name], drawn).tokens, expected)
        assert torch.equal(autoregressive(causal, source, beam=2).tokens, written)
