"""The best span."""

import math

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Scores (14,) of beginnings and ends, what is context (14,), and the most tokens, 3.

    The scores tempt: ends before the beginning, too far behind it, and outside the context. The
    best answer has three tokens, or one, as a coin says.
    """
    start, end = 0.3 * torch.rand(2, 14, generator=g)
    context = torch.arange(14) >= 4
    context[-1] = False
    start[1], end[2], end[13] = 9.0, 9.0, 8.0  # in the question, and at [SEP]
    start[12], end[5] = 4.5, 4.6  # the best beginning and the best end
    start[6], end[8:11] = 4.0, torch.tensor([4.0, 4.1, 4.2])  # three, four and five tokens
    if torch.rand((), generator=g) < 0.5:
        start[7], end[7] = 5.0, 5.0
    return start - 10, end - 10, context, 3  # all below 0, so that a 0 would win


def each_by_itself(start, end, context, longest):
    """The best beginning and the best end."""
    first, last = (x.masked_fill(~context, -math.inf).argmax().item() for x in (start, end))
    return first, last


def beginning_first(start, end, context, longest):
    """The best beginning, then the best end for it."""
    first = start.masked_fill(~context, -math.inf).argmax().item()
    ends = end.masked_fill(~context, -math.inf)[first : first + longest]
    return first, first + ends.argmax().item()


EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    trials=6,
    hints=(
        "Not the best beginning and the best end, but the best *pair*. Which pairs are allowed?",
        "total = start[:, None] + end[None] is (T, T). Allowed: both in the context, and "
        "0 <= last - first < longest. .triu() and .tril(longest - 1) keep such a band.",
        "allowed = (context[:, None] & context).triu().tril(longest - 1); best = "
        "total.masked_fill(~allowed, -math.inf).argmax().item(); return divmod(best, len(start))",
    ),
    mistakes=(
        Mistake(
            "You chose the beginning, the end or both by themselves. Choose the best *pair*: a good "
            "end can make up for a worse beginning, and it must not lie before it.",
            each_by_itself,
            beginning_first,
        ),
        Mistake(
            "The second number is the last token of the answer itself, not the place after it.",
            {"divmod(best, len(start))": "best // len(start), best % len(start) + 1"},
        ),
        Mistake(
            "Pairs that are not allowed got 0, but scores can be negative, and then 0 wins. Give "
            "them minus infinity: masked_fill(~allowed, -math.inf).",
            {'float("-inf")': "0"},
        ),
        Mistake(
            "Right tokens in the wrong order: the first token of the answer, then the last. (In "
            "start[:, None] + end[None] rows are first tokens, columns last ones.)",
            {"len(start))": "len(start))[::-1]"},
        ),
        Mistake(
            "The right tokens, but you counted from the first token of the context. Places count "
            "from the first token of the row: add `context.nonzero()[0]`, or mask instead of "
            "cutting.",
            {
                "    total": "    start, end, context = (x[context] for x in (start, end, context))\n    total"
            },
        ),
        Mistake(
            "The answer lies in the question or at a special token. Only tokens where context is "
            "True.",
            {"(context[:, None] & context[None, :])": "torch.ones_like(total, dtype=torch.bool)"},
        ),
        Mistake(
            "One token too long: `longest` counts the tokens of the answer, both ends included.",
            {"longest - 1": "longest"},
        ),
        Mistake(
            "Answers of a single token are left out: the last token may be the first one.",
            {"triu()": "triu(1)"},
        ),
        Mistake(
            "The answer is longer than `longest` tokens.",
            {".tril(longest - 1)": ""},
        ),
        Mistake(
            "The answer ends before it begins: last >= first.",
            {"triu()": "triu(1 - longest)"},
        ),
    ),
)
