"""LoRA: fine-tuning by two thin matrices beside each frozen one. Lesson 8.

    head = SequenceClassifier(encoder, 5)   # not frozen=True: add_lora freezes what is to be frozen
    add_lora(head.encoder, rank=8)   # now only the thin matrices and the head's layer are trained
    ...
    merge_lora(head.encoder)         # a plain encoder again, as fast as before

Source: Hu et al. 2021, section 4.1. There only some of attention's matrices get a pair (section 4.2);
here all linear layers in the blocks do.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from mlm_course.contracts import check_count, check_kind, check_number
from mlm_course.models.encoder import NO_ENCODER, Encoder

Stack = TypeVar("Stack", bound=Encoder)
Layer = TypeVar("Layer", bound=nn.Module)


class LoRALinear(nn.Module):
    """A frozen linear layer and a trained detour through `rank` numbers: (..., D) -> (..., D_out).

    y = W x + b + alpha / rank * B A x, with A (rank, D) drawn at random and B (D_out, rank) zero: at
    first nothing changes. Source: Hu et al. 2021, equation 3.
    """

    def __init__(
        self, linear: nn.Linear, rank: int, alpha: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        _check(rank, alpha)
        d_out, d = linear.weight.shape
        self.linear, self.scale = linear.requires_grad_(False), alpha / rank
        self.A = nn.Parameter(torch.randn(rank, d, generator=generator).to(linear.weight) / d**0.5)
        self.B = nn.Parameter(linear.weight.new_zeros(d_out, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * (x @ self.A.T @ self.B.T)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One linear layer that does the same: its weight is W + alpha / rank * B A."""
        self.linear.weight += self.scale * self.B @ self.A
        return self.linear.requires_grad_(True)


def add_lora(encoder: Stack, rank: int = 8, alpha: float = 16.0, seed: int = 0) -> Stack:
    """The encoder itself, all of it frozen, with a LoRALinear for each linear layer of its blocks.

    Only the matrices A and B have requires_grad. rank: their thin side; alpha / rank scales what
    they add. Errors: TypeError for anything but an Encoder, ValueError for one that has LoRA.
    """
    _check(rank, alpha)
    check_count("seed", seed)
    check_kind("encoder", encoder, Encoder, advice=NO_ENCODER)
    if has_lora(encoder):
        raise ValueError("This encoder has LoRA already: merge_lora it first.")
    encoder.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for part, name, layer in _layers(encoder, nn.Linear):
        setattr(part, name, LoRALinear(layer, rank, alpha, generator))
    return encoder


def merge_lora(encoder: Stack) -> Stack:
    """The encoder itself with plain linear layers again, which do what theirs and LoRA's did.

    All of it has requires_grad. Errors: TypeError for anything but an Encoder, ValueError for one
    without LoRA.
    """
    check_kind("encoder", encoder, Encoder, advice=NO_ENCODER)
    layers = _layers(encoder, LoRALinear)
    if not layers:
        raise ValueError("This encoder has no LoRA to merge: add_lora comes first.")
    for part, name, layer in layers:
        setattr(part, name, layer.merged())
    return encoder.requires_grad_(True)


def has_lora(encoder: Encoder) -> bool:
    """Whether add_lora has been at an encoder, and merge_lora not since."""
    return bool(_layers(encoder, LoRALinear))


def _layers(encoder: Encoder, kind: type[Layer]) -> list[tuple[nn.Module, str, Layer]]:
    """(the module it is in, its name there, the layer) for each layer of a kind in the blocks."""
    return [
        (part, name, layer)
        for part in list(encoder.blocks.modules())
        for name, layer in part.named_children()
        if isinstance(layer, kind)
    ]


def _check(rank: int, alpha: float) -> None:
    check_count("rank", rank, 1)
    check_number("alpha", alpha, 0, above=True)
