"""Embeddings."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, ...]:
    """ids and segments (3, 6), tables of 11 tokens, 20 positions and 2 segments, D = 5."""
    ids = torch.randint(11, (3, 6), generator=g)
    segments = (torch.arange(6) >= torch.tensor([[2], [3], [4]])).long()
    return ids, segments, *(torch.randn(n, 5, generator=g) for n in (11, 20, 2))


PLACES = "torch.arange(ids.shape[1])"
SUM = "token[ids] + position[places] + segment[segments]"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "Three vectors for each token: for what it is, for where it stands, for its segment. Add "
        "them.",
        "table[numbers] looks up a row for each number. The position of a token is its place in the "
        "row: 0, 1, 2, ..., the same in every row of the batch.",
        "return token[ids] + position[: ids.shape[1]] + segment[segments]",
    ),
    mistakes=(
        Mistake(
            "The positions are missing: without them the order of the tokens is lost.",
            {" + position[places]": ""},
        ),
        Mistake(
            "The segments are missing: add segment[segments].",
            {" + segment[segments]": ""},
        ),
        Mistake(
            "Your positions start at 1. The first token stands at position 0.",
            {"position[places]": "position[places + 1]"},
        ),
        Mistake(
            "You counted the rows of the batch. A position is a place *within* a row: it counts along "
            "axis 1.",
            {PLACES: "torch.arange(len(ids))[:, None]"},
            {PLACES: "torch.arange(len(ids))"},
        ),
        Mistake(
            "Your positions go on counting from one row of the batch to the next. Every row begins at "
            "0 again.",
            {PLACES: "torch.arange(ids.numel()).reshape(ids.shape)"},
        ),
        Mistake(
            "You looked positions up by token id. A position says *where* a token stands, whatever it "
            "is: 0, 1, 2, ...",
            {"position[places]": "position[ids]"},
        ),
        Mistake(
            "You took one row of `position`, the same for all tokens. Take the rows 0 to T - 1: "
            "position[:T], with a colon.",
            {PLACES: "ids.shape[1]"},
            {PLACES: "ids.shape[1] - 1"},
        ),
        Mistake(
            "`position` has a row for every place there could be. Take the first T of them.",
            {"position[places]": "position"},
        ),
        Mistake(
            "The three vectors were multiplied. They are added.",
            {SUM: "token[ids] * position[places] * segment[segments]"},
        ),
        Mistake(
            "You put the three vectors side by side. They are added, so that a token still has D "
            "numbers.",
            {
                SUM: "torch.cat([token[ids], position[places].expand(len(ids), -1, -1), "
                "segment[segments]], -1)"
            },
        ),
    ),
)
