"""Right arguments and oracles for what `mlm_course.positions` offers: angles and turns in float64."""

import math

import torch
from fuzz_attention import near
from fuzzing import Target

from mlm_course import positions


def draw_speeds(rng):
    return {"D": 2 * rng.randint(1, 5), "base": rng.choice([2.0, 500.0, 10_000.0])}


def speeds_of(D, base):
    assert D >= 2 and D % 2 == 0 and 1 < base < math.inf
    return torch.tensor([float(base) ** (-i / D) for i in range(0, D, 2)], dtype=torch.float64)


def are_speeds(answer, D, base):
    near(answer, speeds_of(D, base))


def draw_table(rng):
    return {"T": rng.randint(0, 9), **draw_speeds(rng)}


def are_waves(answer, T, D, base):
    assert T >= 0
    angles = torch.arange(T).double()[:, None] * speeds_of(D, base)
    assert answer.shape == (T, D)
    near(answer[:, 0::2], angles.sin())
    near(answer[:, 1::2], angles.cos())


def draw_places(rng):
    shape = (rng.randint(1, 5),) if rng.random() < 0.5 else (2, rng.randint(1, 5))
    return {"positions": torch.randint(0, 50, shape), **draw_speeds(rng)}


def are_rotations(answer, positions, D, base):
    assert not positions.is_floating_point() and positions.dtype != torch.bool and positions.ndim
    assert not positions.numel() or (positions.min() >= 0 and int(positions.max()) < 2**24)
    slow = speeds_of(D, base).float().double()  # the angles of far places are those of float32
    angles = (positions[..., None].float() * slow.float()).double()
    near(answer[0], angles.cos())
    near(answer[1], angles.sin())


def draw_turn(rng):
    T, D = rng.randint(1, 5), 2 * rng.randint(1, 4)
    x = torch.randn(*([2, 3][: rng.randint(0, 2)]), T, D)
    return {"x": x, "turn": positions.rotations(torch.randint(0, 50, (T,)), D)}


def is_turned(answer, x, turn):
    """A product of complex numbers, whose lengths are kept."""
    cos, sin = (part.double() for part in turn)
    assert x.is_floating_point() and x.ndim >= 2 and x.shape[-1] == 2 * cos.shape[-1]
    assert cos.shape == sin.shape and cos.shape[-2] == x.shape[-2] and cos.ndim in (2, x.ndim)
    a, b = x.double().chunk(2, dim=-1)
    product = torch.complex(a, b) * torch.complex(cos, sin)
    assert answer.shape == x.shape and answer.dtype == x.dtype
    near(answer, torch.cat([product.real, product.imag], dim=-1))


TARGETS = [
    Target(positions.wave_speeds, draw_speeds, are_speeds, sizes=("D",)),
    Target(positions.sinusoidal_positions, draw_table, are_waves, sizes=("T", "D")),
    Target(positions.rotations, draw_places, are_rotations, sizes=("D",)),
    Target(positions.rotate, draw_turn, is_turned),
]
NOT_FUZZED: set[str] = set()
WITHOUT_ORACLE: set[str] = set()
