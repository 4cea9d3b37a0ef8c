"""Two right answers, equally likely: what mixing them costs, and what helps. Lesson 11.

Small models on `corpora.two_modes`, all of one size: a conditional masked language model (CMLM); the
same trained on one of the two answers only, on the answers of an autoregressive twin, and with a
fixed share hidden; and the CMLM with one thing of its training changed. One run each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from statistics import mean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.corpora import two_modes
from mlm_course.corpora.two_modes import LENGTH, train_and_test
from mlm_course.corruption import CounterRNG
from mlm_course.corruption.masking import IGNORED
from mlm_course.corruption.strategies import choose_count
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.evaluation import repeat_share
from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.tokenization import MASK_ID, PAD_ID
from mlm_course.training import Recipe, fit
from mlm_course.training.datasets import GapPairs, NextWordPairs, PairBatch
from mlm_course.training.losses import gap_loss, next_word_loss

TOLD = 20_000  # sources that the twin answers
STEPS = (1, 2, 4, 6, 10, 14)
RECIPE = Recipe(steps=300, batch_size=128, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95))
FIXED_RATIO = 0.15
STRATEGIES: dict[str, tuple[Recipe, float]] = {
    "Muon, linear schedule, clipping": (RECIPE, 0.0),
    "label smoothing .1": (RECIPE, 0.1),
    "constant schedule": (replace(RECIPE, schedule="constant"), 0.0),
    "AdamW instead of Muon": (replace(RECIPE, optimizer="adamw", lr=2e-3), 0.0),
}
"""What is changed in the training, and the label smoothing."""


class FixedRatioPairs:
    """Pairs of which always the same share of the target is hidden, as BERT's 15 %: the contrast.

    source (N, S) and target (N, L) int64 without padding. See `GapPairs` for the CMLM's way.
    """

    def __init__(
        self, source: Tensor, target: Tensor, seed: int, ratio: float = FIXED_RATIO
    ) -> None:
        self.source, self.target, self.seed = source, target, seed
        self.n = max(1, round(ratio * target.shape[1]))

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: Tensor, epoch: int) -> PairBatch:
        target = self.target[index]
        n = torch.full((len(index),), self.n)
        masked = choose_count(target != PAD_ID, n, CounterRNG(self.seed, epoch, index))
        shown = target.masked_fill(masked, MASK_ID)
        return PairBatch(self.source[index], shown, target.masked_fill(~masked, IGNORED))


def build(causal: bool = False) -> Seq2Seq:
    """Two blocks in the encoder, two in the decoder, 96 numbers a token."""
    sizes = Seq2SeqConfig(
        len(two_modes.vocabulary()), 1 + LENGTH, d_model=96, n_layers=2, n_heads=4,
        embedding_std=0.1, decoder_layers=2, max_target=1 + LENGTH, causal=causal,
    )  # fmt: skip
    return seeded_init(Seq2Seq, sizes)


def train(
    data: Any, recipe: Recipe, label_smoothing: float = 0.0, folder: str | None = None
) -> tuple[Seq2Seq, dict[str, float]]:
    """A model trained on pairs; its last loss, the mean of 20 steps, and the minutes it took.

    Word by word if they are `NextWordPairs`, else to fill gaps. folder: see `fit`.
    """
    causal = isinstance(data, NextWordPairs)
    model = build(causal)
    loss = partial(next_word_loss if causal else gap_loss, label_smoothing=label_smoothing)
    history = fit(model, data, loss, recipe, folder=folder)
    minutes = round(history.seconds[-1] / 60, 1)
    return model.eval(), {"loss": round(mean(history.losses[-20:]), 4), "minutes": minutes}


def validity(written: Tensor, sources: Tensor) -> dict[str, float]:
    """Shares of valid answers and of tokens that repeat their left neighbour."""
    valid = two_modes.is_valid(sources, written).float().mean().item()
    return {"valid": round(valid, 4), "repeats": round(repeat_share(written), 5)}


def by_steps(
    model: Seq2Seq, sources: Tensor, steps: Iterable[int] = STEPS
) -> dict[str, dict[str, float]]:
    """What Mask-Predict writes in each number of steps; the length is known."""
    lengths = torch.full((len(sources),), LENGTH)
    return {
        str(t): validity(mask_predict(model, sources, t, lengths=lengths).tokens, sources)
        for t in steps
    }


def from_left(model: Seq2Seq, sources: Tensor, beam: int = 1) -> dict[str, float]:
    """What an autoregressive model writes."""
    return validity(answers_from_left(model, sources, beam), sources)


def answers_from_left(model: Seq2Seq, sources: Tensor, beam: int = 1) -> Tensor:
    """An autoregressive model's answers, cut or padded to (N, L)."""
    written = [autoregressive(model, part, beam).tokens for part in sources.split(1000)]
    return torch.cat([F.pad(rows, (0, LENGTH))[:, :LENGTH] for rows in written])


def both_modes(written: Tensor, sources: Tensor) -> float:
    """Of the valid answers, the share that is the source as it stands."""
    valid = two_modes.is_valid(sources, written)
    as_it_stands = (sources[:, 1:] == written).all(1)
    return round((as_it_stands.sum() / valid.sum().clamp(min=1)).item(), 4)


def strategies(folder: str) -> dict[str, dict[str, Any]]:
    """For each way to train: the last loss, and what comes out by the number of steps."""
    pairs, by_strategy = train_and_test(), {}
    data = GapPairs(pairs.source, pairs.target, seed=0)
    for name, (recipe, smoothing) in STRATEGIES.items():
        model, about = train(data, recipe, smoothing, f"{folder}/{name}")
        by_strategy[name] = {**about, **by_steps(model, pairs.test)}
    return by_strategy


def trained_twin(folder: str) -> Seq2Seq:
    """The autoregressive model that is trained on the same pairs."""
    pairs = train_and_test()
    data = NextWordPairs(pairs.source, pairs.target)
    return train(data, RECIPE, folder=f"{folder}/twin")[0]


def data_sets(told: Tensor) -> dict[str, GapPairs | FixedRatioPairs]:
    """What the models of the table are trained on; told (N, L): the twin's answers."""
    pairs, one_mode = train_and_test(), train_and_test(1)
    kept = (told != PAD_ID).all(1)
    return {
        "one mode": GapPairs(one_mode.source, one_mode.target, seed=0),
        "the twin's answers": GapPairs(pairs.source[: len(told)][kept], told[kept], seed=0),
        "15 % hidden": FixedRatioPairs(pairs.source, pairs.target, seed=0),
    }


def run(folder: str = "runs/two_modes") -> dict[str, Any]:
    """Trains all of them; shares of valid answers and of repeats by the number of steps."""
    pairs, by_strategy = train_and_test(), strategies(folder)
    twin = trained_twin(folder)
    told = answers_from_left(twin, pairs.source[:TOLD])
    tables: dict[str, Any] = {"two modes": by_strategy["Muon, linear schedule, clipping"]}
    for name, data in data_sets(told).items():
        model, about = train(data, RECIPE, folder=f"{folder}/{name}")
        tables[name] = {**about, **by_steps(model, pairs.test)}
    return {
        "parameters": sum(p.numel() for p in twin.parameters()),
        "recipe": asdict(RECIPE),
        "steps": tables,
        "autoregressive": from_left(twin, pairs.test),
        "twin_as_it_stands": both_modes(told, pairs.source[:TOLD]),
        "strategies": by_strategy,
    }
