"""The training loop of lesson 6, plus what long runs need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from mlm_course.training.checkpoints import Checkpoints, describe
from mlm_course.training.data import Data
from mlm_course.training.history import History
from mlm_course.training.interruption import Interruption
from mlm_course.training.losses import Loss
from mlm_course.training.processes import lost_process_saves
from mlm_course.training.recipe import Recipe
from mlm_course.training.run import Evaluate, Run
from mlm_course.training.step import TrainingStep
from mlm_course.training.tracking import Display, start_accelerator


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
