"""Texts in one row."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Rows (3, 13) of packed texts; the second begins with a very short one, the third is one text."""
    ids = torch.randint(5, 30, (3, 13), generator=g)
    ids[0, [whole(g, 2, 5), whole(g, 7, 10)]] = 3
    ids[1, [1, whole(g, 4, 7), 12]] = 3
    return (ids,)


THROUGH_ALL_ROWS = "(begins + (places == 0)).flatten().cumsum(0).view(ids.shape) - 1"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    hints=(
        "A new text begins one place behind each [SEP]. Mark these places with 1.",
        "Adding up the marks from the left (`cumsum(1)`) numbers the texts. For the places you need "
        "to know, for each token, where its text began: the last marked place so far (`cummax`).",
        "`F.pad(x, (1, -1))` shifts each row to the right by one; `cummax(1).values` is the largest so "
        "far. From a token's place in the row subtract that of the last mark.",
        "begins = F.pad((ids == 3).long(), (1, -1))\n"
        "places = torch.arange(ids.shape[1])\n"
        "return begins.cumsum(1), places - (places * begins).cummax(1).values",
    ),
    mistakes=(
        Mistake(
            "Each [SEP] is counted with the text behind it. It closes the text before: shift the marks "
            "by one place.",
            {"F.pad((ids == 3).long(), (1, -1))": "(ids == 3).long()"},
        ),
        Mistake(
            "The places are right. In the numbers each [SEP] counts with the text behind it, but it is "
            "the last token of the text before.",
            {"begins.cumsum(1)": "(ids == 3).cumsum(1)"},
        ),
        Mistake(
            "In a row that ends with [SEP] the numbers begin at 1: the mark that is shifted out at the "
            "end comes in again at the front. What comes in has to be 0.",
            {"F.pad((ids == 3).long(), (1, -1))": "(ids == 3).long().roll(1, 1)"},
        ),
        Mistake(
            "The numbers of the texts are right. The places go on through the row: they should begin at "
            "0 again with each text.",
            {"places - first": "places"},
        ),
        Mistake(
            "You number the texts from 1. From 0, please: nothing stands before the first.",
            {"begins.cumsum(1)": "begins.cumsum(1) + 1"},
        ),
        Mistake(
            "Your places begin at 1. The first token of a text has place 0.",
            {"places - first": "places - first + 1"},
        ),
        Mistake(
            "Your numbers go on from row to row. Each row begins with text 0.",
            {"begins.cumsum(1)": THROUGH_ALL_ROWS},
        ),
        Mistake(
            "In all texts but the first the places begin at 1: a text begins one place *behind* the "
            "[SEP] before it.",
            {"(places * begins)": "F.pad(places * (ids == 3), (1, -1))"},
        ),
        Mistake(
            "A [SEP] is place 0 of the text behind it in yours, though its number is right. It is the "
            "last token of the text before.",
            {"(places * begins)": "(places * (ids == 3))"},
        ),
        Mistake(
            "The places are counted backwards from the text's end, or negative: subtract where the text "
            "began from the place in the row.",
            {"places - first": "first - places"},
        ),
        Mistake(
            "Both are right, in the wrong order: the numbers of the texts first.",
            {"begins.cumsum(1), places - first": "places - first, begins.cumsum(1)"},
        ),
    ),
)
