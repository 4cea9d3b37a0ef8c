"""What reaches the encoder?"""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.exercises.lesson_09.leaks import BEFORE, encoders
from mlm_course.models import image_mae as package
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor, int]:
    """An encoder that treats each of six images in another way, these images, the patch size.

    A third of the patches is blank, 0 or 1. Colours are multiples of 1/256: adding .5 is exact.
    """
    P = int(torch.randint(2, 4, (), generator=g))
    patches = torch.randint(257, (len(BEFORE), 12, P * P * 2), generator=g) / 256
    blank = torch.rand(len(BEFORE), 12, generator=g).argsort(1) < 4
    patches[blank] = torch.tensor([0.0, 1.0]).repeat(len(BEFORE) * 2)[:, None]
    images = package.unpatchify(patches, P, 3 * P, 4 * P)
    return encoders(g, P, 2), images, P


def seeded(seed: int) -> torch.Generator:
    """As in the lesson."""
    return torch.Generator().manual_seed(seed)


RANDOM = "torch.rand(changed[:, i].shape, generator=seeded(i))"
DIFFERENT = "(after != before).flatten(1).any(1)"


def gradient_of_sum(encode: Callable[[Tensor], Tensor], images: Tensor, patch_size: int) -> Tensor:
    """Patches with a gradient of the sum of all vectors, rounding left out."""
    images = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(encode(images).sum(), images)
    return (package.patchify(gradient, patch_size).abs() > 1e-4).any(-1)


EXERCISE = Exercise(
    minutes=20,
    kind="diagnose",
    hard=True,
    inputs=inputs,
    hints=(
        "You cannot look into the encoder, but you can ask it as often as you like. What would you "
        "change in the images, and what would you compare?",
        "One patch at a time, in a copy of the patches. Some changes are none: a blank patch set to "
        "0, or a lighter patch where only contrasts count. Random numbers change everything.",
        "A patch reaches the encoder if any number of any vector of its image is another one than "
        "before: compare with `!=`, then `any` over the vectors' two axes.",
        "before = encode(images)\n"
        "patches = package.patchify(images, patch_size)\n"
        "reached = []\n"
        "for i in range(patches.shape[1]):\n"
        "    changed = patches.clone()\n"
        "    changed[:, i] = torch.rand(changed[:, i].shape, generator=seeded(i))\n"
        "    after = encode(package.unpatchify(changed, patch_size, *images.shape[-2:]))\n"
        "    reached.append((after != before).flatten(1).any(1))\n"
        "return torch.stack(reached, 1)",
    ),
    mistakes=(
        Mistake(
            "Patches that are 0 already are missing: setting a patch to 0 changes nothing there. "
            "Change each to something that it is not.",
            {RANDOM: "0.0"},
        ),
        Mistake(
            "Patches that are 1 already are missing: setting a patch to 1 changes nothing there. "
            "Change each to something that it is not.",
            {RANDOM: "1.0"},
        ),
        Mistake(
            "Patches are missing where an encoder looks at contrasts within a patch: it does not see "
            "that a patch as a whole gets lighter or darker. Change its pixels in different ways.",
            {RANDOM: "changed[:, i] + 0.5"},
        ),
        Mistake(
            "Blank patches are missing where an encoder looks at contrasts within a patch: light and "
            "dark exchanged, a blank one is blank again. Change its pixels in different ways.",
            {RANDOM: "1 - changed[:, i]"},
        ),
        Mistake(
            "Blank patches are missing: exchanging the pixels within a patch changes nothing there, "
            "nor where only a mean leaks in.",
            {RANDOM: "changed[:, i].flip(1)"},
        ),
        Mistake(
            "Patches that are multiplied by 0 count as reached here: 0 times nan is nan. Change a "
            "patch to numbers.",
            {RANDOM: "torch.nan"},
        ),
        Mistake(
            "Inverted: True is a patch that can change something.",
            {"after != before": "after == before", ".any(1)": ".all(1)"},
        ),
        Mistake(
            "Here a patch counts only if it changes *every* number of its image's vectors. One is "
            "enough.",
            {".any(1)": ".all(1)"},
        ),
        Mistake(
            "Only the first vector of each image was compared. Others may have changed.",
            {DIFFERENT: "(after != before)[:, 0].any(1)"},
        ),
        Mistake(
            "Every patch of every image is True here. Change one patch at a time, and compare the "
            "vectors of each image with that image's own from before.",
            {DIFFERENT: "(after != before).any().expand(len(images))"},
        ),
        Mistake(
            "The changes pile up: patch i was changed while those before it were changed, too. Begin "
            "with the true image each time.",
            {"changed = patches.clone()": "changed = patches = patches.clone()"},
        ),
        Mistake(
            "It looks as if (nearly) nothing reached the encoder. A sum can stay the same while its "
            "parts change: these vectors have mean 0. Compare the vectors themselves.",
            gradient_of_sum,
        ),
    ),
)
