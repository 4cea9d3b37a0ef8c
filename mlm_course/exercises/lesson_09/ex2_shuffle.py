"""Shuffle, keep, remember."""

import math  # noqa: F401  a mistake uses it

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Noise (4, L) with L from 8 to 11, and a ratio; at .95 none of so few patches would be left."""
    ratio = (0.4, 0.7, 0.95)[int(torch.randint(3, (), generator=g))]
    return torch.rand(4, int(torch.randint(8, 12, (), generator=g)), generator=g), ratio


EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    trials=12,
    hints=(
        "argsort of the noise says which patch comes to which place. The first few stay.",
        "ids_shuffle = noise.argsort(1), and ids_restore = ids_shuffle.argsort(1), which says to "
        "which place each patch went. Who went to a place from `keep` on is removed.",
        "keep = max(1, int(L * (1 - ratio))); return ids_shuffle[:, :keep], (ids_restore >= "
        "keep).float(), ids_restore",
    ),
    mistakes=(
        Mistake(
            "Every image has lost the same patches: one shuffle for the whole batch. Sort each row of "
            "the noise by itself.",
            {"noise.argsort(1)": "noise[:1].argsort(1).expand(len(noise), -1)"},
        ),
        Mistake(
            "Your ids_restore is the shuffle itself. It has to undo it: argsort once more.",
            {".float(), ids_restore": ".float(), ids_shuffle"},
        ),
        Mistake(
            "Your ids_restore is the shuffle itself, and the mask made from it marks the wrong "
            "patches. argsort once more: that says to which place each patch went.",
            {"ids_shuffle.argsort(1)": "ids_shuffle"},
        ),
        Mistake(
            "At high ratios no patch at all is left, and the encoder has nothing to see: keep at "
            "least one.",
            {"max(1, ": "max(0, "},
        ),
        Mistake(
            "You keep one patch more where the share is not an integer (round(): from one half on). "
            "int() cuts off.",
            {"int(noise": "round(noise"},
            {"int(noise": "math.ceil(noise"},
        ),
        Mistake(
            "You sorted from large to small. The patches with the smallest noise stay.",
            {"noise.argsort(1)": "noise.argsort(1, descending=True)"},
        ),
        Mistake(
            "You keep the share `ratio`. That is the share to be removed: 1 - ratio stays.",
            {"(1 - ratio)": "ratio"},
        ),
        Mistake(
            "Your mask is the other way round: 1 means removed.",
            {"ids_restore >= keep": "ids_restore < keep"},
        ),
        Mistake(
            "Your mask is in shuffled order: the first `keep` places are 0 in every row. Ask where "
            "each patch went: ids_restore >= keep.",
            {"(ids_restore >= keep)": "(torch.arange(noise.shape[1]) >= keep).expand(noise.shape)"},
        ),
        Mistake(
            "Your mask compares ids_shuffle with `keep`: those are names of patches, not places. Ask "
            "to which place each patch went: ids_restore >= keep.",
            {"ids_restore >= keep": "ids_shuffle >= keep"},
        ),
        Mistake(
            "You return the first entries of ids_restore: the places to which patches 0, 1, ... went. "
            "Which patches stay is said by the first entries of ids_shuffle.",
            {"ids_shuffle[:, :keep]": "ids_restore[:, :keep]"},
        ),
        Mistake(
            "The mask is right but boolean. The loss will multiply by it: return it as floats.",
            {".float()": ""},
        ),
        Mistake(
            "You sorted the patches that stay. Then ids_restore no longer says where they are: leave "
            "them in shuffled order.",
            {"ids_shuffle[:, :keep]": "ids_shuffle[:, :keep].sort(1).values"},
        ),
    ),
)
