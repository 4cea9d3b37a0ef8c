"""Checkpoints: a run on disk, so complete that it can go on bit for bit, and never half-written.

A file holds what torch.save makes of plain numbers and tensors (read back with weights_only=True),
and its SHA-256 behind it, because neither torch nor a disk says when a bit has flipped.
Dropout and data order need no state: they follow from the recipe's seed and the step.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
import zlib
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course.training.data import Data
from mlm_course.training.recipe import Recipe

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
        found = differences(about, self.about)
        if found:
            raise ValueError(
                f"{self.folder} holds another training run ({'; '.join(found[:3])}): choose another "
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
    found = []
    for part in here:
        old, new = there.get(part, {}), here[part]
        for name in [*new, *(name for name in old if name not in new)]:
            if old.get(name) != new.get(name):
                values = f"{old.get(name, 'missing')} there, {new.get(name, 'missing')} here"
                found.append(f"{part}: {name} is {values}")
    return found


def _checksum(data: Data) -> int:
    """A number that tells one data set from another, from the ids of its first rows."""
    batch = data(torch.arange(min(8, len(data))), 0)
    values = batch.values() if isinstance(batch, dict) else batch
    parts = [values] if isinstance(values, Tensor) else values
    whole = [p for p in parts if isinstance(p, Tensor) and not p.is_floating_point()]
    return zlib.crc32(b"".join(part.cpu().numpy().tobytes() for part in whole))
