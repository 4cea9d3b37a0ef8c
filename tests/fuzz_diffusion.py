"""Right arguments and oracles for what `mlm_course.diffusion` offers."""

import itertools
import math
from functools import cache

import torch
from fuzz_evaluation import V, draw_corrupted
from fuzz_tokenization import wordpiece
from fuzzing import Target

from mlm_course import diffusion
from mlm_course.attention import visible_mask
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID


def close(answer, expected, rtol=1e-3):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(answer.double(), expected, rtol=rtol, atol=1e-4, equal_nan=True)


@cache
def masked_lm():
    sizes = EncoderConfig(V, 8, d_model=8, n_layers=1, n_heads=2, embedding_std=1.0)
    return seeded_init(MaskedLM, sizes).eval()


def draw_batch(rng):
    return {"model": masked_lm(), "batch": draw_corrupted(rng)}


@torch.no_grad()
def is_token_nll(answer, model, batch):
    ids, labels, masked = batch
    log_p = model(ids, visible_mask(ids)).double().log_softmax(-1)
    expected = torch.zeros(ids.shape)
    for b, t in masked.nonzero().tolist():
        expected[b, t] = -log_p[b, t, labels[b, t]]
    assert answer.shape == masked.shape == labels.shape
    close(answer, expected)


def draw_bounds(rng):
    B, T = rng.randint(1, 3), rng.randint(1, 5)
    return {
        "surprise": torch.rand(B, T),
        "masked": torch.rand(B, T) < 0.5,
        "n_words": torch.randint(T + 1, (B,)),
    }


def are_row_bounds(answer, surprise, masked, n_words):
    assert len(answer) == len(surprise) == len(masked) == len(n_words)
    assert surprise.shape == masked.shape
    for b, row in enumerate(surprise.double()):
        values = [x.item() for x, hid in zip(row, masked[b], strict=True) if hid]
        close(answer[b], n_words[b].item() * sum(values) / max(1, len(values)), rtol=2e-2)
    assert all(n >= 0 for n in n_words.tolist()) and not n_words.is_floating_point()


def draw_likelihood(rng):
    ids = draw_corrupted(rng).labels
    ids = torch.where(ids == -100, rng.choice((PAD_ID, CLS_ID, 7)), ids)
    generator = torch.Generator().manual_seed(rng.randrange(9))
    return {"model": masked_lm(), "ids": ids, "generator": generator, "draws": rng.randint(1, 3)}


@torch.no_grad()
def is_likelihood_bound(answer, model, ids, generator, draws):
    """Between the least and the most that any way to mask a row could give; exact for one word."""
    assert len(answer) == len(ids) and ids.dtype in (torch.int64, torch.int32)
    for b, row in enumerate(ids.long()):
        places = [t for t, i in enumerate(row.tolist()) if i > MASK_ID]
        bounds = []
        for n in range(1, len(places) + 1):
            for chosen in itertools.combinations(places, n):
                canvas = row.clone()
                canvas[list(chosen)] = MASK_ID
                log_p = model(canvas[None], visible_mask(canvas[None]))[0].double().log_softmax(-1)
                nll = [-log_p[t, row[t]].item() for t in chosen]
                bounds.append(len(places) * sum(nll) / n)
        assert min(bounds, default=0) - 1e-3 <= answer[b] <= max(bounds, default=0) + 1e-3


def draw_lengths(rng):
    return {"lengths": torch.randint(6, (rng.randint(1, 4),))}


def is_blank(answer, lengths):
    canvas, masked = answer
    width = max(lengths.tolist(), default=0) + 2
    rows = [[CLS_ID, *[MASK_ID] * n, SEP_ID] for n in lengths.tolist()]
    assert canvas.tolist() == [row + [PAD_ID] * (width - len(row)) for row in rows]
    assert torch.equal(masked, canvas == MASK_ID) and lengths.dtype in (torch.int64, torch.int32)


def asked_predictor(model):
    return diffusion.predictor(model)(torch.tensor([[CLS_ID, MASK_ID, MASK_ID, SEP_ID]]))


@torch.no_grad()
def is_prediction(answer, model):
    logits = model(torch.tensor([[CLS_ID, MASK_ID, MASK_ID, SEP_ID]]))
    assert (answer[..., :5] == -math.inf).all() and not answer.requires_grad
    torch.testing.assert_close(answer[..., 5:], logits[..., 5:])


WRITTEN = (CLS_ID, 6, MASK_ID, 5, MASK_ID, MASK_ID, SEP_ID)


def asked_in_blocks(model, block_length):
    return diffusion.block_predictor(model, block_length)(torch.tensor([WRITTEN], device="cpu"))


@torch.no_grad()
def is_of_one_block(answer, model, block_length):
    """The block in which place 2, the first masked one, stands, as if nothing came behind it."""
    start = 2 // block_length * block_length
    end = min(start + block_length, len(WRITTEN))
    number = torch.arange(end) // block_length
    before = number[:, None] >= number
    logits = model(torch.tensor([WRITTEN[:end]]), before[None, None])[:, start:]
    close(answer[:, start:end, 5:], logits[..., 5:])
    assert (answer[..., :5] == -math.inf).all() and not answer.requires_grad
    outside = torch.cat([answer[:, :start, 5:], answer[:, end:, 5:]], 1)
    assert outside.isnan().all() and answer.shape == (1, len(WRITTEN), V)


def noted(model, n):
    ask, likeliest = diffusion.noting(diffusion.predictor(model), n)
    return ask(torch.tensor([[CLS_ID, MASK_ID, MASK_ID, SEP_ID]], device="cpu")), likeliest


def are_likeliest(answer, model, n):
    logits, (top,) = answer
    assert torch.equal(logits, asked_predictor(model))
    chances = logits.softmax(-1)
    assert torch.equal(top.values, chances.sort(descending=True)[0][..., :n])
    assert torch.equal(top.values, chances.gather(-1, top.indices))


def draw_gaps(rng):
    words = [rng.choice(("the", "___", "cat", "[MASK]", "mat", "______")) for _ in range(6)]
    return {
        "tokenizer": wordpiece(),
        "text": " ".join([*words, "___"]),
        "most": rng.randint(30, 99),
    }


def is_gap_row(answer, tokenizer, text, most):
    ids, gaps = answer
    words = text.replace("______", "[MASK]").replace("___", "[MASK]")
    assert ids.tolist() == [tokenizer.encode(words, add_special_tokens=False).ids]
    assert torch.equal(gaps, ids == MASK_ID) and gaps.any() and ids.shape[1] <= most


@cache
def word_model():
    sizes = {"d_model": 8, "n_layers": 1, "n_heads": 2, "embedding_std": 1.0}
    return seeded_init(MaskedLM, EncoderConfig(wordpiece().get_vocab_size(), 64, **sizes)).eval()


def draw_filling(rng):
    given = draw_gaps(rng)
    del given["most"]
    return {"model": word_model(), **given, "n_others": rng.randint(0, 3)}


def filled_gaps(model, tokenizer, text, n_others):
    return diffusion.fill_gaps(model, tokenizer, text, n_others=n_others)


def is_filled(answer, model, tokenizer, text, n_others):
    """One gap a step, the surest of those that were masked; the given tokens stay."""
    ids, gaps = diffusion.gap_row(tokenizer, text)
    n = int(gaps.sum())
    assert answer.masked.sum(1).tolist() == list(range(n, 0, -1))
    for step in range(n - 1):
        kept = answer.masked[step] & ~answer.masked[step + 1]
        close(answer.confidences[step][kept], [answer.confidences[step][answer.masked[step]].max()])
    names = [tokenizer.id_to_token(i) for i in ids[0].tolist()]
    for row in answer.tokens:
        assert all(
            a == b for a, b, gap in zip(row, names, gaps[0].tolist(), strict=True) if not gap
        )
    assert all(
        len(pairs) == gap * n_others
        for row in answer.others
        for pairs, gap in zip(row, gaps[0].tolist(), strict=True)
    )


def table(words, n):
    joint = torch.rand((words,) * n, dtype=torch.float64)
    return joint / joint.sum()


def draw_table(rng):
    words, n = rng.randint(1, 3), rng.randint(1, 3)
    return {
        "joint": table(words, n),
        "text": torch.randint(words, (n,)),
        "masked": torch.rand(rng.randint(1, 4), n) < 0.6,
    }


def exact_answers(joint, text, masked):
    return diffusion.exact_answers(joint, text)(masked)


def are_exact(answer, joint, text, masked):
    """Sums over all texts, one by one."""
    assert joint.min() >= 0 and abs(joint.sum().item() - 1) < 0.02 and answer.shape == masked.shape
    assert joint.is_floating_point() and len(set(joint.shape)) == 1
    truth = text.tolist()
    for m, row in enumerate(masked.tolist()):
        for place in range(len(truth)):
            right = total = 0.0
            for words in itertools.product(range(len(joint)), repeat=len(truth)):
                if all(hid or a == b for hid, a, b in zip(row, words, truth, strict=True)):
                    total += joint[words].item()
                    right += joint[words].item() * (words[place] == truth[place])
            expected = math.log(right / total) if row[place] and right else 0.0
            expected = -math.inf if row[place] and not right else expected
            torch.testing.assert_close(answer[m, place].item(), expected, rtol=2e-2, atol=2e-2)


def draw_sum(rng):
    N = rng.randint(1, 3)
    words = rng.randint(1, 3)
    joint, text = table(words, N), torch.randint(words, (N,))
    answers = diffusion.exact_answers(joint, text)
    answers.text_nll = -joint[tuple(text)].log().item()
    return {"answers": answers, "N": N}


def is_nll(answer, answers, N):
    """Both sums are exact where the answers are."""
    assert N > 0
    close(answer, answers.text_nll)


def is_leave_one_out(answer, answers, N):
    single = [answers(torch.arange(N)[None] == i)[0, i].item() for i in range(N)]
    close(answer, -sum(single))


def draw_ways(rng):
    return {"N": rng.randint(1, 8)}


def are_ways(answer, N):
    rows = {tuple(row) for row in answer.tolist()}
    assert len(rows) == len(answer) == 2**N - 1 and all(len(row) == N for row in rows)
    assert all(any(row) for row in rows)


TARGETS = [
    Target(diffusion.token_nll, draw_batch, is_token_nll),
    Target(diffusion.row_bounds, draw_bounds, are_row_bounds),
    Target(diffusion.likelihood_bound, draw_likelihood, is_likelihood_bound),
    Target(diffusion.blank, draw_lengths, is_blank),
    Target(asked_predictor, lambda rng: {"model": masked_lm()}, is_prediction, name="predictor"),
    Target(
        asked_in_blocks,
        lambda rng: {"model": masked_lm(), "block_length": rng.randint(1, 9)},
        is_of_one_block,
        name="block_predictor",
    ),
    Target(
        noted,
        lambda rng: {"model": masked_lm(), "n": rng.randint(0, V)},
        are_likeliest,
        name="noting",
    ),
    Target(diffusion.gap_row, draw_gaps, is_gap_row),
    Target(filled_gaps, draw_filling, is_filled, name="fill_gaps"),
    Target(exact_answers, draw_table, are_exact, name="exact_answers"),
    Target(diffusion.bound_by_count, draw_sum, is_nll),
    Target(diffusion.bound_by_rate, draw_sum, is_nll),
    Target(diffusion.leave_one_out, draw_sum, is_leave_one_out),
    Target(diffusion.all_ways_to_hide, draw_ways, are_ways),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "Filling": "a NamedTuple that is returned"
}  # name: why (a constant type, a Protocol)
