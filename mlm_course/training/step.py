"""One optimiser step: lesson 6's loop body, in pieces and on as many devices as there are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mlm_course.contracts import check_module
from mlm_course.training.datasets import Data, derive_seed, rows_of_step, share
from mlm_course.training.losses import Loss
from mlm_course.training.optim import Recipe, blocks_of, make_optimizer, set_learning_rate


class StepResult(NamedTuple):
    """What a step came to, over all pieces and processes; loss and counted without axes."""

    loss: Tensor  # before the step changed the weights
    counted: Tensor  # how much was hidden, by what the sum of losses was divided
    size: int  # how much was looked at, on this process
    unit: str = "tokens"  # what size counts: tokens where batches hold ids, else rows


class TrainingStep:
    """A model, its optimiser and its data, one call a step.

    Called with the step, counted from 0, it returns what that came to. Moves the model to the
    accelerator's device; `release` brings it home.
    """

    def __init__(
        self, accelerator: Accelerator, model: nn.Module, data: Data, loss: Loss, recipe: Recipe
    ) -> None:
        self.accelerator, self.model, self.data, self.recipe = accelerator, model, data, recipe
        self.loss, self.device = loss, accelerator.device
        self.original_device = next((p.device for p in model.parameters()), self.device)
        self.runner = accelerator.prepare_model(model)  # moved, autocast, wrapped for processes
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(model, recipe)
        if accelerator.scaler:  # fp16: steps whose gradients overflowed are to be left out
            self.optimizer = accelerator.prepare_optimizer(self.optimizer)
        self.called: Any = torch.compile(self.runner) if recipe.compile else self.runner

    def __call__(self, step: int) -> StepResult:
        if not self.model.training:
            self.model.train()
        seed_dropout(
            derive_seed(self.recipe.seed, step, self.accelerator.process_index), self.device
        )
        summed, count, size, unit = self._backward(step)
        loss = summed / count.clamp(min=1)  # nothing hidden: 0, not 0/0
        self._stop_if_infinite(loss, step)
        self._scale_gradients(count)
        self._clip(step)
        set_learning_rate(self.optimizer, self.recipe.factor(step))
        self.optimizer.step()
        self.optimizer.zero_grad()
        return StepResult(loss, count, size, unit)

    def _backward(self, step: int) -> tuple[Tensor, Tensor, int, str]:
        """Gradients of the loss's sum over all pieces; that sum, what was counted, size and unit."""
        recipe, here = self.recipe, self.accelerator
        index, epoch = rows_of_step(len(self.data), recipe.batch_size, recipe.seed, step)
        pieces = share(index, recipe.accumulate, here.process_index, here.num_processes)
        totals, size, unit = torch.zeros(2, device=self.device), 0, "tokens"
        for number, piece in enumerate(pieces, start=1):
            batch = self._on_device(self.data(piece, epoch))
            with self._together_if(number == len(pieces)):
                summed, count = checked_loss(self.loss(self.called, batch))
                here.backward(summed / recipe.batch_size)  # any fixed number; see below
            totals += torch.stack([summed.detach().float(), _tensor(count, self.device)])
            more, unit = size_of(batch, len(piece))
            size += more
        summed, count = here.reduce(totals, "sum") if here.num_processes > 1 else totals
        return summed, count, size, unit

    def _scale_gradients(self, count: Tensor) -> None:
        """Gradients of the sum, divided by what was counted everywhere.

        Only now is that known. Undone are the fixed number from above, which keeps fp16 in range,
        and the mean that several processes take where a sum is wanted.
        """
        if self.accelerator.scaler:
            self.accelerator.unscale_gradients(self.optimizer)
        undone = self.recipe.batch_size * self.accelerator.num_processes
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, undone / count.clamp(min=1))

    def _clip(self, step: int) -> None:
        if self.recipe.clip is None:
            return
        length = nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        if self.recipe.precision != "fp16":  # there an endless gradient only skips a step
            self._stop_if_infinite(length, step, "length of the gradient")

    def _stop_if_infinite(self, value: Tensor, step: int, name: str = "loss") -> None:
        """On a CPU looking is free, so the weights stay as they were; a GPU is asked later."""
        if self.device.type == "cpu":
            stop_if_infinite(value.item(), step + 1, name)

    def _together_if(self, is_last: bool) -> AbstractContextManager[Any]:
        """Processes exchange gradients after the last piece only."""
        return nullcontext() if is_last else self.accelerator.no_sync(self.runner)

    def _on_device(self, batch: Any) -> Any:
        return batch if self.device.type == "cpu" else send_to_device(batch, self.device)

    def state_dict(self) -> dict[str, Any]:
        """All that the next step depends on besides its number. Errors: weights that are NaN or infinite."""
        weights = self.model.state_dict()
        if not all(value.isfinite().all() for value in weights.values()):
            raise FloatingPointError(
                "Some weights are NaN or infinite, so they were not saved: try a smaller learning "
                "rate, a longer warm-up or clip=1.0."
            )
        scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler else {}
        return {"weights": weights, "optimizer": self.optimizer.state_dict(), "scaler": scaler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Puts a `state_dict` back."""
        self.model.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    @contextmanager
    def on_original_device(self) -> Iterator[None]:
        """The model on the device it came from, where its caller's own data lies."""
        if self.original_device == self.device:
            yield
            return
        self.model.to(self.original_device)
        yield
        self.model.to(self.device)

    def release(self) -> None:
        """The model as it came: on its device, no autocast, not training."""
        if self.recipe.precision != "no":
            for name in ("forward", "_original_forward"):  # what Accelerate put over the class's
                self.model.__dict__.pop(name, None)
        self.model.eval()
        if self.original_device != self.device:
            self.model.to(self.original_device)


@contextmanager
def recomputing(model: nn.Module) -> Iterator[None]:
    """A time in which blocks keep only what goes into them, and compute the rest again on the way back.

    The gradient stays the same, bit for bit, dropout included. Errors: ValueError for a model
    without blocks. Source: Chen et al. 2016, abstract (activation, or gradient, checkpointing).
    """
    check_module("model", model)
    blocks = blocks_of(model)
    if not blocks:
        raise ValueError(f"{type(model).__name__} has no blocks, modules in an nn.ModuleList.")
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def checked_loss(result: Any) -> tuple[Tensor, Tensor | float]:
    """What a loss returned. Errors: TypeError or ValueError unless it is a sum to minimise, and a count."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError(
            "loss(model, batch) must return two values, the sum of the losses and how many there are, "
            f"not {type(result).__name__}."
        )
    summed, count = result
    if not isinstance(summed, Tensor) or summed.ndim or not summed.requires_grad:
        raise ValueError(
            "The first value of loss(model, batch) must be a tensor without axes that depends on the "
            f"model's weights, not {_form(summed)}."
        )
    if not isinstance(count, Tensor | Real) or (isinstance(count, Tensor) and count.ndim):
        raise ValueError(
            "The second value of loss(model, batch) must be a number, how many losses were summed, "
            f"not {_form(count)}."
        )
    count = count if isinstance(count, Tensor) else float(count)
    on_cpu = summed.is_cpu  # to look at numbers would make a GPU wait
    if on_cpu and (not count >= 0 or (count == 0 and summed != 0)):
        raise ValueError(
            f"loss(model, batch) returned a sum of {summed.item():g} over {float(count):g} losses: "
            "the second value says how many were summed."
        )
    return summed, count


def _form(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"one of shape {tuple(value.shape)}" if value.ndim else "one without gradient"


def seed_dropout(seed: int, device: torch.device) -> None:
    """Seeds what dropout draws from; torch.manual_seed does too, 100 times as slowly."""
    if device.type not in ("cpu", "cuda"):
        torch.manual_seed(seed)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def stop_if_infinite(value: float, step: int, name: str = "loss") -> None:
    """FloatingPointError if the loss (or `name`) of a step, counted from 1, is NaN or infinite."""
    if not math.isfinite(value):
        raise FloatingPointError(
            f"The {name} became {value} at step {step}: try a smaller learning rate, a longer "
            "warm-up or clip=1.0, and look for a division by 0 or log(0) in the loss."
        )


def size_of(batch: Any, rows: int = 0) -> tuple[int, str]:
    """How much a batch of some rows holds, and of what: tokens if its first tensor is ids, else rows."""
    first = next(_tensors(batch), None)
    if first is None or not first.ndim:
        return rows, "rows"
    return (len(first), "rows") if first.is_floating_point() else (first.numel(), "tokens")


def _tensors(batch: Any) -> Iterator[Tensor]:
    """The tensors of a batch, which may also hold texts and other things."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping | list | tuple):
        for part in batch.values() if isinstance(batch, Mapping) else batch:
            yield from _tensors(part)


def _tensor(count: Tensor | float, device: torch.device) -> Tensor:
    return torch.as_tensor(count, dtype=torch.float32, device=device)
