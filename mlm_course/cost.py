"""What a training step has to cost: FLOPs, bytes, and the time that neither can fall below. Lesson 13.

A FLOP is one multiplication or addition; a multiply-add is two. Only matrix products are counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mlm_course.contracts import check_callable, check_count, check_number
from mlm_course.models import EncoderConfig

BYTES_A_NUMBER = 4  # fp32


def matrix_parameters(config: EncoderConfig) -> tuple[int, int]:
    """Parameters that a token is multiplied by in the blocks, and in the head if it is masked.

    Four matrices of attention and two of the feed-forward network a block; dense and decoder in the
    head. Embeddings are looked up, norms and biases are no matrix products.
    """
    if not isinstance(config, EncoderConfig):
        raise TypeError(f"config must be an EncoderConfig, not {type(config).__name__}.")
    D = config.d_model
    blocks = config.n_layers * (4 * D * D + 2 * D * config.d_ff)
    return blocks, D * D + D * config.vocab_size


def training_flops(config: EncoderConfig, rows: int, length: int, masked: int) -> int:
    """FLOPs of a step, forward and backward, of a masked language model: rows of `length` tokens.

    masked: tokens that are projected to the vocabulary. 6 a parameter and token: 2 forward, 4
    backward (for the input and for the weights). Attention: T scores and T weighted values a token,
    twice D multiply-adds each, three times (forward and twice as much backward).
    Source: Kaplan et al. 2020, section 2.1.
    """
    blocks, head = matrix_parameters(config)
    check_count("rows", rows)
    check_count("length", length)
    rows, length = int(rows), int(length)  # NumPy's integers run over
    tokens = rows * length
    check_count("masked", masked, 0, tokens)
    attention = 12 * config.n_layers * tokens * length * config.d_model
    return 6 * (blocks * tokens + head * int(masked)) + attention


def optimizer_bytes(parameters: int) -> int:
    """Bytes that a step of AdamW in fp32 has to read and write, whatever the batch.

    It reads parameter, gradient and both running averages, and writes all but the gradient.
    Source: Loshchilov and Hutter 2019, algorithm 2.
    """
    check_count("parameters", parameters)
    return 7 * BYTES_A_NUMBER * int(parameters)


def training_memory(parameters: int) -> dict[str, int]:
    """Bytes held through a step of AdamW in fp32, by what they hold; activations not counted."""
    check_count("parameters", parameters)
    one = BYTES_A_NUMBER * int(parameters)
    return {"parameters": one, "gradients": one, "running averages": 2 * one}


def time_floor(
    work: Sequence[tuple[float, float]], flops_a_second: float, bytes_a_second: float
) -> float:
    """Seconds below which pieces of work, one after another, cannot fall; each (FLOPs, bytes).

    A piece takes as long as the slower of its two needs. Source: Williams et al. 2009 (roofline).
    """
    check_number("flops_a_second", flops_a_second, 0, above=True)
    check_number("bytes_a_second", bytes_a_second, 0, above=True)
    _check_work(work)
    return sum(max(f / flops_a_second, b / bytes_a_second) for f, b in work)


def _check_work(work: Any) -> None:
    pieces = work if isinstance(work, Sequence) else [None]
    if not all(isinstance(piece, Sequence) and len(piece) == 2 for piece in pieces):
        raise TypeError(f"work must be a list of pairs (FLOPs, bytes), not {work!r}.")
    for flops, moved in work:
        check_number("FLOPs", flops, 0)
        check_number("bytes", moved, 0)


def allreduce_seconds(gradient_bytes: float, processes: int, bytes_a_second: float) -> float:
    """Seconds to add up the gradients of all processes, each with a link of that rate.

    In a ring each process sends and receives 2 (n - 1) / n times the gradient.
    Source: Patarasuk and Yuan 2009.
    """
    check_number("gradient_bytes", gradient_bytes, 0)
    check_count("processes", processes, 1)
    check_number("bytes_a_second", bytes_a_second, 0, above=True)
    return 2 * (processes - 1) / processes * gradient_bytes / bytes_a_second


def take_turns(
    ways: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of each way in each round, after some rounds that do not count.

    In turns, because whatever else the machine does then slows all of them alike; every other round
    goes backwards, so that none always comes after the same one.
    """
    check_count("rounds", rounds, 0, 100_000)
    check_count("warm_up", warm_up, 0, 100_000)
    _check_ways(ways)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways.items())
    for lap in range(warm_up + rounds):
        for name, way in reversed(order) if lap % 2 else order:
            start = time.perf_counter()
            way()
            if lap >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def _check_ways(ways: Any) -> None:
    if not isinstance(ways, Mapping):
        raise TypeError(f"ways must be functions by name, {{name: function}}, not {ways!r}.")
    for name, way in ways.items():
        check_callable(f"ways[{name!r}]", way)


def times_as_fast(seconds: Mapping[str, Sequence[float]], base: str) -> dict[str, float]:
    """How many times as fast as `base` each way is: the median over rounds of the ratio.

    seconds: as `take_turns` returns them.
    """
    _check_seconds(seconds, base)
    slow = seconds[base]
    return {
        name: median(a / b for a, b in zip(slow, own, strict=True)) for name, own in seconds.items()
    }


def _check_seconds(seconds: Any, base: Any) -> None:
    if not isinstance(seconds, Mapping) or not isinstance(base, str):
        raise TypeError("seconds must be lists of seconds by name, and base one of the names.")
    if base not in seconds:
        raise ValueError(f"base must be one of {', '.join(map(repr, seconds))}, not {base!r}.")
    for name, own in seconds.items():
        if not hasattr(own, "__len__") or len(own) != len(seconds[base]) or not len(own):
            raise ValueError(
                f"{name} must have as many rounds as {base}, at least one, not {own!r}."
            )
        for value in own:
            check_number(f"Each of the seconds of {name}", value, 0, above=True)


def matmul_rate(size: int = 512, rounds: int = 5, dtype: torch.dtype = torch.float32) -> float:
    """FLOPs a second of a product of two square matrices: the best of some rounds."""
    check_count("size", size, 1, 20_000)
    check_count("rounds", rounds, 1)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype must be a floating-point one such as torch.float32, not {dtype!r}.")
    a = torch.linspace(-1, 1, size * size).view(size, size).to(dtype)  # constants would be quicker
    best = min(take_turns({"": lambda: (a @ a)[0, 0].item()}, rounds)[""])  # item waits for a GPU
    return 2 * size**3 / best


def memory_rate(megabytes: int = 128, rounds: int = 5) -> float:
    """Bytes a second read and written by adding one tensor to another in place: the best of some rounds.

    megabytes: of both together; what a cache holds is faster. In place, because a target that was not
    read before is often fetched before it is written, which nobody counts (McCalpin, STREAM).
    """
    check_count("megabytes", megabytes, 1, 100_000)
    check_count("rounds", rounds, 1)
    source, target = torch.ones(2, int(megabytes) * 2**17)
    again = max(1, 32 // int(megabytes))  # small ones several times: a call takes time, too

    def add() -> None:
        for _ in range(again):
            target.add_(source)

    best = min(take_turns({"": add}, rounds)[""])
    return again * 3 * source.nbytes / best


class TrafficCounter(TorchDispatchMode):
    """A context that adds up the bytes of all tensors which operations read and write.

    bytes: so far, as if no cache kept anything between two operations. An operation reads what it is
    given and writes what it makes or changes; a view moves nothing; of an embedding only the rows
    that are looked up are read; AdamW in one kernel ("fused") only reads the gradients.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        names = (argument.name for argument in function._schema.arguments)
        given = dict(zip(names, args, strict=False)) | (
            kwargs or {}
        )  # what is left out has a default
        self.bytes += _moved(function, given, made)
        return made


def _moved(function: Any, given: dict[str, Any], made: Any) -> int:
    """Bytes that one operation reads and writes."""
    schema = function._schema
    new = _size([made]) if all(r.alias_info is None for r in schema.returns) else 0
    changed = [
        given[a.name]
        for a in schema.arguments
        if a.name in given and a.alias_info and a.alias_info.is_write and a.name != "grads"
    ]
    if not new and not changed:
        return 0
    if function is torch.ops.aten.embedding.default:
        return 2 * new + _size([given["indices"]])
    return _size(list(given.values())) + _size(changed) + new


def _size(parts: list[Any]) -> int:
    return sum(part.nbytes for part in tree_leaves(parts) if isinstance(part, torch.Tensor))
