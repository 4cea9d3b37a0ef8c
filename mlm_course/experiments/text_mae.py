"""Masked autoencoders for text beside masked language models, on tinyworld. Lesson 10.

One model with all the time it needs, next to the exact posterior. Then small ones: both kinds with
the same sentences, steps and optimiser, several seeds each, tested on what was hidden and by linear
probes on what their encoders make of a whole text; and autoencoders with one part left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld as language
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments import tinyworld
from mlm_course.experiments.tinyworld import tester
from mlm_course.models import (
    EncoderConfig,
    MaskedLM,
    StackConfig,
    TextMAE,
    TextMAEConfig,
    seeded_init,
)
from mlm_course.models.encoder import initialise
from mlm_course.models.text_mae import keep_visible
from mlm_course.probing import PROBES, Vectors, effective_rank, probe_accuracies
from mlm_course.results import training_record
from mlm_course.tokenization import SPECIAL_IDS
from mlm_course.training import Recipe, fit, masked_lm_loss

RATIO = tinyworld.MASK_RATIO
RECIPE = replace(tinyworld.RECIPE, steps=500, precision="no")
SMALL = replace(tinyworld.RECIPE, steps=400, batch_size=64, precision="no")
SENTENCES, SMALL_SENTENCES, TEST_SENTENCES = 100_000, 30_000, 2_000
SEEDS = (0, 1, 2)
SHARE = 0.9  # of all squared lengths, when directions are counted


class CountedAnew(TextMAE):
    """An autoencoder whose encoder counts the visible tokens 0, 1, 2 ...: where they stood is lost."""

    def encode(self, kept: Any) -> Tensor:
        """The encoder's vectors (B, K, D)."""
        anew = torch.arange(kept.ids.shape[1], device=kept.ids.device)
        return self.encoder(kept.ids, kept.real, positions=anew)


def build(width: int = 64, decoder_layers: int = 1, seed: int = 0,
          kind: type[TextMAE] = TextMAE) -> TextMAE:  # fmt: skip
    """An autoencoder of three blocks, and a decoder of the same width."""
    decoder = StackConfig(d_model=width, n_layers=decoder_layers)
    return seeded_init(kind, TextMAEConfig(**_sizes(width), decoder=decoder), seed)


def build_masked_lm(width: int = 64, seed: int = 0) -> MaskedLM:
    """Lesson 6's model with the same encoder."""
    return seeded_init(MaskedLM, EncoderConfig(**_sizes(width)), seed)


def _sizes(width: int) -> dict[str, Any]:
    return {
        "vocab_size": len(language.vocabulary()), "max_length": 26, "d_model": width,
        "n_layers": 3, "embedding_std": 0.1,
    }  # fmt: skip


def without_decoder_positions(model: TextMAE) -> TextMAE:
    """The model with no positions in its decoder, for good."""
    nn.init.zeros_(model.decoder_positions.weight)
    model.decoder_positions.requires_grad_(False)
    return model


def beginning_at_random(model: TextMAE) -> TextMAE:
    """The model with the layers around its decoder drawn at random, instead of identities."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        initialise(model.to_decoder)
        initialise(model.from_decoder)
    return model


def best_accuracy(corrupted: Corrupted) -> float:
    """How often the best possible guesser is right at these hidden places."""
    ids = torch.where(corrupted.masked, corrupted.labels, corrupted.input_ids)
    right = []
    for rows in torch.arange(len(ids)).split(250):
        gaps = corrupted.masked[rows]
        posterior = language.masked_posterior(ids[rows], gaps)[gaps]  # (n, V)
        right.append(posterior.argmax(-1) == ids[rows][gaps])
    return torch.cat(right).double().mean().item()


def train(model: nn.Module, recipe: Recipe, n: int, ratio: float = RATIO, **options: Any) -> Any:
    """Trains on n sentences of which `ratio` is hidden; the history."""
    data = DynamicMasking(masker(ratio), sentences(n, 0), seed=recipe.seed)
    return fit(model, data, masked_lm_loss, recipe, **options)


def masked_scores(model: nn.Module, corrupted: Corrupted, floor: float) -> dict[str, float]:
    """Distance to the floor in nats, and accuracy, at fixed hidden places."""
    scores = score_masked(model, corrupted)
    return {"above_floor": round(scores.loss - floor, 4), "accuracy": round(scores.accuracy, 4)}


def compare_models(seed: int, corrupted: Corrupted, floor: float) -> dict[str, Any]:
    """Models after the same training: what they guess, what their vectors tell."""
    recipe, by_model = replace(SMALL, seed=seed), {}
    models: Mapping[str, MaskedLM] = {
        "autoencoder": build(seed=seed),
        "autoencoder, two decoder blocks": build(decoder_layers=2, seed=seed),
        "masked language model": build_masked_lm(seed=seed),
    }
    for name, model in models.items():
        train(model, recipe, SMALL_SENTENCES)
        model.eval()
        by_model[name] = {
            **masked_scores(model, corrupted, floor),
            "probes": probe_accuracies(model.encoder),
            "directions": directions(model, corrupted),
        }
        if isinstance(model, TextMAE):
            by_model[name]["probes behind the decoder"] = probe_accuracies(behind_decoder(model))
    untrained = build_masked_lm(seed=seed).encoder.eval()
    return {**by_model, "untrained": {"probes": probe_accuracies(untrained)}}


def behind_decoder(model: TextMAE) -> Vectors:
    """An autoencoder's vectors of whole texts behind its decoder, which is usually thrown away."""

    def vectors(ids: Tensor, text: Tensor | None) -> Tensor:
        kept = keep_visible(ids, torch.zeros_like(ids, dtype=torch.bool), text)
        return model.decode(model.encode(kept), kept, text)

    return vectors


@torch.no_grad()
def directions(model: MaskedLM, corrupted: Corrupted) -> dict[str, int]:
    """In how many directions SHARE of the encoder's vectors lies: whole texts, and in training."""
    corrupted = Corrupted(*(part[:500] for part in corrupted))
    ids = torch.where(corrupted.masked, corrupted.labels, corrupted.input_ids)
    words, encoder = ids > max(SPECIAL_IDS), model.encoder
    vectors = {"whole texts": encoder(ids, visible_mask(ids))[words]}
    if isinstance(model, TextMAE):
        kept = keep_visible(ids, corrupted.masked, visible_mask(ids))
        vectors["in training, words"] = model.encode(kept)[kept.ids > max(SPECIAL_IDS)]
    else:
        x = encoder(corrupted.input_ids, visible_mask(ids))
        vectors["in training, words"] = x[words & ~corrupted.masked]
        vectors["in training, [MASK]"] = x[corrupted.masked]
        vectors["in training, both"] = x[words]
    return {name: effective_rank(x, SHARE) for name, x in vectors.items()}


def variants(corrupted: Corrupted, floor: float) -> dict[str, dict[str, float]]:
    """Small autoencoders with one thing changed, all tested at the same places."""
    models: Mapping[str, tuple[TextMAE, float]] = {
        "positions counted anew": (build(kind=CountedAnew), RATIO),
        "no positions in the decoder": (without_decoder_positions(build()), RATIO),
        "decoder's inlet, outlet random": (beginning_at_random(build()), RATIO),
        "15 % hidden": (build(), 0.15),
        "75 % hidden": (build(), 0.75),
    }
    scores = {}
    for name, (model, ratio) in models.items():
        train(model, SMALL, SMALL_SENTENCES, ratio)
        scores[name] = masked_scores(model, corrupted, floor)
    return scores


def averaged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """For each kind of model what each seed gave, and the mean over seeds of its probes."""
    return {
        name: {
            "each seed": [one[name] for one in runs],
            "probes": {p: round(mean(one[name]["probes"][p] for one in runs), 4) for p in PROBES},
        }
        for name in runs[0]
    }


def run() -> dict[str, Any]:
    """The larger model, the comparison, the variants."""
    corrupted, floor = tinyworld.masked_test_set(TEST_SENTENCES)
    model = build(width=128)
    history = train(
        model, RECIPE, SENTENCES, evaluate=tester(corrupted), evaluate_every=100, floor=floor
    )
    return {
        "floor": floor,
        "best_accuracy": best_accuracy(corrupted),
        **training_record(model, RECIPE, RATIO, history),
        "probes": probe_accuracies(model.eval().encoder),
        "probes behind the decoder": probe_accuracies(behind_decoder(model)),
        "small": {"steps": SMALL.steps, "batch_size": SMALL.batch_size},
        "variants": variants(corrupted, floor),
        "compared": averaged([compare_models(seed, corrupted, floor) for seed in SEEDS]),
    }
