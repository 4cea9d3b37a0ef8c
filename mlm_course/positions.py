"""Where a token stands, told by waves: sinusoidal position embeddings, and rotary ones. Lesson 5.

Shapes everywhere: T tokens, D numbers a vector (of one head, where vectors are rotated), D even.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlm_course.contracts import (
    check_count,
    check_floats,
    check_integers,
    check_kind,
    check_number,
    check_places,
    check_shapes_agree,
)

LONGEST = 2**24  # up to here 32-bit numbers count without a gap


def wave_speeds(D: int, base: float = 10_000.0) -> Tensor:
    """Radians by which each of D / 2 waves advances from one token to the next: (D / 2,).

    From 1 down to nearly 1 / base, evenly spaced in the logarithm. Errors: ValueError for an odd D.
    Source: Vaswani et al. 2017, section 3.5.
    """
    check_count("D", D, 2)
    if D % 2:
        raise ValueError(f"D must be even, for two numbers a wave, not {D}.")
    check_number("base", base, 1, above=True)
    return base ** -(torch.arange(0, D, 2, device="cpu", dtype=torch.float32) / D)


def sinusoidal_positions(T: int, D: int, base: float = 10_000.0) -> Tensor:
    """A vector for each of T positions that is computed, not learned: (T, D).

    Two neighbouring numbers are the sine and the cosine of one wave.
    Source: Vaswani et al. 2017, section 3.5.
    """
    check_count("T", T, 0, LONGEST)
    angles = torch.arange(T, device="cpu")[:, None] * wave_speeds(D, base)  # (T, D / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def rotations(positions: Tensor, D: int, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """The cosines and sines by which vectors are turned at their positions: two (..., T, D / 2).

    positions (..., T) ints, counted from 0. Source: Su et al. 2021, section 3.2.2.
    """
    check_integers("positions", positions, "... T")
    check_places("positions", positions, LONGEST)
    angles = positions[..., None] * wave_speeds(D, base).to(positions.device)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Each vector of x (..., T, D) turned by the angles of its position, its length unchanged.

    turn: what `rotations` says, two (T, D / 2), or with as many axes as x. Number i and number
    i + D / 2 are a point in a plane. The product of two vectors turned in this way depends on how far
    apart they stand, and not on where. Errors: TypeError for x of integers, ValueError for a turn of
    other vectors or places. Source: Su et al. 2021, section 3.2 (there neighbours share a plane; this
    order is that of GPT-NeoX and of ModernBERT's weights).
    """
    check_floats("x", x, "... T D")
    cos, sin = _checked_turn(turn, x)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(x.dtype)


def _checked_turn(turn: tuple[Tensor, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines that fit x, or an error that says where they do not."""
    check_kind("turn", turn, tuple, advice="pass what `rotations` returns")
    if len(turn) != 2:
        raise ValueError(f"turn must be cosines and sines, two tensors, not {len(turn)}.")
    cos, sin = turn
    check_floats("cosines", cos, "... T D/2")
    check_floats("sines", sin)
    check_shapes_agree(cosines=cos, sines=sin)
    if x.shape[-1] != 2 * cos.shape[-1]:
        raise ValueError(
            f"x has vectors of {x.shape[-1]} numbers, the rotations are for {2 * cos.shape[-1]}."
        )
    if not _turns_places_of(x.shape, cos.shape):
        raise ValueError(
            f"The rotations have shape {tuple(cos.shape)}, but x has {tuple(x.shape)}: pass (T, D / 2), "
            "or as many axes as x, for example turn[:, None] for all heads of a row."
        )
    return cos, sin


def _turns_places_of(x: tuple[int, ...], turn: tuple[int, ...]) -> bool:
    """Whether rotations have a place for each of x, and can be read in one way only."""
    if turn[-2] != x[-2] or len(turn) not in (2, len(x)):
        return False
    return all(m in (1, n) for m, n in zip(turn[-3::-1], x[-3::-1], strict=False))
