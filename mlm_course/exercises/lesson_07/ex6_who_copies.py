"""Who copies?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Attention (2, 3, 7, 7) after softmax, and a few words with other mentions, (2, 7, 7)."""
    weights = (2 * torch.randn(2, 3, 7, 7, generator=g)).softmax(-1)
    mention = torch.zeros(2, 7, 7, dtype=torch.bool)
    for row, query, keys in ((0, 1, [4]), (0, 5, [2, 6]), (1, 3, [0])):
        mention[row, query, keys] = True
    return weights, mention


EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "For one hidden word and one head: add up the weights on its other mentions. Then the "
        "mean over all hidden words that have one.",
        "mention[:, None] is (B, 1, T, S) and fits onto the weights (B, H, T, S). After "
        ".sum(-1) there is one number for each row, head and query.",
        "paid = (weights * mention[:, None]).sum(-1)\n"
        "asked = mention.any(-1)[:, None]\n"
        "return (paid * asked).sum((0, 2)) / asked.sum()",
    ),
    stages={"paid": "what each query gives to its other mentions, (B, H, T)"},
    mistakes=(
        Mistake(
            "This is a mean over all places, also those with nothing to copy. Divide by the number "
            "of places that have another mention: mention.any(-1).",
            {".sum((0, 2)) / asked.sum()": ".mean((0, 2))"},
        ),
        Mistake(
            "The sum was divided by the number of *mentions*. A word with two other mentions is still "
            "one word: divide by mention.any(-1).sum().",
            {"asked.sum()": "mention.sum()"},
        ),
        Mistake(
            "This is the sum over all hidden words. Divide it by how many of them have another "
            "mention: mention.any(-1).sum().",
            {" / asked.sum()": ""},
        ),
        Mistake(
            "These are means of rows, and their mean. Rows ask about different numbers "
            "of words, and each word should count the same: one mean over all of them.",
            {"(paid * asked).sum((0, 2)) / asked.sum()": "(paid.sum(2) / asked.sum(2)).mean(0)"},
        ),
        Mistake(
            "This is the attention that the other mention pays to the hidden word. Queries stand "
            "in the third axis, keys in the last.",
            {"weights * mention": "weights.transpose(2, 3) * mention"},
        ),
        Mistake(
            "Where a word has two other mentions only the larger weight counts in it. Add them up.",
            {".sum(-1)": ".amax(-1)"},
        ),
        Mistake(
            "The rows of the batch are still there, and the heads are summed up. One number for each "
            "*head* is wanted.",
            {"sum((0, 2))": "sum((1, 2))"},
        ),
    ),
)
