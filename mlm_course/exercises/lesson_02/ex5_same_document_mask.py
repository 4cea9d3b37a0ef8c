"""Texts that share a row."""

import torch
from torch import Tensor

from mlm_course.attention import causal_mask  # noqa: F401 a mistake uses it
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """Document numbers (B, T) that grow from left to right; the two rows differ."""
    return ((torch.rand(2, 7, generator=g) < 0.4).long().cumsum(-1),)


EXERCISE = Exercise(
    minutes=9,
    inputs=inputs,
    hints=(
        "Compare each token's document number with each other token's. Broadcasting makes a table "
        "of all pairs.",
        "documents[:, :, None] is (B, T, 1) and documents[:, None, :] is (B, 1, T).",
        "return (documents[:, :, None] == documents[:, None, :])[:, None]",
    ),
    mistakes=(
        Mistake(
            "The table is right, but an axis for the heads is missing: (B, 1, T, T), so that it "
            "broadcasts to all heads. Add [:, None].",
            {"same[:, None]": "same"},
        ),
        Mistake(
            "A later text may listen to the earlier ones here. Only the same text: ==.",
            {"== documents": ">= documents"},
        ),
        Mistake(
            "The future is closed as well. That is another mask: here both directions are open "
            "within a text.",
            {"same[:, None]": "same[:, None] & causal_mask(documents.shape[1])"},
        ),
        Mistake(
            "Upside down: this is True where the texts differ.",
            {"== documents": "!= documents"},
        ),
        Mistake(
            "Every row of the batch got the mask of the first one. Keep the batch axis: "
            "documents[:, :, None], not documents[0].",
            {"same[:, None]": "same[:1, None].expand(len(documents), -1, -1, -1)"},
        ),
    ),
)
