"""What is left to do when one of several processes that train together is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed

from mlm_course.training.checkpoints import Checkpoints
from mlm_course.training.run import Run

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
