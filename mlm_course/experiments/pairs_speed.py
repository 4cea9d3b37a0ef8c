"""How long a cheque takes, word by word and by Mask-Predict, alone and in batches. Lesson 11.

Both twins answer the same cheques in turns, so that what else the machine does slows both. The
models are those that experiment `pairs` ships.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor

from mlm_course.corpora import pairs
from mlm_course.cost import take_turns
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.experiments.pairs import STEPS
from mlm_course.models import load_pretrained
from mlm_course.tokenization import PAD_ID

BATCHES = (1, 4, 16, 64)
ROUNDS, WARM_UP = 25, 2  # batches that count, and before them batches that do not
SHORTEST = 25  # tokens of the answers
N_LENGTHS = 1


def sources() -> Tensor:
    """Cheques that neither model has seen, and whose answers have at least SHORTEST tokens, (N, S)."""
    tokenizer = load_pretrained("cheques_autoregressive")[1]
    drawn = pairs.cheques(2 * max(BATCHES), seed=2)
    source, target = pairs.encode_pairs(tokenizer, drawn)
    return source[(target != PAD_ID).sum(1) >= SHORTEST]


def answering(
    contestants: Mapping[str, Callable[[Tensor], Any]], batches: Sequence[Tensor]
) -> dict[str, Callable[[], Any]]:
    """For each contestant a call without arguments: it answers the next of the batches."""

    def answer_next(answer: Callable[[Tensor], Any], left: Iterator[Tensor]) -> Any:
        return answer(next(left))

    return {
        name: partial(answer_next, answer, iter(batches)) for name, answer in contestants.items()
    }


def summarize(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Milliseconds, and how many times as fast as word by word: of the medians, and its quartiles."""
    slow = seconds["word by word"]
    summary = {}
    for name, own in seconds.items():
        each = [a / b for a, b in zip(slow, own, strict=True)]
        low, _, high = quantiles(each, n=4)
        summary[name] = {
            "ms": round(1000 * median(own), 2),
            "times_as_fast": round(median(slow) / median(own), 2),
            "quartiles": [round(low, 2), round(high, 2)],
        }
    return summary


def run() -> dict[str, Any]:
    """Times for every batch size and number of steps."""
    twin, parallel = (
        load_pretrained(f"cheques_{name}")[0] for name in ("autoregressive", "distilled")
    )
    contestants: dict[str, Callable[[Tensor], Any]] = {
        "word by word": lambda batch: autoregressive(twin, batch)
    }
    for steps in STEPS:
        contestants[f"T={steps}"] = lambda batch, t=steps: mask_predict(
            parallel, batch, t, N_LENGTHS
        )  # type: ignore[misc]
    known, generator = sources(), torch.Generator().manual_seed(0)
    by_batch_size = {}
    for size in BATCHES:
        order = [
            torch.randperm(len(known), generator=generator)[:size] for _ in range(WARM_UP + ROUNDS)
        ]
        ways = answering(contestants, [known[index] for index in order])
        by_batch_size[size] = summarize(take_turns(ways, ROUNDS, WARM_UP))
    return {"rounds": ROUNDS, "candidate_lengths": N_LENGTHS, "batches": by_batch_size}
