"""RetroMAE at search: pretrained further with its decoder or without it, then trained on pairs. Lesson 10.

Planned before it ran. Both rivals start from the shipped model of Python's docstrings and read the same
docstrings with the same words masked, for as many steps: one as a masked language model, one as RetroMAE,
whose loss is the same plus that of its decoder. Then lesson 8's search: the first sentence of a docstring
asks for the rest, in modules that neither has read, among all of them.

- Before training on pairs: with the vector at [CLS], and with the mean of all vectors.
- After it: contrastive training as in lesson 8. Planned was the vector that serves a rival better before,
  which is the mean for both; [CLS] was added when that was known.

Learning rates are chosen on modules of the training side, with a seed of their own.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corpora import passages, python_docs
from mlm_course.corpora.passages import QueryPair
from mlm_course.corruption import DynamicMasking
from mlm_course.corruption.masking import standard_masker
from mlm_course.evaluation import answer_ranks, mean_reciprocal_rank
from mlm_course.experiments import python_docs as pretraining
from mlm_course.experiments._rivals import FACTORS, TUNING, Contest, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.search import DROPOUT, TEMPERATURE, development_split
from mlm_course.models import MaskedLM, RetroMAE, load_pretrained, seeded_init
from mlm_course.models.encoder import Encoder, with_dropout
from mlm_course.models.heads import text_vectors
from mlm_course.results.comparison import between
from mlm_course.search import TextEncoder
from mlm_course.training import (
    Recipe,
    RetroRows,
    TextPairs,
    contrastive_loss,
    fit,
    masked_lm_loss,
    retro_mae_loss,
)

RATIO, DECODER_RATIO = 0.3, 0.5
LENGTH = 32  # tokens of a text
FURTHER = Recipe(
    steps=80, batch_size=32, optimizer="adamw", lr=5e-4, weight_decay=0.0, warmup=0.1,
    precision="bf16",
)  # fmt: skip
ON_PAIRS = Recipe(
    steps=30, batch_size=32, optimizer="adamw", lr=8e-4, betas=(0.9, 0.999), warmup=0.1,
    precision="bf16",
)  # fmt: skip
DEVELOPMENT = 400  # pairs, at least, in whole modules
FOLDER = Path("runs/retro_search")
MLM, RETRO = "masked language model", "RetroMAE"
CLS, MEAN = "[CLS]", "mean"


class FirstVector(nn.Module):
    """An encoder that says the vector at [CLS] in every place, so that it is their mean, too."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder, self.config = encoder, encoder.config

    def forward(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        x = self.encoder(ids, visible)  # (B, T, D)
        return x[:, :1].expand_as(x)


class BothVectors(FirstVector):
    """The same, and behind it each place's own vector: of their mean one half is each of VECTORS."""

    def forward(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        x = self.encoder(ids, visible)
        return torch.cat([x[:, :1].expand_as(x), x], -1)  # (B, T, 2 D)


# What is to stand in each place, so that the mean over tokens, which search takes, is the text's vector.
VECTORS: dict[str, Callable[[Encoder], nn.Module]] = {CLS: FirstVector, MEAN: lambda e: e}


class Pairs(NamedTuple):
    """Ids that begin with [CLS]: first sentences (N, S), what follows them (N, T), both (N, T)."""

    queries: Tensor
    texts: Tensor
    both: Tensor


class Material(NamedTuple):
    """The shipped model, and pairs to train on, to choose settings on, and held out."""

    model: MaskedLM
    train: Pairs
    development: Pairs
    test: Pairs


@cache
def material() -> Material:
    """Read once: that takes a while."""
    items = python_docs.docstrings(pretraining.PACKAGES)
    train, test = passages.query_pairs(items, pretraining.unread_modules())
    model, tokenizer = load_pretrained("python_docs")
    sides = *development_split(train, DEVELOPMENT), test
    return Material(model, *(rows(side, model.encoder, tokenizer) for side in sides))


def rows(pairs: Sequence[QueryPair], encoder: Encoder, tokenizer: Tokenizer) -> Pairs:
    """The ids of pairs, LENGTH tokens at most."""
    encode = TextEncoder(encoder, tokenizer, special_tokens=True, length=LENGTH).rows
    queries, texts = [p.query for p in pairs], [p.text for p in pairs]
    return Pairs(encode(queries), encode(texts), encode([f"{p.query} {p.text}" for p in pairs]))


def pretrained_further(kind: str, of: Material, recipe: Recipe) -> Encoder:
    """The shipped encoder after more steps as a masked language model or as RetroMAE."""
    hide = standard_masker(of.model.config.vocab_size, RATIO)
    data = DynamicMasking(hide, of.train.both, seed=recipe.seed)
    retro = seeded_init(RetroMAE, of.model.config, recipe.seed)
    retro.masked_lm.load_state_dict(of.model.state_dict())
    if kind == RETRO:
        fit(retro, RetroRows(data, recipe.seed, DECODER_RATIO), retro_mae_loss, recipe)
    else:
        fit(retro.masked_lm, data, masked_lm_loss, recipe)
    return retro.encoder.eval()


def trained_on_pairs(encoder: Encoder, vector: str, pairs: Pairs, recipe: Recipe) -> nn.Module:
    """A copy of the encoder after contrastive training, as in lesson 8."""
    model = VECTORS[vector](with_dropout(encoder, DROPOUT)).eval()
    loss = partial(contrastive_loss, temperature=TEMPERATURE)
    fit(model, TextPairs(pairs.queries, pairs.texts), loss, recipe)
    return model.eval()


def mrr(queries: Tensor, texts: Tensor) -> float:
    """Mean reciprocal rank of each query's own text among all texts, by cosine; vectors (N, D)."""
    scores = F.normalize(queries) @ F.normalize(texts).T
    ranks = answer_ranks(scores, torch.arange(len(texts)))
    return round(mean_reciprocal_rank(ranks), 4)


@torch.no_grad()
def mrr_of_each(encoder: Encoder, pairs: Pairs) -> dict[str, float]:
    """With each of VECTORS."""
    model = BothVectors(encoder).eval()
    halves = [text_vectors(model, ids).chunk(2, -1) for ids in (pairs.queries, pairs.texts)]
    return {name: mrr(*both) for name, both in zip(VECTORS, zip(*halves, strict=True), strict=True)}


@torch.no_grad()
def mrr_of(model: nn.Module, pairs: Pairs) -> float:
    """With the mean of what the model says in each place."""
    return mrr(text_vectors(model, pairs.queries), text_vectors(model, pairs.texts))


class Laboratory:
    """The trainings, the second of which goes on from the first; what is scored depends on the seed."""

    def __init__(self, of: Material, done: ScoreFile, folder: Path) -> None:
        self.of, self.done, self.folder = of, done, folder
        rivals = {kind: partial(self.before, kind) for kind in (MLM, RETRO)}
        self.by_vector = {
            vector: Contest(done, "before pairs", rivals, vector, lower_is_better=False)
            for vector in VECTORS
        }
        self.on_pairs = {
            vector: Contest(
                done, f"after pairs, {vector}",
                {kind: partial(self.after, kind, vector) for kind in (MLM, RETRO)},
                "mrr", lower_is_better=False,
            )
            for vector in VECTORS
        }  # fmt: skip

    def judged_on(self, seed: int) -> Pairs:
        """Modules of the training side where something is chosen, else the unread ones."""
        return self.of.development if seed == TUNING else self.of.test

    def before(self, kind: str, factor: float, seed: int) -> dict[str, Any]:
        """MRR with either vector after pretraining, which is kept in a file."""
        began = time.process_time()
        encoder = pretrained_further(kind, self.of, scaled(FURTHER, factor, seed))
        seconds = round(time.process_time() - began, 1)
        torch.save(encoder.state_dict(), self.path(kind, factor, seed))
        return {**mrr_of_each(encoder, self.judged_on(seed)), "training_seconds": seconds}

    def after(self, kind: str, vector: str, factor: float, seed: int) -> dict[str, Any]:
        """MRR after training on pairs at a factor, from the weights that were best before with this vector."""
        contest = self.by_vector[vector]
        chosen = contest.chosen(kind)
        contest.scores(kind, chosen, seed)
        encoder = copy.deepcopy(self.of.model.encoder)
        encoder.load_state_dict(torch.load(self.path(kind, chosen, seed)))
        recipe = scaled(ON_PAIRS, factor, seed)
        model = trained_on_pairs(encoder, vector, self.of.train, recipe)
        return {"mrr": mrr_of(model, self.judged_on(seed))}

    def path(self, kind: str, factor: float, seed: int) -> Path:
        return self.folder / f"{kind.split()[0]}-{factor:.3g}-{seed}.pt"


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """Both searches, once as planned."""
    folder, of = Path(folder), material()
    weights = sum(p.double().abs().sum().item() for p in of.model.parameters())
    fingerprint = f"{FURTHER} {ON_PAIRS} {RATIO} {DECODER_RATIO} {LENGTH} {FACTORS} {weights:.2f}"
    done = ScoreFile(folder, fingerprint, "other settings")
    lab = Laboratory(of, done, folder)
    before = lab.by_vector
    pair = [(RETRO, MLM)]
    of_vectors = [
        (f"{RETRO}, {CLS}", f"{MLM}, {MEAN}"),
        *((f"{kind}, {CLS}", f"{kind}, {MEAN}") for kind in (MLM, RETRO)),
    ]
    by_rival = {
        f"{kind}, {vector}": before[vector].values(vector)[kind]
        for kind in (MLM, RETRO)
        for vector in VECTORS
    }
    return {
        "further_steps": FURTHER.steps,
        "steps_on_pairs": ON_PAIRS.steps,
        "batch_size": FURTHER.batch_size,
        "length": LENGTH,
        "pairs": {"train": len(of.train.texts), "development": len(of.development.texts),
                  "test": len(of.test.texts)},
        "shipped": mrr_of_each(of.model.encoder, of.test),
        "training_seconds": {
            kind: round(fmean(s["training_seconds"] for s in before[CLS].all_scores(kind)), 1)
            for kind in (MLM, RETRO)
        },
        "before pairs": {vector: before[vector].part(pair) for vector in VECTORS},
        "before pairs, vectors": between(by_rival, of_vectors),
        "after pairs": {vector: lab.on_pairs[vector].part(pair) for vector in VECTORS},
        "minutes": done.minutes,
    }  # fmt: skip
