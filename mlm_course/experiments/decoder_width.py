"""How long writing takes by width of the model: Mask-Predict and two left-to-right twins. Lesson 11.

Weights are random, for time does not depend on them; sources and answers have WORDS words each. All
widths and ways take turns, one thread. "cpu_ms": processor time of this process, which other
programs on the machine change least; "wall_ms": by the clock; medians of ROUNDS. "growth": of
processor time if the width doubles; four times the work, for the matrices. Arithmetic decides from a
width on if each further doubling of those tried makes it at least DECIDED times as long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from mlm_course.cost import take_turns
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.experiments.payments import LAYERS, PARALLEL, SHALLOW, TWIN
from mlm_course.models import Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.tokenization import CLS_ID, SEP_ID, SPECIAL_IDS

WIDTHS, BATCHES = (64, 128, 256, 512, 1024), (1, 32)
WORDS, VOCABULARY = 30, 400
STEPS = (4, 10)
ROUNDS, WARM_UP = 5, 1
DECIDED = 3.0

Way = Callable[[], Any]


def key(name: str, batch: int, width: int) -> str:
    """What times are kept by."""
    return f"{name}, batch {batch}, width {width}"


def build(rival: str, width: int) -> Seq2Seq:
    """A model with random weights that never ends a text before its WORDS are written."""
    encoder, decoder = LAYERS[rival]
    sizes = Seq2SeqConfig(
        VOCABULARY, WORDS + 1, d_model=width, n_layers=encoder, n_heads=width // 32,
        decoder_layers=decoder, max_target=WORDS, causal=rival != PARALLEL,
    )  # fmt: skip
    model = seeded_init(Seq2Seq, sizes).eval()
    with torch.no_grad():
        model.output_bias[SEP_ID] = -1e9
    return model


def sources(batch: int) -> Tensor:
    """[CLS] and WORDS words in each row: (batch, WORDS + 1)."""
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(len(SPECIAL_IDS), VOCABULARY, (batch, WORDS), generator=generator)
    return torch.cat([torch.full((batch, 1), CLS_ID), words], 1)


def ways() -> dict[str, Way]:
    """A call without arguments for each way to write, batch and width."""
    calls: dict[str, Way] = {}
    for width in WIDTHS:
        models = {rival: build(rival, width) for rival in LAYERS}
        for batch in BATCHES:
            source, lengths = sources(batch), torch.full((batch,), WORDS)
            for twin in (TWIN, SHALLOW):
                calls[key(twin, batch, width)] = partial(autoregressive, models[twin], source)
            for t in STEPS:
                calls[key(f"T = {t}", batch, width)] = partial(
                    mask_predict, models[PARALLEL], source, t, lengths=lengths
                )
    return calls


def noting(way: Way, seconds: list[float]) -> Way:
    """The same call, which adds the processor time it took to a list."""

    def call() -> None:
        start = time.process_time()
        way()
        seconds.append(time.process_time() - start)

    return call


def run() -> dict[str, Any]:
    """Times of every way, batch and width, what a doubling costs, and where arithmetic decides."""
    torch.set_num_threads(1)
    calls = ways()
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    wall = take_turns({name: noting(calls[name], cpu[name]) for name in calls}, ROUNDS, WARM_UP)
    cpu = {name: seconds[WARM_UP:] for name, seconds in cpu.items()}
    return {"rounds": ROUNDS, "words": WORDS, "layers": LAYERS, **tables(cpu, wall)}


NAMES = (TWIN, SHALLOW, *(f"T = {t}" for t in STEPS))


def tables(cpu: Mapping[str, list[float]], wall: Mapping[str, list[float]]) -> dict[str, Any]:
    """The record's tables, for each batch by way and width."""
    told: dict[str, Any] = {}
    for batch in BATCHES:
        spent = {name: [cpu[key(name, batch, w)] for w in WIDTHS] for name in NAMES}
        clock = {name: [wall[key(name, batch, w)] for w in WIDTHS] for name in NAMES}
        told[f"batch {batch}"] = {
            "cpu_ms": {name: by_width(spent[name], milliseconds) for name in NAMES},
            "wall_ms": {name: by_width(clock[name], milliseconds) for name in NAMES},
            "growth": {name: growth(spent[name]) for name in NAMES},
            "arithmetic decides from": {name: decided_from(spent[name]) for name in NAMES},
            "times as fast": {
                name: {
                    str(width): ratio(slow, own)
                    for width, slow, own in zip(WIDTHS, spent[TWIN], spent[name], strict=True)
                }
                for name in NAMES[1:]
            },
        }
    return told


def milliseconds(seconds: Sequence[float]) -> float:
    """The median, in milliseconds."""
    return round(1000 * median(seconds), 2)


def by_width(seconds: Sequence[list[float]], tell: Callable[[list[float]], Any]) -> dict[str, Any]:
    """What is told of the rounds of each width."""
    return {str(width): tell(own) for width, own in zip(WIDTHS, seconds, strict=True)}


def ratio(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Median, least and largest of the rounds' ratios."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    return [round(x, 2) for x in (median(each), min(each), max(each))]


def growth(seconds: Sequence[list[float]]) -> dict[str, list[float]]:
    """How many times as long each doubling of the width takes, by the smaller width."""
    pairs = zip(WIDTHS, pairwise(seconds), strict=False)
    return {str(width): ratio(wide, narrow) for width, (narrow, wide) in pairs}


def decided_from(seconds: Sequence[list[float]]) -> int | None:
    """The smallest width from which on each doubling takes DECIDED times as long; None: not reached."""
    factors = [middle for middle, _, _ in growth(seconds).values()]
    slow = [i for i, factor in enumerate(factors) if factor < DECIDED]
    first = slow[-1] + 1 if slow else 0
    return WIDTHS[first] if first < len(factors) else None
