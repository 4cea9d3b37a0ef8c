"""Checkpoints: a run on disk, so complete that it can go on bit for bit, and never half-written.

A file holds what torch.save makes of plain numbers and tensors (read back with weights_only=True),
and its SHA-256 behind it, because neither torch nor a disk says when a bit has flipped.
Dropout and data order need no state: they follow from the recipe's seed and the step.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from mlm_course.training.fingerprint import (
    CHANGES,
    About,
    changed_parts,
    other_rates,
    settle,
    weights_digest,
)
from mlm_course.training.optim import Recipe
from mlm_course.training.reporting import History

KEPT = 2  # checkpoints: the newest, and the one before in case that is damaged
DIGEST = hashlib.sha256().digest_size
HOLDS = {"about", "training", "best", "history"}
FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
NOTHING_LOST = "or delete this one to start anew; nothing was overwritten"


class Damaged(Exception):
    """A checkpoint file that is not what was written, or cannot be read."""


class Checkpoints:
    """The checkpoints of one training run in a folder, made if it is missing.

    about: what the run is, see `fingerprint.describe`. Files are called step-00000120.pt; two are
    kept. again: describes the run once more, at the first save.
    Errors: OSError, with one sentence, for a folder that cannot be read or written.
    """

    def __init__(
        self, folder: Path, about: About, recipe: Recipe, again: Callable[[], About] | None = None
    ) -> None:
        self.folder, self.about, self.recipe, self.again = folder, about, recipe, again

    def files(self) -> list[Path]:
        """Finished checkpoints, oldest first."""
        paths = self.folder.iterdir()
        return sorted((p for p in paths if re.fullmatch(r"step-\d{8,}\.pt", p.name)), key=steps_of)

    def newest(self) -> dict[str, Any] | None:
        """What the newest checkpoint holds that can be read and gone on from; None in a fresh folder.

        Errors: ValueError if it belongs to another run, or if none can be read.
        """
        refused = ""
        files = self.files()
        for path in reversed(files):
            try:
                state = read(path)
            except FileNotFoundError:  # tidied away by another training in the same folder
                return self.newest()
            except Damaged as error:
                warnings.warn(f"{error}, so the one before it is used.", stacklevel=3)
                continue
            self._refuse_another_run(state["about"])
            reason = other_rates(state["about"]["recipe"], self.recipe, steps_of(path))
            if not reason:
                self._adopt(state, steps_of(path))
                return state
            refused = refused or reason
        if refused:
            raise ValueError(
                f"{self.folder} holds another training run ({refused}): choose another folder, "
                f"{NOTHING_LOST}."
            )
        if files:
            raise ValueError(
                f"No checkpoint in {self.folder} can be read: delete the folder or choose another "
                "one to start anew; nothing was overwritten."
            )
        return None

    def _refuse_another_run(self, about: About) -> None:
        if "start" not in about:
            raise ValueError(
                f"{self.folder} holds a run of an earlier version of this course, which noted neither "
                "loss nor masks nor all rows, so it may be another one: choose another folder, "
                f"{NOTHING_LOST}."
            )
        changes = changed_parts(about, self.about)
        if not changes:
            return
        looked_at = self.about["data"]["rows looked at"]
        share = f", looking at {looked_at} rows of the data" if looked_at != "all" else ""
        raise ValueError(
            f"{self.folder} holds another training run ({'; '.join(changes[:3])}{share}): choose "
            f"another folder, {NOTHING_LOST}."
        )

    def _adopt(self, state: dict[str, Any], done: int) -> None:
        """Takes over what the checkpoint knows of the run's beginning, and looks at the weights given.

        They are replaced in any case. But a finished run is no answer for a model that began otherwise.
        """
        given, start = self.about["start"], state["about"]["start"]
        own = [state["training"]["weights"], state["best"]["weights"] or {}]
        if given not in [start, *({"weights": weights_digest(weights)} for weights in own)]:
            if done == self.recipe.steps:
                raise ValueError(
                    f"{self.folder} holds a finished run of a model that began with other weights: "
                    f"make the model as it was then to load it, choose another folder, {NOTHING_LOST}."
                )
            warnings.warn(
                f"The run in {self.folder} began with other weights than this model has: they are "
                f"replaced by those after step {done}, and training goes on from there.",
                stacklevel=4,
            )
        self.about["start"] = start
        for part in ("data", "loss"):
            changing = {k: v for k, v in state["about"][part].items() if v == CHANGES}
            self.about[part] |= changing

    def save(self, step: int, state: dict[str, Any], is_last: bool = False) -> Path | None:
        """The folder in which `state` after so many steps now safely is; None, with a warning, if none.

        is_last: nobody will try again, so what cannot be written here is written elsewhere.
        """
        if self.again is not None:
            settle(self.about, self.again())
            self.again = None
        name, content = f"step-{step:08d}.pt", {**state, "about": self.about}
        try:
            write(self.folder / name, content)
        except OSError as error:
            failed = f"The checkpoint after step {step} could not be saved ({reason(error)})"
            advice = remedy(error, self.folder)
            if not is_last:
                also = "Training goes on, older checkpoints are untouched."
                warnings.warn(f"{failed}: {advice}. {also}", stacklevel=2)
                return None
            place = saved_elsewhere(self.folder, lambda folder: write(folder / name, content))
            also = f"It is in {place} instead: fit goes on from there with folder={str(place)!r}."
            if place is None:
                also = "The model is in memory only: save it with save_model(model, PATH)."
            warnings.warn(f"{failed}: {advice}. {also}", stacklevel=2)
            return place
        self._tidy(step)
        return self.folder

    def _tidy(self, step: int) -> None:
        """Removes checkpoints older than the newest two, and what a killed process left half-written."""
        with contextlib.suppress(OSError, ValueError):  # then they stay
            old = [path for path in self.files() if steps_of(path) <= step and path.is_file()]
            for path in old[:-KEPT]:
                path.unlink(missing_ok=True)
            for path in self.folder.glob(f"unfinished-{NODE}-*"):
                if not psutil.pid_exists(int(path.name.split("-")[2])):
                    path.unlink(missing_ok=True)

    def require_room(self, model: nn.Module, keep_best: bool) -> None:
        """OSError unless KEPT + 1 checkpoints and the model fit on the disk; those here are replaced.

        A checkpoint has the weights, at most two more numbers for each that is trained, and the best.
        """
        weights = sum(value.nbytes for value in model.state_dict().values())
        trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
        size = (1 + keep_best) * weights + 2 * trained
        total, _, free = shutil.disk_usage(self.folder)
        if not total:  # a disk that does not know
            return
        here = sum(path.stat().st_size for path in self.files() if path.is_file())
        needed = (KEPT + 1) * size + weights
        if needed > free + here:
            raise OSError(
                f"{KEPT + 1} checkpoints of this model and its weights take {needed / 1e6:.1f} MB, but "
                f"{free / 1e6:.1f} MB are free in {self.folder}: make room there, or choose a folder "
                "on another disk."
            )


NODE = re.sub(r"\W", "_", platform.node())


def steps_of(path: Path) -> int:
    """After how many steps a checkpoint was written."""
    return int(path.stem.removeprefix("step-"))


def usable_folder(folder: str | Path) -> Path:
    """The folder, made if it is missing, once it is known that one can list it and write there.

    Errors: TypeError or ValueError for what names no folder; OSError, all with one sentence.
    """
    if not isinstance(folder, str | Path):
        raise TypeError(f"folder must be a path, not {type(folder).__name__}.")
    if not str(folder).strip() or "\0" in str(folder):
        raise ValueError(f"folder={str(folder)!r} names no folder: leave it out, or choose one.")
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        os.listdir(path)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise type(error)(f"{path} cannot hold checkpoints: {remedy(error, path)}.") from None
    return path


def reason(error: OSError) -> str:
    """What the system says."""
    return error.strerror or str(error).rstrip(".") or type(error).__name__


def remedy(error: OSError, folder: Path) -> str:
    """What to do about an error in writing to a folder, as part of a sentence."""
    for part in (folder, *folder.parents):
        if os.path.exists(part) and not os.path.isdir(part):
            return f"{part} is a file, choose another folder"
    if error.errno == errno.EISDIR:
        return f"a folder in {folder} has that name, move it away"
    if error.errno in FULL:
        return f"make room in {folder}"
    if error.errno == errno.EROFS:
        return f"{folder} lies on a disk that can only be read, choose another folder"
    if error.errno in FORBIDDEN:
        return f"you have no permission to read and write in {folder}, give it or choose another folder"
    return f"{folder} cannot be used ({reason(error)}), choose another folder"


def saved_elsewhere(folder: Path, save: Callable[[Path], object]) -> Path | None:
    """A new folder in which save(folder) did not fail: in the working folder, or for temporary files.

    None if it failed everywhere. Folders in which it failed are removed.
    """
    for find in (os.getcwd, tempfile.gettempdir):
        with contextlib.suppress(OSError):
            place = Path(tempfile.mkdtemp(prefix=f"rescued-{folder.name}-", dir=find()))
            try:
                save(place)
            except Exception:
                shutil.rmtree(place, ignore_errors=True)
            else:
                return place
    return None


def write(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint so that at any moment either the old file is there or the new one.

    It grows beside its place, reaches the disk, and only then takes its name. If that fails, no file is
    left behind.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    unfinished = path.with_name(f"unfinished-{NODE}-{os.getpid()}-{threading.get_ident()}")
    try:
        with open(unfinished, "wb") as file:
            file.write(buffer.getbuffer())
            file.write(hashlib.sha256(buffer.getbuffer()).digest())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(path.parent)


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, its tensors on the CPU. Errors: Damaged, with one sentence; FileNotFoundError."""
    try:
        raw = memoryview(path.read_bytes())
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            raise
        raise Damaged(f"The checkpoint {path} cannot be read ({reason(error)})") from None
    content, digest = raw[:-DIGEST], raw[-DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise Damaged(f"The checkpoint {path} is damaged")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # torch has many ways to say that this is not what it wrote
        state = None
    if not isinstance(state, dict) or not state.keys() >= HOLDS:
        raise Damaged(f"The checkpoint {path} was written by something else")
    return state


def _sync_folder(folder: Path) -> None:
    """Brings the new name to the disk too; Windows cannot, and need not."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
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
