"""What a training step takes as rows get longer: time and memory, plain and modern encoder. Lesson 14.

Planned: 2,048 tokens a step at every length, in full rows, so that no padding counts; 30 % hidden;
six layers, d_model 128, four heads, 2,000 words; forward and backward pass, one thread. Three ways,
each beside the one that differs from it in one thing:

- plain: lesson 5's `MaskedLM`, every layer global;
- modern, all global: `ModernMaskedLM` with window 0 (no biases, gate, rotations);
- modern: with its windows of 128 tokens in two of three layers.

All three take turns, five rounds a length after one that does not count. "seconds": medians.
"differences": how much less time one needs than the other, as a share of the other's, paired by
rounds. "megabytes": what the forward pass keeps for the backward pass, each tensor counted once,
the weights not. The windows change nothing else: with the same weights the modern model's answers
are those of attention under a mask of the window (tests/test_modern.py).
"""

from __future__ import annotations

from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from mlm_course.corruption import Corrupted
from mlm_course.cost import take_turns
from mlm_course.experiments._lesson_13 import some_batch, step_of
from mlm_course.models import EncoderConfig, MaskedLM, ModernConfig, ModernMaskedLM, seeded_init
from mlm_course.results.comparison import AGAINST, compare
from mlm_course.training import masked_lm_loss

VOCAB_SIZE, TOKENS, RATIO, ROUNDS = 2000, 2048, 0.3, 5
LENGTHS = (128, 256, 512, 1024, 2048)
SIZES: dict[str, Any] = {"d_model": 128, "n_layers": 6, "n_heads": 4}
PAIRS = (("modern", "modern, all global"), ("modern", "plain"), ("modern, all global", "plain"))


def ways(length: int) -> dict[str, nn.Module]:
    """The three models, for rows of a length."""
    config = ModernConfig(VOCAB_SIZE, **SIZES)
    everywhere = ModernConfig(VOCAB_SIZE, **SIZES, window=0)
    return {
        "plain": seeded_init(MaskedLM, EncoderConfig(VOCAB_SIZE, length, **SIZES)),
        "modern, all global": seeded_init(ModernMaskedLM, everywhere),
        "modern": seeded_init(ModernMaskedLM, config),
    }


def batch_of(length: int, tokens: int = TOKENS) -> Corrupted:
    """Full rows of a length with 30 % hidden."""
    return some_batch(VOCAB_SIZE, tokens // length, length, RATIO)


def kept_megabytes(model: nn.Module, batch: Corrupted) -> float:
    """What a forward pass keeps for the backward pass, each piece of memory once, without weights."""
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(x: Tensor) -> Tensor:
        place = x.untyped_storage().data_ptr()
        if place not in own:
            kept[place] = x  # held, so that its place is not given away
        return x

    with saved_tensors_hooks(keep, lambda x: x):
        masked_lm_loss(model, batch)
    return sum(x.untyped_storage().nbytes() for x in kept.values()) / 2**20


def compared_at(length: int, rounds: int = ROUNDS, tokens: int = TOKENS) -> dict[str, Any]:
    """One length: seconds in all rounds, differences as shares, megabytes."""
    batch, models = batch_of(length, tokens), ways(length)
    seconds = take_turns({name: step_of(model, batch) for name, model in models.items()}, rounds)
    return {
        "seconds": {name: round(median(own), 4) for name, own in seconds.items()},
        "differences": {
            f"{one} {AGAINST} {other}": compare(
                [a / b for a, b in zip(seconds[one], seconds[other], strict=True)],
                [1.0] * rounds,
                lower_is_better=True,
            )._asdict()
            for one, other in PAIRS
        },
        "megabytes": {name: round(kept_megabytes(m, batch), 1) for name, m in models.items()},
    }


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {f"{length} tokens a row": compared_at(length) for length in LENGTHS}
