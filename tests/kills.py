"""Kills trainings and damages checkpoints, and compares how they end with one left alone, bit by bit.

    python tests/kills.py --count 100 --folder /tmp/kills     100 times kill -9, then 60 damages

Every second kill comes within a save, the others at any moment of a training. Cases that are done
stand in the folder: the same command goes on. Exit status 1 if a case ended otherwise. CPU only.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mlm_course.corruption import DynamicMasking, Masker
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, checkpoints, fit, masked_lm_loss

V, T, STEPS = 30, 10, 24
RECIPE = Recipe(steps=STEPS, batch_size=8, lr=0.01, optimizer="adamw")
BEST = {"evaluate_every": 5, "keep_best": "loss"}
SETTINGS: dict[str, tuple[Recipe, float, dict[str, Any]]] = {  # recipe, dropout, options of fit
    "AdamW with dropout": (RECIPE, 0.2, {}),
    "Muon": (replace(RECIPE, optimizer="muon"), 0.0, {}),
    "pieces in bf16": (replace(RECIPE, accumulate=2, precision="bf16"), 0.1, {}),
    "keep_best": (replace(RECIPE, optimizer="muon"), 0.1, BEST),
}
PLACES = ("fsync", "replace", "fsync", "open")  # calls of os within a save; a save has 2 of fsync
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["mlm_course.models", "mlm_course.training", "torch._dynamo"])


def evaluate(model: nn.Module) -> dict[str, float]:
    """A loss that depends on the weights and goes up and down."""
    return {"loss": float(next(model.parameters())[0].sum().mul(300).sin())}


def train(folder: Path | None, setting: str) -> tuple[torch.Tensor, list[float], int | None]:
    """Weights, losses and best step of a training that saves after every step."""
    recipe, dropout, options = SETTINGS[setting]
    ids = torch.randint(5, V, (48, T), generator=torch.Generator().manual_seed(7))
    data = DynamicMasking(Masker(V, SPECIAL_IDS, MASK_ID, ratio=0.3), ids, seed=1)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = MaskedLM(EncoderConfig(V, T, d_model=16, n_layers=2, n_heads=2, dropout=dropout))
    history = fit(
        model,
        data,
        masked_lm_loss,
        recipe,
        evaluate=evaluate,
        folder=folder,
        save_every=1,
        **options,
    )
    return (
        nn.utils.parameters_to_vector(model.parameters()).detach(),
        history.losses,
        history.best_step,
    )


def in_a_process(target: Any, *arguments: Any) -> Any:
    process = FORKS.Process(target=_quietly, args=(target, *arguments), daemon=True)
    process.start()
    return process


def _quietly(target: Any, *arguments: Any) -> None:
    os.environ["ACCELERATE_USE_CPU"] = "1"
    torch.set_num_threads(1)
    target(*arguments)


def train_and_tell(folder: Path, setting: str, began: Any = None) -> None:
    if began is not None:
        began.set()
    torch.save(train(folder, setting), folder / "result")


def die_within_a_save(place: str, call: int) -> None:
    """From now on this process kills itself with signal 9 at one of the calls of os.`place`."""
    real, calls = getattr(os, place), []

    def deadly(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(checkpoints.os, place, deadly)


def train_and_die(folder: Path, setting: str, place: str, call: int) -> None:
    die_within_a_save(place, call)
    train_and_tell(folder, setting)


def train_beside_another(folder: Path, setting: str, meeting: Any, name: str) -> None:
    """Training in a folder where another one is under way; what it warns of is told too."""
    meeting.wait(300)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = train(folder, setting)
    own = [str(w.message) for w in said if "heckpoint" in str(w.message)]
    torch.save((result, own), folder.with_name(name))


def same(one: Any, other: Any) -> bool:
    return torch.equal(one[0], other[0]) and one[1:] == other[1:]


def ends_as(folder: Path, expected: Any) -> bool:
    """Whether a run in a folder has ended as expected and left nothing but checkpoints behind."""
    names = {path.name for path in folder.iterdir()}
    is_tidy = names == {"result", *(f"step-{step:08d}.pt" for step in (STEPS - 1, STEPS))}
    return is_tidy and same(torch.load(folder / "result"), expected)


def kill_once(folder: Path, setting: str, seed: int, seconds: float) -> str:
    """Trains, kills once at a place drawn with `seed`, and lets it end; says where it was killed."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    if seed // len(SETTINGS) % 2:
        place, call = draw.choice(PLACES), draw.randint(1, STEPS)
        process = in_a_process(train_and_die, folder, setting, place, call)
        where = f"os.{place}, call {call}"
    else:
        began = FORKS.Event()
        process = in_a_process(train_and_tell, folder, setting, began)
        began.wait(300)
        time.sleep(draw.uniform(0, 0.7 * seconds))
        process.kill()
        where = "any moment"
    process.join(300)
    steps = max((int(path.stem[5:]) for path in folder.glob("step-*")), default=0)
    killed = "killed" if process.exitcode == -signal.SIGKILL else "ended before"
    (folder / "result").unlink(missing_ok=True)
    process = in_a_process(train_and_tell, folder, setting)
    process.join(300)
    return f"{killed} at {where}, {steps} steps saved"


def whole_run(folder: Path, setting: str) -> tuple[Any, float]:
    """How a training left alone ends, and the seconds that it takes in a process."""
    train_time = folder / "seconds"
    if not train_time.exists():
        folder.mkdir(parents=True)
        process, began = in_a_process(train_and_tell, folder, setting), time.monotonic()
        process.join(300)
        train_time.write_text(str(time.monotonic() - began))
    return torch.load(folder / "result"), float(train_time.read_text())


def damage(path: Path, how: str, draw: random.Random) -> None:
    """A file truncated, with one bit flipped, emptied, or with somebody else's content."""
    raw = bytearray(path.read_bytes())
    place = draw.randrange(len(raw))
    if how == "truncated":
        raw = raw[:place]
    elif how == "one bit":
        raw[place] ^= 1 << draw.randrange(8)
    path.write_bytes(b"" if how == "empty" else raw)
    if how == "foreign":
        torch.save({"weights": torch.rand(place % 9 + 1)}, path)
        if place % 2:
            checkpoints.write(path, {"weights": torch.rand(3), "about": {"loss": None}})


def damage_once(folder: Path, seed: int) -> bool:
    """Whether a run whose newest checkpoint is damaged warns of it and ends with the same bits."""
    setting = [*SETTINGS][seed % len(SETTINGS)]
    how = ("truncated", "one bit", "empty", "foreign")[seed // len(SETTINGS) % 4]
    expected = train(folder, setting)
    damage(folder / f"step-{STEPS:08d}.pt", how, random.Random(seed))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        again = train(folder, setting)
    is_clear = any("so the one before it is used" in str(w.message) for w in said)
    return is_clear and same(again, expected)


def main(count: int, damages: int, folder: Path) -> int:
    """Exit status; a line for each case."""
    os.environ["ACCELERATE_USE_CPU"] = "1"
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "cases.json"
    cases = json.loads(record.read_text()) if record.exists() else {}

    def note(name: str, *values: Any) -> None:
        cases[name] = values
        record.write_text(json.dumps(cases, indent=1))
        print(name, *values, flush=True)

    for seed in range(count):
        setting = [*SETTINGS][seed % len(SETTINGS)]
        if f"kill {seed}" in cases:
            continue
        expected, seconds = whole_run(folder / setting, setting)
        where = kill_once(folder / f"kill-{seed}", setting, seed, seconds)
        note(f"kill {seed}", ends_as(folder / f"kill-{seed}", expected), setting, where)
    for seed in range(damages):
        if f"damage {seed}" not in cases:
            note(f"damage {seed}", damage_once(folder / f"damage-{seed}", seed))
    for kind in ("kill", "damage"):
        of_kind = [values[0] for name, values in cases.items() if name.startswith(kind)]
        print(f"{kind}: {sum(of_kind)} of {len(of_kind)} ended with the same bits")
    return int(not all(values[0] for values in cases.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="kills")
    parser.add_argument("--damages", type=int, default=60)
    parser.add_argument("--folder", type=Path, required=True, help="for the runs and what is done")
    options = parser.parse_args()
    sys.exit(main(options.count, options.damages, options.folder))
