"""A perfect model of tinyworld, and what it says of sentences that others wrote. Lesson 12."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mlm_course.corpora import tinyworld as language
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS


def n_words(ids: Tensor) -> Tensor:
    """How many words each row of ids (B, T) has: (B,) int64."""
    return (ids > max(SPECIAL_IDS)).sum(1)


def log_p_length(lengths: Tensor) -> Tensor:
    """The language's log-probability of each length (B,) int64: (B,), float64."""
    chance = torch.zeros(64, dtype=torch.float64)
    for pattern in language.TINYWORLD.patterns:
        chance[len(pattern.slots)] += pattern.probability
    return chance[lengths].log()


def exact_nll(ids: Tensor) -> Tensor:
    """-log p of each sentence given its length (B,), float64; infinite for what is no sentence."""
    return log_p_length(n_words(ids)) - language.sentence_probability(ids).log()


def exact_predict(canvas: Tensor) -> Tensor:
    """A perfect model's logits (B, N, V) at each [MASK] of a canvas (B, N).

    Where the visible words fit no sentence any more, and at visible places, all answers are alike.
    """
    masked = canvas == MASK_ID
    possible = language.sentence_probability(canvas, masked) > 0
    logits = torch.zeros(*canvas.shape, len(language.vocabulary()), dtype=torch.float64)
    logits[..., : len(SPECIAL_IDS)] = -torch.inf
    posterior = language.masked_posterior(canvas[possible], masked[possible])
    logits[possible] = posterior.log().where(masked[possible][..., None], logits[possible])
    return logits


class PerfectModel(nn.Module):
    """The exact guesses, called like a masked language model: logits (n, V) of the hidden words."""

    def forward(self, ids: Tensor, attention_mask: Tensor | None, masked: Tensor) -> Tensor:
        return language.masked_posterior(ids, masked)[masked].log()
