"""Writing text by filling gaps again and again: Mask-Predict and its relatives. Lessons 11 and 12.

One procedure, `refine`. It starts from masked places alone; each step predicts all of them at once
and then masks some again, fewer each time. Who decides which, and by what, is a `Sampler`:
MASK_PREDICT, MASKGIT, LLADA, MDLM and FIRST_HITTING are settings.

Shapes everywhere: B rows of N places, V tokens in the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.attention import KeyValues
from mlm_course.contracts import (
    check_bools,
    check_callable,
    check_count,
    check_counts,
    check_flag,
    check_floats,
    check_generator,
    check_ids,
    check_number,
    check_shapes_agree,
    check_tensor,
)
from mlm_course.corruption.noise import gumbel
from mlm_course.corruption.strategies import lowest
from mlm_course.models.seq2seq import Memory, Seq2Seq, Seq2SeqConfig
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, UNK_ID

MOST_STEPS = 100_000

# predict(canvas (B, N) int64) -> logits (B, N, V): a model that sees the tokens filled in so far
Predict = Callable[[Tensor], Tensor]


def linear_remasking(done: float) -> float:
    """The share of places that are still masked after a share of the steps: even steps."""
    check_number("done", done, 0, 1)
    return 1 - done


def cosine_remasking(done: float) -> float:
    """The share of places that are still masked: few are filled at first, many at last.

    Source: Chang et al. 2022 (MaskGIT), section 3.3.
    """
    check_number("done", done, 0, 1)
    return math.cos(math.pi / 2 * done)


@dataclass(frozen=True)
class Sampler:
    """How `refine` chooses tokens, and which of them it masks again.

    schedule: the share of places still masked after a share of the steps. temperature: 0 takes the
    most likely token, 1 draws from the model's probabilities. may_remask: whether a token that was
    kept once may be masked again; it then keeps the confidence of the step that chose it.
    order: "confidence" keeps the tokens that were most probable when they were chosen, "random" any,
    "bernoulli" each with the same chance of its own. gumbel: noise on the confidences' logarithms
    that falls to 0 with the last step. of_remaining: shares are taken of what is still masked, not
    of all that was (`n_masked`).

    threshold: a token chosen with at least this probability is kept, too, whatever the schedule says,
    and at least one a step; it needs order "confidence" and kept tokens that stay. block_length:
    blocks of so many places are filled one after the other from the left, each in all the steps.
    With either of the two, steps that would fill nothing are left out.
    """

    schedule: Callable[[float], float] = linear_remasking
    temperature: float = 0.0
    may_remask: bool = True
    order: str = "confidence"
    gumbel: float = 0.0
    of_remaining: bool = False
    threshold: float | None = None
    block_length: int | None = None

    def __post_init__(self) -> None:
        check_callable("schedule", self.schedule)
        check_number("temperature", self.temperature, 0)
        check_number("gumbel", self.gumbel, 0)
        check_flag("may_remask", self.may_remask)
        check_flag("of_remaining", self.of_remaining)
        if self.order not in ("confidence", "random", "bernoulli"):
            raise ValueError(
                f'order must be "confidence", "random" or "bernoulli", not {self.order!r}.'
            )
        if self.block_length is not None:
            check_count("block_length", self.block_length, 1)
        if self.threshold is not None:
            check_number("threshold", self.threshold, 0, 1)
            if self.may_remask or self.order != "confidence":
                raise ValueError(
                    "A threshold keeps what the model is sure of: it needs may_remask=False and "
                    'order="confidence".'
                )

    @property
    def draws(self) -> bool:
        """Whether anything is left to chance, so that a generator is needed."""
        return self.temperature > 0 or self.order != "confidence" or self.gumbel > 0

    @property
    def adapts(self) -> bool:
        """Whether all may be filled before the last step, so that the rest is left out."""
        return self.threshold is not None or self.block_length is not None

    def share(self, done: int, steps: int) -> float:
        """The share of places still masked after some of the steps."""
        share = self.schedule(done / steps)
        check_number(f"schedule({done / steps:g})", share, 0, 1)
        return float(share)


MASK_PREDICT = Sampler()
"""Ghazvininejad et al. 2019, section 3."""
MASKGIT = Sampler(cosine_remasking, temperature=1.0, may_remask=False, gumbel=4.5)
"""Chang et al. 2022, section 3.2."""
LLADA = Sampler(may_remask=False, of_remaining=True)
"""Nie et al. 2025, section 2.4 (low-confidence remasking)."""
MDLM = Sampler(temperature=1.0, may_remask=False, order="bernoulli")
"""Sahoo et al. 2024, section 3.2 (ancestral sampling)."""
FIRST_HITTING = Sampler(temperature=1.0, may_remask=False, order="random", of_remaining=True)
"""Zheng et al. 2024, section 4.2: MDLM in continuous time. In as many steps as masked places each fills
one; a model that is not told the time needs their order alone, and every order is equally likely."""


class Step(NamedTuple):
    """One step of a refinement, as it stands after the prediction; each (B, N).

    tokens int64; confidence float, the probability that each token had when it was chosen; masked
    bool: what was masked before, and is therefore new. In blocks that are not begun yet [MASK] stands,
    with a confidence of 0.
    """

    tokens: Tensor
    confidence: Tensor
    masked: Tensor


def refine(
    predict: Predict,
    canvas: Tensor,
    masked: Tensor,
    mask_id: int,
    steps: int,
    sampler: Sampler = MASK_PREDICT,
    generator: torch.Generator | None = None,
) -> list[Step]:
    """The steps by which the masked places of a canvas are filled; the last one holds the result.

    canvas (B, N) int64: what is given, and anything at masked places; masked (B, N) bool. Samplers
    that draw need a generator on the canvas's device. A row without masked places stays as it is.
    steps: of each block; with a threshold, at most.
    Errors: TypeError or ValueError for what does not fit, ValueError for a model that answers NaN.
    """
    _check_refinement(predict, canvas, masked, mask_id, steps, sampler, generator)
    tokens, trace = canvas.long().masked_fill(masked, mask_id), []
    confidence = (~masked).float()
    for block in _blocks(masked, sampler.block_length):
        now_masked, counts = block, _counts(block, steps, sampler)  # (B, N), (steps, B)
        for step in range(steps):
            logits = predict(tokens.masked_fill(now_masked, mask_id))
            _check_answer(logits, canvas)
            chosen, probability = choose_tokens(logits, sampler.temperature, generator, now_masked)
            tokens = torch.where(now_masked, chosen, tokens)
            confidence = torch.where(now_masked, probability, confidence)
            trace.append(Step(tokens, confidence, now_masked))
            if step + 1 < steps:
                candidates = block if sampler.may_remask else now_masked
                progress, count = (step + 1, steps), counts[step + 1]
                now_masked = _remask(confidence, candidates, count, progress, sampler, generator)
                if sampler.adapts and not now_masked.any():
                    break
    return trace


def _blocks(masked: Tensor, length: int | None) -> list[Tensor]:
    """What is filled together, from the left: (B, N) bool each, blocks without masked places left out."""
    if length is None:
        return [masked]
    places = torch.arange(masked.shape[1], device=masked.device)
    blocks = [masked & (places // length == i) for i in range(-(-len(places) // length))]
    return [block for block in blocks if block.any()] or [masked]


def choose_tokens(
    logits: Tensor,
    temperature: float,
    generator: torch.Generator | None = None,
    asked: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """A token for each place and the probability that the model gave it: (B, N, V) -> two (B, N).

    temperature 0 takes the likeliest; above 0 a generator is needed. asked (B, N) bool: the places
    that matter, by default all. Errors: ValueError where the logits of such a place are no
    distribution (NaN, inf, or -inf for every token).
    """
    _check_choice(logits, temperature, asked)
    logits = logits.float()
    probabilities = logits.softmax(-1)
    _check_distributions(probabilities, asked)
    if temperature == 0:
        confidence, tokens = probabilities.max(-1)
        return tokens, confidence
    check_generator(generator, logits)
    scores = (logits - logits.amax(-1, keepdim=True)) / max(temperature, 1e-30)
    drawn_from = scores.softmax(-1).nan_to_num(1.0).reshape(-1, logits.shape[-1])
    tokens = torch.zeros(logits.shape[:-1], dtype=torch.int64, device=logits.device)
    if len(drawn_from):  # (B * N, V)
        tokens = torch.multinomial(drawn_from, 1, generator=generator).view(tokens.shape)
    return tokens, probabilities.gather(-1, tokens[..., None]).squeeze(-1)


def _check_choice(logits: Tensor, temperature: float, asked: Tensor | None) -> None:
    check_floats("logits", logits, "... V")
    check_number("temperature", temperature, 0)
    if asked is not None:
        check_bools("asked", asked)
        if asked.shape != logits.shape[:-1]:
            shapes = f"{tuple(asked.shape)}, but the logits have {tuple(logits.shape)}"
            raise ValueError(f"asked has shape {shapes}: they belong to the same places.")


def _check_distributions(probabilities: Tensor, asked: Tensor | None) -> None:
    bad, V = probabilities.sum(-1).isnan(), probabilities.shape[-1]  # (B, N)
    if not V or (bad if asked is None else bad & asked).any():
        raise ValueError(
            f"The model answers NaN, inf, or -inf for every one of {V} tokens, at "
            f"{int(bad.sum())} places: nothing can be chosen. Look at its weights and its input."
        )


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Numbers from 0 to 1, all equally likely, as many as another tensor has: float32."""
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=torch.float32)


def _remask(
    confidence: Tensor,
    candidates: Tensor,
    count: Tensor,
    progress: tuple[int, int],
    sampler: Sampler,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which places the next step fills anew, bool (B, N).

    confidence (B, N); candidates (B, N) bool: what may be masked again; count (B,) int64: how many
    of them, but order "bernoulli" leaves the number to chance, and with a threshold it is the most;
    progress: steps done, and of how many.
    """
    done, steps = progress
    if sampler.order == "bernoulli":
        before = sampler.share(done - 1, steps)
        stay = sampler.share(done, steps) / before if before else 0.0
        drawn = _uniform(confidence, generator)
        return candidates & (drawn < stay)
    score = confidence
    if sampler.order == "random":
        score = _uniform(confidence, generator)
    elif sampler.gumbel:
        drawn = _uniform(score, generator)
        score = score.log() + sampler.gumbel * (1 - done / steps) * gumbel(drawn)
    if sampler.threshold is None:
        return lowest(score.masked_fill(~candidates, math.inf), count) & candidates
    count = count.minimum(candidates.sum(1) - 1)  # at least one is kept
    unsure = candidates & (confidence < sampler.threshold)
    return lowest(score.masked_fill(~unsure, math.inf), count) & unsure


def n_masked(n: int, steps: int, sampler: Sampler) -> list[int]:
    """How many of n masked places each step fills: n in the first, then what was masked again.

    The scheduled share of n, rounded down, and at least one: Ghazvininejad et al. 2019, section 3.1
    and code. Where kept tokens stay, at least one fewer than before, while there are two: MaskGIT's
    code. With of_remaining the share of what the step before filled, rounded down: LLaDA's code,
    where all steps keep as many, the first ones one more. "bernoulli" has these numbers in the mean,
    a threshold at most these; with blocks, n is what is masked in one of them.

    Exact: 9 of 22 even steps leave 13 places of 22. (Mask-Predict's code multiplies in float32, where
    22 * (1 - 9 / 22) is below 13, and has 12; up to 64 places and steps 53 counts differ so.)
    """
    _check_sampler(sampler)
    check_count("n", n)
    check_count("steps", steps, 1, MOST_STEPS)
    counts = [int(n)]
    for done in range(1, steps):
        share, last = sampler.share(done, steps), counts[-1]
        if sampler.of_remaining:
            before = sampler.share(done - 1, steps)
            counts.append(min(last, _floor(last * share / before)) if before else 0)
        else:
            count = _floor(n * share)
            count = count if sampler.may_remask else min(count, last - 1)
            counts.append(min(max(count, 1), n))
    return counts


def _floor(number: float) -> int:
    """Rounded down, but not for what a float64 lost."""
    return math.floor(number + 1e-9)


def _counts(masked: Tensor, steps: int, sampler: Sampler) -> Tensor:
    """`n_masked` of every row: masked (B, N) bool -> (steps, B) int64. In Python: no device rounds."""
    totals = masked.sum(1).tolist()
    by_total = {n: n_masked(n, steps, sampler) for n in set(totals)}
    rows = [by_total[n] for n in totals]
    counts = torch.tensor(rows, dtype=torch.int64, device=masked.device)
    return counts.view(-1, steps).T


def _check_refinement(
    predict: Predict, canvas: Tensor, masked: Tensor, mask_id: int, steps: int, sampler: Sampler,
    generator: torch.Generator | None,
) -> None:  # fmt: skip
    check_callable("predict", predict)
    check_bools("masked", masked, "B N")
    check_tensor("canvas", canvas, "B N")
    check_shapes_agree(canvas=canvas, masked=masked)
    check_ids(canvas.masked_fill(masked, 0), name="canvas", shape="B N")
    check_count("mask_id", mask_id)
    check_count("steps", steps, 1, MOST_STEPS)
    _check_sampler(sampler)
    if sampler.draws:
        check_generator(generator, canvas)


def _check_sampler(sampler: Sampler) -> None:
    if not isinstance(sampler, Sampler):
        raise TypeError(f"sampler must be a Sampler such as MASK_PREDICT, not {sampler!r}.")


def _check_answer(logits: Tensor, canvas: Tensor) -> None:
    if not isinstance(logits, Tensor) or logits.ndim != 3 or logits.shape[:2] != canvas.shape:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"predict must answer with logits (B, N, V), here ({canvas.shape[0]}, "
            f"{canvas.shape[1]}, V), not {shape}."
        )


class Decoded(NamedTuple):
    """What a model wrote: tokens (B, N) int64 with [PAD] behind the end, and scores (B,).

    The score is the mean log-probability of the tokens. trace: the steps, where there are any.
    """

    tokens: Tensor
    scores: Tensor
    trace: list[Step]


@torch.no_grad()
def mask_predict(
    model: Seq2Seq,
    source: Tensor,
    steps: int,
    n_lengths: int = 1,
    sampler: Sampler = MASK_PREDICT,
    generator: torch.Generator | None = None,
    lengths: Tensor | None = None,
) -> Decoded:
    """The answers of a conditional masked language model to source (B, S), all places at once.

    The n_lengths most likely lengths are each filled in `steps` steps; the one whose tokens have the
    highest mean log-probability wins. lengths (B,) int64: given instead of predicted.
    Errors: as `refine`. Source: Ghazvininejad et al. 2019, section 3.
    """
    _check_seq2seq(model, causal=False)
    check_count("n_lengths", n_lengths, 1, model.config.max_target)
    memory = model.encode(source)
    _check_lengths(model, source, lengths)
    tried = _candidate_lengths(model, memory, n_lengths) if lengths is None else lengths[:, None]
    row = torch.arange(len(source), device=source.device).repeat_interleave(tried.shape[1])
    longest = int(tried.max()) if len(source) else 0
    masked = torch.arange(longest, device=source.device) < tried.flatten()[:, None]  # (B * n, N)
    repeated = memory.rows(row)
    kept = model.start(repeated)  # once for all steps

    def predict(canvas: Tensor) -> Tensor:
        logits = model.decode(repeated, canvas, source=kept)
        return logits.index_fill(-1, _never(canvas), -math.inf)

    canvas = torch.where(masked, MASK_ID, PAD_ID)
    trace = refine(predict, canvas, masked, MASK_ID, steps, sampler, generator)
    scores = _mean_log_probability(trace[-1].confidence, masked).view(tried.shape)
    best = scores.argmax(1) + torch.arange(len(source), device=source.device) * tried.shape[1]
    trace = [Step(*(part[best] for part in step)) for step in trace]
    return Decoded(trace[-1].tokens, scores.flatten()[best], trace)


def _candidate_lengths(model: Seq2Seq, memory: Memory, n: int) -> Tensor:
    """The n most likely lengths of each row's target, (B, n) int64, never 0."""
    log_lengths = model.log_lengths(memory)
    if log_lengths.isnan().any():
        raise ValueError("The model's lengths are NaN: look at its weights and its source.")
    return log_lengths.topk(n).indices


def _mean_log_probability(confidence: Tensor, real: Tensor) -> Tensor:
    """The mean log-probability of each row's tokens: (B, N), real (B, N) bool -> (B,)."""
    total = (confidence.clamp(min=1e-30).log() * real).sum(1)
    return total / real.sum(1).clamp(min=1)


@torch.no_grad()
def autoregressive(model: Seq2Seq, source: Tensor, beam: int = 1) -> Decoded:
    """The answers of a causal model to source (B, S), one token after the other, until [SEP].

    beam: how many beginnings are followed at a time; 1 is greedy. Keys and values of what is
    written are kept. Among finished answers the best mean log-probability wins.
    Errors: ValueError for a model that answers NaN.
    Source: Sutskever et al. 2014, section 3.2 (beam search).
    """
    _check_seq2seq(model, causal=True)
    check_count("beam", beam, 1, model.config.vocab_size)
    search = _BeamSearch(model, source, beam)
    for place in range(model.config.max_target):
        if search.step(place):
            break
    return search.best()


def _check_seq2seq(model: Seq2Seq, causal: bool) -> None:
    if not isinstance(getattr(model, "config", None), Seq2SeqConfig):
        raise TypeError(f"model must be a Seq2Seq, not {type(model).__name__}.")
    if model.config.causal and not causal:
        raise ValueError("This model writes word by word: use autoregressive.")
    if causal and not model.config.causal:
        raise ValueError("This model was not built to write word by word: use mask_predict.")


def _check_lengths(model: Seq2Seq, source: Tensor, lengths: Tensor | None) -> None:
    if lengths is None:
        return
    check_counts("lengths", lengths, "B")
    if lengths.shape != source.shape[:1]:
        raise ValueError(f"There are {len(lengths)} lengths for {len(source)} sources.")
    most = model.config.max_target
    if len(lengths) and not 1 <= int(lengths.min()) <= int(lengths.max()) <= most:
        values = f"{int(lengths.min())} and {int(lengths.max())}"
        raise ValueError(f"Every length must be from 1 to {most}, not {values}.")


class _BeamSearch:
    """The beginnings that are followed: tokens (B * beam, n) and their summed log-probabilities."""

    def __init__(self, model: Seq2Seq, source: Tensor, beam: int) -> None:
        memory = model.encode(source)
        self.model, self.beam, self.rows = model, beam, len(source)
        rows = torch.arange(self.rows, device=source.device).repeat_interleave(beam)
        self.memory = memory.rows(rows)
        self.source = model.start(self.memory)
        self.past: list[KeyValues] | None = None
        n = self.rows * beam
        self.tokens = torch.full((n, 1), CLS_ID, device=source.device)
        self.ended = torch.zeros(n, dtype=torch.bool, device=source.device)
        self.summed = torch.full(
            (self.rows, beam), -math.inf, dtype=torch.float32, device=source.device
        )
        self.summed[:, 0] = 0.0  # all beginnings are alike: follow one

    def step(self, place: int) -> bool:
        """One more token for every beginning; whether all have ended."""
        logits, past = self.model.step(
            self.tokens[:, -1], place, self.memory, self.source, self.past
        )
        log_p = logits.float().index_fill(-1, _never(logits, ends=True), -math.inf).log_softmax(-1)
        log_p = torch.where(self.ended[:, None], _only_padding(log_p), log_p)
        V = log_p.shape[-1]
        total = (self.summed[..., None] + log_p.view(self.rows, self.beam, V)).flatten(1)
        self.summed, flat = total.topk(self.beam)  # (B, beam)
        if self.summed.isnan().any():  # NaN counts as the largest
            raise ValueError(
                f"The model answers NaN, inf, or -inf for every token, at place {place}: nothing can "
                "be chosen. Look at its weights and its source."
            )
        first = torch.arange(self.rows, device=flat.device)[:, None] * self.beam
        parent, token = (first + flat // V).flatten(), (flat % V).flatten()
        self._follow(parent, token, past)
        return bool(self.ended.all())

    def _follow(self, parent: Tensor, token: Tensor, past: list[KeyValues]) -> None:
        self.tokens = torch.cat([self.tokens[parent], token[:, None]], 1)
        self.ended = self.ended[parent] | (token == SEP_ID)
        if self.beam > 1:
            past = [KeyValues(*(part[parent] for part in kept)) for kept in past]
        self.past = past

    def best(self) -> Decoded:
        """Each row's best beginning, without [CLS] and [SEP]."""
        written = self.tokens[:, 1:]
        lengths = (written != PAD_ID).sum(1).view(self.rows, self.beam)
        means = self.summed / lengths.clamp(min=1)
        scores, index = means.max(1)
        index = index + torch.arange(self.rows, device=index.device) * self.beam
        tokens = written[index]
        return Decoded(tokens.masked_fill(tokens == SEP_ID, PAD_ID), scores, [])


def _never(like: Tensor, ends: bool = False) -> Tensor:
    """Tokens that no answer holds; with ends, [SEP] is one that may."""
    ids = [PAD_ID, UNK_ID, CLS_ID, MASK_ID] + ([] if ends else [SEP_ID])
    return torch.tensor(ids, device=like.device)


def _only_padding(like: Tensor) -> Tensor:
    """Log-probabilities by which an ended answer goes on: [PAD], for certain."""
    certain = torch.full_like(like[:1], -math.inf)
    certain[:, PAD_ID] = 0.0
    return certain
