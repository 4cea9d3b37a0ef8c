"""Checkpoints: a run on disk, so complete that it can go on bit for bit, and never half-written.

A file holds what torch.save makes of plain numbers and tensors (read back with weights_only=True),
and its SHA-256 behind it, because neither torch nor a disk says when a bit has flipped.
Dropout and data order need no state: they follow from the recipe's seed and the step.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import re
import sys
import warnings
import zlib
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course.training.datasets import Data
from mlm_course.training.optim import Recipe
from mlm_course.training.reporting import History

KEPT = 2  # checkpoints: the newest, and the one before in case that is damaged
DIGEST = hashlib.sha256().digest_size
HOW_NOT_WHAT = ("accumulate", "precision", "compile")  # may differ when a run goes on


class Damaged(Exception):
    """A checkpoint file that is not what was written."""


class Checkpoints:
    """The checkpoints of one training run in a folder, made if it is missing.

    about: what the run is, see `describe`. Files are called step-00000120.pt; two are kept.
    """

    def __init__(self, folder: str | Path, about: dict[str, dict[str, Any]]) -> None:
        self.folder, self.about = Path(folder), about
        self.folder.mkdir(parents=True, exist_ok=True)

    def files(self) -> list[Path]:
        """Finished checkpoints, oldest first."""
        return sorted(self.folder.glob("step-*.pt"))

    def newest(self) -> dict[str, Any] | None:
        """What the newest checkpoint holds that is not damaged; None in a fresh folder.

        Errors: ValueError if it belongs to another run, or if all are damaged.
        """
        files = self.files()
        for path in reversed(files):
            try:
                state = read(path)
            except Damaged as error:
                warnings.warn(f"{error}, so the one before it is used.", stacklevel=3)
                continue
            self._refuse_another_run(state.get("about", {}))
            return state
        if files:
            raise ValueError(
                f"No checkpoint in {self.folder} can be read: delete the folder or choose another "
                "one to start anew; nothing was overwritten."
            )
        return None

    def _refuse_another_run(self, about: dict[str, dict[str, Any]]) -> None:
        changes = differences(about, self.about)
        if changes:
            raise ValueError(
                f"{self.folder} holds another training run ({'; '.join(changes[:3])}): choose another "
                "folder, or delete this one to start anew; nothing was overwritten."
            )

    def save(self, step: int, state: dict[str, Any]) -> bool:
        """Whether `state` after so many steps is safely on disk; False, with a warning, if not."""
        path = self.folder / f"step-{step:08d}.pt"
        try:
            write(path, {**state, "about": self.about})
            for old in [file for file in self.files() if file <= path][:-KEPT]:
                old.unlink()
        except OSError as error:
            warnings.warn(
                f"The checkpoint after step {step} could not be saved ({error.strerror or error}): "
                f"make room in {self.folder}. Training goes on, older checkpoints are untouched.",
                stacklevel=2,
            )
            return False
        return True


def write(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint so that at any moment either the old file is there or the new one.

    It grows beside its place, reaches the disk, and only then takes its name. OSError: no file is
    left behind.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    unfinished = path.with_name("unfinished")
    try:
        with open(unfinished, "wb") as file:
            file.write(buffer.getbuffer())
            file.write(hashlib.sha256(buffer.getbuffer()).digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(path.parent)


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, its tensors on the CPU. Errors: Damaged, with one sentence."""
    raw = memoryview(path.read_bytes())
    content, digest = raw[:-DIGEST], raw[-DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise Damaged(f"The checkpoint {path} is damaged")
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _sync_folder(folder: Path) -> None:
    """Brings the new name to the disk too; Windows cannot, and need not."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def describe(model: nn.Module, data: Data, recipe: Recipe) -> dict[str, dict[str, Any]]:
    """What makes a run this one and no other: the model's sizes, the recipe, the data.

    Not part of it: how it is computed (pieces, precision, number of processes).
    """
    config = getattr(model, "config", None)
    is_record = is_dataclass(config) and not isinstance(config, type)
    sizes: dict[str, Any] = asdict(config) if is_record else {}  # type: ignore[arg-type]
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    numbers = {k: v for k, v in asdict(recipe).items() if k not in HOW_NOT_WHAT}
    return {
        "model": {"class": type(model).__name__, **sizes, **shapes},
        "recipe": {**numbers, "lr": recipe.peak, "betas": list(recipe.betas)},
        "data": {"rows": len(data), "checksum of the first rows": _checksum(data)},
    }


def differences(there: dict[str, dict[str, Any]], here: dict[str, dict[str, Any]]) -> list[str]:
    """What differs between two descriptions, in words."""
    changes = []
    for part in here:
        old, new = there.get(part, {}), here[part]
        for name in [*new, *(name for name in old if name not in new)]:
            if old.get(name) != new.get(name):
                values = f"{old.get(name, 'missing')} there, {new.get(name, 'missing')} here"
                changes.append(f"{part}: {name} is {values}")
    return changes


def _checksum(data: Data) -> int:
    """A number that tells one data set from another, from the ids of its first rows."""
    batch = data(torch.arange(min(8, len(data))), 0)
    values = batch.values() if isinstance(batch, dict) else batch
    parts = [values] if isinstance(values, Tensor) else values
    whole = [p for p in parts if isinstance(p, Tensor) and not p.is_floating_point()]
    return zlib.crc32(b"".join(part.cpu().numpy().tobytes() for part in whole))


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


DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts it


def run_folder(name: str) -> Path:
    """The folder for a run's checkpoints; says in one sentence which, and makes nothing.

    On Colab with Drive mounted mlm_course/runs/NAME there, else runs/NAME in the working folder,
    which in a lesson is the notebook's. Errors: ValueError for a name that is no plain word.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(f"A run's name is made of letters, digits, - and _, not {name!r}.")
    if DRIVE.is_dir():
        folder = DRIVE / "mlm_course" / "runs" / name
        more = "They outlive this runtime."
    else:
        folder = Path("runs") / name
        more = "A run that is cut short goes on from there."
        if "google.colab" in sys.modules:
            more = (
                "They are lost with this runtime, unless Drive is mounted first: "
                'from google.colab import drive; drive.mount("/content/drive")'
            )
    print(f"Checkpoints go to {folder}. {more}")
    return folder
