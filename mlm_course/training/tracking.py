"""Where a run's numbers go: into the history, onto the screen, to a tracker."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from mlm_course.training.history import History
from mlm_course.training.recipe import Recipe
from mlm_course.training.step import StepResult, stop_if_infinite

TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}
ASKED_EVERY = 16  # steps between two looks at a GPU's losses: each look waits for the GPU
STATUS_EVERY = 0.2  # seconds


class Display(Protocol):
    """A progress display: points for curves, a line of text, the end (with keep_best: which step).

    `mlm_course.widgets.progress_display()` makes one that suits a notebook or a terminal.
    """

    def add(self, *, step: int, **values: float) -> Any: ...
    def status(self, text: str, /) -> Any: ...
    def finish(self, best: int | None = None, /) -> Any: ...


def start_accelerator(recipe: Recipe, tracker: str | None, logs: str) -> Accelerator:
    """Hugging Face's Accelerator: it knows the device, the precision and the other processes.

    Errors: ImportError if the tracker's package is missing; ValueError for an unknown tracker, or
    fp16 without a GPU.
    """
    if tracker is not None:
        _check_tracker(tracker)
    if AcceleratorState._shared_state.get("_mixed_precision", recipe.precision) != recipe.precision:
        AcceleratorState._reset_state()  # else a notebook's first precision would be its only one
    accelerator = Accelerator(
        mixed_precision=recipe.precision, log_with=tracker, project_dir=logs, cpu=_share_a_cpu()
    )
    if recipe.precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError('precision="fp16" needs a GPU: use "bf16" or "no" on a CPU.')
    if tracker is not None:
        config = {k: str(v) if k == "betas" or v is None else v for k, v in asdict(recipe).items()}
        accelerator.init_trackers("mlm_course", config)
    return accelerator


def _share_a_cpu() -> bool:
    """Whether several processes were started where no GPU can be shared: they talk through gloo.

    Accelerate, not told so, would let each of them train alone.
    """
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    device = torch.accelerator.current_accelerator(check_available=True)
    return several and (device is None or device.type == "mps")


def _check_tracker(tracker: str) -> None:
    if tracker not in TRACKERS:
        raise ValueError(f"tracker must be one of {', '.join(TRACKERS)} or None, not {tracker!r}.")
    if not any(find_spec(package) for package in TRACKERS[tracker]):
        package = TRACKERS[tracker][0]
        raise ImportError(f'tracker="{tracker}" needs a package: pip install {package}')


@dataclass
class Reporter:
    """Takes what each step and evaluation came to, and passes it on.

    A step's loss stays on the device until somebody needs it: every step on a CPU, every
    `ASKED_EVERY` on a GPU. Errors: FloatingPointError for a loss that is no number.
    """

    accelerator: Accelerator
    recipe: Recipe
    history: History
    display: Display | None = None
    floor: float | None = None

    def __post_init__(self) -> None:
        self.pending: list[tuple[Tensor, Tensor, float]] = []
        self.sizes, self.unit, self.shown, self.has_warned = 0, "tokens", 0.0, False
        self.first = len(self.history)
        self.began = time.perf_counter()
        self.before = self.history.seconds[-1] if self.history.seconds else 0.0
        if not self.accelerator.is_main_process:
            self.display = None

    def step(self, result: StepResult) -> None:
        """Notes what a step came to."""
        seconds = self.before + time.perf_counter() - self.began
        self.pending.append((result.loss, result.counted, seconds))
        self.sizes += result.size * self.accelerator.num_processes
        self.unit = result.unit
        if result.loss.device.type == "cpu" or len(self.pending) >= ASKED_EVERY:
            self.flush()

    def flush(self) -> None:
        """Brings pending steps into the history and wherever else."""
        if not self.pending:
            return
        losses, counts, seconds = zip(*self.pending, strict=True)
        found = torch.stack([*losses, *counts]).tolist()  # one wait for all
        self.pending.clear()
        for loss, count, moment in zip(found, found[len(losses) :], seconds, strict=False):
            self._note(loss, count, moment)
        self._show_status()

    def _note(self, loss: float, count: float, moment: float) -> None:
        history, step = self.history, len(self.history) + 1
        stop_if_infinite(loss, step)
        if not count and not self.has_warned:
            self.has_warned = True
            warnings.warn(
                f"Nothing was hidden in the whole batch of step {step}, so its loss counts as 0: "
                "raise the mask ratio, or hide at least one token a row (choose_fixed_count).",
                stacklevel=2,
            )
        history.losses.append(loss)
        history.lrs.append(self.recipe.peak * self.recipe.factor(step - 1))
        history.seconds.append(moment)
        self._pass_on(step, {"loss": loss}, lr=history.lrs[-1])

    def evaluated(self, metrics: dict[str, float]) -> None:
        """Notes what `evaluate` said after the steps so far."""
        step = len(self.history)
        self.history.evaluations.append({"step": step, **metrics})
        self._pass_on(step, {f"validation_{name}": value for name, value in metrics.items()})

    def _pass_on(self, step: int, values: dict[str, float], **more: float) -> None:
        if self.display is not None:
            self.display.add(step=step, **values)
        if self.accelerator.trackers:
            self.accelerator.log({**values, **more}, step=step)

    def _show_status(self) -> None:
        if self.display is None or time.perf_counter() - self.shown < STATUS_EVERY:
            return
        self.shown = time.perf_counter()
        self.display.status(self.text())

    def text(self) -> str:
        """One line: step, loss, floor, speed, time left."""
        history, steps = self.history, self.recipe.steps
        taken = max(time.perf_counter() - self.began, 1e-9)
        left = taken / max(1, len(history) - self.first) * (steps - len(history))
        parts = [f"step {len(history):,} of {steps:,}"]
        if history.losses:
            parts.append(f"loss {history.losses[-1]:.3f}")
        if self.floor is not None:
            parts.append(f"floor {self.floor:.3f}")
        parts.append(f"{self.sizes / taken:,.0f} {self.unit}/s")
        return ", ".join([*parts, f"{int(left) // 60}:{int(left) % 60:02d} left"])

    def finish(self) -> None:
        """Ends display and tracker, whatever has happened."""
        for tracker in self.accelerator.trackers:
            tracker.finish()
        if self.display is not None:
            self.display.status(self.text())
            best = self.history.best_step
            self.display.finish(*([] if best is None else [best]))
