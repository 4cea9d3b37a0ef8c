"""Labels for pieces."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Word numbers of pieces (3, 16), and tags of words (3, 4), from 0 to 6.

    Two rows of four words of one to three pieces, [CLS] in front, [SEP] and padding behind, and a
    row that is one long word.
    """
    sizes = torch.randint(1, 4, (2, 4), generator=g)
    sizes[0, 1], sizes[1, 2] = 3, 2
    rows = [torch.arange(4).repeat_interleave(s).tolist() for s in sizes]
    word_ids = torch.tensor([*([-1, *row, *[-1] * (15 - len(row))] for row in rows), [0] * 16])
    tags = torch.randint(7, (3, 4), generator=g)
    tags[:2, 1:3] = torch.tensor([[1, 2], [3, 1]])
    return word_ids, tags


SPECIAL_OR_GOES_ON = "(word_ids < 0) | (word_ids == before)"
UNMASKED = {f".masked_fill({SPECIAL_OR_GOES_ON}, -100)": ""}
GOES_ROUND = {"    before[:, 0] = -1\n": ""}
GOES_ON_ONLY = {"(word_ids < 0) | ": ""}
MINUS_1_WRAPS = {"word_ids.clamp(min=0)": "word_ids % tags.shape[1]"}
BY_TAG = {
    "(min=0))": "(min=0)).masked_fill(word_ids < 0, -100)",
    "word_ids.roll": "labels.roll",
    SPECIAL_OR_GOES_ON: "labels == before",
}

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "Give every piece its word's tag first. Then take it away from those that should not be "
        "asked.",
        "tags.gather(1, word_ids.clamp(min=0)) is (B, T). A piece goes on with a word if the "
        "token before has the same word number.",
        "before = word_ids.roll(1, 1); before[:, 0] = -1; return "
        "labels.masked_fill((word_ids < 0) | (word_ids == before), -100)",
    ),
    mistakes=(
        Mistake(
            "Every piece got a label. A word of three pieces would count three times, and its "
            "B- tag would begin three entities: -100 for all pieces but the first.",
            {" | (word_ids == before)": ""},
            UNMASKED,
        ),
        Mistake(
            "You labelled each word's *last* piece. By convention the first one is asked.",
            {"roll(1, ": "roll(-1, ", "before[:, 0]": "before[:, -1]"},
            {"roll(1, ": "roll(-1, "} | GOES_ROUND,
        ),
        Mistake(
            "Special tokens and padding got 0, which is a tag (O): the model would be trained "
            "and scored on padding. -100 there.",
            {"-100)": "-100).masked_fill(word_ids < 0, 0)"},
        ),
        Mistake(
            "Pieces that should not be asked got 0, which is a tag (O). cross_entropy skips -100 "
            "only.",
            {"-100)": "0)"},
        ),
        Mistake(
            "Special tokens have the word number -1, which is no word, and some of them got a "
            "word's tag. -100 wherever word_ids < 0.",
            MINUS_1_WRAPS | GOES_ROUND | GOES_ON_ONLY,
            MINUS_1_WRAPS | UNMASKED,
            GOES_ROUND | GOES_ON_ONLY,
            GOES_ON_ONLY,
            GOES_ON_ONLY | {"0] = -1": "0] = -2"},
            {"(word_ids < 0) |": "(word_ids >= 0) &"},
        ),
        Mistake(
            "You compared tags: two words side by side may have the same one. Compare word numbers.",
            BY_TAG,
            BY_TAG | GOES_ROUND,
        ),
        Mistake(
            "Special tokens have the word number -1, and there is no tag at place -1. Look up with "
            "word_ids.clamp(min=0), then put -100 there.",
            {".clamp(min=0)": ""},
        ),
        Mistake(
            "roll goes round: in front of a row's first piece it puts the row's *last* one, and in a "
            "row that is one long word both have the same number. before[:, 0] = -1 after the roll.",
            GOES_ROUND,
        ),
        Mistake(
            "Upside down: a word's first piece is the one to be asked, and it got -100.",
            {"==": "!="} | GOES_ROUND,
            {SPECIAL_OR_GOES_ON: f"~({SPECIAL_OR_GOES_ON})"},
        ),
    ),
)
