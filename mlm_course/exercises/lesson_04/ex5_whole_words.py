"""Whole words."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hidden pieces, about a quarter, and the pieces' word numbers, both (2, 13)."""
    word_ids = (torch.rand(2, 13, generator=g) < 0.5).long().cumsum(1)
    word_ids[:, 0] = word_ids[:, -2:] = -1
    masked = (torch.rand(2, 13, generator=g) < 0.25) & (word_ids >= 0)
    word_ids[0, 4:8], masked[0, 4:8] = 90, torch.tensor([False, False, True, False])
    return masked, word_ids


RESULT = "(same_word & masked[:, None, :]).any(-1)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "For each piece: is there any hidden piece with the same word number in its row?",
        "same_word = word_ids[:, :, None] == word_ids[:, None, :] is (B, T, T): which pieces belong "
        "together.",
        "return (same_word & masked[:, None, :]).any(-1)",
    ),
    mistakes=(
        Mistake(
            "A word was hidden only if *every* token of the row is one of its hidden pieces. One "
            "hidden piece is enough: `any`, not `all`.",
            {".any(-1)": ".all(-1)"},
        ),
        Mistake(
            "Only the pieces *behind* a hidden one were added. A word goes both ways.",
            {"same_word & masked": "same_word.tril() & masked"},
        ),
        Mistake(
            "This keeps only words whose pieces are *all* hidden. One hidden piece is enough.",
            {RESULT: "masked & ~(same_word & ~masked[:, None, :]).any(-1)"},
        ),
        Mistake(
            "You added the neighbours, whichever word they belong to. Compare word numbers.",
            {RESULT: "masked | masked.roll(1, 1) | masked.roll(-1, 1)"},
        ),
        Mistake(
            "Word numbers of *all* rows went into one set: word 3 of one row hid word 3 of another. "
            "Compare within a row.",
            {RESULT: "torch.isin(word_ids, word_ids[masked])"},
        ),
    ),
)
