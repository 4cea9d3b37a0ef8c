"""Put back."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Three visible vectors of seven (3, 3, 5), ids_restore (3, 7), and a mask token (5,)."""
    ids_restore = torch.rand(3, 7, generator=g).argsort(1)
    return torch.randn(3, 3, 5, generator=g), ids_restore, torch.randn(5, generator=g)


def in_order_of_the_shuffle(visible, ids_restore, mask_token):
    """The removed places are right, but the visible ones are filled from left to right."""
    out = mask_token.expand(*ids_restore.shape, -1).clone()
    out[ids_restore < visible.shape[1]] = visible.flatten(0, 1)
    return out


UNDONE = ".gather(1, ids_restore[..., None].expand(-1, -1, D))"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "First make the shuffled row complete: the visible vectors, then mask tokens. Then undo the "
        "shuffle.",
        "torch.cat([visible, mask_token.expand(B, L - K, D)], 1) is (B, L, D). gather along axis 1 "
        "needs an index of the same shape: ids_restore[..., None].expand(-1, -1, D).",
        "B, K, D = visible.shape\n"
        "shuffled = torch.cat([visible, mask_token.expand(B, ids_restore.shape[1] - K, D)], 1)\n"
        "return shuffled.gather(1, ids_restore[..., None].expand(-1, -1, D))",
    ),
    mistakes=(
        Mistake(
            "The row is complete, but still shuffled: the visible vectors stand in front. Undo the "
            "shuffle with gather and ids_restore.",
            {UNDONE: ""},
        ),
        Mistake(
            "The row is shuffled a second time. ids_restore says for each place of the image which "
            "entry of the shuffled row belongs there: pick with it as it is. Writing with it (scatter, "
            "or x[ids_restore] = ...) and its argsort go the other way.",
            {"ids_restore[..., None]": "ids_restore.argsort(1)[..., None]"},
        ),
        Mistake(
            "The first image's shuffle was undone for all of them. Each image has its own: gather.",
            {UNDONE: "[:, ids_restore[0]]"},
        ),
        Mistake(
            "Your mask tokens stand before the visible vectors. In shuffled order those that stay "
            "come first.",
            {
                "[visible, mask_token.expand(B, L - K, D)]": "[mask_token.expand(B, L - K, D), visible]"
            },
        ),
        Mistake(
            "The gaps hold zeros. Put the mask token there: it is learnt, zeros are not.",
            {"mask_token.expand": "torch.zeros_like(mask_token).expand"},
        ),
        Mistake(
            "The mask tokens are in place, but the visible vectors stand in shuffled order from left "
            "to right. Each belongs where its own patch was.",
            in_order_of_the_shuffle,
        ),
        Mistake(
            "Some of each vector's D numbers are missing: expand the index to D, not to K.",
            {"expand(-1, -1, D)": "expand(-1, -1, K)"},
        ),
    ),
)
