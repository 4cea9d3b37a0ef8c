"""Choices of a masked autoencoder on scikit-learn's digits: ratio, sampling, decoder, encoder. Lesson 9.

One thing is changed at a time; all rivals have equally many steps. "error": of removed patches on the
held-out digits, 75 % removed at random, whatever a rival was trained on; learning rates are chosen by it.
"probe": the accuracy of a linear probe that learns from 100 labels, the mean of ten draws of them. A
seed draws first weights, the order of the digits and their masks; training and held-out digits stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from mlm_course.experiments import image_mae
from mlm_course.experiments._rivals import FACTORS, Contest, Run, each_against, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.image_mae import CONFIG, PATCHES, RATIO, MaskTokensInEncoder
from mlm_course.models import ImageMAE, seeded_init
from mlm_course.models.image_mae import block_noise, grid_noise
from mlm_course.training import MaskedImages, fit, masked_pixel_loss
from mlm_course.training.datasets import ImageBatch

RECIPE = replace(image_mae.RECIPE, steps=200, batch_size=128, precision="bf16")
ROWS, COLUMNS = CONFIG.grid
LABELS = 100
FOLDER = Path("runs/image_choices")

# uniform noise (B, L) -> noise by which patches are sorted (B, L)
Sampling = Callable[[Tensor], Tensor]


class Choice(NamedTuple):
    """What a rival is trained with."""

    ratio: float = RATIO
    sampling: Sampling | None = None
    decoder_blocks: int = CONFIG.decoder.n_layers
    kind: type[ImageMAE] = ImageMAE


def one_block(noise: Tensor) -> Tensor:
    """The patches nearest to a place that is drawn for each image are removed."""
    return block_noise(noise[:, :2] * noise.new_tensor([ROWS, COLUMNS]), ROWS, COLUMNS)


def moving_grid(noise: Tensor) -> Tensor:
    """One of every four patches stays; with which one it begins is drawn for each image."""
    return grid_noise((2 * noise[:, :2]).long(), ROWS, COLUMNS)


class SampledImages(MaskedImages):
    """Images whose patches are sorted by a sampling's noise."""

    def __init__(self, images: Tensor, seed: int, sampling: Sampling) -> None:
        super().__init__(images, PATCHES, seed)
        self.sampling = sampling

    def __call__(self, index: Tensor, epoch: int) -> ImageBatch:
        images, noise = super().__call__(index, epoch)
        return ImageBatch(images, self.sampling(noise))


BASE = "ratio .75, random, one decoder block"
RIVALS: Mapping[str, Mapping[str, Choice]] = {  # by question; BASE takes part in each
    "ratio": {"ratio .5": Choice(ratio=0.5), "ratio .875": Choice(ratio=0.875)},
    "sampling": {"one block": Choice(sampling=one_block), "grid": Choice(sampling=moving_grid)},
    "decoder": {
        "two decoder blocks": Choice(decoder_blocks=2),
        "four decoder blocks": Choice(decoder_blocks=4),
    },
    "encoder": {"mask tokens in the encoder": Choice(kind=MaskTokensInEncoder)},
}


def trained(choice: Choice, factor: float, seed: int) -> ImageMAE:
    """A model trained with a choice."""
    decoder = replace(CONFIG.decoder, n_layers=choice.decoder_blocks)
    model = seeded_init(choice.kind, replace(CONFIG, decoder=decoder), seed)
    images = image_mae.scale().standard(image_mae.data().train)
    if choice.sampling:
        data: MaskedImages = SampledImages(images, seed, choice.sampling)
    else:
        data = MaskedImages(images, PATCHES, seed)
    loss = partial(masked_pixel_loss, ratio=choice.ratio)
    fit(model, data, loss, scaled(RECIPE, factor, seed))
    return model


def scores(choice: Choice, factor: float, seed: int) -> dict[str, float]:
    """The error, and what a probe reads."""
    model = trained(choice, factor, seed)
    return {
        "error": image_mae.errors(model)[str(RATIO)],
        "probe": image_mae.probes(model)[str(LABELS)],
    }


def rivals(question: str) -> dict[str, Run]:
    """The rivals of a question and BASE."""
    choices = {BASE: Choice(), **RIVALS[question]}
    return {name: partial(scores, choice) for name, choice in choices.items()}


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All questions."""
    done = ScoreFile(Path(folder), f"{RECIPE} {CONFIG} {FACTORS}", "other settings")
    return {
        "steps": RECIPE.steps,
        "batch_size": RECIPE.batch_size,
        "gigaflops a step": gigaflops(),
        **{question: answered(done, question) for question in RIVALS},
        "minutes": done.minutes,
    }


def answered(done: ScoreFile, question: str) -> dict[str, Any]:
    """Errors and probes of a question's rivals, each against BASE."""
    contest = Contest(done, "digits", rivals(question), "error")
    pairs = each_against(contest.rivals, BASE)
    return {
        "error": contest.part(pairs),
        "probe": contest.part(pairs, "probe", lower_is_better=False),
    }


def gigaflops() -> dict[str, float]:
    """FLOPs of a step, forward and backward, of those rivals whose work differs by ratio or kind."""
    choices = {BASE: Choice(), **RIVALS["ratio"], **RIVALS["encoder"]}
    return {
        name: round(image_mae.gigaflops(choice.kind, RECIPE.batch_size, choice.ratio), 2)
        for name, choice in choices.items()
    }
