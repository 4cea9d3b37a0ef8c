"""A puzzle that needs attention: each box names another box; which digit is in that one?"""

from typing import NamedTuple

import torch
from torch import Tensor

LABELS = "abcdefghkmnr"  # letters that are not mistaken for digits
N_DIGITS = 10


class Boxes(NamedTuple):
    """A batch of shelves with S boxes each; every box points to P of the boxes beside it.

    labels (B, S) and digits (B, S) describe the boxes; points_to (B, S, P) are the labels of the
    boxes pointed to, all different for one box (a box may point to itself); answers (B, S, P) are
    the digits in those boxes.
    """

    labels: Tensor
    digits: Tensor
    points_to: Tensor
    answers: Tensor


def sample_boxes(batch: int, boxes: int, generator: torch.Generator, pointers: int = 1) -> Boxes:
    """Random shelves: all labels on one shelf differ; digits and pointers are free."""
    if not 1 <= pointers <= boxes <= len(LABELS):
        raise ValueError(
            f"Need 1 <= pointers <= boxes <= {len(LABELS)}, got pointers={pointers}, boxes={boxes}."
        )
    labels = torch.rand(batch, len(LABELS), generator=generator).argsort(-1)[:, :boxes]
    digits = torch.randint(N_DIGITS, (batch, boxes), generator=generator)
    order = torch.rand(batch, boxes, boxes, generator=generator).argsort(-1)
    target = order[:, :, :pointers]  # (B, S, P) places on the shelf
    row = torch.arange(batch)[:, None, None]
    return Boxes(labels, digits, labels[row, target], digits[row, target])


def box_names(boxes: Boxes, row: int = 0) -> list[str]:
    """The boxes of one shelf as short words: "c5→h" holds 5, is called c and points to h."""
    names = []
    for label, digit, targets in zip(
        boxes.labels[row], boxes.digits[row], boxes.points_to[row], strict=True
    ):
        pointed = "".join(LABELS[target] for target in targets)
        names.append(f"{LABELS[label]}{int(digit)}→{pointed}")
    return names
