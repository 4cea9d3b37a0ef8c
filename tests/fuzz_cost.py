"""Right arguments and oracles for what `mlm_course.cost` offers."""

import math
import statistics

from fuzzing import Target
from torch import nn

from mlm_course import cost
from mlm_course.models import EncoderConfig, MaskedLM


def draw_config(rng):
    return EncoderConfig(rng.randint(5, 9), 8, d_model=4, n_layers=rng.randint(1, 3), n_heads=2)


def linear_weights(module):
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Linear))


def are_matrices(answer, config):
    """Counted in a model of that size."""
    model = MaskedLM(config)
    head = model.dense.weight.numel() + model.encoder.embeddings.token.weight.numel()
    assert answer == (linear_weights(model.encoder), head)


def draw_step(rng):
    rows, length = rng.randint(1, 5), rng.randint(1, 9)
    masked = rng.randint(0, rows * length)
    return {"config": draw_config(rng), "rows": rows, "length": length, "masked": masked}


def are_flops(answer, config, rows, length, masked):
    assert 0 <= masked <= rows * length and rows >= 0
    blocks, head = cost.matrix_parameters(config)
    forward = 2 * rows * length * blocks + 2 * masked * head
    forward += config.n_layers * rows * 2 * (2 * length * length * config.d_model)
    assert answer == 3 * forward


def draw_parameters(rng):
    return {"parameters": rng.randint(0, 99)}


def is_traffic(answer, parameters):
    """Read: parameter, gradient, two averages; written: parameter, two averages."""
    assert answer == 4 * parameters * (4 + 3) >= 0


def is_memory(answer, parameters):
    assert sum(answer.values()) == 16 * parameters >= 0 and len(answer) == 3


def draw_floor(rng):
    work = [(rng.random(), rng.random()) for _ in range(rng.randint(1, 3))]
    return {"work": work, "flops_a_second": rng.uniform(1, 2), "bytes_a_second": rng.uniform(1, 2)}


def is_floor(answer, work, flops_a_second, bytes_a_second):
    total = 0.0
    for flops, moved in work:
        assert 0 <= flops < math.inf and 0 <= moved < math.inf
        slower = flops / flops_a_second if flops / flops_a_second > moved / bytes_a_second else None
        total += moved / bytes_a_second if slower is None else slower
    assert math.isclose(answer, total) and flops_a_second > 0 and bytes_a_second > 0


def draw_allreduce(rng):
    rate = {"gradient_bytes": rng.random(), "bytes_a_second": rng.uniform(1, 9)}
    return {**rate, "processes": rng.randint(1, 9)}


def is_allreduce(answer, gradient_bytes, processes, bytes_a_second):
    """A ring: in each of 2 (n - 1) rounds everyone sends one n-th."""
    assert processes >= 1 and gradient_bytes >= 0 and bytes_a_second > 0
    rounds = 2 * (processes - 1)
    expected = rounds * (gradient_bytes / processes) / bytes_a_second
    assert math.isclose(answer, expected, rel_tol=1e-9)


def draw_turns(rng):
    ways = {"one": lambda: None, "two": lambda: None}
    return {"ways": ways, "rounds": rng.randint(0, 4), "warm_up": rng.randint(0, 2)}


def are_turns(answer, ways, rounds, warm_up):
    assert list(answer) == list(ways) and warm_up >= 0
    assert all(len(part) == rounds and min(part, default=0) >= 0 for part in answer.values())


def draw_seconds(rng):
    n = rng.randint(1, 4)
    seconds = {name: [rng.uniform(1, 2) for _ in range(n)] for name in ("one", "two")}
    return {"seconds": seconds, "base": rng.choice(("one", "two"))}


def are_ratios(answer, seconds, base):
    for name, own in seconds.items():
        ratios = [a / b for a, b in zip(seconds[base], own, strict=True)]
        assert math.isclose(answer[name], statistics.median(ratios))


def draw_matmul(rng):
    return {"size": rng.randint(1, 8), "rounds": rng.randint(1, 3)}


def draw_memory(rng):
    return {"megabytes": 1, "rounds": rng.randint(1, 3)}


def is_rate(answer, **sizes):
    assert 0 < answer < 1e16 and all(size >= 1 for size in sizes.values())


TARGETS = [
    Target(cost.matrix_parameters, lambda rng: {"config": draw_config(rng)}, are_matrices),
    Target(cost.training_flops, draw_step, are_flops),
    Target(cost.optimizer_bytes, draw_parameters, is_traffic),
    Target(cost.training_memory, draw_parameters, is_memory),
    Target(cost.time_floor, draw_floor, is_floor),
    Target(cost.allreduce_seconds, draw_allreduce, is_allreduce),
    Target(cost.take_turns, draw_turns, are_turns),
    Target(cost.times_as_fast, draw_seconds, are_ratios),
    Target(cost.matmul_rate, draw_matmul, is_rate),
    Target(cost.memory_rate, draw_memory, is_rate),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "TrafficCounter": "a context; tests/test_compression.py"
}  # name: why (a constant type, a Protocol)
