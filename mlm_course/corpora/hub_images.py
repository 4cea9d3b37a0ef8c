"""Images of data sets on the Hugging Face hub. Lesson 9.

    load_images("fashion_mnist", n=60_000).images    # (60000, 1, 28, 28)

Without a network it says so in one sentence and returns scikit-learn's digits instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
import torch
from torch import Tensor

from mlm_course.corpora.images import digits
from mlm_course.hub import HubUnreachable, Known, check_n, rows_from_hub

KNOWN_IMAGES = {
    "mnist": Known("ylecun/mnist", None, "image"),
    "fashion_mnist": Known("zalando-datasets/fashion_mnist", None, "image"),
    "cifar10": Known("uoft-cs/cifar10", None, "img"),
}
"""The data sets that `load_images` knows; the column is the one with the images."""


class Labelled(NamedTuple):
    """Images (N, C, H, W) from 0 to 1, and labels (N,) int64."""

    images: Tensor
    labels: Tensor


def load_images(
    name: str, split: str = "train", n: int | None = 1000, timeout: float = 5.0
) -> Labelled:
    """The first n images of a data set with their labels; n=None means all.

    name: one of KNOWN_IMAGES. If the hub does not answer within timeout seconds, prints one
    sentence and returns scikit-learn's digits. Errors: ValueError for another name or split.
    """
    if name not in KNOWN_IMAGES:
        raise ValueError(f"name must be one of {', '.join(KNOWN_IMAGES)}, not {name!r}.")
    check_n(n, "images")
    try:
        return images_from_hub(name, split, n, timeout)
    except HubUnreachable as reason:
        print(reason.replaced(name, "scikit-learn's digits take"))
        substitute = digits()
        return Labelled(substitute.train[:n], substitute.train_labels[:n])


def images_from_hub(
    name: str, split: str = "train", n: int | None = None, timeout: float = 5.0
) -> Labelled:
    """As `load_images`, but HubUnreachable where the hub does not answer."""
    known = KNOWN_IMAGES[name]
    rows = rows_from_hub(known, split, n, lambda rows: rows, timeout=timeout)
    pictures = torch.stack([_pixels(row[str(known.column)]) for row in rows])
    return Labelled(pictures, torch.tensor([row["label"] for row in rows]))


def _pixels(picture: Any) -> Tensor:
    """A Pillow image as (C, H, W), from 0 to 1."""
    array = torch.from_numpy(numpy.array(picture)).float() / 255  # (H, W) or (H, W, C)
    return array.movedim(-1, 0) if array.ndim == 3 else array[None]
