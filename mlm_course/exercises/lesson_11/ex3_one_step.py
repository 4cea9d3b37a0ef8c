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
PAGE = "tokens.masked_fill(masked, 4)"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    counted=("predict",),
    hints=(
        "What does the model have to see at the hidden places? And what may change elsewhere?",
        "`tokens.masked_fill(masked, 4)` is the page. `softmax(-1).max(-1)` of the logits gives "
        "values (probabilities) and indices (words), (B, N) each.",
        "best = predict(tokens.masked_fill(masked, 4)).softmax(-1).max(-1)\n"
        "new_tokens = torch.where(masked, best.indices, tokens)\n"
        "return new_tokens, torch.where(masked, best.values, confidence)",
    ),
    mistakes=(
        Mistake(
            "The confidences of words that were not hidden are new, too. They keep the one they "
            "had when they were chosen: what the model says of a word that it sees there is no "
            "judgement, it was never trained to say anything at visible places.",
            {CONFIDENCES: "p"},
        ),
        Mistake(
            "All words were replaced, visible ones too. Only the hidden places change.",
            {WORDS: "best", CONFIDENCES: "p"},
            {WORDS: "best"},
        ),
        Mistake(
            "New words, old confidences: at hidden places the confidence is the new word's.",
            {CONFIDENCES: "confidence"},
        ),
        Mistake(
            "Old words, new confidences: at hidden places the likeliest word goes in.",
            {WORDS: "tokens"},
        ),
        Mistake(
            "`[MASK]` still stands at the hidden places. The likeliest word goes in there.",
            {WORDS: PAGE},
        ),
        Mistake(
            "The model was shown the words it is to replace. Put [MASK] there first.",
            {PAGE: "tokens"},
        ),
        Mistake(
            "The model saw [MASK] at the places that stay, and the words that go.",
            {PAGE: "tokens.masked_fill(~masked, 4)"},
        ),
        Mistake(
            "The model saw an empty page. The words that stay are there to be read.",
            {PAGE: "torch.full_like(tokens, 4)"},
        ),
        Mistake(
            "These confidences are scores, which cannot be compared between places. Take the "
            "softmax first.",
            {".softmax(-1)": ""},
        ),
        Mistake(
            "The confidences are logarithms of probabilities: return the probabilities.",
            {".softmax(-1)": ".log_softmax(-1)"},
        ),
        Mistake(
            "The softmax ran over the places. At each place the probabilities of the V words sum to 1: "
            "that is the last axis.",
            {".softmax(-1)": ".softmax(1)"},
            {".softmax(-1)": ".softmax(-2)"},
        ),
        Mistake(
            "The confidence is that of the word that stood there before. It is the new word's.",
            {
                "p, best =": "chances =",
                ".max(-1)": "",
                "return ": "best = chances.argmax(-1)\n"
                "    p = chances.gather(-1, tokens[..., None])[..., 0]\n    return ",
            },
        ),
        Mistake(
            "Inverted: the visible places changed, and the hidden ones are as they were.",
            {"masked, best": "~masked, best", "masked, p": "~masked, p"},
        ),
    ),
)
