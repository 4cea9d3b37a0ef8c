"""Close up."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_10.masked_texts import PAD_ID, SEP_ID, some_masked, texts
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Ids and what is visible, both (3, 20); row 1 keeps the most, and row 2 ends in padding.

    They are so long that a sort which is not stable mixes them (shorter ones come out right).
    """
    ids, masked = texts(g, 3, 20, vocabulary=40), some_masked(g, 20, (6, 3, 9))
    ids[2, 17:] = torch.tensor([SEP_ID, PAD_ID, PAD_ID])
    masked[:, 2], masked[:, 3], masked[2, 17:] = True, False, False
    return ids, ~masked & (ids != PAD_ID)


EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    stages={"real": "which of the K are tokens"},
    hints=(
        "Sort each row so that its visible places come first. Sorting what, and how do two equal ones "
        "keep their order?",
        "`(~visible).int().argsort(dim=1, stable=True)` is (B, T): the visible places in reading "
        "order, then the others. Keep the first K of them, K the largest `visible.sum(1)`.",
        "order = (~visible).int().argsort(dim=1, stable=True)\n"
        "positions = order[:, : visible.sum(1).max()]\n"
        "real = visible.gather(1, positions)\n"
        "return ids.gather(1, positions) * real, positions * real, real",
    ),
    mistakes=(
        Mistake(
            "The positions are counted anew. They must say where each token stood in the full row, or "
            "nobody knows where the gaps are.",
            {"positions * real": "torch.arange(positions.shape[1]) * real"},
            {"positions * real": "torch.arange(positions.shape[1]).expand_as(real)"},
        ),
        Mistake(
            "Rows with fewer visible tokens are filled up with hidden ones here, and the encoder "
            "reads the answers. Look up in `visible` which places are real, and put 0 elsewhere.",
            {" * real, positions * real, real": ", positions, torch.ones_like(real)"},
        ),
        Mistake(
            "`real` and `positions` are right, but the ids behind a short row's end are those of "
            "hidden tokens. Put 0, [PAD], there.",
            {" * real, positions": ", positions"},
        ),
        Mistake(
            "`real` is right. Behind a short row's end both ids and positions must be 0: multiply "
            "both by `real`.",
            {" * real, positions * real": ", positions"},
        ),
        Mistake(
            "The positions of padding point at hidden places. Put 0 there.",
            {"positions * real": "positions"},
        ),
        Mistake(
            "`real` is True everywhere, so the padding of short rows would be read like a token. It "
            "is False there.",
            {"real, real": "real, torch.ones_like(real)"},
        ),
        Mistake(
            "These are the tokens that are not visible. Keep the others.",
            {"    order": "    visible = ~visible\n    order"},
        ),
        Mistake(
            "The tokens are there, but last comes first. Keep them in reading order.",
            {"(~visible).int()": "visible.int()", "stable=True)": "stable=True).flip(1)"},
        ),
        Mistake(
            "K is the smallest number of visible tokens, so the other rows lose some. Take the "
            "largest, and pad.",
            {"max()": "min()"},
        ),
        Mistake(
            "K is the first row's number of visible tokens, so longer rows lose some. Take the "
            "largest of all rows.",
            {"visible.sum(1).max()": "visible[0].sum()"},
        ),
        Mistake(
            "The hidden places are still there, as zeros: the encoder would work on all T of them. "
            "Move the visible tokens together, K in a row.",
            {"order[:, : visible.sum(1).max()]": "torch.arange(ids.shape[1]).expand_as(ids)"},
        ),
        Mistake(
            "The right tokens of each row, but not in reading order. Equal entries keep their order "
            "only in a stable sort: `stable=True`.",
            {"dim=1, stable=True": "1"},
            {
                "(~visible).int().argsort(dim=1, stable=True)": "visible.int().topk(ids.shape[1]).indices"
            },
        ),
    ),
)
