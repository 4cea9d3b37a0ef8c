"""Layers that know more or less of the order of their tokens: x (T, D) -> (T, D)."""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.attention import causal_mask, scaled_dot_product_attention

Layer = Callable[[Tensor], Tensor]
T, D = 5, 6


def layers(g: torch.Generator) -> list[Layer]:
    """Twelve layers with random weights; the first five treat their tokens as a bag."""
    a, b, c = torch.randn(3, D, D, generator=g) / 2
    places = torch.randn(T, D, generator=g)

    def attention(x: Tensor, mask: Tensor | None = None) -> Tensor:
        return scaled_dot_product_attention(x @ a, x @ b, x @ c, mask)[0]

    def of_the_largest(x: Tensor) -> Tensor:
        return x * (x[:, :1] == x[:, 0].max()) + x @ a

    return [
        attention,
        lambda tokens: (tokens @ a).tanh(),  # each token by itself
        lambda tokens: tokens + tokens.mean(0),
        lambda tokens: tokens.mean(0).expand_as(tokens) @ a,
        of_the_largest,
        lambda tokens: attention(tokens + places),
        lambda tokens: attention(tokens, causal_mask(T)),
        lambda tokens: tokens.roll(1, 0) @ a + tokens.roll(-1, 0) @ a,  # neighbours in a ring
        lambda tokens: tokens @ a + tokens[0] @ b,
        lambda tokens: tokens @ a + tokens[-1] @ b,
        lambda tokens: (tokens @ a)[tokens[:, 0].argsort()],  # the same outputs, whatever the order
        lambda tokens: tokens * out_of_order(tokens),
    ]


def out_of_order(x: Tensor) -> Tensor:
    """1 or -1: whether an even or an odd number of pairs is out of order."""
    differences = x[None, :, 0] - x[:, None, 0]
    return differences[torch.ones(len(x), len(x)).triu(1).bool()].sign().prod()
