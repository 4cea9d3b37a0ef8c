"""How long a list?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Logits (6, 17), from nearly certain to nearly even, and a share between .5 and .85."""
    sharpness = torch.tensor([6.0, 3.0, 2.0, 1.5, 0.7, 0.2])[:, None]
    logits = sharpness * torch.randn(6, 17, generator=g)
    logits[0, 4] = logits[0].max() + 4  # one word alone has more than the share
    return logits, 0.5 + 0.35 * float(torch.rand((), generator=g))


def too_many(logits, share):
    """One more than enough."""
    chances = logits.softmax(-1).sort(descending=True).values
    return (chances.cumsum(-1) < share).sum(-1) + 2


BEFORE = "(before < share).sum(-1)"

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Sort the probabilities of each gap, largest first. What has the list collected after one "
        "piece, after two, after three?",
        "cumsum(-1) has these sums. A piece is needed as long as those *before* it have less than the "
        "share.",
        "chances = logits.softmax(-1).sort(descending=True).values\n"
        "before = chances.cumsum(-1) - chances\n"
        "return (before < share).sum(-1)",
    ),
    stages={"chances": "the probabilities, largest first"},
    mistakes=(
        Mistake(
            "One too few: these pieces do not have the share yet. The piece that reaches it is part of "
            "the list.",
            {BEFORE: "(chances.cumsum(-1) < share).sum(-1)"},
        ),
        Mistake("One too many: the list has the share already without its last piece.", too_many),
        Mistake(
            "The list was collected from the least likely end.",
            {"descending=True": "descending=False"},
        ),
        Mistake(
            "The list was collected in the order of the vocabulary. The likeliest pieces come first: "
            "sort.",
            {".sort(descending=True).values": ""},
        ),
        Mistake(
            "The softmax does not run over the vocabulary: over the last axis the chances of one gap "
            "add up to 1.",
            {"softmax(-1)": "softmax(0)"},
        ),
        Mistake(
            "This counts pieces that have at least the share alone. It is what they have *together* "
            "that counts: cumsum.",
            {BEFORE: "(chances >= share).sum(-1)"},
        ),
        Mistake(
            "This is one number for all gaps together. Each gap has a list of its own: (n,).",
            {BEFORE: "(before < share).sum()"},
        ),
        Mistake(
            "These are places at which the list has the share already. How many pieces does it take to "
            "get there?",
            {BEFORE: "(before >= share).sum(-1)"},
            {BEFORE: "(chances.cumsum(-1) >= share).sum(-1)"},
        ),
        Mistake(
            "Logits were added up as if they were probabilities: softmax(-1) first.",
            {".softmax(-1)": ""},
        ),
    ),
)
