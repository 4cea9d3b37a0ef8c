"""Mask-Predict in four passes against the autoregressive twin, which keeps its keys and values.

French cheques to English, answers of at least 25 tokens, one candidate length; the models that ship.
Experiment `pairs_speed` records more batch sizes and numbers of passes, `pairs` how often each is right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch
from reporting import main
from side_by_side import times_as_fast

from mlm_course.cost import take_turns
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.experiments.pairs_speed import N_LENGTHS, ROUNDS, WARM_UP, answering, sources
from mlm_course.models import load_pretrained
from mlm_course.results.benchmarks import Measurement

PASSES = 4
BARS = {1: 3.0, 16: None, 64: None}  # by cheques at a time


def measure(small: bool) -> Iterator[Measurement]:
    twin, parallel = (
        load_pretrained(f"cheques_{name}")[0] for name in ("autoregressive", "distilled")
    )
    steps = {
        "word by word": lambda batch: autoregressive(twin, batch),
        "ours": lambda batch: mask_predict(parallel, batch, PASSES, N_LENGTHS),
    }
    known, generator = sources(), torch.Generator().manual_seed(0)
    for size, bar in BARS.items():
        order = [
            torch.randperm(len(known), generator=generator)[:size]
            for _ in range(WARM_UP + (2 if small else ROUNDS))
        ]
        batches = [known[index] for index in order]
        times = take_turns(answering(steps, batches), len(batches) - WARM_UP, WARM_UP)
        what = f"answers, {PASSES} passes, {size} at a time"
        yield times_as_fast(what, times, "word by word", at_least=bar)


if __name__ == "__main__":
    sys.exit(main(measure))
