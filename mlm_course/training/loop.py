"""The training loop of lesson 6, plus what long runs need: going on, stopping, a lost process."""

from __future__ import annotations

import contextlib
import dis
import itertools
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import distributed, nn

from mlm_course.contracts import check_callable, check_count, check_module, check_number
from mlm_course.training.checkpoints import Best, Checkpoints, usable_folder
from mlm_course.training.datasets import Data
from mlm_course.training.fingerprint import describe, describe_given
from mlm_course.training.losses import Loss
from mlm_course.training.optim import Recipe
from mlm_course.training.reporting import Display, History, Reporter, start_accelerator
from mlm_course.training.step import TrainingStep, recomputing
from mlm_course.wording import shown


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a training; `history` has the steps done. A notebook shows the sentence alone."""

    def __init__(self, sentence: str, history: History) -> None:
        super().__init__(sentence)
        self.history = history

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"Interrupted: {self}"]


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
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def answer(self, history: History, folder: Path | None) -> None:
        """Interrupted, with a sentence, if somebody has asked; history lies in the folder, if any."""
        if self.asked:
            saved = f"saved in {folder}, fit goes on from there" if folder else "not saved"
            raise Interrupted(
                f"Stopped after step {len(history)}: the model keeps its weights, {saved}.", history
            )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self.is_alone:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def leaving_history(caller: FrameType) -> Iterator[list[Run]]:
    """Ctrl-C leaves the history of the run that is put into the list, marked as interrupted.

    It comes with the exception, which stops all cells that wait. But where a notebook's cell says
    `history = fit(...)`, the name is given its value all the same, so that later cells know it.
    """
    running: list[Run] = []
    try:
        yield running
    except KeyboardInterrupt as error:
        history = running[0].history if running else History()
        sentence = f"Stopped at once, in step {len(history) + 1}: the weights may be half changed."
        stop = error if isinstance(error, Interrupted) else Interrupted(sentence, history)
        history.interrupted = True
        names = assigned_names(caller) if _is_notebook(caller) else []
        caller.f_globals.update(dict.fromkeys(names, history))
        stop.args = (" ".join([str(stop), *(f"{name} has the steps done." for name in names)]),)
        raise stop from None


def assigned_names(frame: FrameType) -> list[str]:
    """The names that a module or cell gives to the result of the call it is waiting for."""
    after = (i for i in dis.get_instructions(frame.f_code) if i.offset > frame.f_lasti)
    steps = itertools.takewhile(lambda i: i.opname in ("CACHE", "COPY", "STORE_NAME"), after)
    return [step.argval for step in steps if step.opname == "STORE_NAME"]


def _is_notebook(frame: FrameType) -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and frame.f_globals is shell.user_ns


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
            left = take_step.recipe.steps - len(self.history)
            _check_best(keep_best, saved["best"]["name"], left)
            self.take_step.load_state_dict(saved["training"])
            self.best.load_state_dict(saved["best"])
        self.report = Reporter(
            take_step.accelerator, take_step.recipe, self.history, display, floor
        )

    def forget_the_last_look(self, saved: dict[str, Any] | None, evaluate_every: int) -> None:
        """If a finished run is made longer: the evaluation at its end, unless it was due or is the best.

        A run that was to be that long from the beginning would not have had it.
        """
        done, evaluations = len(self.history), self.history.evaluations
        if not saved or not done == saved["about"]["recipe"]["steps"] < self.take_step.recipe.steps:
            return
        is_kept = _is_due(done - 1, evaluate_every) or self.history.best_step == done
        if evaluations and evaluations[-1]["step"] == done and not is_kept:
            evaluations.pop()

    def evaluate(self, evaluate: Evaluate) -> None:
        """Asks `evaluate` about the model without dropout; of several processes the first counts."""
        self.report.flush()
        self.model.eval()
        with torch.no_grad(), self.take_step.on_original_device():
            metrics = _metrics(evaluate(self.model))
        metrics = broadcast_object_list([metrics])[0]
        self.report.evaluated(metrics)
        self.best.offer(self.model, metrics)

    def save(self, checkpoints: Checkpoints, is_last: bool = False) -> Path | None:
        """The folder of a checkpoint of everything, written by the first process; None if it failed."""
        self.report.flush()
        if not self.take_step.accelerator.is_main_process:
            return checkpoints.folder
        state = {
            "training": self.take_step.state_dict(),
            "best": self.best.state_dict(),
            "history": json.dumps(self.history.to_dict()),  # one text: torch.save is slow at lists
        }
        return checkpoints.save(len(self.history), state, is_last)

    def __enter__(self) -> Run:
        device = self.take_step.device
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.take_step.release)
        self.closing.callback(self.report.finish)
        if self.take_step.recipe.recompute:
            self.closing.enter_context(recomputing(self.model))
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
            run.save(checkpoints, is_last=True)
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
    bits as if nothing had happened; a finished run is only loaded. With more `steps` it goes on too,
    if the steps done had the learning rates that the longer schedule gives them. What cannot be
    saved there in the end is saved elsewhere, and a warning says where.
    tracker: "tensorboard" or "wandb". display: see `Display`; floor: a line of text for it.
    Under `accelerate launch` or torchrun the processes share each step's rows; the folder may go on
    with another number of them.

    Ctrl-C ends it between two steps, a second one at once: KeyboardInterrupt, whose `history` has the
    steps done. Cells that wait do not run, but in a notebook `history = fit(...)` has its value.

    Errors: ValueError for a folder that holds another run (other data, masks, loss, model, recipe);
    OSError, before the first step, for one that cannot be used or has no room; FloatingPointError
    for a loss of NaN or inf; ConnectionError, after a checkpoint, if another process is gone.
    Warnings: nothing hidden in a batch, a damaged checkpoint, a full disk.
    """
    _check(model, data, loss, recipe, evaluate=evaluate, display=display)
    _check_numbers(floor, evaluate_every=evaluate_every, save_every=save_every)
    _check_needs_evaluate(evaluate, evaluate_every=evaluate_every, keep_best=keep_best)
    with leaving_history(sys._getframe(1)) as running:
        checkpoints = open_checkpoints(folder, model, data, loss, recipe)
        saved = checkpoints.newest() if checkpoints else None
        logs = str(checkpoints.folder if checkpoints else "runs")
        accelerator = start_accelerator(recipe, tracker, logs)
        take_step = TrainingStep(accelerator, model, data, loss, recipe)
        if checkpoints:
            checkpoints.require_room(model, keep_best is not None)
        run = Run(take_step, saved, keep_best, display or None, floor)
        run.forget_the_last_look(saved, evaluate_every)
        running.append(run)
        interruption = Interruption(is_alone=accelerator.num_processes == 1)
        with run, interruption, lost_process_saves(run, checkpoints):
            for step in range(len(run.history), recipe.steps):
                run.report.step(take_step(step))
                is_last, place = step + 1 == recipe.steps, None
                if evaluate and (is_last or _is_due(step, evaluate_every)):
                    run.evaluate(evaluate)
                if checkpoints and (is_last or interruption.asked or _is_due(step, save_every)):
                    place = run.save(checkpoints, is_last or interruption.asked)
                interruption.answer(run.history, place)
        run.best.put_back(model)
        return run.history


def open_checkpoints(
    folder: str | Path | None, model: nn.Module, data: Data, loss: Loss, recipe: Recipe
) -> Checkpoints | None:
    """The checkpoints of a run in a folder, None without one."""
    if folder is None:
        return None
    path = usable_folder(folder)
    about = describe(model, data, loss, recipe)
    return Checkpoints(path, about, recipe, lambda: describe_given(model, data, loss, about))


def _is_due(step: int, every: int) -> bool:
    """Whether after this step, counted from 0, it is time again; never if every is 0."""
    return every > 0 and (step + 1) % every == 0


def _check(model: Any, data: Any, loss: Any, recipe: Any, *, evaluate: Any, display: Any) -> None:
    """TypeError or ValueError, with one sentence, for what cannot be trained or asked."""
    check_module("model", model)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be Recipe(steps=..., ...), not {shown(recipe)}.")
    if not callable(data) or not hasattr(data, "__len__"):
        raise TypeError(
            f"data must have a length and be callable as data(index, epoch), not {shown(data)}: rows "
            "of ids become such data with DynamicMasking(masker, ids, seed), images with MaskedImages."
        )
    if not len(data):
        raise ValueError("data has no rows.")
    if not callable(loss) or isinstance(loss, nn.Module | type):
        raise TypeError(f"loss must be a function loss(model, batch), not {shown(loss)}.")
    if evaluate is not None:
        check_callable("evaluate", evaluate)
    if display and not all(hasattr(display, name) for name in ("add", "status", "finish")):
        raise TypeError(
            "display must have add, status and finish, as what "
            f"mlm_course.widgets.progress_display() returns; not {shown(display)}."
        )


def _check_numbers(floor: Any, **every: Any) -> None:
    for name, value in every.items():
        check_count(name, value)
    if floor is not None:
        check_number("floor", floor)


def _check_needs_evaluate(evaluate: Evaluate | None, **asked: Any) -> None:
    for name, value in asked.items():
        if value and evaluate is None:
            raise ValueError(f"{name} needs evaluate, which says how good the weights are.")


def _check_best(wanted: str | None, kept: str | None, left: int) -> None:
    """A finished run has no weights but those it kept."""
    if wanted is not None and wanted != kept and not left:
        raise ValueError(
            f"keep_best={wanted!r}, but the run in this folder is finished and kept "
            f"{f'those with the best {kept}' if kept else 'its last weights only'}: choose another "
            "folder to train anew."
        )


def _metrics(said: Any) -> dict[str, float]:
    """What `evaluate` returned, as numbers by name."""
    wanted = 'evaluate must return numbers by name, such as {"loss": 0.5}, not'
    if not isinstance(said, Mapping):
        fields = ": write ._asdict() behind it" if hasattr(said, "_asdict") else ""
        raise TypeError(f"{wanted} {_kind(said)}{fields}.")
    metrics = {}
    for name, value in said.items():
        try:
            metrics[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"{wanted} {_kind(value)} for {name!r}.") from None
    if "step" in metrics:
        raise ValueError('evaluate may not call a number "step": that is how many steps were done.')
    return metrics


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__
