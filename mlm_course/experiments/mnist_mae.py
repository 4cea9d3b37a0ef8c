"""A masked autoencoder on MNIST, trained until people can read what it restores. Lesson 9.

Trained on 4,000 digits, scored on 1,000 others with masks that stay the same; by that score only the
length of the second training was chosen. A first one at a constant learning rate, lowered in the end; a
second one goes on
from there at half that rate, falling to 0 (with 4,000 steps in place of 10,000 it ended at .0248). What
is scored is the model that ships, in half precision. Errors are mean squared errors of removed patches,
pixels from 0 to 1; the reader is a support vector machine that learnt from the 4,000 whole digits.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from sklearn.svm import SVC
from torch import Tensor, nn

from mlm_course.corpora.images import Digits, Scale, mnist
from mlm_course.models import ImageMAE, ImageMAEConfig, StackConfig, seeded_init
from mlm_course.models.image_mae import Reconstruction, filled_in, patch_loss, patchify
from mlm_course.models.pretrained import load_pretrained, save_pretrained
from mlm_course.results import training_record
from mlm_course.training import MaskedImages, Recipe, fit, masked_pixel_loss

NAME = "mnist_mae"
PATCH, PATCHES, RATIO = 4, 49, 0.75
CONFIG = ImageMAEConfig(
    28, 28, PATCH, 1, position_base=100,
    encoder=StackConfig(d_model=96, n_layers=4),
    decoder=StackConfig(d_model=64, n_layers=2),
)  # fmt: skip
RECIPE = Recipe(
    steps=7000, batch_size=64, lr=0.02, adamw_lr=3e-3, weight_decay=0.05, betas=(0.9, 0.95),
    warmup=150, schedule="trapezoid", precision="bf16",
)  # fmt: skip
SECOND = replace(
    RECIPE, steps=10_000, lr=0.01, adamw_lr=1.5e-3, warmup=50, schedule="linear", seed=1
)
QUESTIONS = (0.5, 0.75, 0.875)  # ratios at which the model is scored


@cache
def data() -> Digits:
    """The digits; always the same 1,000 are held out."""
    return mnist()


@cache
def scale() -> Scale:
    """Mean and spread of the training digits; the model gets pixels without them."""
    return Scale.of(data().train)


def noise() -> Tensor:
    """By what the patches of the held-out digits are sorted, (N, L)."""
    return torch.rand(len(data().test), PATCHES, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def answers(model: nn.Module, ratio: float = RATIO) -> Reconstruction:
    """What the model makes of the held-out digits, pixels from 0 to 1."""
    guess = model(scale().standard(data().test), ratio, noise())
    patches, target = scale().pixels(guess.patches), scale().pixels(guess.target)
    return guess._replace(patches=patches, target=target)


def mean_image(answer: Reconstruction) -> Reconstruction:
    """The same question, answered by the mean of all training digits."""
    mean = patchify(data().train, PATCH).mean(0)
    return answer._replace(patches=mean.expand_as(answer.patches))


def error(answer: Reconstruction) -> float:
    """The mean squared error of the removed patches."""
    return round(patch_loss(answer.patches, answer.target, answer.mask).item(), 4)


def evaluate(model: nn.Module) -> dict[str, float]:
    """The error at RATIO, for `fit`."""
    return {"error": error(answers(model))}


def read_correctly(answer: Reconstruction) -> dict[str, float]:
    """How often the reader names whole digits, digits filled up with the mean, and restored ones."""
    reader = SVC().fit(data().train.flatten(1).numpy(), data().train_labels.numpy())
    shown = {"whole": data().test} | {
        name: filled_in(data().test, guess, CONFIG)
        for name, guess in (("mean image", mean_image(answer)), ("restored", answer))
    }
    labels = data().test_labels.numpy()
    return {
        name: round(float(reader.score(images.flatten(1).numpy(), labels)), 4)
        for name, images in shown.items()
    }


def train(
    model: ImageMAE, recipe: Recipe, folder: Path | None, display: Any = None
) -> dict[str, Any]:
    """Trains the model by one recipe; what is recorded of that."""
    history = fit(
        model, MaskedImages(scale().standard(data().train), PATCHES, recipe.seed),
        masked_pixel_loss, recipe, evaluate=evaluate, evaluate_every=recipe.steps // 10,
        folder=folder, save_every=500, display=display,
    )  # fmt: skip
    return training_record(model, recipe, RATIO, history)


def run(folder: str | Path | None = "runs/mnist_mae", display: Any = None) -> dict[str, Any]:
    """Trains the model twice, stores it among the checkpoints; its errors, and how it is read."""
    model = seeded_init(ImageMAE, CONFIG)
    trainings = {
        name: train(model, recipe, Path(folder) / name if folder else None, display)
        for name, recipe in (("first", RECIPE), ("second", SECOND))
    }
    save_pretrained(NAME, model)
    shipped, _ = load_pretrained(NAME)
    by_ratio = {str(ratio): answers(shipped, ratio) for ratio in QUESTIONS}
    return {
        "digits": len(data().train),
        "held out": len(data().test),
        **{f"{name} training": training for name, training in trainings.items()},
        "errors": {
            "mean image": {ratio: error(mean_image(a)) for ratio, a in by_ratio.items()},
            "the model": {ratio: error(a) for ratio, a in by_ratio.items()},
        },
        "read correctly": read_correctly(by_ratio[str(RATIO)]),
        "minutes": round(sum(part["training_minutes"] for part in trainings.values()), 1),
    }
