"""Embeddings."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

T = 10


def inputs(g: torch.Generator) -> tuple[Tensor, int, Tensor, Tensor, Tensor]:
    """ids (4, 10): two rows of two texts, one of them full, two of one; 13 tokens, 17 places, D = 5."""
    sep = int(torch.randint(2, 5, (1,), generator=g))
    ids = torch.randint(5, 13, (4, T), generator=g)
    ids[:, 0] = 1
    first = torch.randint(2, 5, (4,), generator=g)
    last = torch.randint(6, 9, (4,), generator=g)
    last[0] = T - 1
    ends = torch.tensor([True, False, True, False])  # of these rows the second text begins
    for row in range(4):
        ids[row, first[row]] = sep
        if ends[row]:
            ids[row, last[row]] = sep
        ids[row, (last if ends[row] else first)[row] + 1 :] = 0
    token, position, segment = (torch.randn(n, 5, generator=g) for n in (13, 17, 2))
    return ids, sep, token, position, segment


PLACES = "torch.arange(ids.shape[1])"
SEGMENTS = "((before == 1) & (ids != 0)).long()"
SUM = "token[ids] + position[places] + segment[segments]"
RESTART = "torch.arange(ids.shape[1]) - segments * (segments == 0).cumsum(1)"
INCLUSIVE = {"ends.cumsum(1) - ends.long()": "ends.cumsum(1)"}
PAD_IS_ONE = "Padding gets segment 1 in some rows. It has segment 0, whatever stands before it."

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    stages={"segments": "the segment of each token, (B, T)"},
    hints=(
        "Three vectors for each token: for what it is, for where it stands, for its segment. Only the "
        "segments have to be found out.",
        "A token's segment depends on how many [SEP] stand *before* it: `cumsum` counts along a row, and "
        "counts the token itself, too. What would padding get?",
        "A segment of 1: exactly one [SEP] before it, and no padding. Positions are the same in every "
        "row: 0, 1, 2, ...",
        "before = (ids == sep).cumsum(1) - (ids == sep).long()\n"
        "segments = ((before == 1) & (ids != 0)).long()\n"
        "return token[ids] + position[: ids.shape[1]] + segment[segments]",
    ),
    mistakes=(
        Mistake(
            "The first [SEP] is counted to the second text. It closes the first one: segment 0.",
            INCLUSIVE | {"before == 1": "before >= 1"},
        ),
        Mistake(
            "Both [SEP] stand in the wrong segment: each belongs to the text before it, the first has "
            "segment 0, the second segment 1.",
            INCLUSIVE,
        ),
        Mistake(
            "The second [SEP] has segment 0. It closes the second text: segment 1.",
            {SEGMENTS: "((before == 1) & (ids != 0) & ~ends).long()"},
        ),
        Mistake(
            PAD_IS_ONE,
            {" & (ids != 0)": ""},
            {SEGMENTS: "(before >= 1).long()"},
        ),
        Mistake(
            "The segments are exchanged: the first text has 0, the second 1.",
            {SEGMENTS: "(~((before == 1) & (ids != 0))).long()"},
            {SEGMENTS: "((before == 0) & (ids != 0)).long()"},
        ),
        Mistake(
            "Every token gets segment 0. The second text has segment 1.",
            {"segment[segments]": "segment[0]"},
        ),
        Mistake(
            "Segment 0 adds nothing in your sum. It has a vector, too: row 0 of `segment`.",
            {"segment[segments]": "segments[..., None] * segment[1]"},
        ),
        Mistake(
            "The segments are missing from the sum.",
            {" + segment[segments]": ""},
        ),
        Mistake(
            "The positions are missing: without them the order of the tokens is lost.",
            {" + position[places]": ""},
        ),
        Mistake(
            "Your positions start at 1. The first token stands at position 0.",
            {"position[places]": "position[places + 1]"},
        ),
        Mistake(
            "The places of the second text begin at 0 again. They go on counting: a place is one in the "
            "row.",
            {PLACES: RESTART},
        ),
        Mistake(
            "You counted the rows of the batch. A position is a place *within* a row: it counts along "
            "axis 1.",
            {PLACES: "torch.arange(len(ids))[:, None]"},
        ),
        Mistake(
            "Your positions are those of the token ids. A position says *where* a token stands, whatever "
            "it is: 0, 1, 2, ...",
            {"position[places]": "position[ids]"},
        ),
        Mistake(
            "You took one row of `position`, the same for all tokens. Each place has a row of its own.",
            {PLACES: "ids.shape[1]"},
            {PLACES: "ids.shape[1] - 1"},
        ),
        Mistake(
            "Padding comes out as zeros. It gets the three vectors like every token; attention's mask "
            "will keep it out.",
            {SUM: f"({SUM}) * (ids != 0)[..., None]"},
        ),
        Mistake(
            "The three vectors were multiplied. They are added.",
            {SUM: "token[ids] * position[places] * segment[segments]"},
        ),
        Mistake(
            "The three vectors stand side by side. They are added, so that a token still has D numbers.",
            {
                SUM: "torch.cat([token[ids], position[places].expand(len(ids), -1, -1), "
                "segment[segments]], -1)"
            },
        ),
    ),
)
