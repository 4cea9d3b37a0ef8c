"""What torch, NumPy and Python are set to while an answer is tried, whatever the notebook has set."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch


def _default_device() -> torch.device | None:
    """What torch.set_default_device was given, None if nothing."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _set_numpy_errors(kinds: dict[str, Any]) -> None:
    numpy.seterr(**kinds)


Setting = tuple[Callable[[], Any], Callable[[Any], Any]]  # how it is read, how it is written

NEUTRAL: tuple[tuple[Setting, Any], ...] = (
    ((torch.get_default_dtype, torch.set_default_dtype), torch.float32),
    ((torch.is_grad_enabled, torch.set_grad_enabled), True),
    ((torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode), 0),
    ((torch.get_float32_matmul_precision, torch.set_float32_matmul_precision), "highest"),
    (
        (
            functools.partial(torch.is_autocast_enabled, "cpu"),
            functools.partial(torch.set_autocast_enabled, "cpu"),
        ),
        False,
    ),
    (
        (numpy.geterr, _set_numpy_errors),
        {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
    ),
)
AS_IT_IS: tuple[Setting, ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (sys.getrecursionlimit, sys.setrecursionlimit),
)
GENERATORS: tuple[Setting, ...] = (
    (torch.get_rng_state, torch.set_rng_state),
    (random.getstate, random.setstate),
    (numpy.random.get_state, numpy.random.set_state),
)


@contextlib.contextmanager
def neutral_settings() -> Iterator[None]:
    """Python as it starts (float32, the CPU, gradients on), and afterwards what was set before."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.autograd.set_detect_anomaly(False))
        stack.enter_context(warnings.catch_warnings())
        warnings.filters = [rule for rule in warnings.filters if rule[0] != "error"]
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        for setting in ((_default_device, torch.set_default_device), *AS_IT_IS):
            stack.enter_context(_kept(setting))
        for setting, value in NEUTRAL:
            stack.enter_context(_kept(setting))
            _write(setting, value)
        yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global generators, seeded, and afterwards where they were."""
    before = [read() for read, _ in GENERATORS]
    try:
        for start in (torch.default_generator.manual_seed, random.seed, numpy.random.seed):
            start(seed)
        yield
    finally:
        for (_, write), state in zip(GENERATORS, before, strict=True):
            write(state)


@contextlib.contextmanager
def _kept(setting: Setting) -> Iterator[None]:
    before = setting[0]()
    try:
        yield
    finally:
        _write(setting, before)


def _write(setting: Setting, value: Any) -> None:
    read, write = setting
    if read() != value:
        write(value)
