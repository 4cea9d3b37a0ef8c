"""The matrix products of a training step and nothing else: what the rest of it is measured against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.models import EncoderConfig

Product = tuple[Tensor, Tensor, Tensor]  # two matrices, and where their product goes


def step_products(config: EncoderConfig, rows: int, length: int, masked: int) -> Callable[[], None]:
    """A function that does all products of a step, forward and backward, on rows of `length` tokens.

    masked: tokens that the head projects. Their FLOPs are `cost.training_flops`. The numbers are
    drawn once for each shape, and there is room for the results.
    """
    D, d_ff = config.d_model, config.d_ff
    block = of_attention(rows * config.n_heads, length, D // config.n_heads)
    for inputs, outputs in ((D, 3 * D), (D, D), (D, d_ff), (d_ff, D)):
        block += of_linear(rows * length, inputs, outputs)
    head = of_linear(masked, D, D) + of_linear(masked, D, config.vocab_size)

    def run() -> None:
        for a, b, out in block * config.n_layers + head:
            torch.matmul(a, b, out=out)

    return run


def of_linear(n: int, inputs: int, outputs: int) -> list[Product]:
    """A linear layer's: its output, and the gradients of its input and of its weight."""
    x, weight, gradient = torch.rand(n, inputs), torch.rand(outputs, inputs), torch.rand(n, outputs)
    return [
        (x, weight.T, torch.empty_like(gradient)),
        (gradient, weight, torch.empty_like(x)),
        (gradient.T, x, torch.empty_like(weight)),
    ]


def of_attention(n: int, length: int, width: int) -> list[Product]:
    """n attentions': scores and mixed values, and the gradients of weights, values, queries and keys."""
    x, square = torch.rand(n, length, width), torch.rand(n, length, length)
    vectors, scores = torch.empty_like(x), torch.empty_like(square)
    scored, mixed, mixed_back = (x, x.mT, scores), (square, x, vectors), (square.mT, x, vectors)
    return [scored, mixed, scored, mixed_back, mixed, mixed_back]
