"""A puzzle that needs attention: labelled boxes hold digits; which digit is in the box asked for?"""

from typing import NamedTuple

import torch
from torch import Tensor

LABELS = "abcdefghijkl"
N_DIGITS = 10


class Boxes(NamedTuple):
    """A batch of shelves with P boxes each, and Q questions about each shelf.

    labels (B, P) and digits (B, P) describe the boxes; asked (B, Q) are the labels asked for,
    all different; answers (B, Q) are the digits in those boxes.
    """

    labels: Tensor
    digits: Tensor
    asked: Tensor
    answers: Tensor


def sample_boxes(batch: int, boxes: int, generator: torch.Generator, questions: int = 1) -> Boxes:
    """Random shelves: different labels on one shelf, any digits, questions about some boxes."""
    if not 1 <= questions <= boxes <= len(LABELS):
        raise ValueError(f"Need 1 <= questions <= boxes <= {len(LABELS)}, "
                         f"got questions={questions}, boxes={boxes}.")  # fmt: skip
    labels = torch.rand(batch, len(LABELS), generator=generator).argsort(-1)[:, :boxes]
    digits = torch.randint(N_DIGITS, (batch, boxes), generator=generator)
    chosen = torch.rand(batch, boxes, generator=generator).argsort(-1)[:, :questions]
    return Boxes(labels, digits, labels.gather(1, chosen), digits.gather(1, chosen))


def box_names(boxes: Boxes, row: int = 0) -> list[str]:
    """The boxes of one shelf as short words: ["c5", "a0", ...]."""
    pairs = zip(boxes.labels[row].tolist(), boxes.digits[row].tolist(), strict=True)
    return [f"{LABELS[label]}{digit}" for label, digit in pairs]
