"""Shuffle, keep, remember."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Noise (4, 8, 9 or 11), and a ratio; at .95 none of so few patches would be left."""
    first, second = torch.randint(3, (2,), generator=g).tolist()
    noise = torch.rand(4, (8, 9, 11)[second], generator=g)
    return noise, (0.4, 0.65, 0.95)[first]


EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    trials=20,
    hints=(
        "noise.argsort(1) says which patch comes to which place, for each image. The first few stay.",
        "Write the four patches of the text on four cards and lay them out as ids_shuffle says. "
        "Which sort brings the cards back? And what would argsort note, if it did that?",
        "Sorting ids_shuffle brings them back: its argsort is ids_restore. A patch that went to a "
        "place from `keep` on is removed.",
        "keep = max(1, int(noise.shape[1] * (1 - ratio)))\n"
        "ids_shuffle = noise.argsort(1)\n"
        "ids_restore = ids_shuffle.argsort(1)\n"
        "return ids_shuffle[:, :keep], (ids_restore >= keep).float(), ids_restore",
    ),
    mistakes=(
        Mistake(
            "Every image has lost the same patches: one shuffle for the whole batch. Sort each row of "
            "the noise by itself.",
            {"noise.argsort(1)": "noise[:1].argsort(1).expand(len(noise), -1)"},
        ),
        Mistake(
            "Your third result is the shuffle itself. It has to undo it: to which place did each patch "
            "go?",
            {".float(), ids_restore": ".float(), ids_shuffle"},
        ),
        Mistake(
            "Your third result is the shuffle itself, and the mask asks it, too: it marks the wrong "
            "patches. Both need to know to which place each patch went.",
            {"ids_shuffle.argsort(1)": "ids_shuffle"},
        ),
        Mistake(
            "At high ratios no patch at all is left, and the encoder has nothing to see: keep at "
            "least one.",
            {"max(1, ": "max(0, "},
        ),
        Mistake(
            "At some ratios one patch more stays than should: the number to keep is cut off, "
            "int(L * (1 - ratio)). Cutting off the number to remove, or rounding, keeps more.",
            {"int(noise": "round(noise"},
            {"int(noise.shape[1] * (1 - ratio))": "noise.shape[1] - int(noise.shape[1] * ratio)"},
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
            "Your mask is in shuffled order: the first `keep` places are 0 in every row. It belongs "
            "to the patches in their own order: where did each of them go?",
            {"(ids_restore >= keep)": "(torch.arange(noise.shape[1]) >= keep).expand(noise.shape)"},
        ),
        Mistake(
            "Your mask marks the places whose patch has a number from `keep` on. It should mark the "
            "patches whose place has: ask to which place each patch went.",
            {"ids_restore >= keep": "ids_shuffle >= keep"},
        ),
        Mistake(
            "Your first result says to which places patches 0, 1, ... went. It should say which "
            "patches came to places 0, 1, ...: the first entries of the shuffle.",
            {"ids_shuffle[:, :keep]": "ids_restore[:, :keep]"},
        ),
        Mistake(
            "The mask is right but boolean. The loss will multiply by it: return it as floats.",
            {".float()": ""},
        ),
        Mistake(
            "The patches that stay are sorted by their numbers. Then ids_restore no longer says where "
            "they are: leave them in shuffled order.",
            {"ids_shuffle[:, :keep]": "ids_shuffle[:, :keep].sort(1).values"},
        ),
        Mistake(
            "Your third result is the shuffle read backwards, which undoes it only by chance. Patch "
            "ids_shuffle[i] went to place i: so entry ids_shuffle[i] is i.",
            {".float(), ids_restore": ".float(), ids_shuffle.flip(1)"},
        ),
    ),
)
