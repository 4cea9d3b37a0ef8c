"""Masked autoencoders for text against masked language models, on tinyworld. Lesson 10.

Planned before it ran. Three rivals with the same encoder, sentences, masks, steps and optimiser: a masked
language model; an autoencoder, whose encoder never reads [MASK]; and the same encoder and decoder reading
[MASK], so that two changes come one at a time: a decoder that is thrown away, and an encoder without [MASK].
The learning rate of each is chosen by its loss on the test sentences, with a seed of its own. Five questions
to each, alike:

- loss: nats above the exact floor with 15 % hidden, each model guessing in its own way;
- directions: how many hold 90 % of the squared lengths of the words' vectors in whole texts (more are
  better, says Meng et al. 2023);
- words: what a linear probe reads at "she" or "her", accuracy, the mean of three probes;
- texts: what one reads in the mean of a text's vectors, the mean of two probes;
- fine-tuned: accuracy of the encoder with a layer at "she", both trained on few labels. The rate is chosen
  among three by other labels, for each model alone.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld as language
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import Corrupted, DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments._fine_tuning import fine_tune
from mlm_course.experiments._rivals import FACTORS, Contest, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.tinyworld import TEST_RATIO, masked_test_set
from mlm_course.models import (
    EncoderConfig,
    MaskedLM,
    StackConfig,
    TextMAE,
    TextMAEConfig,
    seeded_init,
)
from mlm_course.models.encoder import Encoder
from mlm_course.models.text_mae import keep_visible
from mlm_course.probing import PROBES, effective_rank, probe_accuracies
from mlm_course.results.comparison import mean_interval
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, fit, masked_lm_loss

RATIO = 0.4
RECIPE = Recipe(
    steps=500, batch_size=64, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95), precision="no"
)
SENTENCES = 30_000
SIZES: dict[str, Any] = {
    "vocab_size": len(language.vocabulary()), "max_length": 26, "d_model": 64, "n_layers": 3,
    "embedding_std": 0.1,
}  # fmt: skip
SHARE = 0.9  # of all squared lengths, when directions are counted
FOLDER = Path("runs/text_mae")
# A question, and whether lower is better.
QUESTIONS = {
    "loss": True,
    "directions": False,
    "words": False,
    "texts": False,
    "fine-tuned": False,
}
PROBES_AT_WORDS = [name for name, probe in PROBES.items() if probe.role]
PROBES_OF_TEXTS = [name for name, probe in PROBES.items() if not probe.role]
LABELS, BATCH, FINE_TUNING_STEPS, RATES = 250, 25, 60, (3e-4, 1e-3, 3e-3)


class ReadsMask(TextMAE):
    """The same encoder and decoder, but the encoder works on all places and reads [MASK] in the gaps."""

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        masked: Tensor | None = None,
        *,
        segments: Tensor | None = None,
    ) -> Tensor:
        masked = self._checked(ids, masked, segments)
        shown = ids.masked_fill(masked, MASK_ID)
        kept = keep_visible(shown, torch.zeros_like(masked), attention_mask)
        return self.logits(self.decode(self.encode(kept), kept, attention_mask)[masked])


MODELS: dict[str, Callable[[int], MaskedLM]] = {
    "masked language model": lambda seed: seeded_init(MaskedLM, EncoderConfig(**SIZES), seed),
    "autoencoder": lambda seed: build(TextMAE, seed),
    "autoencoder that reads [MASK]": lambda seed: build(ReadsMask, seed),
}
PAIRS = (
    ("autoencoder", "masked language model"),
    ("autoencoder that reads [MASK]", "masked language model"),
    ("autoencoder", "autoencoder that reads [MASK]"),
)


def build(kind: type[TextMAE], seed: int = 0) -> TextMAE:
    """An autoencoder with a decoder of one block, as wide as the encoder."""
    decoder = StackConfig(d_model=SIZES["d_model"], n_layers=1)
    return seeded_init(kind, TextMAEConfig(**SIZES, decoder=decoder), seed)


def answers(name: str, factor: float, seed: int) -> dict[str, Any]:
    """What the model of this name answers to all questions after its training."""
    model, recipe = MODELS[name](seed), scaled(RECIPE, factor, seed)
    data = DynamicMasking(masker(RATIO), sentences(SENTENCES, 3000 + seed), seed=seed)
    began = time.process_time()
    fit(model, data, masked_lm_loss, recipe)
    seconds = time.process_time() - began
    model.eval()
    corrupted, floor = masked_test_set()
    directions = directions_of(model, corrupted)
    probes = probe_accuracies(model.encoder)
    return {
        "loss": round(score_masked(model, corrupted).loss - floor, 4),
        "directions": directions["whole texts"],
        "words": round(fmean(probes[p] for p in PROBES_AT_WORDS), 4),
        "texts": round(fmean(probes[p] for p in PROBES_OF_TEXTS), 4),
        "fine-tuned": fine_tuned_accuracy(model.encoder, seed),
        "probes": probes,
        "each": directions,
        "training_seconds": round(seconds, 1),
    }


@torch.no_grad()
def directions_of(model: MaskedLM, corrupted: Corrupted) -> dict[str, int]:
    """In how many directions SHARE of the encoder's vectors lies: whole texts, and in training."""
    corrupted = Corrupted(*(part[:500] for part in corrupted))
    ids = torch.where(corrupted.masked, corrupted.labels, corrupted.input_ids)
    words, text = ids > max(SPECIAL_IDS), visible_mask(ids)
    vectors = {"whole texts": model.encoder(ids, text)[words]}
    if type(model) is TextMAE:
        kept = keep_visible(ids, corrupted.masked, text)
        vectors["in training, words"] = model.encode(kept)[kept.ids > max(SPECIAL_IDS)]
    else:
        x = model.encoder(ids.masked_fill(corrupted.masked, MASK_ID), text)
        vectors["in training, words"] = x[words & ~corrupted.masked]
        vectors["in training, [MASK]"] = x[corrupted.masked]
        vectors["in training, both"] = x[words]
    return {name: effective_rank(x, SHARE) for name, x in vectors.items()}


# --- fine-tuning: which of two people is "she"? ---


class Labelled(NamedTuple):
    """Texts (N, T), the place of the word that is asked about (N,), and the answers (N,)."""

    ids: Tensor
    places: Tensor
    answers: Tensor

    def part(self, rows: Tensor | slice) -> Labelled:
        return Labelled(*(x[rows] for x in self))


def labelled_texts(n: int = 8_000) -> Labelled:
    """Of so many sentences those with two people: who is "she", read at its last mention?"""
    probe = PROBES["two people: which one is he or she"]
    readings = [
        r
        for r in language.sample_readings(n, torch.Generator().manual_seed(70))
        if probe.role in r.roles and probe.table in r.latents
    ]
    names = [r.latents[probe.table][probe.field] for r in readings]
    last = [max(i for i, role in enumerate(r.roles) if role == probe.role) for r in readings]
    kinds = sorted({*names})
    return Labelled(
        language.encode([r.words for r in readings]),
        torch.tensor(last) + 1,  # behind [CLS]
        torch.tensor([kinds.index(name) for name in names]),
    )


class WordClassifier(nn.Module):
    """An encoder with a linear layer at one word of each text: -> (B, C)."""

    def __init__(self, encoder: Encoder, n_classes: int) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder)
        self.layer = nn.Linear(encoder.config.d_model, n_classes)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, texts: Labelled) -> Tensor:
        x = self.encoder(texts.ids, visible_mask(texts.ids))
        return self.layer(x[torch.arange(len(x)), texts.places])


def fine_tuned_accuracy(encoder: Encoder, seed: int) -> float:
    """On new texts, after LABELS labels that the seed draws, with the rate that as many others like."""
    texts = labelled_texts()
    half = len(texts.ids) // 2
    order = torch.randperm(half, generator=torch.Generator().manual_seed(seed))
    train, valid = texts.part(order[:LABELS]), texts.part(order[LABELS : 2 * LABELS])
    tried = [trained_on(train, encoder, rate, seed, texts) for rate in RATES]
    best = max(tried, key=lambda model: accuracy(model, valid))
    return round(accuracy(best, texts.part(slice(half, None))), 4)


def trained_on(
    train: Labelled, encoder: Encoder, rate: float, seed: int, texts: Labelled
) -> WordClassifier:
    """A copy of the encoder, fine-tuned in batches that the seed draws."""
    model = WordClassifier(encoder, int(texts.answers.max()) + 1)
    draw = torch.Generator().manual_seed(seed)

    def loss() -> Tensor:
        batch = train.part(torch.randperm(len(train.ids), generator=draw)[:BATCH])
        return F.cross_entropy(model(batch), batch.answers)

    fine_tune(model, loss, FINE_TUNING_STEPS, rate, warmup=FINE_TUNING_STEPS // 10)
    return model


@torch.no_grad()
def accuracy(model: WordClassifier, texts: Labelled) -> float:
    return (model(texts).argmax(-1) == texts.answers).double().mean().item()


# --- the record ---


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All rivals, all questions, once as planned."""
    fingerprint = f"{RECIPE} {SIZES} {RATIO} {SENTENCES} {LABELS} {RATES} {FACTORS}"
    done = ScoreFile(Path(folder), fingerprint, "other settings")
    rivals = {name: partial(answers, name) for name in MODELS}
    contest = Contest(done, "which", rivals, "loss")
    return {
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "masked": {"training": RATIO, "test": TEST_RATIO},
        "parameters": {n: sum(p.numel() for p in MODELS[n](0).parameters()) for n in MODELS},
        "training_seconds": {
            name: round(fmean(one["training_seconds"] for one in contest.all_scores(name)), 1)
            for name in MODELS
        },
        **{question: contest.part(PAIRS, question, lower) for question, lower in QUESTIONS.items()},
        "probes": {name: mean_probes(contest.all_scores(name)) for name in MODELS},
        "directions by what": {name: all_directions(contest.all_scores(name)) for name in MODELS},
        "minutes": done.minutes,
    }


def mean_probes(scores: list[dict[str, Any]]) -> dict[str, float]:
    """Of each probe the mean over seeds."""
    return {name: round(fmean(one["probes"][name] for one in scores), 3) for name in PROBES}


def all_directions(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Directions in whole texts and in training: for each seed, and how many [MASK] adds to the words."""
    each = {what: [one["each"][what] for one in scores] for what in scores[0]["each"]}
    if "in training, both" not in each:
        return {"each seed": each}
    pairs = zip(each["in training, both"], each["in training, words"], strict=True)
    return {"each seed": each, "[MASK] adds": mean_interval([a - b for a, b in pairs])._asdict()}
