"""The same training in one process, in two, and in two that share out the weights: losses and bytes. Lesson 13.

Lesson 6's model of tinyworld by AdamW, one thread a process, on a CPU (gloo). The rows and masks of a
step are the same for all three. Written down: each step's loss, and the bytes that each process holds
after the last backward pass, before the gradients are thrown away. Bytes are counts and need no seeds;
of the losses it is one run. Nothing is timed: both processes share one machine.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from mlm_course.corruption import DynamicMasking
from mlm_course.experiments import tinyworld
from mlm_course.models import MaskedLM
from mlm_course.training import Recipe, make_optimizer, masked_lm_loss
from mlm_course.training.datasets import rows_of_step, share
from mlm_course.training.optim import set_learning_rate

STEPS, ROWS = 40, 4000


def whole(model: MaskedLM) -> nn.Module:
    """The model as it is."""
    return model


def sharded(model: MaskedLM) -> nn.Module:
    """The model, of whose weights each process keeps a share: block by block, then what is left.

    Source: Rajbhandari et al. 2020, section 5 (all three parts divided); torch's fully_shard.
    """
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    for block in model.encoder.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


WAYS: dict[str, tuple[int, Callable[[MaskedLM], nn.Module]]] = {
    "one process": (1, whole),
    "two processes": (2, DistributedDataParallel),
    "two processes, sharded": (2, sharded),
}


def bytes_in(tensors: Iterable[Tensor]) -> int:
    """Bytes that this process holds of some tensors."""
    return sum((t.to_local() if isinstance(t, DTensor) else t).nbytes for t in tensors)


def bytes_held(optimizer: torch.optim.Optimizer) -> dict[str, int]:
    """What this process holds between backward pass and step; AdamW's step counts are left out."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states = optimizer.state.values()
    return {
        "parameters": bytes_in(parameters),
        "gradients": bytes_in(p.grad for p in parameters if p.grad is not None),
        "running averages": bytes_in(s[k] for s in states for k in ("exp_avg", "exp_avg_sq")),
    }


def train(model: nn.Module, data: DynamicMasking, recipe: Recipe) -> dict[str, Any]:
    """A training by all processes of the group: the whole steps' losses, and the bytes held at the end."""
    here, processes = distributed.get_rank(), distributed.get_world_size()
    optimizer, losses = make_optimizer(model, recipe), []
    model.train()
    for step in range(recipe.steps):
        optimizer.zero_grad()
        index, epoch = rows_of_step(len(data), recipe.batch_size, recipe.seed, step)
        [rows] = share(index, 1, here, processes)
        summed, count = masked_lm_loss(model, data(rows, epoch))
        totals = torch.stack([summed.detach(), torch.tensor(float(count))])
        distributed.all_reduce(totals)
        (processes * summed / totals[1]).backward()  # the mean over processes will be taken
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip or torch.inf)
        set_learning_rate(optimizer, recipe.factor(step))
        optimizer.step()
        losses.append((totals[0] / totals[1]).item())
    return {"losses": losses, "held": bytes_held(optimizer)}


def work(rank: int, way: str, steps: int, rows: int, folder: str) -> None:
    """What one process does; its result becomes a file in the folder."""
    torch.set_num_threads(1)
    processes, wrapped = WAYS[way]
    meeting = Path(folder, "meeting").as_uri()
    distributed.init_process_group("gloo", meeting, rank=rank, world_size=processes)
    data = DynamicMasking(tinyworld.masker(), tinyworld.sentences(rows, 0), seed=0)
    recipe = replace(tinyworld.RECIPE, steps=steps, batch_size=64, optimizer="adamw", lr=None)
    result = train(wrapped(tinyworld.build()), data, recipe)
    Path(folder, f"{rank}.json").write_text(json.dumps(result), "utf-8")
    distributed.destroy_process_group()


def together(way: str, steps: int = STEPS, rows: int = ROWS) -> list[dict[str, Any]]:
    """What each process of a way came to. Errors: RuntimeError if one of them failed."""
    start = multiprocessing.get_context("spawn").Process
    with tempfile.TemporaryDirectory() as folder:
        ranks = range(WAYS[way][0])
        running = [start(target=work, args=(rank, way, steps, rows, folder)) for rank in ranks]
        for process in running:
            process.start()
        for process in running:
            process.join()
        if any(process.exitcode for process in running):
            raise RuntimeError(f"{way}: a process failed; what it printed says why.")
        return [json.loads(Path(folder, f"{rank}.json").read_text("utf-8")) for rank in ranks]


def run() -> dict[str, Any]:
    """The record: bytes held by each process, and how far losses are from those of one process."""
    by_way = {way: together(way) for way in WAYS}
    alone = by_way["one process"][0]["losses"]
    return {
        "steps": STEPS,
        "bytes held by each process": {
            way: [result["held"] for result in results] for way, results in by_way.items()
        },
        "last loss": {way: round(results[0]["losses"][-1], 5) for way, results in by_way.items()},
        "largest difference from one process": {
            way: max(abs(a - b) for a, b in zip(alone, results[0]["losses"], strict=True))
            for way, results in by_way.items()
            if way != "one process"
        },
    }
