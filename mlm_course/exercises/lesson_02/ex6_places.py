"""Places in texts that share a row."""

import torch
from torch import Tensor

from mlm_course.attention import causal_mask, same_document_mask  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Document numbers (B, T) of three texts whose tokens take turns, in any order."""
    numbers = torch.tensor([4, 0, 7])
    documents = numbers[torch.randint(3, (2, 9), generator=g)]
    documents[0, :5] = torch.tensor([7, 7, 0, 7, 0])
    return (documents,)


def since_the_last_change(documents: Tensor) -> Tensor:
    place = torch.arange(documents.shape[1]).expand_as(documents)
    new = torch.ones_like(documents, dtype=torch.bool)
    new[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return place - torch.where(new, place, 0).cummax(1).values


def since_the_first(documents: Tensor) -> Tensor:
    same = documents[:, :, None] == documents[:, None, :]
    return torch.arange(documents.shape[1]) - same.int().argmax(-1)


def over_all_rows(documents: Tensor) -> Tensor:
    flat = documents.flatten()
    same = (flat[:, None] == flat).tril()
    return (same.sum(-1) - 1).reshape(documents.shape)


EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    stages={"same": "which tokens belong to the same text (B, T, T)"},
    hints=(
        "A token's place is a number of tokens: of how many others, and which?",
        "A mask can be counted. Which two masks, joined, are True at the tokens of the same text that "
        "do not come later?",
        "Add that table up along the keys: (B, T, T) -> (B, T). It counts the token itself, too.",
        "same = same_document_mask(documents)[:, 0]\n"
        "return (same & causal_mask(documents.shape[1])).sum(-1) - 1",
    ),
    mistakes=(
        Mistake(
            "Counted from 1. The first token of a text has the place 0.",
            {").sum(-1) - 1": ").sum(-1)"},
        ),
        Mistake(
            "These are the tokens that come *later* in the same text. Count the earlier ones.",
            {".sum(-1) - 1": ".sum(-2) - 1"},
        ),
        Mistake(
            "Each token got how many others its text has, wherever they stand. Only the earlier ones "
            "count.",
            {" & causal_mask(documents.shape[1])": ""},
        ),
        Mistake(
            "Each token got the size of its text. Its place is how many tokens of the text come "
            "before it.",
            {"(same & causal_mask(documents.shape[1])).sum(-1) - 1": "same.sum(-1)"},
        ),
        Mistake(
            "The count starts anew whenever another text has its turn. A text goes on where it "
            "stopped: count all its earlier tokens.",
            since_the_last_change,
        ),
        Mistake(
            "This is the distance to the text's first token. Tokens of other texts in between do not "
            "count.",
            since_the_first,
        ),
        Mistake(
            "The same number in another row of the batch is another text. Count within each row.",
            over_all_rows,
        ),
        Mistake(
            "These are the places in the row: 0, 1, 2, ... whatever the text.",
            {"same & causal_mask": "torch.ones_like(same) & causal_mask"},
        ),
    ),
)
