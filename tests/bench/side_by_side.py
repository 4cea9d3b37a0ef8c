"""Contestants that take turns within one run: what else the machine does slows all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mlm_course.results.benchmarks import Measurement

WARM_UP = 3  # rounds that do not count

Times = dict[str, list[float]]


class Ratio(NamedTuple):
    """How many times as long one contestant took as another: of the medians, and of single rounds."""

    median: float
    low: float  # quartiles of the ratios of one round each
    high: float


def stepper(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """A function that does one training step with AdamW, the same for every model."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=parameters[0].is_cuda or None)

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def ratio(times: Times, slow: str, fast: str) -> Ratio:
    """How many times as long `slow` took as `fast`."""
    each = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
    low, _, high = statistics.quantiles(each, n=4, method="inclusive")
    return Ratio(statistics.median(times[slow]) / statistics.median(times[fast]), low, high)


def times_as_fast(
    what: str, times: Times, peer: str, ours: str = "ours", at_least: float | None = None
) -> Measurement:
    """How many times as fast `ours` is as `peer`, both names in `times`."""
    speedup = ratio(times, peer, ours)
    mine, theirs = (1e3 * statistics.median(times[name]) for name in (ours, peer))
    return Measurement(
        what=f"{what}, times as fast", ours=mine, unit="ms", peer=peer, theirs=theirs,
        ratio=speedup.median, low=speedup.low, high=speedup.high, at_least=at_least,
    )  # fmt: skip
