"""One step."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import VOCABULARY, TinyModel
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[TinyModel, Tensor, Tensor, Tensor]:
    """A model; tokens, confidences and what is hidden, (2, 9) each: four places of each row."""
    tokens = torch.randint(5, VOCABULARY, (2, 9), generator=g)
    confidence = torch.rand(2, 9, generator=g) * 0.5 + 0.2
    masked = torch.rand(2, 9, generator=g).argsort(1) < 4
    return TinyModel(g), tokens, confidence, masked


WORDS, CONFIDENCES = "torch.where(masked, best, tokens)", "torch.where(masked, p, confidence)"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "What does the model have to see at the hidden places? And what may change elsewhere?",
        "`tokens.masked_fill(masked, 4)` is the canvas. `predict(...).softmax(-1).max(-1)` gives "
        "values (probabilities) and indices (words), (B, N) each.",
        "best = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1); return "
        "torch.where(masked, best.indices, tokens), torch.where(masked, best.values, confidence)",
    ),
    mistakes=(
        Mistake(
            "You updated the confidences of words that were not hidden. They keep the one they "
            "had when they were chosen: what the model says of a word that it sees there is no "
            "judgement, it was never trained to say anything at visible places.",
            {CONFIDENCES: "p"},
        ),
        Mistake(
            "All words were replaced, visible ones too. Only the hidden places change.",
            {WORDS: "best", CONFIDENCES: "p"},
        ),
        Mistake(
            "New words, old confidences: at hidden places the confidence is the new word's.",
            {CONFIDENCES: "confidence"},
        ),
        Mistake(
            "The model was shown the words it is to replace. Put [MASK] there first.",
            {"tokens.masked_fill(masked, 4)": "tokens"},
        ),
        Mistake(
            "These confidences are scores, which cannot be compared between places. Take the "
            "softmax first.",
            {".softmax(-1)": ""},
        ),
        Mistake(
            "Inverted: you changed the visible places and left the hidden ones as they were.",
            {"masked, best": "~masked, best", "masked, p": "~masked, p"},
        ),
    ),
)
