"""Writing text by filling gaps again and again: Mask-Predict and its relatives. Lessons 11 and 12.

One procedure, `refine`. It starts from gaps alone; each step predicts all gaps at once and then
opens some of them again, fewer each time. Who decides which, and by what, is a `Sampler`:
MASK_PREDICT, MASKGIT, LLADA and MDLM are settings.

Shapes everywhere: B rows of N places, V tokens in the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.corruption.noise import gumbel
from mlm_course.corruption.strategies import lowest
from mlm_course.models.seq2seq import KeyValues, Memory, Seq2Seq
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, UNK_ID

# predict(canvas (B, N) int64) -> logits (B, N, V): a model that sees the tokens filled in so far
Predict = Callable[[Tensor], Tensor]


def linear_remasking(done: float) -> float:
    """The share of places that stay open after a share of the steps: even steps."""
    return 1 - done


def cosine_remasking(done: float) -> float:
    """The share of places that stay open: few are filled at first, many at last.

    Source: Chang et al. 2022 (MaskGIT), section 3.3.
    """
    return math.cos(math.pi / 2 * done)


@dataclass(frozen=True)
class Sampler:
    """How `refine` chooses tokens, and which of them it opens again.

    schedule: the share of places still open after a share of the steps. temperature: 0 takes the
    most likely token, 1 draws from the model's probabilities. may_remask: whether a token that was
    kept once may be opened again; it then keeps the confidence of the step that chose it.
    order: "confidence" keeps the tokens that were most probable when they were chosen, "random" any,
    "bernoulli" each with the same chance of its own. gumbel: noise on the confidences' logarithms
    that falls to 0 with the last step.
    """

    schedule: Callable[[float], float] = linear_remasking
    temperature: float = 0.0
    may_remask: bool = True
    order: str = "confidence"
    gumbel: float = 0.0

    def __post_init__(self) -> None:
        if self.order not in ("confidence", "random", "bernoulli"):
            raise ValueError(
                f'order must be "confidence", "random" or "bernoulli", not {self.order!r}.'
            )


MASK_PREDICT = Sampler()
"""Ghazvininejad et al. 2019, section 3."""
MASKGIT = Sampler(cosine_remasking, temperature=1.0, may_remask=False, gumbel=4.5)
"""Chang et al. 2022, section 3.2."""
LLADA = Sampler(may_remask=False)
"""Nie et al. 2025, section 2.4 (low-confidence remasking)."""
MDLM = Sampler(temperature=1.0, may_remask=False, order="bernoulli")
"""Sahoo et al. 2024, section 3.2 (ancestral sampling)."""


class Step(NamedTuple):
    """One step of a refinement, as it stands after the prediction; each (B, N).

    tokens int64; confidence float, the probability that each token had when it was chosen; masked
    bool: what was open before, and is therefore new.
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
    """The steps by which the hidden places of a canvas are filled; the last one holds the result.

    canvas (B, N) int64: what is given, and anything at hidden places; masked (B, N) bool. Samplers
    that draw need a generator on the canvas's device. A row without gaps stays as it is.
    Errors: ValueError for steps below 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}.")
    tokens, open_now, trace = canvas.clone(), masked, []
    confidence = torch.ones(canvas.shape, device=canvas.device)
    for step in range(steps):
        logits = predict(tokens.masked_fill(open_now, mask_id))
        chosen, probability = choose_tokens(logits, sampler.temperature, generator)
        tokens = torch.where(open_now, chosen, tokens)
        confidence = torch.where(open_now, probability, confidence)
        trace.append(Step(tokens, confidence, open_now))
        if step + 1 < steps:
            open_now = remask(confidence, masked, open_now, (step + 1, steps), sampler, generator)
    return trace


def choose_tokens(
    logits: Tensor, temperature: float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """A token for each place and the probability that the model gave it: (B, N, V) -> two (B, N)."""
    probabilities = logits.float().softmax(-1)
    if temperature == 0:
        confidence, tokens = probabilities.max(-1)
        return tokens, confidence
    drawn_from = (logits.float() / temperature).softmax(-1).flatten(0, -2)  # (B * N, V)
    tokens = torch.multinomial(drawn_from, 1, generator=generator).view(logits.shape[:-1])
    return tokens, probabilities.gather(-1, tokens[..., None]).squeeze(-1)


def remask(
    confidence: Tensor,
    masked: Tensor,
    was_open: Tensor,
    progress: tuple[int, int],
    sampler: Sampler,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Which places the next step fills anew, bool (B, N).

    confidence (B, N); masked (B, N) bool: what was to be filled in the first place; was_open (B, N)
    bool: what the last step filled; progress: steps done, and of how many.
    """
    done, steps = progress
    candidates = masked if sampler.may_remask else was_open
    if sampler.order == "bernoulli":
        stay = sampler.schedule(done / steps) / sampler.schedule((done - 1) / steps)
        drawn = torch.rand(confidence.shape, generator=generator, device=confidence.device)
        return candidates & (drawn < stay)
    score = confidence
    if sampler.order == "random":
        score = torch.rand(confidence.shape, generator=generator, device=confidence.device)
    elif sampler.gumbel:
        drawn = torch.rand(score.shape, generator=generator, device=score.device)
        score = score.log() + sampler.gumbel * (1 - done / steps) * gumbel(drawn)
    return lowest(score.masked_fill(~candidates, math.inf), n_open(masked, done, steps, sampler))


def n_open(masked: Tensor, done: int, steps: int, sampler: Sampler) -> Tensor:
    """How many places of each row are open after some steps: (B, N) bool -> (B,) int64.

    Rounded down, at least one. Source: Ghazvininejad et al. 2019, section 3.2 and code.
    """
    total = masked.sum(1)
    share = sampler.schedule(done / steps)
    return (total * share + 1e-9).long().clamp(min=1).minimum(total)


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
    Source: Ghazvininejad et al. 2019, section 3.
    """
    memory = model.encode(source)
    tried = candidate_lengths(model, memory, n_lengths) if lengths is None else lengths[:, None]
    row = torch.arange(len(source), device=source.device).repeat_interleave(tried.shape[1])
    places = torch.arange(int(tried.max()), device=source.device)
    masked = places < tried.flatten()[:, None]  # (B * n, N)
    repeated = memory.rows(row)
    kept = model.start(repeated)  # once for all steps

    def predict(canvas: Tensor) -> Tensor:
        logits = model.decode(repeated, canvas, source=kept)
        return logits.index_fill(-1, _never(canvas), -math.inf)

    canvas = torch.where(masked, MASK_ID, PAD_ID)
    trace = refine(predict, canvas, masked, MASK_ID, steps, sampler, generator)
    scores = mean_log_probability(trace[-1].confidence, masked).view(tried.shape)
    best = scores.argmax(1) + torch.arange(len(source), device=source.device) * tried.shape[1]
    trace = [Step(*(part[best] for part in step)) for step in trace]
    return Decoded(trace[-1].tokens, scores.flatten()[best], trace)


def candidate_lengths(model: Seq2Seq, memory: Memory, n: int) -> Tensor:
    """The n most likely lengths of each row's target, (B, n) int64, never 0."""
    most = model.config.max_target
    if not 1 <= n <= most:
        raise ValueError(f"n_lengths must be from 1 to {most}, not {n}.")
    return model.log_lengths(memory).topk(n).indices


def mean_log_probability(confidence: Tensor, real: Tensor) -> Tensor:
    """The mean log-probability of each row's tokens: (B, N), real (B, N) bool -> (B,)."""
    total = (confidence.clamp(min=1e-30).log() * real).sum(1)
    return total / real.sum(1).clamp(min=1)


@torch.no_grad()
def autoregressive(model: Seq2Seq, source: Tensor, beam: int = 1) -> Decoded:
    """The answers of a causal model to source (B, S), one token after the other, until [SEP].

    beam: how many beginnings are followed at a time; 1 is greedy. Keys and values of what is
    written are kept. Among finished answers the best mean log-probability wins.
    Source: Sutskever et al. 2014, section 3.2 (beam search).
    """
    if beam < 1:
        raise ValueError(f"beam must be at least 1, not {beam}.")
    if not model.config.causal:
        raise ValueError("This model was not built to write word by word: use mask_predict.")
    search = BeamSearch(model, source, beam)
    for place in range(model.config.max_target):
        if search.step(place):
            break
    return search.best()


class BeamSearch:
    """The beginnings that are followed: tokens (B * beam, n) and their summed log-probabilities."""

    def __init__(self, model: Seq2Seq, source: Tensor, beam: int) -> None:
        self.model, self.beam, self.rows = model, beam, len(source)
        memory = model.encode(source)
        self.memory = memory.rows(torch.arange(self.rows).repeat_interleave(beam))
        self.source = model.start(self.memory)
        self.past: list[KeyValues] | None = None
        n = self.rows * beam
        self.tokens = torch.full((n, 1), CLS_ID, device=source.device)
        self.ended = torch.zeros(n, dtype=torch.bool, device=source.device)
        self.summed = torch.full((self.rows, beam), -math.inf, device=source.device)
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
