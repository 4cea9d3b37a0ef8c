"""Masked diffusion: hide at every rate, and know what such guesses say about a whole text. Lesson 12.

A text of N words is hidden at a rate t between 0 and 1, or n of its words are, n from 1 to N. Summed
with the right weights, the surprise of the hidden words is on average an upper bound on -log p(text),
and equal to it if the guesses are the exact conditional probabilities.

Shapes everywhere: B rows of T tokens, of which N are words that may be hidden; V tokens known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.contracts import (
    check_answers,
    check_bools,
    check_callable,
    check_count,
    check_counts,
    check_floats,
    check_ids,
    check_kind,
    check_mask,
    check_masked_batch,
    check_shapes_agree,
    checked_texts,
)
from mlm_course.corruption import Corrupted, maskable
from mlm_course.corruption.masking import mask_tokens
from mlm_course.corruption.noise import uniform
from mlm_course.corruption.strategies import choose_count
from mlm_course.decoding import LLADA, Predict, Sampler, refine
from mlm_course.evaluation import evaluation_mode
from mlm_course.models.block_reader import BlockReader
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.modern import ModernMaskedLM
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_IDS

GAP = re.compile(r"_{3,}")  # how people write a gap; two are part of a name such as __init__

# answers(masked (M, N) bool) -> log-probabilities (M, N) of the true words at the hidden places
Answers = Callable[[Tensor], Tensor]


def token_nll(model: nn.Module, batch: Corrupted) -> Tensor:
    """-log p of each masked word, 0 at all other places: (B, T), in nats."""
    check_callable("model", model)
    ids, labels, masked = check_masked_batch(batch)
    logits, target = model(ids, visible_mask(ids), masked), labels[masked]  # (n, V), (n,)
    check_answers(logits, target)
    each = F.cross_entropy(logits.float(), target, reduction="none")
    return torch.zeros(ids.shape, device=ids.device).masked_scatter(masked, each)


def row_bounds(surprise: Tensor, masked: Tensor, n_words: Tensor) -> Tensor:
    """One draw of the bound for each row, in nats: N times the mean surprise of its masked words.

    surprise, masked (B, T); n_words (B,): N. Its mean over n ~ U{1..N} and over the places is at
    least -log p(text). Source: Uria et al. 2014 (all orders at once); Liao et al. 2020, section 3 (text);
    Zheng et al. 2024, proposition 3.1 (the same as the bound by rate).
    """
    check_floats("surprise", surprise, "B T")
    check_mask("masked", masked, surprise, of="surprise")
    check_counts("n_words", n_words, "B")
    if len(n_words) != len(surprise):
        raise ValueError(f"There are {len(n_words)} numbers of words for {len(surprise)} rows.")
    return n_words * surprise.where(masked, 0.0).sum(1) / masked.sum(1).clamp(min=1)


@torch.no_grad()
def likelihood_bound(
    model: nn.Module, ids: Tensor, generator: torch.Generator, draws: int = 8
) -> Tensor:
    """The bound on -log p of each row (B,), in nats; lengths are taken as given.

    Each draw masks n words; the draws of a row spread n evenly over 1..N, for less noise.
    ids, model and generator lie on one device. Dropout is off.
    Source: Nie et al. 2025, equation 6 (by count); Zheng et al. 2024, section 3.3 (evenly spread).
    """
    check_ids(ids)
    check_count("draws", draws, 1, 10_000)
    ids = ids.long()
    words = maskable(ids, SPECIAL_IDS)
    first = uniform(ids.new_zeros(len(ids), 1), generator)[:, 0]  # (B,)
    total = torch.zeros_like(first)
    with evaluation_mode(model):
        for draw in range(draws):
            share = (first + draw) / draws  # (B,) below 2: stratified
            n = 1 + (share % 1 * words.sum(1)).long()
            batch = mask_tokens(ids, choose_count(words, n, generator))
            total += row_bounds(token_nll(model, batch), batch.masked, words.sum(1))
    return total / draws


# What follows is for writing: rows to fill, and a model that `refine` can ask.


def blank(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of [MASK] between [CLS] and [SEP], and which places are to be filled: two (B, T).

    lengths (B,) int64: how many words each row gets.
    """
    check_counts("lengths", lengths, "B")
    longest = int(lengths.max()) if len(lengths) else 0
    check_count("The longest of the lengths", longest, 0, 100_000)
    places = torch.arange(longest + 2, device=lengths.device)
    masked = (places >= 1) & (places <= lengths[:, None])
    canvas = torch.where(masked, MASK_ID, PAD_ID)
    canvas[:, 0] = CLS_ID
    return canvas.scatter(1, lengths[:, None].long() + 1, SEP_ID), masked


def predictor(model: nn.Module) -> Predict:
    """A masked language model as `decoding.refine` asks it; it never answers with a special token.

    Source: Sahoo et al. 2024, section 3.2 ([MASK] gets no probability).
    """
    check_callable("model", model)

    @torch.no_grad()
    def predict(canvas: Tensor) -> Tensor:
        return _words_alone(model(canvas, visible_mask(canvas)))

    return predict


def block_predictor(model: MaskedLM, block_length: int) -> Predict:
    """The same with blocks that do not look ahead: keys and values of finished ones are kept.

    For a sampler with this block_length, or a shorter one that divides it; see `BlockReader`.
    Source: Arriola et al. 2025, section 3.2.
    """
    reader = BlockReader(model, block_length)

    def predict(canvas: Tensor) -> Tensor:
        return _words_alone(reader(canvas))

    return predict


def _words_alone(logits: Tensor) -> Tensor:
    """Logits (B, T, V) in which no special token has a chance."""
    never = torch.tensor(SPECIAL_IDS, device=logits.device)
    return logits.index_fill(-1, never, -math.inf)


def gap_row(tokenizer: Tokenizer, text: str, most: int = 128) -> tuple[Tensor, Tensor]:
    """A text as a row to fill, and which of its places are gaps: two (1, T), no [CLS] and [SEP].

    text: ___ or [MASK] stands for each piece that is to be filled in. most: tokens of a row.
    Errors: ValueError for a text that is empty, has no gap, is too long, or cannot be spelled.
    """
    check_kind("tokenizer", tokenizer, Tokenizer)
    check_count("most", most, 1)
    (text,) = checked_texts([text])
    if not text.strip():
        raise ValueError("There is no text: write a sentence with gaps, ___ for each piece.")
    written = GAP.sub("[MASK]", text)
    row = tokenizer.encode(written, add_special_tokens=False)
    _check_gaps(row, written, most)
    ids = torch.tensor([row.ids], device="cpu")
    return ids, ids == MASK_ID


def _check_gaps(row: Any, written: str, most: int) -> None:
    """Whether a tokenizer's encoding of a text has gaps, words beside them, and not too many tokens."""
    for i, (start, end) in zip(row.ids, row.offsets, strict=True):
        if i in SPECIAL_IDS and i != MASK_ID:
            raise ValueError(
                f"“{written[start:end]}” cannot be spelled in this vocabulary: write something else."
            )
    if MASK_ID not in row.ids:
        raise ValueError("There is no gap: write ___ for each piece that is to be filled in.")
    if len(row.ids) > most:
        raise ValueError(
            f"The text has {len(row.ids)} tokens, but the model reads {most} at most: shorten it."
        )


class Filling(NamedTuple):
    """A text while its gaps are filled, as it stands after each of S steps, N tokens each.

    tokens: strings; confidences (S, N); masked (S, N) bool; others: what else the step thought of
    at each place, a list of (token, probability), likeliest first. As `RefinementSteps` takes them.
    """

    tokens: list[list[str]]
    confidences: Tensor
    masked: Tensor
    others: list[list[list[tuple[str, float]]]]


def fill_gaps(
    model: MaskedLM | ModernMaskedLM,
    tokenizer: Tokenizer,
    text: str,
    sampler: Sampler = LLADA,
    n_others: int = 3,
) -> Filling:
    """The steps in which a model fills the gaps of a text, as many as there are gaps.

    The default fills the one it is surest of, reads the row again, and so on. What is given stays: a
    prompt and its answer are one row. sampler: one that draws nothing. n_others: how many others of
    each place are named. Errors: as `gap_row`; TypeError or ValueError for a model and a tokenizer
    that do not go together. Source: Nie et al. 2025, section 2.4.
    """
    check_kind("model", model, MaskedLM, ModernMaskedLM)
    check_kind("tokenizer", tokenizer, Tokenizer)
    check_kind("sampler", sampler, Sampler)
    V = tokenizer.get_vocab_size()
    if model.config.vocab_size != V:
        sizes = f"{V} tokens, but the model has {model.config.vocab_size}"
        raise ValueError(f"The tokenizer has {sizes}: take the one that it was trained with.")
    check_count("n_others", n_others, 0, V - 1)
    device = next(model.parameters()).device
    ids, gaps = (x.to(device) for x in gap_row(tokenizer, text, model.config.max_length))
    ask, likeliest = noting(predictor(model), n_others + 1)
    steps = refine(ask, ids, gaps, MASK_ID, int(gaps.sum()), sampler)

    def names(i: int) -> str:
        return str(tokenizer.id_to_token(i))

    return Filling(
        [[names(i) for i in step.tokens[0].tolist()] for step in steps],
        torch.cat([step.confidence for step in steps]),
        torch.cat([step.masked for step in steps]),
        [_named(top, names, gaps[0]) for top in likeliest],
    )


def noting(predict: Predict, n: int) -> tuple[Predict, list[Any]]:
    """A model that answers as another does, and a list that gets the n likeliest tokens of each answer.

    Of these .indices and .values, their probabilities, are (B, N, n).
    """
    check_callable("predict", predict)
    check_count("n", n)
    likeliest: list[Any] = []

    def noted(canvas: Tensor) -> Tensor:
        logits = predict(canvas)
        check_floats("predict(canvas)", logits, "B N V")
        check_count("n", n, 0, logits.shape[-1])
        likeliest.append(logits.softmax(-1).topk(n))
        return logits

    return noted, likeliest


def _named(top: Any, names: Callable[[int], str], gaps: Tensor) -> list[list[tuple[str, float]]]:
    """Of each place of the one row that is a gap the tokens behind the likeliest, with their probabilities."""
    indices, values = top.indices[0, :, 1:], top.values[0, :, 1:]  # (N, n - 1)
    rows = zip(indices.tolist(), values.tolist(), gaps.tolist(), strict=True)
    return [
        [(names(i), p) for i, p in zip(ids, chances, strict=True)] if gap else []
        for ids, chances, gap in rows
    ]


# What follows is exact: small enough to look at all 2^N ways to hide some of N words.


def exact_answers(joint: Tensor, text: Tensor) -> Answers:
    """The exact conditional probabilities of a text's words, from the table of all texts.

    joint (V, ..., V), N axes, sums to 1: the probability of every text; text (N,) int64.
    """
    _check_table(joint)
    check_ids(text, joint.shape[0], name="text", shape="N")
    N = joint.ndim
    if len(text) != N:
        raise ValueError(f"joint is a table of texts of {N} words, but text has {len(text)}.")
    text = text.long()

    @cache
    def of(*masked: bool) -> Tensor:
        seen = tuple(slice(None) if gap else word for gap, word in zip(masked, text, strict=True))
        if not joint[seen].sum() > 0:
            raise ValueError("No text of the table has the visible words: nothing follows them.")
        left = joint[seen] / joint[seen].sum()  # an axis for each masked word
        gaps = [i for i in range(N) if masked[i]]
        log_probabilities = torch.zeros(N, dtype=joint.dtype)
        for axis, i in enumerate(gaps):
            others = [a for a in range(len(gaps)) if a != axis]
            log_probabilities[i] = (left.sum(others) if others else left)[text[i]].log()
        return log_probabilities

    def answers(masked: Tensor) -> Tensor:
        check_bools("masked", masked, "M N")
        if masked.shape[1] != N:
            raise ValueError(f"The text has {N} words, but masked has {masked.shape[1]} columns.")
        rows = [of(*row) for row in masked.tolist()]
        return torch.stack(rows) if rows else joint.new_zeros(0, N)

    return answers


def _check_table(joint: Tensor) -> None:
    check_floats("joint", joint, "V ...", finite=True)
    if len(set(joint.shape)) != 1 or not joint.numel():
        raise ValueError(f"joint must have shape (V, ..., V), not {tuple(joint.shape)}.")
    if joint.min() < 0 or abs(joint.double().sum() - 1) > 1e-2:
        raise ValueError("joint must hold probabilities that sum to 1: divide it by its sum.")


def all_ways_to_hide(N: int) -> Tensor:
    """Every way to hide at least one of N places, N at most 20: (2^N - 1, N) bool."""
    check_count("N", N, 1, 20)
    numbers = torch.arange(1, 2**N)[:, None]
    return (numbers >> torch.arange(N)) % 2 == 1


def bound_by_count(answers: Answers, N: int) -> Tensor:
    """N times the mean over n = 1..N of the mean surprise of n hidden words; all ways, no chance."""
    masked = all_ways_to_hide(N)
    n = masked.sum(1)  # (M,)
    means = _surprises(answers, masked) / n
    ways = torch.tensor([math.comb(N, k) for k in n.tolist()])  # with as many words hidden
    return (N * means / (N * ways)).sum()


def bound_by_rate(answers: Answers, N: int) -> Tensor:
    """The integral over t from 0 to 1 of (1 / t) times the mean summed surprise of what rate t hides.

    What stands under the integral is a polynomial in t: Gauss and Legendre's rule is exact.
    Source: Nie et al. 2025, equation 3; Sahoo et al. 2024, section 3.
    """
    import numpy as np

    masked = all_ways_to_hide(N)
    n = masked.sum(1)  # (M,)
    summed = _surprises(answers, masked)  # (M,)
    points, weights = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(N))
    total = torch.zeros((), dtype=torch.float64)
    for t, weight in zip((points + 1) / 2, weights / 2, strict=True):
        chance = t**n * (1 - t) ** (N - n)  # (M,) of hiding just these
        total = total + weight * (chance * summed).sum() / t
    return total


def leave_one_out(answers: Answers, N: int) -> Tensor:
    """Minus the pseudo-log-likelihood: each word hidden alone, the surprises summed.

    Source: Salazar et al. 2020, section 2.
    """
    check_count("N", N, 1, 10_000)
    one = torch.eye(N, dtype=torch.bool)
    return _surprises(answers, one).sum()


def _surprises(answers: Answers, masked: Tensor) -> Tensor:
    """How surprising the masked words are, summed for each way to hide them: (M, N) bool -> (M,)."""
    check_callable("answers", answers)
    log_probabilities = answers(masked)
    check_floats("answers(masked)", log_probabilities)
    check_shapes_agree(masked=masked, **{"answers(masked)": log_probabilities})
    return -log_probabilities.where(masked, 0.0).sum(1)
