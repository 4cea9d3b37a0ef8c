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
    stages={"same_word": "which pieces belong together"},
    hints=(
        "For each piece: is there any hidden piece with the same word number in its row?",
        "same_word[b, t, s] is True where pieces t and s carry the same number: `[:, :, None]` against "
        "`[:, None, :]`.",
        "Of the table's last axis keep what is hidden, `masked[:, None, :]`, and ask whether any is left.",
        "same_word = word_ids[:, :, None] == word_ids[:, None, :]\n"
        "return (same_word & masked[:, None, :]).any(-1)",
    ),
    mistakes=(
        Mistake(
            "`masked` comes out as it went in: no piece was added.",
            {RESULT: "masked.clone()"},
        ),
        Mistake(
            "Nothing comes out as hidden, or hardly anything: it takes one hidden piece of the same word, "
            "not that all pieces of the row are such.",
            {".any(-1)": ".all(-1)"},
        ),
        Mistake(
            "Only the pieces *behind* a hidden one were added. A word goes both ways.",
            {"same_word & masked": "same_word.tril() & masked"},
        ),
        Mistake(
            "Only the pieces *before* a hidden one were added. A word goes both ways.",
            {"same_word & masked": "same_word.triu() & masked"},
        ),
        Mistake(
            "Only words whose pieces are *all* hidden came out. One hidden piece is enough.",
            {RESULT: "masked & ~(same_word & ~masked[:, None, :]).any(-1)"},
        ),
        Mistake(
            "The neighbours of each hidden piece were added, whichever word they belong to. Compare word "
            "numbers.",
            {RESULT: "masked | masked.roll(1, 1) | masked.roll(-1, 1)"},
        ),
        Mistake(
            "Neighbours of the same word were added, one on each side. A word may have more pieces.",
            {"same_word & masked": "same_word.tril(1).triu(-1) & masked"},
        ),
        Mistake(
            "A word number of one row hid the word with that number in another. Compare within a row.",
            {RESULT: "torch.isin(word_ids, word_ids[masked])"},
        ),
        Mistake(
            "Every piece of the row came out as hidden: it has to be hidden pieces of the *same* word.",
            {RESULT: "masked.any(1, keepdim=True).expand_as(masked)"},
        ),
        Mistake(
            "The other pieces of the word are hidden, and those that were hidden before came out only where "
            "another is hidden too: they stay.",
            {"same_word & masked": "same_word & ~torch.eye(word_ids.shape[1]).bool() & masked"},
        ),
        Mistake(
            "A table of pairs comes out, (B, T, T). For each piece say whether *any* partner is hidden.",
            {".any(-1)": ""},
        ),
    ),
)
