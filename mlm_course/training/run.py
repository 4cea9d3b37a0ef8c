"""A run under way: what it has come to, and what may be done between two steps."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import nn

from mlm_course.training.best import Best
from mlm_course.training.checkpoints import Checkpoints
from mlm_course.training.history import History
from mlm_course.training.step import TrainingStep
from mlm_course.training.tracking import Display, Reporter

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
        with torch.no_grad(), self.take_step.at_home():
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
