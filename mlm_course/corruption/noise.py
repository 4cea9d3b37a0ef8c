"""Uniform random numbers, from a generator or from (seed, epoch, index of the sample)."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch import Tensor

from mlm_course.contracts import INTEGERS, check_count, check_generator

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # SplitMix64's constants as signed 64-bit numbers
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)


def _shift(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)  # clear the sign bits dragged in


def mix64(x: Tensor) -> Tensor:
    """64 well-mixed bits for each number: neighbours 0, 1, 2 share nothing afterwards.

    x int64 of any shape, same shape back. Source: SplitMix64, Steele, Lea and Flood 2014, with
    the constants of Stafford's variant 13.
    """
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def row_numbers(index: Tensor | Sequence[int]) -> Tensor:
    """The places of some rows in a data set: (B,) int64 on the CPU. Errors: TypeError."""
    try:
        numbers = torch.as_tensor(index, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"index must be one integer per row, not {index!r:.60}.") from None
    if numbers.dim() != 1 or (numbers.dtype not in INTEGERS and numbers.numel()):
        raise TypeError(
            "index must be one integer per row, shape (B,) int64, "
            f"not {numbers.dtype} of shape {tuple(numbers.shape)}."
        )
    return numbers.long()


class CounterRNG:
    """Random numbers for each row that depend on (seed, epoch, index) and on nothing else.

    A generator deals its numbers out in order, so what a sample gets depends on who sits beside
    it in the batch. Here number c of draw d of a row is computed from (seed, epoch, index, d, c):
    any batch composition, order, or padded width gives the sample the same numbers. Like a
    generator, it moves on with every draw.

    index (B,) int64, the place of each row in the data set; seed and epoch are integers. Computed
    on the CPU.
    """

    def __init__(self, seed: int, epoch: int, index: Tensor | Sequence[int]) -> None:
        start = torch.tensor(_signed(seed), device="cpu")
        self._key = mix64(mix64(mix64(start) + _signed(epoch)) + row_numbers(index))  # (B,)
        self._draw = 0

    @property
    def rows(self) -> int:
        """The number of rows that get numbers."""
        return len(self._key)

    def _bits(self, row: Tensor, column: Tensor) -> Tensor:
        counter = (self._draw << 32) + column + 1
        self._draw += 1
        return mix64(self._key[row] + counter * _GOLDEN)

    def uniform(self, width: int) -> Tensor:
        """The next draw, (B, width) float32 in [0, 1)."""
        check_count("width", width)
        row = torch.arange(self.rows, device="cpu").unsqueeze(1)  # (B, 1)
        bits = self._bits(row, torch.arange(width, device="cpu"))  # (B, width)
        return _shift(bits, 40).float() * 2.0**-24

    def uniform_at(self, place: Tensor, width: int) -> Tensor:
        """The next draw at some places of (B, width), numbered in reading order; float32."""
        return _shift(self._bits(place // width, place % width), 40).float() * 2.0**-24

    def integers_at(self, place: Tensor, width: int, high: int) -> Tensor:
        """The next draw at some places of (B, width): integers from 0 to high - 1."""
        return _shift(self._bits(place // width, place % width), 11) % high


Noise = torch.Generator | CounterRNG


def uniform(like: Tensor, generator: Noise) -> Tensor:
    """One random number in [0, 1) for each entry of `like` (B, T), float32.

    Errors: the generator lives on another device, or was made for another number of rows.
    """
    _check_noise(like, generator)
    if isinstance(generator, CounterRNG):
        return generator.uniform(like.shape[1]).to(like.device)
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=torch.float32)


def uniform_at(place: Tensor, like: Tensor, generator: Noise) -> Tensor:
    """One random number in [0, 1) for each of some places of `like` (B, T), float32.

    place (n,) int64 numbers the entries of `like` in reading order, row * T + column.
    """
    _check_noise(like, generator)
    if isinstance(generator, CounterRNG):
        return generator.uniform_at(place.cpu(), max(like.shape[1], 1)).to(place.device)
    return torch.rand(place.shape, generator=generator, device=place.device, dtype=torch.float32)


def gumbel(numbers: Tensor) -> Tensor:
    """Gumbel noise made of uniform numbers in [0, 1), of their shape; 0 counts as the smallest float."""
    return -(-numbers.clamp(min=torch.finfo(numbers.dtype).tiny).log()).log()


def integers_at(place: Tensor, like: Tensor, high: int, generator: Noise) -> Tensor:
    """One random number from 0 to high - 1 for each of some places of `like` (B, T), int64."""
    if isinstance(generator, CounterRNG):
        return generator.integers_at(place.cpu(), max(like.shape[1], 1), high).to(place.device)
    return torch.randint(high, place.shape, generator=generator, device=place.device)


def _signed(number: int) -> int:
    """The number modulo 2^64, as a signed 64-bit number."""
    try:
        number = operator.index(number)
    except TypeError:
        kind = type(number).__name__
        raise TypeError(f"seed and epoch must be integers, not {kind}.") from None
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _check_noise(like: Tensor, generator: Noise) -> None:
    if isinstance(generator, CounterRNG):
        if generator.rows != len(like):
            raise ValueError(
                f"The noise was made for {generator.rows} rows, but there are {len(like)}: "
                "pass one index per row."
            )
    else:
        check_generator(generator, like)
