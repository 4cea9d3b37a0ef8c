"""Tinyworld sentences out of nothing: masked diffusion, its samplers and the exact marks. Lesson 12.

One model, trained on every share of hidden words, writes whole sentences of given lengths. The
language is known, so three things are exact: how probable a sentence is, whether a text is one, and
what a perfect model would answer. Other ways to train: experiment `weightings`; samplers taken apart:
`samplers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course.corpora import tinyworld as language
from mlm_course.corpora.tinyworld import sentences
from mlm_course.corpora.tinyworld_oracle import exact_nll, exact_predict, log_p_length, n_words
from mlm_course.corruption.masking import mask_tokens
from mlm_course.corruption.strategies import choose_count
from mlm_course.decoding import LLADA, MASK_PREDICT, MASKGIT, MDLM, Predict, Sampler, refine
from mlm_course.diffusion import blank, likelihood_bound, predictor, token_nll
from mlm_course.evaluation import judge_sentences
from mlm_course.experiments import tinyworld
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results import training_record
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import fit
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

RECIPE = replace(tinyworld.RECIPE, steps=800)
SMALL = replace(tinyworld.RECIPE, steps=300, batch_size=64, precision="no")
SENTENCES, TEST_SENTENCES, WRITTEN = 100_000, 1_000, 250
SHARES = (0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
STEPS = (1, 2, 4, 8, 16, 32)
SAMPLERS = {
    "Mask-Predict": MASK_PREDICT,
    "Mask-Predict, drawing": replace(MASK_PREDICT, temperature=1.0),
    "MaskGIT": MASKGIT,
    "LLaDA": LLADA,
    "LLaDA, drawing": replace(LLADA, temperature=1.0),
    "MDLM": MDLM,
}


def written(predict: Predict, lengths: Tensor, steps: int, sampler: Sampler, seed: int) -> Tensor:
    """Sentences of these lengths (B,), out of nothing: ids (B, T)."""
    generator, back = torch.Generator().manual_seed(seed), torch.arange(len(lengths))
    if sampler in (MASK_PREDICT, LLADA):  # nothing is drawn: one text for each length
        lengths, back = lengths.unique(return_inverse=True)
    canvas, masked = blank(lengths)
    return refine(predict, canvas, masked, MASK_ID, steps, sampler, generator)[-1].tokens[back]


def compare_samplers(predict: Predict, n: int, steps: tuple[int, ...] = STEPS) -> dict[str, Any]:
    """Every sampler at every number of steps: what `judge_sentences` says of n sentences."""
    lengths = n_words(sentences(n, 5))
    return {
        name: {str(T): judge_sentences(written(predict, lengths, T, sampler, 6)) for T in steps}
        for name, sampler in SAMPLERS.items()
    }


@torch.no_grad()
def by_share(model: nn.Module | None, ids: Tensor) -> list[float]:
    """Surprise per hidden word, in nats, at each of SHARES; without a model the exact floor."""
    surprises = []
    for share in SHARES:
        generator, words = torch.Generator().manual_seed(7), ids > max(SPECIAL_IDS)
        n = (share * words.sum(1)).round().long().clamp(min=1)
        batch = mask_tokens(ids, choose_count(words, n, generator))
        if model is None:
            surprises.append(language.loss_floor(ids, batch.masked))
        else:
            surprises.append((token_nll(model, batch).sum() / batch.masked.sum()).item())
    return [round(value, 4) for value in surprises]


def small_model(seed: int = 0) -> MaskedLM:
    """Three layers, 64 numbers a token."""
    config = EncoderConfig(
        len(language.vocabulary()), 26, d_model=64, n_layers=3, embedding_std=0.1
    )
    return seeded_init(MaskedLM, config, seed)


def sentence_scores(model: nn.Module, test: Tensor) -> dict[str, Any]:
    """The bound in nats a sentence, surprise by share hidden, and what the model writes."""
    model.eval()
    lengths = n_words(sentences(WRITTEN, 5))
    text = written(predictor(model), lengths, 16, MDLM, 6)
    bound = likelihood_bound(model, test, torch.Generator().manual_seed(3), draws=16)
    return {
        "bound": round(bound.mean().item(), 3),
        "by share": by_share(model, test),
        "MDLM, 16 steps": judge_sentences(text),
    }


def evaluator(test: Tensor) -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`: the bound, in nats a sentence."""

    def evaluate(model: nn.Module) -> dict[str, float]:
        draws = likelihood_bound(model, test[:300], torch.Generator().manual_seed(3))
        return {"loss": draws.mean().item()}

    return evaluate


def run(folder: str | None = "runs/diffusion", display: Any = None) -> dict[str, Any]:
    """Trains the model, stores it among the checkpoints; what it says and writes."""
    test, model = sentences(TEST_SENTENCES, 1), tinyworld.build()
    history = fit(
        model, GapRows(sentences(SENTENCES, 0), seed=0), diffusion_loss, RECIPE,
        evaluate=evaluator(test), evaluate_every=200, folder=folder, save_every=100,
        display=display,
    )  # fmt: skip
    save_pretrained("diffusion", model, language.vocabulary())
    return {
        "entropy": round(exact_nll(test).mean().item(), 3),
        "entropy of the length": round(-log_p_length(n_words(test)).mean().item(), 3),
        "shares": SHARES,
        "floor by share": by_share(None, test),
        **training_record(model, RECIPE, 0.5, history),  # the mean share; n ~ U{1..N}
        **sentence_scores(model, test),
        "written": WRITTEN,
        "real": judge_sentences(sentences(WRITTEN, 5)),
        "samplers": compare_samplers(predictor(model), WRITTEN),
        "samplers, perfect model": compare_samplers(exact_predict, WRITTEN),
    }
