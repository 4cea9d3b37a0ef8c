"""The best answers."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Logits (4, 11), and k from 2 to 4."""
    return 3 * torch.randn(4, 11, generator=g), int(torch.randint(2, 5, (1,), generator=g))


END_OF_SORTED = "\n    return chance[:, -k:], ids[:, -k:]"

EXERCISE = Exercise(
    minutes=4,
    inputs=inputs,
    hints=(
        "First turn scores into probabilities, then take the k largest of each row.",
        "softmax over the vocabulary, the last axis; probabilities.topk(k) returns a pair: "
        "values and places.",
        "chance, ids = logits.softmax(-1).topk(k); return chance, ids",
    ),
    mistakes=(
        Mistake(
            "Softmax over the wrong axis: the chances of one *word* over all gaps sum to 1. Over "
            "the vocabulary: softmax(-1).",
            {"softmax(-1)": "softmax(0)"},
        ),
        Mistake(
            "These are scores, not probabilities: softmax(-1) first.",
            {".softmax(-1)": ""},
        ),
        Mistake(
            "You took the softmax over the k best only, so that they share all of the "
            "probability. Softmax over the whole vocabulary, then topk.",
            {".softmax(-1).topk(k)": ".topk(k).values.softmax(-1), logits.topk(k).indices"},
        ),
        Mistake(
            "These are the k *least* likely words.",
            {"topk(k)": "topk(k, largest=False)"},
            {"return": "chance, ids =", "topk(k)": "sort(descending=True)" + END_OF_SORTED},
        ),
        Mistake(
            "The right words, but the largest comes last. Turn them around: largest first.",
            {"return": "chance, ids =", "topk(k)": "sort()" + END_OF_SORTED},
        ),
        Mistake(
            "topk looked for the largest among the *gaps*. It takes the last axis unless told "
            "otherwise: topk(k).",
            {"topk(k)": "topk(k, 0)"},
            {"softmax(-1).topk(k)": "topk(k, 0)"},
        ),
        Mistake(
            "Right numbers in the wrong order: probabilities first, then ids.",
            {"topk(k)": "topk(k)[::-1]"},
        ),
        Mistake(
            "These are log probabilities: softmax, not log_softmax.",
            {"softmax": "log_softmax"},
        ),
    ),
)
