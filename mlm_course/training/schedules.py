"""Learning-rate schedules: by what the peak is multiplied at each step.

All are pure functions (step, steps, warmup) -> factor; step counts from 0 to steps - 1. During the
first `warmup` steps the factor climbs in equal stairs to 1. Nothing to save, nothing to restore.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch.optim import Optimizer


def constant(step: int, steps: int, warmup: int = 0) -> float:
    """Warm-up, then 1 to the end."""
    return _climb(step, warmup)


def linear(step: int, steps: int, warmup: int = 0) -> float:
    """Warm-up, then straight down towards 0, reached after the last step. As in BERT's code."""
    return _climb(step, warmup) * (1 - _progress(step, steps, warmup))


def cosine(step: int, steps: int, warmup: int = 0) -> float:
    """Warm-up, then down half a cosine wave. Source: Loshchilov and Hutter 2017, equation 5."""
    return _climb(step, warmup) * (1 + math.cos(math.pi * _progress(step, steps, warmup))) / 2


def inverse_square_root(step: int, steps: int, warmup: int = 0) -> float:
    """Warm-up, then 1/sqrt(step): needs no end. Source: Vaswani et al. 2017, section 5.3."""
    start = max(warmup, 1)
    return _climb(step, warmup) * math.sqrt(start / max(step + 1, start))


def trapezoid(step: int, steps: int, warmup: int = 0, cooldown: float = 0.2) -> float:
    """Warm-up, then 1, then straight down to 0 over the last share `cooldown` of the steps.

    Source: Hägele et al. 2024, section 3.
    """
    return _climb(step, warmup) * min(1.0, (steps - step) / max(1, round(cooldown * steps)))


SCHEDULES: Mapping[str, Callable[[int, int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "inverse_square_root": inverse_square_root,
    "trapezoid": trapezoid,
}


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Each group's learning rate as `factor` times the one it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor


def _climb(step: int, warmup: int) -> float:
    """The stairs of the warm-up; the first step is above 0, for at 0 it would be lost."""
    return min(1.0, (step + 1) / (warmup + 1))


def _progress(step: int, steps: int, warmup: int) -> float:
    """How much of the way behind the warm-up is done, from 0 to 1."""
    return max(0.0, step - warmup) / max(1, steps - warmup)
