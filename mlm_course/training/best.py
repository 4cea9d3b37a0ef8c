"""The best weights of a run, by what the evaluations say."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from mlm_course.training.history import History

SMALL_IS_GOOD = ("loss", "perplexity", "error")


class Best:
    """The weights with the best value of one metric, or nothing at all if name is None.

    The smallest is best for names that end in loss, perplexity or error, else the largest.
    """

    def __init__(self, name: str | None, history: History) -> None:
        self.name, self.history = name, history
        self.weights: dict[str, Tensor] | None = None
        self.sign = -1.0 if name and name.endswith(SMALL_IS_GOOD) else 1.0

    def offer(self, model: nn.Module, metrics: dict[str, float]) -> None:
        """Keeps the model's weights if its metrics beat the best so far."""
        if self.name is None:
            return
        if self.name not in metrics:
            names = ", ".join(metrics)
            raise ValueError(f"keep_best={self.name!r}, but evaluate returns only {names}.")
        value, so_far = metrics[self.name], self.history.best_value
        if so_far is None or self.sign * value > self.sign * so_far:
            if math.isnan(value):
                return
            self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
            self.history.best_step, self.history.best_value = len(self.history), value

    def put_back(self, model: nn.Module) -> None:
        """Gives the model the best weights, if there are any."""
        if self.weights is not None:
            model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Name and weights, for a checkpoint."""
        return {"name": self.name, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a `state_dict` back, unless it is about another metric: then it starts anew."""
        if state["name"] == self.name:
            self.weights = state["weights"]
        else:
            self.history.best_step = self.history.best_value = None
