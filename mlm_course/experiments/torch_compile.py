"""torch.compile against the model as it is: the speed, and what the first call takes. Lesson 13."""

from __future__ import annotations

import shutil
import time
from statistics import median
from typing import Any

import torch

from mlm_course.cost import take_turns, times_as_fast
from mlm_course.experiments._lesson_13 import ROUNDS, some_batch, step_of
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init


def compiled() -> dict[str, Any]:
    """torch.compile against the model as it is: times as fast, and what the first call takes."""
    if not (shutil.which("g++") or shutil.which("clang++")):
        return {"left out": "no C++ compiler was found"}
    from torch._inductor import config as inductor

    model = seeded_init(MaskedLM, EncoderConfig(2000, d_model=128, n_layers=2))
    batch = some_batch(2000, rows=8)
    eager, quick = step_of(model, batch), step_of(torch.compile(model), batch)  # type: ignore[arg-type]
    with inductor.patch(force_disable_caches=True):  # as if this machine had never compiled it
        start = time.perf_counter()
        quick()
        first = time.perf_counter() - start
    seconds = take_turns({"eager": eager, "compiled": quick}, 3 * ROUNDS)
    ratio = times_as_fast(seconds, "eager")["compiled"]
    return {
        "times as fast": round(ratio, 2),
        "first call, in usual steps": round(first / median(seconds["eager"])),
    }


def run() -> dict[str, Any]:
    """The record, on one thread."""
    torch.set_num_threads(1)
    return {"compiled": compiled()}
