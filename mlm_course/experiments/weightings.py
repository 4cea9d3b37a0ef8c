"""Small masked diffusion models, trained alike but for what is hidden and how it is weighed. Lesson 12.

Scored by the bound in nats a sentence, by the surprise of a hidden word at each of SHARES hidden, and
by how many of the sentences are valid that they write in 16 steps. Learning rates are chosen by the
bound.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corpora.tinyworld_oracle import n_words
from mlm_course.corruption import Corrupted, DynamicMasking, maskable
from mlm_course.corruption.masking import mask_tokens
from mlm_course.corruption.noise import CounterRNG
from mlm_course.decoding import MDLM
from mlm_course.diffusion import likelihood_bound, predictor, token_nll
from mlm_course.evaluation import judge_sentences
from mlm_course.experiments._rivals import FACTORS, Contest, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.diffusion import SHARES, SMALL, by_share, small_model, written
from mlm_course.tokenization import SPECIAL_IDS
from mlm_course.training import Data, Loss, fit, masked_lm_loss
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

SENTENCES, TEST_SENTENCES, WRITTEN = 30_000, 400, 400
FOLDER = Path("runs/weightings")


class RatedBatch(NamedTuple):
    """Rows with words hidden at a rate of each row's own: input_ids, labels, masked (B, T), rate (B, 1)."""

    input_ids: Tensor
    labels: Tensor
    masked: Tensor
    rate: Tensor


class RateRows:
    """Rows of token ids of which each word is hidden with probability t, t drawn anew from 0 to 1.

    ids (R, T) int64. Source: Sahoo et al. 2024; Nie et al. 2025.
    """

    def __init__(self, ids: Tensor, seed: int) -> None:
        self.ids, self.seed = ids, seed

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, index: Tensor, epoch: int) -> RatedBatch:
        ids, noise = self.ids[index], CounterRNG(self.seed, epoch, index)
        rate = noise.uniform(1).clamp(min=1e-3)
        masked = maskable(ids, SPECIAL_IDS) & (noise.uniform(ids.shape[1]) < rate)
        return RatedBatch(*mask_tokens(ids, masked), rate)


def rate_loss(model: nn.Module, batch: RatedBatch) -> tuple[Tensor, Tensor]:
    """The bound by rate, summed over rows, and the number of their words: nats a word."""
    ids, labels, masked, rate = batch
    surprise = token_nll(model, Corrupted(ids, labels, masked))
    words = maskable(ids, SPECIAL_IDS) | masked
    return (surprise / rate).sum(), words.sum()


def hidden_share(share: float, ids: Tensor, seed: int) -> Data:
    """Always the same share hidden."""
    return DynamicMasking(masker(share), ids, seed=seed)


WAYS: dict[str, tuple[Callable[[Tensor, int], Data], Loss]] = {
    "every share, a mean for each sentence": (GapRows, diffusion_loss),
    "every share, one mean for the batch": (GapRows, masked_lm_loss),
    "by rate, weighed 1 / t": (RateRows, rate_loss),
    "15 % hidden": (partial(hidden_share, 0.15), masked_lm_loss),
    "40 % hidden": (partial(hidden_share, 0.4), masked_lm_loss),
}


def trained_on(way: str, factor: float, seed: int) -> dict[str, Any]:
    """A small model's bound, its surprise by share, and the share of valid sentences it writes."""
    data, loss = WAYS[way]
    model = small_model(seed)
    fit(model, data(sentences(SENTENCES, 4000 + seed), seed), loss, scaled(SMALL, factor, seed))
    model.eval()
    test = sentences(TEST_SENTENCES, 1)
    bound = likelihood_bound(model, test, torch.Generator().manual_seed(3), draws=8)
    text = written(predictor(model), n_words(sentences(WRITTEN, 5)), 16, MDLM, seed)
    return {
        "bound": round(bound.mean().item(), 3),
        "valid": judge_sentences(text)["valid"],
        "by share": by_share(model, test),
    }


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All weightings."""
    done = ScoreFile(Path(folder), f"{SMALL} {FACTORS} {SENTENCES} {WRITTEN}", "other settings")
    contest = Contest(done, "weightings", {way: partial(trained_on, way) for way in WAYS}, "bound")
    pairs = each_against(WAYS, next(iter(WAYS)))
    return {
        "steps": SMALL.steps,
        "batch_size": SMALL.batch_size,
        "written": WRITTEN,
        "bound": contest.part(pairs),
        "valid": contest.part(pairs, "valid", lower_is_better=False),
        "shares": SHARES,
        "by share": {way: mean_by_share(contest.all_scores(way)) for way in WAYS},
        "minutes": done.minutes,
    }


def mean_by_share(scores: list[dict[str, Any]]) -> list[float]:
    """The mean over seeds, share by share."""
    return [round(fmean(at), 4) for at in zip(*(s["by share"] for s in scores), strict=True)]
