"""What makes a small model learn sooner: each choice of lesson 6's recipe undone, one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlm_course.corpora import tinyworld
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.corruption import DynamicMasking, standard_masker
from mlm_course.evaluation import score_masked
from mlm_course.experiments import python_docs
from mlm_course.experiments.tinyworld import masked_test_set
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.training import Recipe, fit, masked_lm_loss

CONFIG = EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=64, n_layers=4, embedding_std=0.1)
RECIPE = Recipe(steps=300, batch_size=64)
RATIO = 0.3
DOCS_STEPS = 800


def distance(
    config: EncoderConfig = CONFIG, recipe: Recipe = RECIPE, ratio: float = RATIO
) -> float:
    """How far above the floor at 15 % a model ends, in nats."""
    corrupted, floor = masked_test_set()
    model = seeded_init(MaskedLM, config)
    fit(model, DynamicMasking(masker(ratio), sentences(20_000, 4), seed=0), masked_lm_loss, recipe)
    return round(score_masked(model, corrupted).loss - floor, 4)


def on_docs(embedding_std: float, corpus: python_docs.Corpus) -> float:
    """The share of held-out tokens of Python's docstrings that a model restores after DOCS_STEPS."""
    vocab_size = corpus.tokenizer.get_vocab_size()
    config = replace(python_docs.build(vocab_size).config, embedding_std=embedding_std)
    data = DynamicMasking(standard_masker(vocab_size, python_docs.MASK_RATIO), corpus.train, seed=0)
    recipe = replace(python_docs.RECIPE, steps=DOCS_STEPS)
    model = seeded_init(MaskedLM, config)
    fit(model, data, masked_lm_loss, recipe)
    return round(python_docs.tester(corpus)(model)["accuracy"], 4)


def run() -> dict[str, Any]:
    """The whole recipe, then the same with one choice undone; one choice on real text as well."""
    corpus = python_docs.read_corpus()
    adamw = {str(lr): distance(recipe=replace(RECIPE, optimizer="adamw", lr=lr))
             for lr in (1e-3, 2e-3, 4e-3, 8e-3)}  # fmt: skip
    return {
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "as it is": distance(),
        "AdamW by learning rate": adamw,
        "undone": {
            "AdamW instead of Muon": min(adamw.values()),
            "post-norm instead of pre-norm": distance(replace(CONFIG, pre_norm=False)),
            "15 % hidden instead of 30 %": distance(ratio=0.15),
            "no decay of the learning rate": distance(recipe=replace(RECIPE, schedule="constant")),
            "no warm-up": distance(recipe=replace(RECIPE, warmup=0)),
            "embeddings start at std .02": distance(replace(CONFIG, embedding_std=0.02)),
            "embeddings start at std 1": distance(replace(CONFIG, embedding_std=1.0)),
        },
        "docstrings": {
            "steps": DOCS_STEPS,
            "accuracy by std": {str(std): on_docs(std, corpus) for std in (0.02, 0.1)},
        },
    }
