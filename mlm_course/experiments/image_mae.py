"""A masked autoencoder on scikit-learn's digits: how well it restores, and what a probe reads. Lesson 9.

Errors are mean squared errors of removed patches, pixels from 0 to 1. What the choices are worth that
its design makes: experiment `image_choices`.
"""

from __future__ import annotations

import time
from functools import cache, partial
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mlm_course.corpora.images import Digits, Scale, digits
from mlm_course.models import ImageMAE, ImageMAEConfig, StackConfig, seeded_init
from mlm_course.models.encoder import STD
from mlm_course.models.image_mae import filled_in, patch_loss, patchify, put_back
from mlm_course.training import MaskedImages, Recipe, fit, masked_pixel_loss

PATCH, PATCHES = 2, 16
CONFIG = ImageMAEConfig(
    8, 8, PATCH, 1, position_base=10,
    encoder=StackConfig(d_model=64, n_layers=2),
    decoder=StackConfig(d_model=64, n_layers=1),
)  # fmt: skip
RECIPE = Recipe(
    steps=500, batch_size=512, lr=0.03, adamw_lr=4e-3, weight_decay=0.05, betas=(0.9, 0.95),
    warmup=0.03, schedule="cosine",
)  # fmt: skip
RATIO = 0.75
QUESTIONS = (0.5, 0.75)  # ratios at which models are scored
LABELS = (100, 1438)  # for linear probes
DRAWS = 10  # of the digits that have labels, if not all have


class MaskTokensInEncoder(ImageMAE):
    """The counter-experiment: mask tokens come in before the encoder, which works on all L places.

    Source: He et al. 2022, table 1c.
    """

    def __init__(self, config: ImageMAEConfig) -> None:
        super().__init__(config)
        self.mask_token = nn.Parameter(STD * torch.randn(1, 1, config.encoder.d_model))

    def with_positions(self, x: Tensor, ids_restore: Tensor) -> Tensor:
        """What enters the encoder: all places (B, L, D), each with its own position."""
        return put_back(x, ids_restore, self.mask_token) + self.positions[1:]

    def decode(self, latent: Tensor, ids_restore: Tensor) -> Tensor:
        """The decoder's guess at all patches: (B, 1+L, D) -> (B, L, P*P*C)."""
        x = self.to_decoder(latent) + self.decoder_positions
        return self.to_pixels(self.decoder(x)[:, 1:])


@cache
def data() -> Digits:
    """The digits; always the same part is held out."""
    return digits()


def noise() -> Tensor:
    """By what the patches of the held-out digits are sorted, (N, L)."""
    return torch.rand(len(data().test), PATCHES, generator=torch.Generator().manual_seed(2))


@cache
def scale() -> Scale:
    """Mean and spread of the training digits; models get pixels without them."""
    return Scale.of(data().train)


@torch.no_grad()
def errors(model: nn.Module) -> dict[str, float]:
    """The error at each ratio in QUESTIONS."""
    by_ratio = {}
    for ratio in QUESTIONS:
        guess = model(scale().standard(data().test), ratio, noise())
        error = patch_loss(guess.patches, guess.target, guess.mask).item()
        by_ratio[str(ratio)] = round(error * scale().spread ** 2, 4)
    return by_ratio


def build(seed: int = RECIPE.seed) -> ImageMAE:
    """The model to train: two blocks in the encoder, one in the decoder."""
    return seeded_init(ImageMAE, CONFIG, seed)


def trained(recipe: Recipe, every: int) -> tuple[ImageMAE, list[dict[str, Any]], float]:
    """A model, its errors after every so many steps, and the seconds that its training took."""
    model = build(recipe.seed)
    loss = partial(masked_pixel_loss, ratio=RATIO)
    began = time.perf_counter()
    history = fit(
        model, MaskedImages(scale().standard(data().train), PATCHES, recipe.seed), loss, recipe,
        evaluate=errors, evaluate_every=every,
    )  # fmt: skip
    return model, history.evaluations, round(time.perf_counter() - began, 1)


def without_a_model() -> dict[str, dict[str, float]]:
    """The errors of the mean image, and of the best guess that is linear in the visible pixels."""
    train, test = (patchify(images, PATCH) for images in (data().train, data().test))
    mean = train.mean(0)
    spread = torch.cov((train - mean).flatten(1).T) + 0.002 * torch.eye(PATCHES * PATCH**2)
    by_guess: dict[str, dict[str, float]] = {"mean image": {}, "linear": {}}
    for ratio in QUESTIONS:
        keep = int(PATCHES * (1 - ratio))
        mask = (noise().argsort(1).argsort(1) >= keep).float()  # (N, L)
        linear = torch.stack([
            linear_guess(image - mean, removed, spread) + mean
            for image, removed in zip(test, mask.bool(), strict=True)
        ])  # fmt: skip
        for name, guess in (("mean image", mean.expand_as(test)), ("linear", linear)):
            by_guess[name][str(ratio)] = round(patch_loss(guess, test, mask).item(), 4)
    return by_guess


def linear_guess(image: Tensor, removed: Tensor, spread: Tensor) -> Tensor:
    """The most likely removed pixels of an image (L, P*P), mean taken out, if all were Gaussian."""
    gone = removed.repeat_interleave(image.shape[1])
    pixels, seen = image.flatten().clone(), ~gone
    weights = torch.linalg.solve(spread[seen][:, seen], pixels[seen])
    pixels[gone] = spread[gone][:, seen] @ weights
    return pixels.reshape(image.shape)


def probe(features: Tensor, held_out: Tensor, labels: int) -> float:
    """Accuracy of a linear probe that learns from so many labelled digits, the mean of DRAWS.

    Drawn is which digits have labels; if all have, there is one draw only.
    """
    accuracies = []
    for seed in range(DRAWS if labels < len(features) else 1):
        drawn = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
        reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        reader.fit(features[drawn[:labels]].numpy(), data().train_labels[drawn[:labels]].numpy())
        accuracies.append(reader.score(held_out.numpy(), data().test_labels.numpy()))
    return round(sum(accuracies) / len(accuracies), 4)


@torch.no_grad()
def probes(model: ImageMAE | None) -> dict[str, float]:
    """Accuracy by number of labels, of a model's features, or of raw pixels if there is none."""
    train, test = data().train, data().test
    if model is None:
        pair = train.flatten(1), test.flatten(1)
    else:
        train, test = scale().standard(train), scale().standard(test)
        pair = model.features(train), model.features(test)
    return {str(n): probe(*pair, labels=n) for n in LABELS}


@torch.no_grad()
def recognised(model: ImageMAE) -> dict[str, float]:
    """How often a reader of whole digits names digits right of which 75 % was removed."""
    train, test = data().train, data().test
    reader = LogisticRegression(max_iter=1000).fit(train.flatten(1), data().train_labels)
    reconstruction = model(scale().standard(test), RATIO, noise())
    mean = patchify(train, PATCH).mean(0).expand_as(reconstruction.patches)
    guesses = {"mean image": mean, "restored": scale().pixels(reconstruction.patches)}
    shown = {"whole": test} | {
        name: filled_in(test, reconstruction._replace(patches=guess), model.config)
        for name, guess in guesses.items()
    }
    return {
        name: round(float(reader.score(seen.flatten(1), data().test_labels.numpy())), 4)
        for name, seen in shown.items()
    }


def gigaflops(kind: type[ImageMAE] = ImageMAE, images: int = 1, ratio: float = RATIO) -> float:
    """FLOPs of a training step, forward and backward: 2 for each multiply-add in matrix products."""
    with torch.device("meta"):
        model = kind(CONFIG)
        pixels = torch.rand(images, CONFIG.channels, CONFIG.height, CONFIG.width)
        with FlopCounterMode(display=False) as counter:
            reconstruction = model(pixels, ratio)
            error = patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask)
            error.backward()
    return counter.get_total_flops() / 1e9


def run() -> dict[str, Any]:
    """The model, and what linear probes read from it."""
    model, curve, seconds = trained(RECIPE, every=100)
    return {
        "digits": {
            "steps": RECIPE.steps,
            "batch_size": RECIPE.batch_size,
            "ratio": RATIO,
            "parameters": sum(p.numel() for p in model.parameters()),
            "errors": errors(model),
            "without a model": without_a_model(),
            "recognised": recognised(model),
            "seconds": seconds,
            "curve": curve,
        },
        "probes": {
            "raw pixels": probes(None),
            "untrained encoder": probes(seeded_init(ImageMAE, CONFIG)),
            "trained encoder": probes(model),
        },
    }
