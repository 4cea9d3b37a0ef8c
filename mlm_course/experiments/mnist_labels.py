"""What pretraining is worth with few labels: MNIST, fine-tuned, from scratch, and linear probes. Lesson 9.

Rivals learn from the same labelled digits, as many of each kind, drawn from the 4,000 on which the
shipped autoencoder (`mnist_mae`) was trained without labels: its encoder, fine-tuned, all weights; the
same encoder from random weights; a linear probe on its frozen vectors; the same probe on raw pixels.
Networks have equally many steps. Settings are chosen by accuracy on the test digits,
with another seed. A seed draws the labelled digits, their order, the new layer and, from
scratch, all weights. There is one pretrained checkpoint and one set of 1,000 test digits: intervals
cover labels and training, not pretraining.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.experiments._rivals import FACTORS, Contest, scaled
from mlm_course.experiments._scores import ScoreFile
from mlm_course.experiments.mnist_mae import CONFIG, NAME, data, scale
from mlm_course.models import ImageMAE, load_pretrained, seeded_init
from mlm_course.models.pretrained import CHECKPOINTS
from mlm_course.training import Recipe, fit

STEPS = {50: 100, 200: 200, 1000: 400}  # of fine-tuning and from scratch, by number of labels
RECIPE = Recipe(
    steps=200, batch_size=25, lr=0.01, adamw_lr=1e-3, weight_decay=0.05, warmup=0.1,
    precision="bf16",
)  # fmt: skip
C = {"linear probe": 0.1, "raw pixels": 0.01}  # of logistic regression, times a factor's square
PAIRS = (
    ("fine-tuned", "from scratch"),
    ("fine-tuned", "linear probe"),
    ("linear probe", "raw pixels"),
    ("from scratch", "raw pixels"),
)
FOLDER = Path("runs/mnist_labels")


class Labelled(NamedTuple):
    """Images (B, 1, 28, 28), standardised, and labels (B,)."""

    images: Tensor
    labels: Tensor


class LabelledImages:
    """Images with labels, for `fit`."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __call__(self, index: Tensor, epoch: int) -> Labelled:
        return Labelled(self.images[index], self.labels[index])


class DigitClassifier(nn.Module):
    """A linear layer on an encoder's mean vector; the decoder is not used and does not learn."""

    def __init__(self, mae: ImageMAE, seed: int) -> None:
        super().__init__()
        self.mae = mae
        for part in (mae.to_decoder, mae.decoder, mae.to_pixels):
            part.requires_grad_(False)
        mae.mask_token.requires_grad_(False)
        self.output = seeded_init(partial(nn.Linear, out_features=10), CONFIG.encoder.d_model, seed)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 10)."""
        return self.output(self.mae.features(images))


def label_loss(model: nn.Module, batch: Labelled) -> tuple[Tensor, int]:
    """Cross-entropy of the labels, summed, and their number."""
    logits = model(batch.images).float()
    return F.cross_entropy(logits, batch.labels, reduction="sum"), len(batch.labels)


def drawn(n: int, seed: int) -> Tensor:
    """The index (n,) of training digits that have labels, as many of each kind."""
    order = torch.randperm(len(data().train), generator=torch.Generator().manual_seed(seed))
    labels = data().train_labels[order]
    return torch.cat([order[labels == digit][: n // 10] for digit in range(10)])


def learnt(mae: ImageMAE, n: int, by: Recipe) -> dict[str, float]:
    """The accuracy of a classifier after it has learnt from n labels, with the encoder it starts from."""
    chosen = drawn(n, by.seed)
    model = DigitClassifier(mae, by.seed)
    images = scale().standard(data().train[chosen])
    fit(model, LabelledImages(images, data().train_labels[chosen]), label_loss, by)
    with torch.no_grad():
        right = model(scale().standard(data().test)).argmax(-1) == data().test_labels
    return {"accuracy": round(right.double().mean().item(), 4)}


def recipe(n: int, factor: float, seed: int) -> Recipe:
    """That of a network with n labels."""
    return scaled(replace(RECIPE, steps=STEPS[n]), factor, seed)


def fine_tuned(n: int, factor: float, seed: int) -> dict[str, float]:
    """From the pretrained encoder."""
    return learnt(load_pretrained(NAME)[0], n, recipe(n, factor, seed))


def from_scratch(n: int, factor: float, seed: int) -> dict[str, float]:
    """From the same encoder with random weights."""
    return learnt(seeded_init(ImageMAE, CONFIG, seed), n, recipe(n, factor, seed))


@cache
@torch.no_grad()
def vectors(kind: str) -> tuple[Tensor, Tensor]:
    """What a probe reads of training and test digits; of the encoder's vectors each number standardised."""
    train, test = (scale().standard(x) for x in (data().train, data().test))
    if kind == "raw pixels":
        return train.flatten(1), test.flatten(1)
    mae = load_pretrained(NAME)[0]
    train, test = mae.features(train), mae.features(test)
    return (train - train.mean(0)) / train.std(0), (test - train.mean(0)) / train.std(0)


def probed(kind: str, n: int, factor: float, seed: int) -> dict[str, float]:
    """The accuracy of logistic regression."""
    train, test = vectors(kind)
    chosen = drawn(n, seed)
    reader = LogisticRegression(C=C[kind] * factor**2, max_iter=1000)
    reader.fit(train[chosen].numpy(), data().train_labels[chosen].numpy())
    return {"accuracy": round(float(reader.score(test.numpy(), data().test_labels.numpy())), 4)}


def contest(done: ScoreFile, n: int) -> Contest:
    """The rivals with n labels."""
    rivals = {
        "fine-tuned": partial(fine_tuned, n),
        "from scratch": partial(from_scratch, n),
        **{kind: partial(probed, kind, n) for kind in C},
    }
    return Contest(done, f"{n} labels", rivals, "accuracy", lower_is_better=False)


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """All numbers of labels."""
    weights = zlib.crc32((CHECKPOINTS / NAME / "model.safetensors").read_bytes())
    of = f"{weights} {RECIPE} {STEPS} {C} {FACTORS}"
    done = ScoreFile(Path(folder), of, "another checkpoint or other settings")
    by_labels = {str(n): contest(done, n).part(PAIRS) for n in STEPS}
    return {
        "steps": {str(n): steps for n, steps in STEPS.items()},
        "batch_size": RECIPE.batch_size,
        **{f"{n} labels": part for n, part in by_labels.items()},
        "minutes": done.minutes,
    }
