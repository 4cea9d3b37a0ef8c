"""All numbers of a training run that decide what comes out of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mlm_course.training.schedules import SCHEDULES

OPTIMIZERS = {"muon": 0.02, "adamw": 2e-3}  # and the learning rate each starts from
PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training run.

    steps: optimiser steps. batch_size: rows a step, over all processes and pieces; so the same
    recipe means the same training on one device and on eight.
    optimizer: "muon" (on the matrices inside blocks, AdamW on the rest) or "adamw". lr: its peak
    learning rate, None for .02 (Muon) or .002 (AdamW); adamw_lr: that of AdamW beside Muon.
    weight_decay: on matrices only (see `optimizer_groups`). betas: AdamW's.
    warmup: steps, or below 1 a share of all steps. schedule: a name in `SCHEDULES`.
    clip: longest gradient allowed, None for any. seed: data order and dropout.
    accumulate: each process works its share of a step through in so many pieces, to save memory.
    precision: "no" (fp32), "bf16", or "fp16" (GPU only). compile: through torch.compile.
    The last three change how it is computed, not what: a checkpoint may go on with other ones.
    """

    steps: int
    batch_size: int = 64
    lr: float | None = None
    optimizer: str = "muon"
    adamw_lr: float = 2e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: float = 0.05
    schedule: str = "linear"
    clip: float | None = 1.0
    seed: int = 0
    accumulate: int = 1
    precision: str = "no"
    compile: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if self.warmup < 0:
            raise ValueError(f"warmup must be a number of steps or a share, not {self.warmup}.")
        _known("optimizer", self.optimizer, OPTIMIZERS)
        _known("schedule", self.schedule, SCHEDULES)
        _known("precision", self.precision, PRECISIONS)

    @property
    def peak(self) -> float:
        """The peak learning rate: lr, or what suits the optimiser."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    def factor(self, step: int) -> float:
        """By what the peak learning rate is multiplied at a step, counted from 0."""
        warmup = self.warmup * self.steps if self.warmup < 1 else self.warmup
        return SCHEDULES[self.schedule](step, self.steps, round(warmup))


def _known(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}.")
