"""The training loop of lesson 6, plus what long runs need: going on, stopping, a lost process."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import distributed, nn

from mlm_course.training.checkpoints import Best, Checkpoints, describe
from mlm_course.training.datasets import Data
from mlm_course.training.losses import Loss
from mlm_course.training.optim import Recipe
from mlm_course.training.reporting import Display, History, Reporter, start_accelerator
from mlm_course.training.step import TrainingStep


class Interruption:
    """A wish to stop, noted when it comes and answered when the weights are whole.

    Alone, the second Ctrl-C stops at once. One of several processes also notes SIGTERM, which torchrun
    sends to the rest when one is lost: they end their step, or fail in it, and say what has happened.
    Other threads than the main one hear no signals.
    """

    def __init__(self, is_alone: bool) -> None:
        self.asked, self.is_alone = False, is_alone
        self.signals = [signal.SIGINT] if is_alone else [signal.SIGINT, signal.SIGTERM]
        if threading.current_thread() is not threading.main_thread():
            self.signals = []

    def __enter__(self) -> Interruption:
        self.before: dict[int, Any] = {n: signal.signal(n, self._ask) for n in self.signals}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def answer(self, history: History, folder: str | Path | None) -> None:
        """KeyboardInterrupt, with a sentence, if somebody has asked; history has been saved."""
        if self.asked:
            saved = f"saved in {folder}, fit goes on from there" if folder else "not saved"
            raise KeyboardInterrupt(
                f"Stopped after step {len(history)}: the model keeps its weights, {saved}."
            )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self.is_alone:
            raise KeyboardInterrupt
        self.asked = True


Evaluate = Callable[[nn.Module], Mapping[str, float]]


class Run:
    """A run, from the beginning or from `saved`, the content of a checkpoint.

    As a context it keeps the notebook's own random numbers apart from those of dropout, and in the
    end, whatever has happened, closes display and tracker and gives the model back.
    """

    def __init__(
        self,
        take_step: TrainingStep,
        saved: dict[str, Any] | None,
        keep_best: str | None,
        display: Display | None,
        floor: float | None,
    ) -> None:
        self.take_step, self.model = take_step, take_step.model
        self.history = History(**json.loads(saved["history"])) if saved else History()
        self.best = Best(keep_best, self.history)
        if saved:
            self.take_step.load_state_dict(saved["training"])
            self.best.load_state_dict(saved["best"])
        self.report = Reporter(
            take_step.accelerator, take_step.recipe, self.history, display, floor
        )

    def evaluate(self, evaluate: Evaluate) -> None:
        """Asks `evaluate` about the model without dropout; of several processes the first counts."""
        self.report.flush()
        self.model.eval()
        with torch.no_grad(), self.take_step.on_original_device():
            metrics = {name: float(value) for name, value in evaluate(self.model).items()}
        metrics = broadcast_object_list([metrics])[0]
        self.report.evaluated(metrics)
        self.best.offer(self.model, metrics)

    def save(self, checkpoints: Checkpoints) -> None:
        """A checkpoint of everything, written by the first process."""
        self.report.flush()
        if not self.take_step.accelerator.is_main_process:
            return
        state = {
            "training": self.take_step.state_dict(),
            "best": self.best.state_dict(),
            "history": json.dumps(self.history.to_dict()),  # one text: torch.save is slow at lists
        }
        checkpoints.save(len(self.history), state)

    def __enter__(self) -> Run:
        device = self.take_step.device
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.take_step.release)
        self.closing.callback(self.report.finish)
        self.closing.enter_context(torch.random.fork_rng([device] if device.type == "cuda" else []))
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        with self.closing:
            if kind is None:
                self.report.flush()


# How gloo and NCCL say that nobody answers any more.
SIGNS = ("connection closed", "connection reset", "connection refused", "broken pipe", "timed out")


@contextmanager
def lost_process_saves(run: Run, checkpoints: Checkpoints | None) -> Iterator[None]:
    """If another process is gone, a checkpoint of the last whole step, and ConnectionError.

    Processes talk only within a step's gradients, before any weight is changed, so what is left
    is whole. The first process saves; if it is the lost one, the last regular checkpoint counts.
    """
    try:
        yield
    except RuntimeError as error:
        if run.take_step.accelerator.num_processes == 1 or not _is_silence(error):
            raise
        if checkpoints:
            run.save(checkpoints)
        raise ConnectionError(_sentence(run, checkpoints)) from error


def _is_silence(error: RuntimeError) -> bool:
    text = str(error).lower()
    is_known = distributed.is_available() and isinstance(error, distributed.DistError)
    return is_known or any(sign in text for sign in SIGNS)


def _sentence(run: Run, checkpoints: Checkpoints | None) -> str:
    here = run.take_step.accelerator
    files = checkpoints.files() if checkpoints else []
    saved = "Nothing was saved."
    if files:
        step = int(files[-1].stem.removeprefix("step-"))
        saved = (
            f"Saved in {files[-1].parent} are the first {step} steps: the same command goes on from "
            "there, with any number of processes."
        )
    return (
        f"Another of the {here.num_processes} processes is gone (process {here.process_index} says "
        f"so, in step {len(run.history) + 1}); what it printed last may say why. {saved}"
    )


def fit(
    model: nn.Module,
    data: Data,
    loss: Loss,
    recipe: Recipe,
    *,
    evaluate: Evaluate | None = None,
    evaluate_every: int = 0,
    keep_best: str | None = None,
    folder: str | Path | None = None,
    save_every: int = 0,
    tracker: str | None = None,
    floor: float | None = None,
    display: Display | None = None,
) -> History:
    """Training of a model, in place, by a recipe.

    data, loss: see `Data` and `Loss`. evaluate(model) returns values by name, asked after every
    `evaluate_every` steps and at the end, without dropout and gradients. keep_best, one of those
    names: in the end the model gets the weights that did best. The model is left in evaluation
    mode. It is trained on a GPU if there is one (ACCELERATE_USE_CPU=1 forbids it); `evaluate` and,
    in the end, the caller get it on the device where it was before.

    folder: a checkpoint goes there after every `save_every` steps, at the end, and on Ctrl-C.
    The same call again goes on where the newest one stopped, and on a CPU ends with the very same
    bits as if nothing had happened; a finished run is only loaded.
    tracker: "tensorboard" or "wandb". display: see `Display`; floor: a line of text for it.
    Under `accelerate launch` or torchrun the processes share each step's rows; the folder may go on
    with another number of them.

    Errors: ValueError for a folder that holds another run; FloatingPointError for a loss that is
    no number; KeyboardInterrupt after Ctrl-C, between two steps; ConnectionError, after a checkpoint,
    if another process is gone. Warnings: nothing hidden in a
    batch, a damaged checkpoint, a full disk.
    """
    _check(evaluate, keep_best, display)
    checkpoints = Checkpoints(folder, describe(model, data, recipe)) if folder else None
    saved = checkpoints.newest() if checkpoints else None
    accelerator = start_accelerator(recipe, tracker, str(folder or "runs"))
    take_step = TrainingStep(accelerator, model, data, loss, recipe)
    run = Run(take_step, saved, keep_best, display or None, floor)
    interruption = Interruption(is_alone=accelerator.num_processes == 1)
    with run, interruption, lost_process_saves(run, checkpoints):
        for step in range(len(run.history), recipe.steps):
            run.report.step(take_step(step))
            is_last = step + 1 == recipe.steps
            if evaluate and (is_last or _is_due(step, evaluate_every)):
                run.evaluate(evaluate)
            if checkpoints and (is_last or interruption.asked or _is_due(step, save_every)):
                run.save(checkpoints)
            interruption.answer(run.history, folder)
    run.best.put_back(model)
    return run.history


def _is_due(step: int, every: int) -> bool:
    """Whether after this step, counted from 0, it is time again; never if every is 0."""
    return every > 0 and (step + 1) % every == 0


def _check(evaluate: Evaluate | None, keep_best: str | None, display: Any) -> None:
    if keep_best is not None and evaluate is None:
        raise ValueError("keep_best needs evaluate, which says how good the weights are.")
    if display and not all(hasattr(display, name) for name in ("add", "status", "finish")):
        raise TypeError(
            "display must have add, status and finish, as what "
            f"mlm_course.widgets.progress_display() returns; got {type(display).__name__}."
        )
