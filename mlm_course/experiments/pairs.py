"""Cheques from French to English: word by word, and by Mask-Predict, raw and distilled. Lesson 11.

Three models of one size: an autoregressive twin; a conditional masked language model trained on the
same pairs; and one trained on what the twin answers (sequence-level distillation, Kim and Rush
2016). How fast each is: experiment `pairs_speed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.corpora import pairs
from mlm_course.decoding import (
    LLADA,
    MASK_PREDICT,
    MASKGIT,
    MDLM,
    Decoded,
    autoregressive,
    mask_predict,
)
from mlm_course.evaluation import repeat_share
from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results import training_record
from mlm_course.tokenization import PAD_ID
from mlm_course.training import GapPairs, NextWordPairs, Recipe, fit, gap_loss, next_word_loss

TRAIN, TEST = 20_000, 1_000
MOST = 48  # tokens of a cheque, in either language
RECIPE = Recipe(steps=1600, batch_size=64, adamw_lr=4e-3, weight_decay=0.0)
STEPS = (1, 2, 4, 6, 10)
LENGTHS = (1, 2, 3, 5)  # candidate lengths of the length beam
N_LENGTHS = 3
SAMPLERS = {"Mask-Predict": MASK_PREDICT, "MaskGIT": MASKGIT, "LLaDA": LLADA, "MDLM": MDLM}


class Cheques(NamedTuple):
    """Pairs with their tokenizer; source (N, S) and target (N, T) to train on, tests beside."""

    tokenizer: Tokenizer
    source: Tensor
    target: Tensor
    test: Sequence[pairs.Pair]
    test_source: Tensor


@cache
def corpus(n_train: int = TRAIN) -> Cheques:
    """The cheques; always the same are held out."""
    train = pairs.cheques(n_train, seed=0)
    known = {pair.source for pair in train}
    test = [pair for pair in pairs.cheques(TEST, seed=1) if pair.source not in known]
    tokenizer = pairs.vocabulary(train)
    source, target = pairs.encode_pairs(tokenizer, train)
    return Cheques(tokenizer, source, target, test, pairs.encode_pairs(tokenizer, test)[0])


def build(causal: bool, vocab_size: int) -> Seq2Seq:
    """Two blocks in the encoder, two in the decoder: about half a million parameters."""
    sizes = Seq2SeqConfig(
        vocab_size, MOST, d_model=96, n_layers=2, n_heads=4, decoder_layers=2, max_target=MOST,
        causal=causal, embedding_std=0.1,
    )  # fmt: skip
    return seeded_init(Seq2Seq, sizes)


def quality(answers: Decoded, data: Cheques) -> dict[str, float]:
    """Shares of right answers, and of tokens that repeat the one before."""
    right = pairs.correct(data.tokenizer, answers.tokens, data.test)
    repeats = round(repeat_share(answers.tokens), 5)
    return {"right": round(right.float().mean().item(), 4), "repeats": repeats}


def trained(model: Seq2Seq, data: Cheques, target: Tensor, folder: str | None) -> dict[str, Any]:
    """Trains a model on answers, (N, T), to the sources; the record of its training."""

    def evaluate(model: Any) -> dict[str, float]:
        return quality(answers_of(model, data.test_source), data)

    examples: Any = GapPairs(data.source, target, seed=0)
    loss: Any = gap_loss
    if model.config.causal:
        examples, loss = NextWordPairs(data.source, target), next_word_loss
    history = fit(
        model, examples, loss, RECIPE, evaluate=evaluate, evaluate_every=RECIPE.steps // 4,
        folder=folder, save_every=500,
    )  # fmt: skip
    return training_record(model.eval(), RECIPE, None, history)


def answers_of(model: Seq2Seq, source: Tensor, steps: int = 4, **how: Any) -> Decoded:
    """Greedy answers of a causal model, Mask-Predict's of another."""
    if model.config.causal:
        return autoregressive(model, source, **how)
    return mask_predict(model, source, steps, **{"n_lengths": N_LENGTHS, **how})


def twin_answers(twin: Seq2Seq, source: Tensor, batch_size: int = 500) -> Tensor:
    """What the twin answers, greedily, (N, T): the targets of distillation. Kim and Rush 2016."""
    answers = [autoregressive(twin, part).tokens for part in source.split(batch_size)]
    width = max(part.shape[1] for part in answers)
    filled = [torch.nn.functional.pad(p, (0, width - p.shape[1]), value=PAD_ID) for p in answers]
    return torch.cat(filled)


def run(folder: str = "runs/pairs") -> dict[str, Any]:
    """Trains and ships the three models; how good their answers are, by steps and settings."""
    data = corpus()
    vocab_size = data.tokenizer.get_vocab_size()
    twin, models, records = build(True, vocab_size), {}, {}
    records["autoregressive"] = trained(twin, data, data.target, f"{folder}/autoregressive")
    targets = {"raw": data.target, "distilled": twin_answers(twin, data.source)}
    for name, target in targets.items():
        models[name] = build(False, vocab_size)
        records[name] = trained(models[name], data, target, f"{folder}/{name}")
    for name, model in {"autoregressive": twin, **models}.items():
        save_pretrained(f"cheques_{name}", model, data.tokenizer)
    return {"sizes": sizes(data), "training": records, **tables(twin, models, data)}


def sizes(data: Cheques) -> dict[str, float]:
    """How many pairs there are, and how long the targets to train on are."""
    lengths = (data.target != PAD_ID).sum(1).float()
    return {
        "train": len(data.source),
        "test": len(data.test),
        "vocabulary": data.tokenizer.get_vocab_size(),
        "target_tokens": round(lengths.mean().item(), 1),
        "at_least_25_tokens": round((lengths >= 25).float().mean().item(), 4),
    }


def tables(twin: Seq2Seq, models: dict[str, Seq2Seq], data: Cheques) -> dict[str, Any]:
    """Quality on the test cheques: by beam, by steps, by candidate lengths, by sampler."""

    def ask(model: Seq2Seq, **how: Any) -> dict[str, float]:
        return quality(answers_of(model, data.test_source, **how), data)

    def drawn(name: str, steps: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(0)
        return ask(models["raw"], steps=steps, sampler=SAMPLERS[name], generator=generator)

    return {
        "autoregressive": {"greedy": ask(twin), "beam 4": ask(twin, beam=4)},
        "steps": {name: {t: ask(m, steps=t) for t in STEPS} for name, m in models.items()},
        "steps_one_length": {
            name: {t: ask(m, steps=t, n_lengths=1) for t in STEPS} for name, m in models.items()
        },
        "lengths": {
            name: {n: {"right": ask(m, n_lengths=n)["right"]} for n in LENGTHS}
            for name, m in models.items()
        },
        "true_length": {name: true_length(m, data) for name, m in models.items()},
        "samplers": {name: {t: drawn(name, t) for t in STEPS} for name in SAMPLERS},
    }


def true_length(model: Seq2Seq, data: Cheques) -> float:
    """How often the most likely length is that of a right answer."""
    encoded = pairs.encode_pairs
    likely = mask_predict(model, data.test_source, 1).tokens.ne(PAD_ID).sum(1).tolist()
    right = 0
    for n, pair in zip(likely, data.test, strict=True):
        answers = [pair._replace(target=text) for text in sorted(pair.right)]
        right += n in (encoded(data.tokenizer, answers)[1] != PAD_ID).sum(1).tolist()
    return round(right / len(likely), 4)
