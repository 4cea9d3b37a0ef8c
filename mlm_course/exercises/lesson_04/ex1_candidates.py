"""Candidates."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_04.rows import some_rows
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, list[int]]:
    """Ids (3, 14), and the special ids of BERT's vocabulary: 0 is [PAD], 100 to 103 the others."""
    ids = some_rows(g)
    ids[ids == 2] = 101
    ids[ids == 3] = 102
    ids[ids == 1] = 100
    ids[:, 3], ids[:, 6:8] = 3, ids[:, 6:8] + 100  # ordinary ids below and above the special ones
    return ids, [0, 100, 101, 102, 103]


RESULT = "~torch.isin(ids, torch.tensor(special_ids))"

EXERCISE = Exercise(
    minutes=5,
    inputs=inputs,
    hints=(
        "For each id: is it in the list? PyTorch has a function for that.",
        "torch.isin(ids, torch.tensor(special_ids)) is True at special tokens. You need the opposite.",
        "return ~torch.isin(ids, torch.tensor(special_ids))",
    ),
    mistakes=(
        Mistake(
            "This is True at the special tokens. True should mean may be hidden.",
            {"~torch.isin": "torch.isin"},
        ),
        Mistake(
            "This leaves out padding only. [CLS], [SEP] and [UNK] are special as well: use special_ids.",
            {RESULT: "ids != 0"},
        ),
        Mistake(
            "This takes every id up to the largest special one for special. Other vocabularies have "
            "ordinary ids among them: ask for each id whether it is in the list.",
            {RESULT: "ids > max(special_ids)"},
        ),
        Mistake(
            "This counts on the special ids coming first. Other vocabularies number them "
            "differently: ask for each id whether it is in special_ids.",
            {RESULT: "ids >= len(special_ids)"},
        ),
        Mistake(
            "Every id differs from *some* special id. It has to differ from all of them: `&`, or "
            ".all(-1).",
            {RESULT: "(ids[..., None] != torch.tensor(special_ids)).any(-1)"},
        ),
    ),
)
