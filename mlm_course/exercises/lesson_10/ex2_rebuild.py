"""BERT's input, rebuilt."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_10.masked_texts import PAD_ID, SEP_ID, some_masked, texts
from mlm_course.models.text_mae import keep_visible
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Ids, positions and real (4, K) of rows of different lengths, and the full length.

    Row 0 has the most visible tokens and its [SEP] at the end; in row 1 nothing is masked.
    """
    T = int(torch.randint(15, 18, (), generator=g))
    ids, masked = texts(g, 4, T, vocabulary=40), some_masked(g, T, (3, 0, 6, 5))
    for row, length in enumerate((T, 7, T - 2, 9)):
        ids[row, length - 1] = SEP_ID
        ids[row, length:] = PAD_ID
        masked[row, length - 1 :] = False
    masked[2, T - 4], masked[3, 1] = True, True
    kept = keep_visible(ids, masked, ids != PAD_ID)
    assert kept.real is not None
    return kept.ids, kept.positions * kept.real, kept.real, T


PLACED = "rebuilt.scatter(1, positions, tokens)"
NO_PADDING_BEHIND = ".masked_fill(torch.arange(T) > last, 0)"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    stages={"last": "the place of each row's [SEP]"},
    hints=(
        "Begin with a page of [MASK]. What is written on it, and where does the row end?",
        "`torch.full((B, T), 4).scatter(1, positions, ids)` writes each token to its place. But all "
        "padding points at place 0, where [CLS] stands: let it write what stands there anyway. The "
        "row's end is its largest position.",
        "tokens = ids.where(real, ids[:, :1])\n"
        "rebuilt = torch.full((len(ids), T), 4).scatter(1, positions, tokens)\n"
        "last = positions.amax(1, keepdim=True)\n"
        "return rebuilt.masked_fill(torch.arange(T) > last, 0)",
    ),
    mistakes=(
        Mistake(
            "In rows with padding [CLS] is gone: padding has position 0, too, and wrote its 0 there. "
            "Leave out what is not `real`.",
            {"ids.where(real, ids[:, :1])": "ids"},
        ),
        Mistake(
            "Behind [SEP] stands [MASK] in rows shorter than the longest. A masked language model "
            "would be asked for words there: behind a row's own last token all is [PAD], 0.",
            {NO_PADDING_BEHIND: ""},
        ),
        Mistake(
            "[CLS] is gone in rows with padding (it wrote its 0 to place 0), and behind [SEP] stands "
            "[MASK].",
            {NO_PADDING_BEHIND: "", "ids.where(real, ids[:, :1])": "ids"},
        ),
        Mistake(
            "The gaps hold 0, [PAD]. A gap inside the row is a [MASK], 4.",
            {"T), 4)": "T), 0)"},
        ),
        Mistake(
            "The tokens stand closed up at the left. Each goes to the place where it stood: "
            "`positions`.",
            {
                PLACED: "torch.cat([tokens.where(real, 4), rebuilt[:, ids.shape[1] :]], 1)",
            },
        ),
        Mistake(
            "[SEP] is gone: [PAD] begins behind it, at the next place.",
            {"> last": ">= last"},
        ),
        Mistake(
            "The row ends one place too late: a [MASK] is left behind [SEP].",
            {"> last": "> last + 1"},
        ),
        Mistake(
            "[PAD] begins after as many places as there are visible tokens, in the middle of the row. "
            "The row ends where its last token stood.",
            {"positions.amax(1, keepdim=True)": "real.sum(1, keepdim=True) - 1"},
        ),
        Mistake(
            "The last column of `positions` is padding in most rows, and 0. The row ends at its "
            "largest position.",
            {"positions.amax(1, keepdim=True)": "positions[:, -1:]"},
        ),
        Mistake(
            "The result is as wide as the longest row that was kept. It should have T places.",
            {"return rebuilt": "T = ids.shape[1]\n    return rebuilt[:, :T]"},
        ),
    ),
)
