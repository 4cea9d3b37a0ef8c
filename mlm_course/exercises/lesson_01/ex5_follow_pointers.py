"""Pointers followed by hand."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.corpora.boxes import LABELS, N_DIGITS, sample_boxes
from mlm_course.practice.exercise import Exercise, Mistake

N = len(LABELS)  # 12
SIZE = 2 * N + N_DIGITS  # 34: label, digit, pointer
ENOUGH = 0.99


def judge(value: Any) -> str | None:
    """What is wrong with two matrices, from how 500 shelves of boxes attend with them."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return "Two matrices are asked for: `return W_q, W_k`."
    if not all(isinstance(one, Tensor) for one in value):
        return "W_q and W_k have to be tensors."
    W_q, W_k = (one.detach().double() for one in value)
    shapes = f"{tuple(W_q.shape)} and {tuple(W_k.shape)}"
    if W_q.dim() != 2 or W_k.dim() != 2 or len(W_q) != SIZE or len(W_k) != SIZE:
        return f"Both matrices have to be ({SIZE}, D), one row for each number of x; yours are {shapes}."
    if W_q.shape != W_k.shape or not W_q.shape[1]:
        return f"W_q and W_k need the same D, since queries meet keys; yours are {shapes}."
    if not (W_q.isfinite().all() and W_k.isfinite().all()):
        return "All numbers of W_q and W_k have to be finite."
    return shelf_sentence(W_q, W_k)


def shelf_sentence(W_q: Tensor, W_k: Tensor) -> str | None:
    """Where the boxes look, in words, unless it is where they point."""
    boxes = sample_boxes(500, 6, torch.Generator().manual_seed(11))
    x = torch.cat(
        [
            F.one_hot(boxes.labels, N),
            F.one_hot(boxes.digits, N_DIGITS),
            F.one_hot(boxes.points_to[..., 0], N),
        ],
        dim=-1,
    ).double()  # (B, S, 34)
    scores = (x @ W_q) @ (x @ W_k).transpose(-2, -1) / math.sqrt(W_q.shape[1])
    weights = scores.softmax(-1)
    target = boxes.points_to == boxes.labels[:, None]  # (B, S, S): query points to key
    least = weights[target].min().item()
    if least >= ENOUGH:
        return None
    if (scores.argmax(-1) == target.int().argmax(-1)).all() and least > 1 / 6 + 0.01:
        return (
            "Each box looks hardest at the one it points to, but not hard enough: the smallest of "
            f"these weights is {least:.2f}. Softmax looks at differences between scores, and they were "
            "divided by sqrt(D). How large must they be?"
        )
    mean = f"on average {weights[target].mean():.2f} of a box's weight is on the one it points to"
    if weights[target.transpose(1, 2)].mean() > 0.3 > weights[target].mean():
        return f"The other way round: boxes look at those that point to *them* ({mean})."
    if weights.diagonal(dim1=1, dim2=2).mean() > 0.7:
        return f"Boxes look at themselves; {mean}."
    if weights.max() - weights.min() < 1e-6:
        return f"Every box listens to all boxes alike: its scores are equal; {mean}."
    changed = x.roll(1, 0)[..., N:-N]
    other = torch.cat([x[..., :N], changed, x[..., -N:]], dim=-1)
    if not torch.allclose((other @ W_q) @ (other @ W_k).mT, (x @ W_q) @ (x @ W_k).mT):
        return f"Where a box looks depends on digits. They should not matter for that; {mean}."
    return f"Boxes do not look where they point: {mean}. Asked for is {ENOUGH} for each."


def both(query_row: int, key_row: int, size: float) -> tuple[Tensor, Tensor]:
    """Matrices of which each picks twelve numbers in a row."""
    W_q, W_k = torch.zeros(SIZE, N), torch.zeros(SIZE, N)
    W_q[query_row : query_row + N] = size * torch.eye(N)
    W_k[key_row : key_row + N] = size * torch.eye(N)
    return W_q, W_k


def too_small() -> tuple[Tensor, Tensor]:
    return both(22, 0, 1)


def turned_round() -> tuple[Tensor, Tensor]:
    return both(0, 22, 7)


def mirror() -> tuple[Tensor, Tensor]:
    return both(0, 0, 7)


def the_same_pointer() -> tuple[Tensor, Tensor]:
    return both(22, 22, 7)


EXERCISE = Exercise(
    minutes=20,
    kind="set by hand",
    hard=True,
    inputs=lambda generator: (),
    judge=judge,
    hints=(
        "A query says what a box looks for, a key what it offers. Which of the three parts of x is "
        "what a box looks for, and which part of the *other* box has to match it?",
        "`x @ W` adds up the rows of W at which x has a 1. A block of rows with ones on its diagonal "
        "copies a part of x; rows of zeros leave a part out.",
        "Take D = 12. Queries copy the pointer, keys the label: then q and k have their 1 at the same "
        "place exactly where one box points to the other. How large is that one score after the "
        "division by sqrt(12), and how large has it to be for a weight of .99 among six?",
        "W_q, W_k = torch.zeros(34, 12), torch.zeros(34, 12)\n"
        "W_q[22:] = torch.eye(12)\n"
        "W_k[:12] = 50 * torch.eye(12)\n"
        "return W_q, W_k",
    ),
    mistakes=(
        Mistake(
            "Each box looks hardest at the right one, but hardly harder than at the others: the "
            "score of the match is 1 / sqrt(12). Softmax needs a difference of about 6 for .99.",
            too_small,
        ),
        Mistake(
            "The other way round: boxes look at those that point to *them*. The query is what a box "
            "looks for.",
            turned_round,
        ),
        Mistake("Boxes look into the mirror: queries and keys both speak of labels.", mirror),
        Mistake(
            "Boxes look at those with the same pointer as their own. Keys should say what a box is "
            "called.",
            the_same_pointer,
        ),
    ),
)
