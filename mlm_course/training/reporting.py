"""What a run tells: its device, its history, and where the numbers go, screen and tracker."""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin, parse_flag_from_env
from torch import Tensor

from mlm_course.training.optim import Recipe
from mlm_course.training.step import StepResult, stop_if_infinite


class Device(NamedTuple):
    """A device and what suits it.

    kind: "cuda", "mps", "cpu" or what else torch calls it; precision, compile: for a `Recipe`.
    """

    kind: str
    name: str
    precision: str = "no"
    compile: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether it is faster than a CPU."""
        return self.kind != "cpu"

    def __str__(self) -> str:
        if not self.is_gpu:
            return "No GPU here: the same lines run on the CPU, small."
        return f"{self.name}, {'fp32' if self.precision == 'no' else self.precision}."


def find_device() -> Device:
    """The device on which `fit` trains here (ACCELERATE_USE_CPU=1 forbids a GPU).

    On CUDA bf16 where the GPU computes it, else fp16, both compiled where torch's compiler knows
    the GPU. Apple's GPU gets neither, and a warning: results differ there.
    """
    kind = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device.type
    if kind == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        knows = torch.cuda.get_device_capability() >= (7, 0)  # what Triton asks for
        precision = "bf16" if has_bf16 else "fp16"
        return Device("cuda", torch.cuda.get_device_name(), precision, knows)
    if kind == "mps":
        warnings.warn(
            "Training on Apple's GPU (MPS): results differ from those of a CPU or of CUDA, and this "
            "was never tried there. ACCELERATE_USE_CPU=1, set before the kernel starts, keeps to "
            "the CPU.",
            stacklevel=2,
        )
        return Device("mps", "Apple's GPU (MPS)")
    return Device(kind, "CPU" if kind == "cpu" else kind)


@dataclass
class History:
    """Loss and learning rate of each step, and what the evaluations said.

    losses[i] and lrs[i] belong to step i + 1: the loss was measured before the step changed the
    weights. evaluations: dicts of "step" (so many steps were done) and the values of `evaluate`.
    best_step and best_value: the evaluation whose weights were kept, None without keep_best.
    seconds[i]: seconds from the start to step i + 1, breaks between resumed runs left out; no part
    of comparisons or of what is printed, as no two runs agree on it. interrupted: by Ctrl-C, so that
    there are fewer steps than the recipe has.
    """

    losses: list[float] = field(default_factory=list)
    lrs: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    best_value: float | None = None
    seconds: list[float] = field(default_factory=list, compare=False)
    interrupted: bool = field(default=False, compare=False)

    def __len__(self) -> int:
        return len(self.losses)

    @property
    def records(self) -> list[dict[str, float]]:
        """One dict a step: step, loss, lr, and "validation_..." where it was evaluated."""
        rows = [
            {"step": i + 1, "loss": loss, "lr": lr}
            for i, (loss, lr) in enumerate(zip(self.losses, self.lrs, strict=True))
        ]
        for evaluation in self.evaluations:
            values = {f"validation_{k}": v for k, v in evaluation.items() if k != "step"}
            rows[int(evaluation["step"]) - 1] |= values
        return rows

    def curve(self, name: str = "loss") -> list[tuple[int, float]]:
        """Pairs (step, value) of what `records` calls by this name; steps without it are left out."""
        points = [(int(row["step"]), row[name]) for row in self.records if name in row]
        if not points:
            known = sorted({key for row in self.records for key in row} - {"step"})
            only = f", only {', '.join(known)}" if known else ": there are no steps"
            raise ValueError(f"Nothing called {name!r} was recorded{only}.")
        return points

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for a file."""
        return asdict(self)

    def __repr__(self) -> str:
        text = f"History of {len(self)} steps{', interrupted' if self.interrupted else ''}"
        if not self.losses:
            return text
        text += f": loss {self.losses[0]:.4f} -> {self.losses[-1]:.4f}"
        for name, value in (self.evaluations[-1] if self.evaluations else {}).items():
            text += "" if name == "step" else f", validation_{name} {value:.4f}"
        return text + (f"; best after step {self.best_step}" if self.best_step is not None else "")


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


# Pieces are put together in `TrainingStep`, whatever ACCELERATE_GRADIENT_ACCUMULATION_STEPS says.
ALL_AT_ONCE = GradientAccumulationPlugin(num_steps=1)


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
        mixed_precision=recipe.precision, log_with=tracker, project_dir=logs, cpu=_share_a_cpu(),
        gradient_accumulation_plugin=ALL_AT_ONCE,
    )  # fmt: skip
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
    `ASKED_EVERY` on a GPU. Errors: FloatingPointError for a loss of NaN or inf.
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
        numbers = torch.stack([*losses, *counts]).tolist()  # one wait for all
        self.pending.clear()
        for loss, count, moment in zip(numbers, numbers[len(losses) :], seconds, strict=False):
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
