"""Put back."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors of four visible places of nine (3, 4, 5), the order (3, 9), and a mask token (5,).

    The order is not its own inverse.
    """
    visible = torch.zeros(3, 9, dtype=torch.bool)
    for row in range(3):
        visible[row, torch.randperm(8, generator=g)[:4] + 1] = True
    visible[:, 0], visible[0] = False, torch.arange(9) % 2 == 1
    order = (~visible).int().argsort(dim=1, stable=True)
    return torch.randn(3, 4, 5, generator=g), order, torch.randn(5, generator=g)


EXERCISE = Exercise(
    minutes=7,
    inputs=inputs,
    hints=(
        "First all T vectors in the order of `order`: the latents, then mask tokens. Then undo the "
        "sorting.",
        "`order[b, i]` says which place came to stand at i. You need the opposite: at which i stands "
        "place t? Sorting the order itself tells: `order.argsort(1)`.",
        "x = torch.cat([latent, mask_token.expand(B, T - K, D)], 1); return x.gather(1, "
        "order.argsort(1)[..., None].expand(-1, -1, D))",
    ),
    mistakes=(
        Mistake(
            "You looked up with `order` itself. It says which place came where; to go back you need "
            "its inverse, `order.argsort(1)`.",
            {"order.argsort(1)": "order"},
        ),
        Mistake(
            "The latents are still at the front, all mask tokens behind. Undo the sorting.",
            {".gather(1, order.argsort(1)[..., None].expand(-1, -1, D))": ""},
        ),
        Mistake(
            "Your mask tokens stand before the latents. In the order of `order` the visible places "
            "come first.",
            {
                "[latent, mask_token.expand(B, T - K, D)]": "[mask_token.expand(B, T - K, D), latent]"
            },
        ),
        Mistake(
            "The hidden places hold zeros. They hold the mask token.",
            {"mask_token.expand": "torch.zeros_like(mask_token).expand"},
        ),
        Mistake(
            "Every row was put back like the first. Each row has its own gaps.",
            {"order.argsort(1)": "order[:1].argsort(1).expand(B, -1)"},
        ),
        Mistake(
            "You sorted the order from large to small. Its inverse is the ascending one.",
            {"argsort(1)": "argsort(1, descending=True)"},
        ),
    ),
)
