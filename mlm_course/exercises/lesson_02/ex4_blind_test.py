"""A blind test."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.attention import MultiHeadAttention
from mlm_course.practice.exercise import Exercise, Mistake

LAYERS = 5  # with random weights, on which the two inputs are tried


def judge(value: Any) -> str | None:
    """What is wrong with two inputs, from layers that have no mask."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return "Two tensors are asked for: `return x, changed`."
    if not all(isinstance(one, Tensor) and one.shape == (6, 8) for one in value):
        return "Both x and changed have to be tensors (6, 8): six tokens of eight numbers."
    x, changed = (one.detach().float() for one in value)
    if (
        not (x.isfinite().all() and changed.isfinite().all())
        or max(x.abs().max(), changed.abs().max()) > 10
    ):
        return "All numbers have to lie between -10 and 10."
    moved = (x - changed).abs().amax(-1)  # (6,)
    if moved[:4].any():
        return "The past has to stay: the tokens 0 to 3 of x and of changed must be the same."
    for place in (4, 5):
        if moved[place] < 0.1:
            return f"Token {place} is not changed enough: at least one of its numbers by .1."
    return noticed(x, changed)


def noticed(x: Tensor, changed: Tensor) -> str | None:
    """Which places notice a change, in words, or None."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        layers = [MultiHeadAttention(8, n_heads=2) for _ in range(LAYERS)]
        for layer in layers:
            layer.qkv.weight *= 4  # so that attention is far from even
        differences = [(layer(x[None]) - layer(changed[None]))[0, :4].abs() for layer in layers]
    most = torch.stack(differences).amax()
    if most < 1e-5:
        return None
    return (
        f"The test notices it: without a mask outputs of the places 0 to 3 move by up to {most:.2g}. "
        "What can you do to the future that attention does not see?"
    )


def removed() -> tuple[Tensor, Tensor]:
    x = torch.eye(6, 8)
    return x, x * (torch.arange(6) < 4)[:, None]


def nothing() -> tuple[Tensor, Tensor]:
    return torch.eye(6, 8), torch.eye(6, 8)


def one_token() -> tuple[Tensor, Tensor]:
    x = torch.eye(6, 8)
    return x, x[[0, 1, 2, 3, 4, 4]]


def rotated() -> tuple[Tensor, Tensor]:
    x = torch.eye(6, 8)
    return x, x.roll(1, 0)


EXERCISE = Exercise(
    minutes=12,
    kind="design",
    hard=True,
    inputs=lambda generator: (),
    judge=judge,
    hints=(
        "What does attention without positions not know about its tokens? Lesson 1, section 8.",
        "Attention is a weighted average over *all* keys. Change the tokens 4 and 5 so that the same "
        "keys and values are there as before.",
        "x = torch.eye(6, 8)\nreturn x, x[[0, 1, 2, 3, 5, 4]]",
    ),
    mistakes=(
        Mistake(
            "Without a mask the past notices that the two future tokens became zeros. What can be done "
            "to them that attention does not see?",
            removed,
        ),
        Mistake(
            "Nothing is changed, so nothing could be noticed. Both future tokens have to be others.",
            nothing,
        ),
        Mistake(
            "Only one of the two tokens is changed, and the past notices it: one key is there twice "
            "now, another is gone.",
            one_token,
        ),
        Mistake(
            "All tokens have moved, the first four included. The past has to stay as it is.",
            rotated,
        ),
    ),
)
