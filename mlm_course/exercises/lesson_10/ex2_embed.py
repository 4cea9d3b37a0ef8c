"""Embed what is left."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_10.masked_texts import VOCABULARY, texts
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids and positions (2, 5), and the two tables: (20, 6) for tokens, (12, 6) for positions."""
    ids = texts(g, 2, 5)
    positions = torch.rand(2, 11, generator=g).argsort(1)[:, :5].sort(1).values
    positions[:, -1] = 10 + torch.arange(2)
    token, position = (torch.randn(n, 6, generator=g) for n in (VOCABULARY, 12))
    return ids, positions, token, position


EXERCISE = Exercise(
    minutes=4,
    inputs=inputs,
    hints=(
        "As in exercise 5.1: a vector for what it is, plus one for where it stood.",
        "Both tables are looked up by index. token[ids] is (B, K, D), and so is position[positions].",
        "return token[ids] + position[positions]",
    ),
    mistakes=(
        Mistake(
            "The first K positions were used. But the tokens have moved: each needs the vector of the "
            "place where it stood, `position[positions]`.",
            {"position[positions]": "position[: ids.shape[1]]"},
        ),
        Mistake(
            "The positions are missing: without them attention cannot tell any order.",
            {" + position[positions]": ""},
        ),
        Mistake(
            "The positions were shifted so that each row begins at 0. Take them as they are.",
            {"position[positions]": "position[positions - positions[:, :1]]"},
        ),
        Mistake(
            "The two vectors stand side by side. Add them.",
            {
                "token[ids] + position[positions]": "torch.cat([token[ids], position[positions]], -1)"
            },
        ),
        Mistake(
            "The two vectors were multiplied. Add them.",
            {"token[ids] + position": "token[ids] * position"},
        ),
    ),
)
