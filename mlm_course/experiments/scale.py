"""What makes training and models cheaper, and what it costs in accuracy, measured on one CPU thread. Lesson 13.

Times are ratios of calls that took turns, so that what else the machine does slows both. Trained
models are compared on the same held-out rows with the same masks.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import tokenization
from mlm_course.attention import same_document_mask
from mlm_course.compression import drop_units, int8_layers, prune, rounded
from mlm_course.corpora import python_docs, tinyworld
from mlm_course.corruption import Corrupted
from mlm_course.cost import take_turns, times_as_fast
from mlm_course.evaluation import score_hidden, visible_mask
from mlm_course.experiments import python_docs as docs
from mlm_course.experiments.tinyworld import masked_test_set, masker, sentences
from mlm_course.models import EncoderConfig, MaskedLM, fresh, pretrained
from mlm_course.packing import texts_in_rows
from mlm_course.training import History, Loss, MaskedRows, Recipe, fit, masked_lm_loss

ROUNDS = 7
SPARSITIES = (0.3, 0.5, 0.7, 0.8, 0.9)
AGAIN = Recipe(steps=60, batch_size=64, optimizer="adamw", lr=5e-4, weight_decay=0.0)
STUDENT = Recipe(steps=150, batch_size=64, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95))
WIDTHS = (128, 256, 512)
RUNS = (("fp32", "no", 0), ("fp32, another seed", "no", 1), ("bf16", "bf16", 0))
GOALS = ("true words", "teacher and words", "teacher", "exact chances")
SHARED_STEPS = 40  # of training in one process and in two


def seeded(seed: int) -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def step_of(
    model: nn.Module, batch: Corrupted, precision: torch.dtype | None = None
) -> Callable[[], None]:
    """One forward and backward pass on a batch, as a call without arguments."""

    def step() -> None:
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            summed, _ = masked_lm_loss(model, batch)
        summed.backward()
        model.zero_grad()

    return step


def some_batch(
    vocab_size: int, rows: int = 16, length: int = 128, ratio: float = 0.25
) -> Corrupted:
    """Random ids, a share of them hidden: for times, not for learning."""
    ids = torch.randint(5, vocab_size, (rows, length), generator=seeded(0))
    return docs.masker(vocab_size, ratio)(ids, seeded(1))


def rounded_ratios(ways: dict[str, Callable[[], Any]], base: str) -> dict[str, float]:
    """How many times as fast as `base`, two decimals."""
    found = times_as_fast(take_turns(ways, ROUNDS), base)
    return {name: round(value, 2) for name, value in found.items()}


def bf16_speed() -> dict[str, float]:
    """Times as fast as fp32, forward and backward, by width."""
    found = {}
    for width in WIDTHS:
        model = fresh(MaskedLM, EncoderConfig(2000, d_model=width, n_layers=2))
        batch = some_batch(2000, rows=8)
        ways = {"fp32": step_of(model, batch), "bf16": step_of(model, batch, torch.bfloat16)}
        found[str(width)] = rounded_ratios(ways, "fp32")["bf16"]
    return found


def bf16_loss() -> dict[str, float]:
    """Loss on tinyworld's test set after a short training in each precision."""
    masked, floor = masked_test_set(500)
    found = {"floor": round(floor, 4)}
    data = MaskedRows(sentences(20_000, 50), masker(0.3), seed=0)
    for name, precision, seed in RUNS:
        model = small(2, seed)
        fit(model, data, masked_lm_loss, replace(STUDENT, precision=precision, seed=seed))
        found[name] = round(score_hidden(model, masked).loss, 4)
    return found


def small(n_layers: int, seed: int = 0) -> MaskedLM:
    """A small model of tinyworld."""
    size = len(tinyworld.vocabulary())
    return fresh(
        MaskedLM, EncoderConfig(size, 26, d_model=64, n_layers=n_layers, embedding_std=0.1), seed
    )


def compiled() -> dict[str, Any]:
    """torch.compile against the model as it is: times as fast, and what the first call takes."""
    if not (shutil.which("g++") or shutil.which("clang++")):
        return {"left out": "no C++ compiler was found"}
    from torch._inductor import config as inductor

    model = fresh(MaskedLM, EncoderConfig(2000, d_model=128, n_layers=2))
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


def masked_rows() -> dict[str, float]:
    """Times as fast as projecting every token, by size of the vocabulary."""
    found = {}
    for size in (250, 2000, 8000):
        model = fresh(MaskedLM, EncoderConfig(size, d_model=128, n_layers=2))
        batch = some_batch(size, rows=8, ratio=0.15)
        ways = {"all": everything(model, batch), "hidden": step_of(model, batch)}
        found[str(size)] = rounded_ratios(ways, "all")["hidden"]
    return found


def everything(model: nn.Module, batch: Corrupted) -> Callable[[], None]:
    """A step that projects all tokens to the vocabulary."""

    def step() -> None:
        logits = model(batch.input_ids)
        F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten()).backward()
        model.zero_grad()

    return step


def packing() -> dict[str, float]:
    """Real tokens a second, packed against padded: docstrings of at most a row."""
    tokenizer = pretrained("python_docs")[1]
    texts = [item.text for item in python_docs.docstrings(["stdlib"])][:3000]
    ids = [row for row in tokenization.encode(tokenizer, texts, special_tokens=False) if row]
    ids = [row[:127] for row in ids][:400]
    padded = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    packed = torch.tensor(tokenization.pack(ids, 128)[:-1])
    share = (padded == 0).double().mean().item()
    model = fresh(MaskedLM, EncoderConfig(docs.VOCAB_SIZE, 128, d_model=128, n_layers=2))
    batches = {
        "padded": padded[torch.randperm(len(padded), generator=seeded(0))[:32]],
        "packed": packed[:32],
    }
    hide = docs.masker(docs.VOCAB_SIZE, 0.15)
    ways = {name: step_of(model, hide(rows, seeded(1))) for name, rows in batches.items()}
    ways["packed, texts apart"] = apart(model, hide(packed[:32], seeded(1)))
    speed = times_as_fast(take_turns(ways, ROUNDS), "padded")
    real = {name: int((batches[name.split(",")[0]] != 0).sum()) for name in ways}
    gain = {name: round(speed[name] * real[name] / real["padded"], 2) for name in ways}
    return {"share of padding": round(share, 3), **gain}


def apart(model: MaskedLM, batch: Corrupted) -> Callable[[], None]:
    """A step in which texts in one row do not see one another."""
    texts, places = texts_in_rows(batch.input_ids)
    allowed = same_document_mask(texts)

    def step() -> None:
        x = model.encoder(batch.input_ids, allowed, positions=places)
        logits = model.logits(x[batch.hidden])
        F.cross_entropy(logits, batch.labels[batch.hidden]).backward()
        model.zero_grad()

    return step


def docs_rows(n_train: int = 2000, n_test: int = 96) -> tuple[Tensor, Corrupted]:
    """Docstrings to train on, and held-out ones with 15 % hidden, by the shipped tokenizer."""
    tokenizer = pretrained("python_docs")[1]
    items = python_docs.docstrings(docs.PACKAGES)
    sides = python_docs.split_by_module(items, docs.HELD_OUT_SHARE, seed=0)
    found = []
    for side, n in zip(sides, (n_train, n_test), strict=True):
        order = torch.randperm(len(side), generator=seeded(3)).tolist()[: 3 * n]
        ids = tokenization.encode(tokenizer, [side[i].text for i in order], special_tokens=False)
        found.append(torch.tensor(tokenization.pack(ids, docs.LENGTH)[:-1][:n]))
    return found[0], docs.masker(docs.VOCAB_SIZE, docs.TEST_RATIO)(found[1], seeded(7))


def accuracy(model: nn.Module, test: Corrupted) -> float:
    """Share of hidden tokens restored, four decimals."""
    return round(score_hidden(model, test, batch_size=64).accuracy, 4)


def pruning(
    model: nn.Module,
    data: MaskedRows,
    test: Corrupted,
    recipe: Recipe,
    sparsities: tuple[float, ...] = SPARSITIES,
) -> dict[str, dict[str, float]]:
    """Accuracy by share of weights removed, at once and after training on with the rest."""
    found = {"0": {"removed": accuracy(model, test)}}
    control = retrained(model, 0.0, data, recipe)
    found["0"]["trained on"] = accuracy(control, test)
    for sparsity in sparsities:
        before = accuracy(prune(model, sparsity), test)
        after = accuracy(retrained(model, sparsity, data, recipe), test)
        found[str(sparsity)] = {"removed": before, "trained on": after}
    return found


def retrained(model: nn.Module, sparsity: float, data: MaskedRows, recipe: Recipe) -> nn.Module:
    """A pruned copy, trained on."""
    pruned = prune(model, sparsity)
    fit(pruned, data, masked_lm_loss, recipe)
    return pruned


def zeros() -> dict[str, float]:
    """A matrix product with nine zeros in ten: times as fast as without zeros."""
    a = torch.randn(512, 1024, generator=seeded(0))
    dense = torch.randn(1024, 1024, generator=seeded(1))
    holey = dense * (torch.rand(dense.shape, generator=seeded(2)) < 0.1)
    listed = holey.to_sparse_csr()
    ways = {
        "no zeros": lambda: a @ dense.T,
        "90 % zeros": lambda: a @ holey.T,
        "90 % zeros, as a list": lambda: listed @ a.T,
    }
    return rounded_ratios(ways, "no zeros")


def units(model: nn.Module, test: Corrupted) -> dict[str, dict[str, float]]:
    """Whole units of the feed-forward networks removed: accuracy and times as fast."""
    found = {}
    for share in (0.0, 0.25, 0.5, 0.75):
        smaller = drop_units(model, share).eval()
        speed = rounded_ratios(answering(model, smaller, test), "whole")["smaller"]
        found[str(share)] = {"accuracy": accuracy(smaller, test), "times as fast": speed}
    return found


def answering(
    model: nn.Module, smaller: nn.Module, test: Corrupted, rows: int = 32
) -> dict[str, Callable[[], Any]]:
    """The same questions to both models."""
    ids, _, hidden = (part[:rows] for part in test)

    @torch.no_grad()
    def ask(one: nn.Module) -> Tensor:
        return one(ids, None, hidden)

    return {"whole": partial(ask, model), "smaller": partial(ask, smaller)}


def size_of(model: nn.Module) -> int:
    """Bytes of a model's state as PyTorch stores it."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.getbuffer().nbytes


def quantisation(model: nn.Module, test: Corrupted) -> dict[str, Any]:
    """int8: accuracy by the way of rounding; with PyTorch's layers also size and speed by rows."""
    found: dict[str, Any] = {"fp32": {"accuracy": accuracy(model, test), "bytes": size_of(model)}}
    for name, per_row in {"a scale for each row": True, "a scale for each matrix": False}.items():
        small_one, size = rounded(model, per_row)
        found[name] = {"accuracy": accuracy(small_one, test), "bytes": size}
    layers = int8_layers(model)
    found["PyTorch's layers"] = {"accuracy": accuracy(layers, test), "bytes": size_of(layers)}
    speed = {
        str(rows): rounded_ratios(answering(model, layers, test, rows), "whole")["smaller"]
        for rows in (1, 8, 64)
    }
    return {**found, "times as fast by rows": speed}


def taught_by(goal: str, teacher: nn.Module) -> Loss:
    """A loss by its name: from true words, from a teacher, from both, or from exact chances."""

    if goal not in GOALS:
        raise ValueError(f"A student's goal is one of {', '.join(GOALS)}, not {goal!r}.")

    def loss(model: nn.Module, batch: Corrupted) -> tuple[Tensor, int]:
        ids, labels, hidden = batch
        logits = model(ids, visible_mask(ids), hidden).float()  # (n, V)
        own, there = ids.cpu(), hidden.cpu()  # where the teachers are
        with torch.no_grad():
            if goal == "exact chances":
                chances = tinyworld.masked_posterior(own, there)[there]
            else:
                chances = teacher(own, visible_mask(own), there).softmax(-1)
        chances = chances.to(logits)
        taught = F.kl_div(logits.log_softmax(-1), chances, reduction="sum")
        true = F.cross_entropy(logits, labels[hidden], reduction="sum")
        return (taught + true) / 2 if goal == "teacher and words" else taught, len(logits)

    return masked_lm_loss if goal == "true words" else loss


def distillation() -> dict[str, Any]:
    """Distance of one-layer students to the floor, in nats, mean of two seeds, by goal and text."""
    teacher, (masked, floor) = pretrained("tinyworld")[0], masked_test_set(500)
    found: dict[str, Any] = {
        "teacher": round(score_hidden(teacher, masked).loss - floor, 3),
        "steps": STUDENT.steps,
    }
    for n in (300, 20_000):
        rows = MaskedRows(sentences(n, 60), masker(0.3), seed=0)
        found[f"{n} sentences"] = {
            goal: round(sum(gaps(goal, teacher, rows, masked, floor)) / 2, 3) for goal in GOALS
        }
    return found


def gaps(
    goal: str, teacher: nn.Module, rows: MaskedRows, masked: Corrupted, floor: float
) -> Iterator[float]:
    """The distance to the floor of a student from each of two seeds."""
    for seed in (0, 1):
        student = small(1, seed)
        fit(student, rows, taught_by(goal, teacher), replace(STUDENT, seed=seed))
        yield score_hidden(student, masked).loss - floor


def shared_run(processes: int, optimizer: str, folder: Path) -> History:
    """`train mlm` in so many processes, one thread each, the same whole batch."""
    launch = f"torch.distributed.run --standalone --nproc_per_node {processes} -m".split()
    options = f"--steps {SHARED_STEPS} --batch-size 64 --rows 4000 --optimizer {optimizer} --folder"
    command = [*(launch if processes > 1 else []), *"mlm_course train mlm".split()]
    subprocess.run(
        [sys.executable, "-m", *command, *options.split(), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return History(**json.loads((folder / "history.json").read_text("utf-8")))


def two_processes() -> dict[str, Any]:
    """Losses in one process and in two, how far apart they are by optimiser, and the time a step."""
    runs: dict[str, list[History]] = {}
    for optimizer in ("adamw", "muon"):
        with tempfile.TemporaryDirectory() as folder:
            runs[optimizer] = [shared_run(n, optimizer, Path(folder) / str(n)) for n in (1, 2)]
    one, two = (median(diff(history.seconds[5:])) for history in runs["adamw"])
    names = ("one process", "two processes")
    return {
        "steps": SHARED_STEPS,
        "losses": {
            name: [round(loss, 5) for loss in history.losses]
            for name, history in zip(names, runs["adamw"], strict=True)
        },
        "largest difference": {
            optimizer: max(abs(a - b) for a, b in zip(*(h.losses for h in both), strict=True))
            for optimizer, both in runs.items()
        },
        "times as fast": round(one / two, 2),
    }


def diff(moments: list[float]) -> list[float]:
    """The time between neighbours."""
    return [after - before for before, after in pairwise(moments)]


def run() -> dict[str, Any]:
    """Everything, on one thread."""
    torch.set_num_threads(1)
    train, test = docs_rows()
    big, world = pretrained("python_docs")[0], pretrained("tinyworld")[0]
    on_docs = MaskedRows(train, docs.masker(docs.VOCAB_SIZE, docs.MASK_RATIO), seed=0)
    on_world = MaskedRows(sentences(20_000, 50), masker(), seed=0)
    again_docs = replace(AGAIN, batch_size=16, steps=30, lr=2e-4)
    return {
        "bf16, times as fast by width": bf16_speed(),
        "bf16, loss": bf16_loss(),
        "compile": compiled(),
        "hidden tokens only, times as fast by vocabulary": masked_rows(),
        "packing, real tokens a second": packing(),
        "pruning, tinyworld": pruning(world, on_world, masked_test_set(500)[0], AGAIN),
        "pruning, docstrings": pruning(big, on_docs, test, again_docs, SPARSITIES[::2]),
        "zeros, times as fast": zeros(),
        "units removed, docstrings": units(big, test),
        "int8, docstrings": quantisation(big, test),
        "distillation": distillation(),
        "two processes": two_processes(),
    }
