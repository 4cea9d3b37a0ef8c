"""One row, and back."""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(
    g: torch.Generator,
) -> tuple[Callable[[Tensor, Tensor, Tensor], Tensor], Tensor, Tensor]:
    """A function of what stands in the row, ids (4, 9) and visible; padding stands at either end.

    The third text is padded in front; any id may stand at padding. What stands in pieces in the row is
    heard in pieces.
    """
    lengths = 3 + torch.randperm(6, generator=g)[:4]
    place = torch.arange(9)
    visible = place < lengths[:, None]
    visible[2] = place >= 9 - lengths[2]
    ids = torch.randint(5, 40, (4, 9), generator=g)
    table = torch.randn(40, 6, generator=g)
    slope, level = torch.randn(2, 6, generator=g)

    def run(row: Tensor, positions: Tensor, texts: Tensor) -> Tensor:
        piece = torch.cat([texts[:1] * 0, (texts[1:] != texts[:-1]).cumsum(0)])
        mean = torch.stack([table[row[piece == number]].mean(0) for number in piece.tolist()])
        return table[row] + mean + slope * positions[:, None] + level * texts[:, None]

    return run, ids, visible


POSITIONS = "(visible.cumsum(1) - 1)[visible]"

EXERCISE = Exercise(
    minutes=14,
    inputs=inputs,
    counted=("run",),
    stages={
        "row": "the tokens in one row (N,)",
        "positions": "their positions (N,)",
        "texts": "the numbers of their texts (N,)",
        "x": "what `run` returns (N, D)",
    },
    hints=(
        "A boolean mask as an index, `ids[visible]`, picks the tokens in reading order, row by row.",
        "The same mask picks from any (B, T): make a table of positions and one of text numbers first. "
        "For the positions, count the tokens so far in each row (`cumsum(1)`).",
        "For the way back begin with zeros (B, T, D); `result[visible] = x` puts the vectors where their "
        "tokens stood.",
        "texts, _ = visible.nonzero().T\n"
        "positions = (visible.cumsum(1) - 1)[visible]\n"
        "x = run(ids[visible], positions, texts)\n"
        "result = x.new_zeros(*ids.shape, x.shape[-1])\n"
        "result[visible] = x\n"
        "return result",
    ),
    mistakes=(
        Mistake(
            "The positions go on through the row. They begin at 0 again with each text.",
            {POSITIONS: "torch.arange(len(row))"},
        ),
        Mistake(
            "Your positions are columns of the batch. A text that is padded in front begins at 0, too: "
            "count its tokens.",
            {POSITIONS: "torch.arange(ids.shape[1]).expand(ids.shape)[visible]"},
        ),
        Mistake(
            "Your positions begin at 1. The first token of a text has position 0.",
            {"(visible.cumsum(1) - 1)": "visible.cumsum(1)"},
        ),
        Mistake(
            "All tokens have text number 0 in yours: each would hear the whole row.",
            {"numbers[visible]": "numbers[visible] * 0"},
        ),
        Mistake(
            "The texts are numbered from 1 in yours; the first has number 0.",
            {"numbers[visible]": "numbers[visible] + 1"},
        ),
        Mistake(
            "Each token has a text number of its own. Tokens of one text share one.",
            {"numbers[visible]": "torch.arange(len(row))"},
        ),
        Mistake(
            "The padding came along: all B * T places are in your row. Only tokens belong into it.",
            {
                "row = ids[visible]": "row = ids.flatten()",
                POSITIONS: "(visible.cumsum(1) - 1).flatten()",
                "numbers[visible]": "numbers.flatten()",
                "result[visible] = x": "result[visible] = x.view(*ids.shape, -1)[visible]",
            },
        ),
        Mistake(
            "Your row goes through the batch column by column, so the texts are mixed. One text has to stand "
            "after the other.",
            {
                "row = ids[visible]": "row = ids.T[visible.T]",
                POSITIONS: "(visible.cumsum(1) - 1).T[visible.T]",
                "numbers[visible]": "numbers.T[visible.T]",
                "result[visible] = x": "result.transpose(0, 1)[visible.T] = x",
            },
        ),
        Mistake(
            "The vectors are still in one row, (N, D). Put them back where their tokens stood: (B, T, D).",
            {"return result": "return x"},
        ),
        Mistake(
            "Back in the batch, every text begins in column 0. A text that was padded in front belongs "
            "behind its padding.",
            {
                "result[visible] = x": "result[visible.sort(1, descending=True, stable=True).values] = x"
            },
        ),
    ),
)
