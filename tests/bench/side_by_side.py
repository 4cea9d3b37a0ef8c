"""Contestants that take turns within one run: what else the machine does slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

Times = dict[str, list[float]]


class Ratio(NamedTuple):
    """How many times as long one contestant took as another: of the medians, and of single rounds."""

    median: float
    low: float  # quartiles of the ratios of one round each
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def stepper(model: nn.Module, loss: Callable[[], Tensor]) -> Callable[[], None]:
    """A function that does one training step with AdamW, the same for every model."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def take_turns(steps: Mapping[str, Callable[[], None]], rounds: int, warm_up: int = 3) -> Times:
    """Seconds of each round for each contestant; every other round they go backwards."""
    times: Times = {name: [] for name in steps}
    order = list(steps.items())
    for lap in range(warm_up + rounds):
        for name, step in order if lap % 2 else reversed(order):
            start = time.perf_counter()
            step()
            if lap >= warm_up:
                times[name].append(time.perf_counter() - start)
    return times


def ratio(times: Times, slow: str, fast: str) -> Ratio:
    """How many times as long `slow` took as `fast`."""
    each = [a / b for a, b in zip(times[slow], times[fast], strict=True)]
    low, _, high = statistics.quantiles(each, n=4)
    return Ratio(statistics.median(times[slow]) / statistics.median(times[fast]), low, high)


def milliseconds(times: Times, name: str) -> str:
    return f"{statistics.median(times[name]) * 1e3:.0f} ms"
