"""Four bits a weight."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Weights (3, 40) in groups of 8 or 10 of different sizes; one is negative, one is zeros."""
    group = 8 if torch.rand((), generator=g) < 0.5 else 10
    weight = torch.randn(3, 40 // group, group, generator=g)
    weight *= torch.tensor([0.1, 3.0])[torch.arange(40 // group) % 2][:, None]
    weight[1, 1] = -weight[1, 1].abs()
    weight[2, 0] = 0.0
    return weight.flatten(1), group


HALVES = "codes.chunk(2, dim=-1)"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    trials=6,
    exact_types=True,
    hints=(
        "Cut each row into its groups first: `weight.unflatten(1, (-1, group))` is (R, C / group, group). "
        "The scale of a group comes from its largest number, on either side of 0.",
        "most = groups.abs().amax(-1), scale = most / 7 or 1. A code is groups / scale, rounded, plus 8: "
        "from 1 to 15. `chunk(2, dim=-1)` cuts each group's codes into halves.",
        "A byte is the code of the first half plus 16 times that of the second; `flatten(1)` puts the "
        "groups of a row side by side again.",
        "groups = weight.unflatten(1, (-1, group))\n"
        "most = groups.abs().amax(-1)\n"
        "scale = torch.where(most > 0, most / 7, 1.0)\n"
        "codes = ((groups / scale[..., None]).round() + 8).to(torch.uint8)\n"
        "first, second = codes.chunk(2, dim=-1)\n"
        "return (first + 16 * second).flatten(1), scale",
    ),
    mistakes=(
        Mistake(
            "All groups of a row have the scale of its largest weight: small groups are left with a few "
            "small codes. Take the largest of each group.",
            {
                "groups.abs().amax(-1)": "groups.abs().amax((1, 2))[:, None].expand(groups.shape[:2])"
            },
        ),
        Mistake(
            "The scale comes from the largest weight with its sign. What is farthest from 0 can be "
            "negative: `.abs()` first.",
            {".abs()": "", "most > 0": "most != 0", ".round()": ".round().clamp(-8, 7)"},
            {".abs()": "", ".round()": ".round().clamp(-8, 7)"},
        ),
        Mistake(
            "A group's largest becomes 8 or -8 instead of 7 or -7: plus 8 that can be 16, for which four "
            "bits have no room. Divide by 7.",
            {"most / 7": "most / 8"},
        ),
        Mistake(
            "The digits behind the point are cut off instead of rounded: `.round()` before "
            "`.to(torch.uint8)`.",
            {".round()": ""},
            {".round()": ".trunc()"},
        ),
        Mistake(
            "The digits behind the point are rounded down instead of to the nearest integer: `.round()`.",
            {".round()": ".floor()"},
        ),
        Mistake(
            "The bytes are right. The scales are the groups' largest weights: a code times the scale should "
            "give the weight, and the largest code is 7.",
            {"flatten(1), scale": "flatten(1), torch.where(most > 0, most, 1.0)"},
            {"flatten(1), scale": "flatten(1), most"},
        ),
        Mistake(
            "The 8 is missing: a negative code fills the bits of its neighbour, too. From 1 to 15 it "
            "fits into four.",
            {".round() + 8).to": ".round()).to(torch.int8).to"},
        ),
        Mistake(
            "Neighbours share a byte here. It should hold a code of the group's first half and the one "
            "half a group further.",
            {HALVES: "codes[..., ::2], codes[..., 1::2]"},
        ),
        Mistake(
            "The second half of the row shares bytes with the first. The halves are those of each group.",
            {HALVES: "codes.flatten(1).chunk(2, dim=-1)"},
        ),
        Mistake(
            "The first half of a group lies in the high bits, the second in the low ones: the other way "
            "round.",
            {"first + 16 * second": "second + 16 * first"},
        ),
        Mistake(
            "The two codes of a byte overlap: the high bits begin at 16, not at 8.",
            {"16 *": "8 *"},
        ),
        Mistake(
            "The bytes hold one code each, so that nothing is saved. Put two into one: (R, C / 2).",
            {"(first + 16 * second).flatten(1)": "codes.flatten(1)"},
        ),
        Mistake(
            "The bytes are right, and the scale is upside down: (code - 8) * scale should give the weights.",
            {"flatten(1), scale": "flatten(1), 1 / scale"},
        ),
        Mistake(
            "The scale of a group of zeros is 0, or next to it. It should be 1.",
            {"torch.where(most > 0, most / 7, 1.0)": "most / 7"},
            {"torch.where(most > 0, most / 7, 1.0)": "most.clamp(min=1e-8) / 7"},
        ),
    ),
)
