"""Encoders that keep four of twelve patches: honest ones, and others that leak what was removed."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.models.image_mae import patchify

L, KEPT, D = 12, 4, 8
Step = Callable[[Tensor], Tensor]  # the patches (L, P*P*C) of one image -> the same shape


def as_it_is(x: Tensor) -> Tensor:
    """An honest encoder's patches."""
    return x


def contrasts(x: Tensor) -> Tensor:
    """Honest, too: how each number of a patch differs from the patch's first."""
    return x - x[:, :1]


def image_mean_out(x: Tensor) -> Tensor:
    """A leak: the mean of all patches is taken out of each."""
    return x - 3 * x.mean()


def with_left_neighbour(x: Tensor) -> Tensor:
    """A leak: each patch sees the one before it, as through a convolution."""
    return x + F.pad(x, (0, 0, 1, -1))


BEFORE = (as_it_is, contrasts, image_mean_out, with_left_neighbour, as_it_is, as_it_is)


def one_image(
    x: Tensor, number: int, keep: Tensor, embed: Tensor, positions: Tensor, mix: Tensor
) -> Tensor:
    """The vectors (KEPT, D) of one image's patches (L, P*P*C)."""
    x = BEFORE[number](x) @ embed + positions
    if number == 4:  # honest: removed patches are multiplied by 0, and stay in the sum
        x = x * torch.zeros(L, 1).index_fill(0, keep, 1.0)
    if number < 4:
        x = x[keep]
    x = F.layer_norm(x + (x @ mix).tanh().cumsum(0), (D,))  # each vector hears of those before it
    return x if number < 4 else x[keep]  # the last one encodes everything, and removes then


def encoders(g: torch.Generator, patch_size: int, channels: int) -> Callable[[Tensor], Tensor]:
    """A function of images (6, C, H, W): the first is encoded in the first way, and so on."""
    keep = torch.rand(len(BEFORE), L, generator=g).argsort(1)[:, :KEPT]
    embed = torch.randn(patch_size**2 * channels, D, generator=g)
    positions, mix = torch.randn(L, D, generator=g), torch.randn(D, D, generator=g)

    def encode(images: Tensor) -> Tensor:
        if len(images) != len(BEFORE):
            raise ValueError(f"encode takes the whole batch, {len(BEFORE)} images.")
        patches = patchify(images, patch_size)
        return torch.stack(
            [one_image(x, n, keep[n], embed, positions, mix) for n, x in enumerate(patches)]
        )

    return encode
