"""Right arguments and oracles for what `mlm_course.decoding` offers."""

import math
from functools import cache

import torch
from fuzzing import Target

from mlm_course import decoding
from mlm_course.decoding import FIRST_HITTING, LLADA, MASK_PREDICT, MASKGIT, MDLM, Sampler
from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID

V, MOST = 17, 7
SAMPLERS = (
    *(MASK_PREDICT, MASKGIT, LLADA, MDLM, FIRST_HITTING),
    Sampler(order="random", may_remask=False),
)


def close(answer, expected):
    torch.testing.assert_close(answer.double(), expected.double(), rtol=1e-3, atol=1e-4)


@cache
def seq2seq(causal):
    """A tiny model whose answers differ from place to place."""
    config = Seq2SeqConfig(
        V, 8, d_model=8, n_layers=1, n_heads=2, decoder_layers=1, max_target=MOST, causal=causal
    )
    model = seeded_init(Seq2Seq, config).eval()
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.3 * torch.randn(p.shape, generator=g)
    return model


def predict(canvas):
    """Logits (B, N, V) that hang on the whole canvas."""
    places = torch.arange(canvas.shape[1])
    mixed = (canvas % 97).double() + 3 * places + (canvas % 89).sum(1, keepdim=True)
    logits = torch.sin(mixed[..., None] * (1 + torch.arange(V) / 7)).float()
    return 3 * logits.index_fill(-1, torch.arange(5), -math.inf)


def generator(rng):
    return torch.Generator().manual_seed(rng.randrange(99))


def draw_refine(rng):
    B, N = rng.randint(1, 3), rng.randint(1, 6)
    canvas = torch.randint(5, V, (B, N))
    return {
        "predict": predict,
        "canvas": canvas,
        "masked": torch.rand(B, N) < 0.7,
        "mask_id": MASK_ID,
        "steps": rng.randint(1, 6),
        "sampler": rng.choice(SAMPLERS),
        "generator": generator(rng),
    }


def draw_adaptive(rng):
    threshold, length = rng.choice(((0.6, None), (None, 2), (0.4, 3)))
    how = {"may_remask": False, "threshold": threshold, "block_length": length}
    return {**draw_refine(rng), "sampler": Sampler(**how, temperature=rng.choice((0, 1.0)))}


def is_adaptive(trace, predict, canvas, masked, mask_id, steps, sampler, generator):
    """Every gap is filled once, in its block; what was sure, and at least one, stays; no step is idle."""
    left, length = masked.clone(), sampler.block_length or max(canvas.shape[1], 1)
    block_of = torch.arange(canvas.shape[1]) // length
    for place, step in enumerate(trace):
        shown = canvas.masked_fill(left, mask_id)
        chosen = step.tokens.where(step.masked, 5)[..., None]
        chance = predict(shown).softmax(-1).gather(-1, chosen)[..., 0]
        close(step.confidence[step.masked], chance[step.masked])
        present = [int(block_of[n]) for n in step.masked.any(0).nonzero()[:, 0]]
        assert len(set(present)) <= 1 and not (step.masked & ~left).any()
        assert all((left & (block_of == b)).equal(step.masked) for b in present)
        after = trace[place + 1].masked if place + 1 < len(trace) else torch.zeros_like(masked)
        again = after & step.masked
        assert step.masked.any() or not masked.any()
        some = step.masked.any(1)
        assert ((step.masked & ~again).any(1) == some).all() or sampler.threshold is None
        assert sampler.threshold is None or (step.confidence[again] < sampler.threshold).all()
        left = left & ~(step.masked & ~again)
        canvas = torch.where(step.masked & ~again, step.tokens, canvas)
    assert not left.any() and torch.equal(canvas, trace[-1].tokens)
    assert len(trace) <= steps * max(1, len(set(block_of.tolist())))


def is_refined(trace, predict, canvas, masked, mask_id, steps, sampler, generator):
    assert len(trace) == steps and canvas.shape == masked.shape
    tokens, p, now = canvas.tolist(), [[1.0] * canvas.shape[1] for _ in canvas], masked.tolist()
    for done, step in enumerate(trace, 1):
        shown = [[mask_id if hid else t for t, hid in zip(*r, strict=True)]
                 for r in zip(tokens, now, strict=True)]  # fmt: skip
        shown = torch.tensor(shown, dtype=torch.int64).view(canvas.shape)
        chance = predict(shown).softmax(-1)
        for b, n in (
            pair for pair in torch.ones(canvas.shape).nonzero().tolist() if now[pair[0]][pair[1]]
        ):
            tokens[b][n] = int(step.tokens[b, n])
            p[b][n] = float(chance[b, n, tokens[b][n]])
            assert sampler.temperature or p[b][n] > chance[b, n].max() - 1e-5
        assert step.masked.tolist() == now and step.tokens.tolist() == tokens
        close(step.confidence, torch.tensor(p).view(canvas.shape))
        if done < steps:
            now = trace[done].masked.tolist()
            check_masked_again(now, masked.tolist(), step, done, steps, sampler)


def check_masked_again(now, masked, step, done, steps, sampler):
    for b, row in enumerate(now):
        may = masked[b] if sampler.may_remask else step.masked[b].tolist()
        assert all(can for can, again in zip(may, row, strict=True) if again)
        if sampler.order == "bernoulli":
            continue
        total = sum(masked[b])
        if sampler.of_remaining:
            count = total - done * (total // steps) - min(done, total % steps)
        else:
            count = max(1, math.floor(total * sampler.schedule(done / steps) + 1e-6))
            count = count if sampler.may_remask else min(count, max(1, sum(may) - 1))
        assert sum(row) == min(count, total)
        if sampler.order == "confidence" and not sampler.gumbel:
            p = step.confidence[b].tolist()
            kept = [p[n] for n in range(len(p)) if may[n] and not row[n]]
            assert (
                not kept or not any(row) or min(kept) >= max(p[n] for n in range(len(p)) if row[n])
            )


def draw_choice(rng):
    B, N = rng.randint(1, 3), rng.randint(1, 4)
    return {
        "logits": torch.randn(B, N, rng.randint(1, 9)),
        "temperature": rng.choice((0, 0.0, 1.0, 0.5, 1e-40)),
        "generator": generator(rng),
        "asked": rng.choice((None, torch.rand(B, N) < 0.5)),
    }


def is_chosen(answer, logits, temperature, generator, asked):
    tokens, p = answer
    counts = torch.ones(logits.shape[:-1], dtype=torch.bool) if asked is None else asked
    assert tokens.shape == p.shape == counts.shape and logits.is_floating_point()
    for place in counts.nonzero().tolist():
        row = logits[tuple(place)].double()
        chances = row.softmax(0)
        assert not chances.isnan().any()
        token = int(tokens[tuple(place)])
        close(p[tuple(place)], chances[token])
        assert temperature > 0.01 or chances[token] > chances.max() - 1e-6
        assert temperature >= 0 and row[token] > -math.inf


def draw_n_masked(rng):
    sampler = rng.choice(SAMPLERS)
    return {"n": rng.randint(0, 40), "steps": rng.randint(1, 40), "sampler": sampler}


def are_counts(answer, n, steps, sampler):
    assert len(answer) == steps and answer[0] == n >= 0
    for done in range(1, steps):
        if sampler.of_remaining:
            expected = n - done * (n // steps) - min(done, n % steps)
        elif sampler.schedule is decoding.linear_remasking:
            expected = max(1, n * (steps - done) // steps)
            expected = (
                expected if sampler.may_remask else max(1, min(answer[done - 1] - 1, expected))
            )
        else:
            share = round(math.cos(math.pi * done / steps / 2), 12)
            expected = max(1, min(answer[done - 1] - 1, math.floor(n * share)))
        assert answer[done] == min(expected, n)


def draw_source(rng, width=6):
    B, S = rng.randint(1, 3), rng.randint(1, width)
    source = torch.randint(5, V, (B, S))
    source[:, 0] = CLS_ID
    source[-1, rng.randint(1, S) :] = PAD_ID
    return source


def draw_mask_predict(rng):
    source = draw_source(rng)
    lengths = torch.randint(1, MOST + 1, (len(source),))
    return {
        "model": seq2seq(False),
        "source": source,
        "steps": rng.randint(1, 4),
        "n_lengths": rng.randint(1, 3),
        "sampler": rng.choice(SAMPLERS),
        "generator": generator(rng),
        "lengths": rng.choice((None, lengths)),
    }


@torch.no_grad()
def is_predicted(answer, model, source, steps, n_lengths, sampler, generator, lengths):
    assert len(answer.tokens) == len(answer.scores) == len(source) and len(answer.trace) == steps
    assert n_lengths in range(1, MOST + 1)
    for b, row in enumerate(source):
        memory = model.encode(row[None])
        n = int((answer.tokens[b] != PAD_ID).sum())
        likely = model.log_lengths(memory)[0].argsort(descending=True)[:n_lengths]
        assert n in (likely.tolist() if lengths is None else [int(lengths[b])])
        assert (answer.tokens[b, :n] > MASK_ID).all()
        tokens, p = torch.full((n,), MASK_ID), torch.zeros(n)
        for step in answer.trace:
            now = step.masked[b, :n]
            logits = model.decode(memory, tokens.masked_fill(now, MASK_ID)[None])[0]
            chances = logits.index_fill(-1, torch.arange(5), -math.inf).double().softmax(-1)
            tokens = step.tokens[b, :n]
            assert (tokens != MASK_ID).all() and not step.masked[b, n:].any()
            mine = chances.gather(1, tokens[:, None])[:, 0]
            p = torch.where(now, mine, p)
            if not sampler.temperature:
                assert (mine > chances.max(1).values - 1e-4)[now].all()
        close(answer.scores[b], p.log().mean())


def draw_autoregressive(rng):
    return {"model": seq2seq(True), "source": draw_source(rng), "beam": rng.randint(1, 4)}


@torch.no_grad()
def is_written(answer, model, source, beam):
    assert len(answer.tokens) == len(answer.scores) == len(source) and beam > 0
    for b, row in enumerate(source):
        memory = model.encode(row[None])
        words = [i for i in answer.tokens[b].tolist() if i != PAD_ID]
        ended, total, before = len(words) < MOST, 0.0, [CLS_ID]
        for token in words + [SEP_ID] * ended:
            logits = model.decode(memory, torch.tensor([before]))[0, -1].double()
            log_p = logits.index_fill(0, torch.tensor([0, 1, 2, 4]), -math.inf).log_softmax(0)
            assert beam > 1 or log_p[token] > log_p.max() - 1e-4
            total, before = total + float(log_p[token]), [*before, token]
        close(answer.scores[b], torch.tensor(total / (len(words) + ended)))


def draw_sampler(rng):
    if rng.random() < 0.3:
        return {
            "may_remask": False,
            "threshold": rng.choice((0, 0.5, 1.0)),
            "block_length": rng.randint(1, 5),
        }
    return {
        "schedule": rng.choice((decoding.linear_remasking, decoding.cosine_remasking)),
        "temperature": rng.choice((0.0, 1.0, 0.7)),
        "may_remask": rng.random() < 0.5,
        "order": rng.choice(("confidence", "random", "bernoulli")),
        "gumbel": rng.choice((0.0, 4.5)),
        "of_remaining": rng.random() < 0.5,
    }


def is_sampler(answer, **fields):
    assert {name: getattr(answer, name) for name in fields} == fields
    assert answer.temperature >= 0 and answer.gumbel >= 0
    assert 0 <= answer.share(1, 2) <= 1
    assert answer.draws == bool(
        answer.temperature or answer.gumbel or answer.order in ("random", "bernoulli")
    )
    assert answer.adapts == ("threshold" in fields)
    assert answer.block_length is None or answer.block_length > 0
    if answer.threshold is not None:
        assert 0 <= answer.threshold <= 1 and answer.order == "confidence" and not answer.may_remask


def draw_done(rng):
    return {"done": rng.random()}


def is_linear(answer, done):
    assert 0 <= done <= 1 and abs(answer + done - 1) < 1e-9


def is_cosine(answer, done):
    assert 0 <= done <= 1 and abs(math.acos(min(1, answer)) * 2 / math.pi - done) < 1e-6


TARGETS = [
    Target(decoding.refine, draw_refine, is_refined),
    Target(decoding.refine, draw_adaptive, is_adaptive, name="refine.adaptive"),
    Target(decoding.choose_tokens, draw_choice, is_chosen),
    Target(decoding.n_masked, draw_n_masked, are_counts),
    Target(decoding.mask_predict, draw_mask_predict, is_predicted),
    Target(decoding.autoregressive, draw_autoregressive, is_written),
    Target(decoding.Sampler, draw_sampler, is_sampler),
    Target(decoding.linear_remasking, draw_done, is_linear),
    Target(decoding.cosine_remasking, draw_done, is_cosine),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "Step": "a NamedTuple that is returned",
    "Decoded": "a NamedTuple that is returned",
}  # name: why (a constant type, a Protocol)
