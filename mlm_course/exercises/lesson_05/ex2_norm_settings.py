"""Which LayerNorm was it?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """x and y (T, D), T and D from 4 to 7, in float64, of one of the four kinds."""
    T, D = (int(torch.randint(4, 8, (1,), generator=g)) for _ in range(2))
    sizes = torch.tensor([0.2, 3.0, 0.6, 1.5, 0.4, 2.0, 0.9]).double()[:T, None]
    x = sizes * torch.randn(T, D, generator=g).double() + torch.randn(T, 1, generator=g).double()
    divisor, under_root = D - int(coin(g)), coin(g)
    eps = 0.01 + 0.99 * torch.rand(1, generator=g).double()
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().sum(-1, keepdim=True) / divisor
    return x, centred / ((variance + eps).sqrt() if under_root else variance.sqrt() + eps)


def coin(g: torch.Generator) -> bool:
    """True or False."""
    return bool(torch.rand(1, generator=g) < 0.5)


FOUND = "return min(fits)[1:]"
DIVISORS = "for divisor in (D, D - 1):"
PLACES = "for under_root in (True, False):"

EXERCISE = Exercise(
    kind="diagnose",
    hard=True,
    minutes=20,
    trials=12,
    inputs=inputs,
    hints=(
        "What has each token been divided by? That can be computed from x and y, a number for each "
        "token.",
        "Suppose one of the four combinations. Then every token tells an epsilon of its own. What should "
        "hold for these numbers, if the combination is the right one?",
        "Take the combination for which all tokens agree on epsilon (smallest standard deviation over "
        "the tokens).",
        "centred = x - x.mean(-1, keepdim=True)\n"
        "divided_by = centred.norm(dim=-1) / y.norm(dim=-1)\n"
        "fits = []\n"
        "for divisor in (x.shape[-1], x.shape[-1] - 1):\n"
        "    variance = centred.square().sum(-1) / divisor\n"
        "    for under_root, eps in (\n"
        "        (True, divided_by.square() - variance),\n"
        "        (False, divided_by - variance.sqrt()),\n"
        "    ):\n"
        "        fits.append((eps.std().item(), divisor, under_root, eps.mean().item()))\n"
        "return min(fits)[1:]",
    ),
    mistakes=(
        Mistake(
            "Right wherever the variance was divided by D; you never answer D - 1.",
            {DIVISORS: "for divisor in (D,):"},
        ),
        Mistake(
            "Right wherever the variance was divided by D - 1; you never answer D.",
            {DIVISORS: "for divisor in (D - 1,):"},
        ),
        Mistake(
            "Right wherever epsilon stood under the root; you never answer False.",
            {PLACES: "for under_root in (True,):"},
        ),
        Mistake(
            "Right wherever epsilon was added to the root; you never answer True.",
            {PLACES: "for under_root in (False,):"},
        ),
        Mistake(
            "D and True were taken, with the epsilon that the first token tells then. One token fits "
            "all four combinations: only with the right one do *all* tokens tell the same epsilon.",
            {"eps.mean().item()": "eps[0].item()", FOUND: "return fits[0][1:]"},
        ),
        Mistake(
            "D and True were taken, with the mean of what the tokens tell of epsilon then. Only "
            "with the right combination do they all tell the same.",
            {FOUND: "return fits[0][1:]"},
        ),
        Mistake(
            "You took the combination for which the tokens disagree *most* about epsilon.",
            {FOUND: "return max(fits)[1:]"},
        ),
        Mistake(
            "True and False are exchanged: True means under the root, beside the variance.",
            {"divisor, under_root, eps.mean": "divisor, not under_root, eps.mean"},
        ),
        Mistake(
            "In place of the divisor you return what is taken off D, 0 or 1. The divisor is D or D - 1.",
            {"divisor, under_root, eps.mean": "D - divisor, under_root, eps.mean"},
        ),
        Mistake(
            "Divisor and place are right. Where epsilon was added to the root, you return its square.",
            {
                FOUND: "_, divisor, under_root, eps = min(fits)\n"
                "    return divisor, under_root, eps if under_root else eps**2"
            },
        ),
        Mistake(
            "Divisor and place are right. Where epsilon stood under the root, you return its square root.",
            {
                FOUND: "_, divisor, under_root, eps = min(fits)\n"
                "    return divisor, under_root, eps**0.5 if under_root else eps"
            },
        ),
        Mistake(
            "The numbers are those of an x whose mean was left in. LayerNorm takes the mean away before it "
            "divides.",
            {"x - x.mean(-1, keepdim=True)": "x"},
        ),
    ),
)
