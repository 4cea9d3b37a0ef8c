"""Put back."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Three visible vectors of seven (3, 3, 5), ids_restore (3, 7), and a mask token (5,)."""
    ids_restore = torch.rand(3, 7, generator=g).argsort(1)
    return torch.randn(3, 3, 5, generator=g), ids_restore, torch.randn(5, generator=g)


UNDONE = ".gather(1, ids_restore[..., None].expand(-1, -1, D))"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "First make the shuffled row complete: the visible vectors, then mask tokens. Then undo the "
        "shuffle.",
        "torch.cat([visible, mask_token.expand(B, L - K, D)], 1) is (B, L, D). gather along axis 1 "
        "needs an index of the same shape: ids_restore[..., None].expand(-1, -1, D).",
        "return torch.cat([visible, mask_token.expand(B, L - K, D)], 1).gather(1, ids_restore[..., "
        "None].expand(-1, -1, D))",
    ),
    mistakes=(
        Mistake(
            "The row is complete, but still shuffled: the visible vectors stand in front. Undo the "
            "shuffle with gather and ids_restore.",
            {UNDONE: ""},
        ),
        Mistake(
            "You shuffled a second time: ids_restore is inverted already, so gather with it as it is.",
            {"ids_restore[..., None]": "ids_restore.argsort(1)[..., None]"},
        ),
        Mistake(
            "You undid the first image's shuffle for all of them. Each image has its own: gather.",
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
            "Some of each vector's D numbers are missing: expand the index to D, not to K.",
            {"expand(-1, -1, D)": "expand(-1, -1, K)"},
        ),
    ),
)
