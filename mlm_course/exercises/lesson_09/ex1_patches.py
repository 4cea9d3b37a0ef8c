"""Patches."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Images (2, 3, H, W), neither they nor their grids of patches square, and the patch size."""
    patch_size, rows = torch.randint(2, 4, (2,), generator=g).tolist()
    height, width = rows * patch_size, (rows + 2) * patch_size
    return torch.rand(2, 3, height, width, generator=g), patch_size


EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "Cut each side in two axes: which patch, and where in it. Then bring the axes into the order "
        "in which they are to be read.",
        "reshape to (B, C, rows, P, columns, P); permute to (B, rows, columns, P, P, C); reshape to "
        "(B, rows * columns, P * P * C).",
        "B, C, H, W = images.shape\n"
        "P = patch_size\n"
        "x = images.reshape(B, C, H // P, P, W // P, P).permute(0, 2, 4, 3, 5, 1)\n"
        "return x.reshape(B, -1, P * P * C)",
    ),
    mistakes=(
        Mistake(
            "A reshape alone takes the numbers as they lie in memory, one channel after the other and "
            "row after row: pieces of rows, not squares. Cut both sides in two axes first, then "
            "permute.",
            {"return x.reshape": "return images.reshape"},
        ),
        Mistake(
            "The channels are in place, but your pieces are runs along the rows, not squares: "
            "cut height and width into (patch, place in it) before you permute.",
            {"return x.reshape": "return images.permute(0, 2, 3, 1).reshape"},
        ),
        Mistake(
            "The patches are right, but within them one channel comes after the other. The numbers of "
            "one pixel stand together: the channel is the last axis.",
            {"2, 4, 3, 5, 1": "2, 4, 1, 3, 5"},
        ),
        Mistake(
            "The pixels of your patches lie apart in the image. Each side is cut into (which patch, "
            "place in it), in this order: H // P before P.",
            {"H // P, P, W // P, P)": "P, H // P, P, W // P)"},
        ),
        Mistake(
            "The patches come column by column. Read them row by row: the axis of the rows goes "
            "before that of the columns.",
            {"2, 4, 3, 5, 1": "4, 2, 3, 5, 1"},
        ),
        Mistake(
            "Each patch lies on its side: within it, rows come before columns.",
            {"2, 4, 3, 5, 1": "2, 4, 5, 3, 1"},
        ),
        Mistake(
            "Within a patch the order should be row, column, channel; yours is channel, column, row.",
            {"2, 4, 3, 5, 1": "2, 4, 1, 5, 3"},
        ),
    ),
)
