"""All numbers of a run that decide what comes out of it; learning-rate schedules; optimisers.

A schedule is a pure function (step, steps, warmup) -> factor; step counts from 0 to steps - 1. During
the first `warmup` steps the factor climbs in equal stairs to 1. Nothing to save, nothing to restore.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn
from torch.nn import Parameter
from torch.optim import AdamW, Muon, Optimizer

from mlm_course.attention import MultiHeadAttention
from mlm_course.contracts import check_count, check_flag, check_module, check_number

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
    recompute: blocks keep their input alone for the backward pass, see `recomputing`.
    The last four change how it is computed, not what: a checkpoint may go on with other ones.
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
    recompute: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate"):
            check_count(name, getattr(self, name), 1)
        check_count("seed", self.seed, -(2**63))
        for name in ("lr", "adamw_lr", "clip"):
            if getattr(self, name) is not None or name == "adamw_lr":
                check_number(name, getattr(self, name), 0, above=True)
        for name in ("weight_decay", "warmup"):
            check_number(name, getattr(self, name), 0)
        _known("optimizer", self.optimizer, OPTIMIZERS)
        _known("schedule", self.schedule, SCHEDULES)
        _known("precision", self.precision, PRECISIONS)
        check_flag("compile", self.compile)
        check_flag("recompute", self.recompute)
        self._check_betas()
        self._as_plain_numbers()
        self._check_together()

    def _check_betas(self) -> None:
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise TypeError(f"betas must be two numbers, such as (0.9, 0.98), not {self.betas!r}.")
        for beta in self.betas:
            check_number("each of betas", beta, 0, 1, below=True)

    def _as_plain_numbers(self) -> None:
        """Numbers of numpy become Python's, so that they can be compared, printed and stored."""
        for name, value in vars(self).items():
            if isinstance(value, np.generic):
                object.__setattr__(self, name, value.item())
        object.__setattr__(self, "betas", tuple(map(float, self.betas)))

    def _check_together(self) -> None:
        """ValueError for numbers that make sense alone, but not beside each other."""
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate must be at most batch_size, not {self.accumulate}: "
                f"{self.batch_size} rows cannot be cut into more pieces."
            )
        if self.warmup > self.steps:
            raise ValueError(
                f"warmup must be at most steps, not {self.warmup}: in {self.steps} steps the learning "
                "rate would never reach its peak. Below 1 it is a share of all steps."
            )
        if self.peak * self.weight_decay >= 1:
            raise ValueError(
                f"weight_decay must be below 1 / lr, {1 / self.peak:g} here, not {self.weight_decay}: "
                "a step would turn weights over instead of shrinking them."
            )

    @property
    def peak(self) -> float:
        """The peak learning rate: lr, or what suits the optimiser."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    def factor(self, step: int) -> float:
        """By what the peak learning rate is multiplied at a step, counted from 0."""
        warmup = self.warmup * self.steps if self.warmup < 1 else self.warmup
        return SCHEDULES[self.schedule](step, self.steps, round(warmup))


def _known(name: str, value: Any, known: Collection[str]) -> None:
    if not isinstance(value, str) or value not in known:
        kind = ValueError if isinstance(value, str) else TypeError
        raise kind(f"{name} must be one of {', '.join(known)}, not {value!r}.")


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


def optimizer_groups(model: nn.Module) -> dict[str, list[Parameter]]:
    """The trainable parameters in four groups: "matrices", "stacked", "decayed" and "free".

    Decay pulls a weight towards 0. "free" of it are biases, the scales of norms, and all
    embeddings, positions included: a bias or a scale has no business at 0, and an embedding's row
    would be pulled at every step but pushed back only when its word comes up. The others are
    "matrices" if they have two axes and lie inside a block (a module of an nn.ModuleList or
    nn.Sequential that has modules itself), else "decayed": the head, convolutions. "stacked" are
    those matrices that are three, attention's qkv.
    Source: as in BERT's code for biases and norms; Jordan 2024 (Muon) for the matrices.
    """
    check_module("model", model)
    inside = {id(parameter) for block in blocks_of(model) for parameter in block.parameters()}
    three = {id(m.qkv.weight) for m in model.modules() if isinstance(m, MultiHeadAttention)}
    groups: dict[str, list[Parameter]] = {"matrices": [], "stacked": [], "decayed": [], "free": []}
    seen: set[int] = set()  # a tied weight has two names, and is to be stepped once
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            is_free = parameter.ndim < 2 or not name.endswith("weight")
            if is_free or isinstance(module, nn.Embedding):
                groups["free"].append(parameter)
            elif parameter.ndim == 2 and id(parameter) in inside:
                groups["stacked" if id(parameter) in three else "matrices"].append(parameter)
            else:
                groups["decayed"].append(parameter)
    return groups


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser over the model's trainable parameters.

    Errors: ValueError if nothing is trainable, or if there is no matrix for Muon.
    """
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a Recipe, not {type(recipe).__name__}.")
    groups = optimizer_groups(model)
    if not any(groups.values()):
        raise ValueError("No parameter of the model can be trained: all have requires_grad=False.")
    if recipe.optimizer == "muon":
        return MuonAndAdamW(groups, recipe)
    decayed = groups["matrices"] + groups["stacked"] + groups["decayed"]
    return _adamw(decayed, groups["free"], recipe.peak, recipe)


class MuonAndAdamW(Optimizer):
    """Muon on the matrices inside blocks and AdamW on the rest, as one optimiser.

    Muon makes every direction of a matrix's update equally long; a word's embedding or a bias is no
    map from vectors to vectors, so AdamW keeps those. Queries, keys and values are three maps, and
    Muon gets each third of a qkv as a matrix of its own. Source: Jordan 2024,
    https://kellerjordan.github.io/posts/muon/; torch.optim.Muon.
    """

    def __init__(self, groups: dict[str, list[Parameter]], recipe: Recipe) -> None:
        self.matrices, self.stacked = groups["matrices"], groups["stacked"]
        if not self.matrices + self.stacked:
            raise ValueError(
                "Muon works on the matrices of blocks, modules in an nn.ModuleList; "
                'the model has none to train that is not pruned: use optimizer="adamw".'
            )
        self.thirds = [
            Parameter(rows) for whole in self.stacked for rows in whole.detach().chunk(3)
        ]
        apart = self.matrices + self.thirds
        self.muon = Muon(apart, lr=recipe.peak, weight_decay=recipe.weight_decay)
        self.parts: list[Optimizer] = [self.muon]
        if groups["decayed"] or groups["free"]:
            adamw = _adamw(groups["decayed"], groups["free"], recipe.adamw_lr, recipe)
            self.parts.append(adamw)
        super().__init__([parameter for group in groups.values() for parameter in group], {})
        self._share_groups()

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of each part."""
        if closure is not None:
            raise ValueError("MuonAndAdamW takes no closure.")
        with self._apart():
            for part in self.parts:
                part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of each part."""
        with self._apart():
            return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Puts a `state_dict` back."""
        with self._apart():
            for part, state in zip(self.parts, state_dict["parts"], strict=True):
                part.load_state_dict(state)
        self._share_groups()

    def _share_groups(self) -> None:
        """The parts' groups, so that a learning rate set here is set there."""
        self.muon.param_groups[0]["params"] = self.matrices + self.stacked
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """For a while Muon's group has thirds: views of the stacked matrices and their gradients."""
        for i, third in enumerate(self.thirds):
            whole = self.stacked[i // 3]
            third.data = whole.detach().chunk(3)[i % 3]
            third.grad = None if whole.grad is None else whole.grad.chunk(3)[i % 3]
        self.muon.param_groups[0]["params"] = self.matrices + self.thirds
        yield
        self.muon.param_groups[0]["params"] = self.matrices + self.stacked
        for third in self.thirds:
            third.grad = None  # so that it can be freed


def _adamw(decayed: list[Parameter], free: list[Parameter], lr: float, recipe: Recipe) -> AdamW:
    groups = [(decayed, recipe.weight_decay), (free, 0.0)]
    is_fused = all(p.device.type in ("cpu", "cuda") for p in decayed + free)  # one kernel for all
    return AdamW(
        [{"params": p, "weight_decay": decay} for p, decay in groups if p],
        lr=lr,
        betas=recipe.betas,
        fused=is_fused,
    )


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The members of a model's lists of modules that have modules themselves."""
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
    return [block for stack in lists for block in stack if next(block.children(), None) is not None]
