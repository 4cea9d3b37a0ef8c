"""The best span."""

import math

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Scores (T,) of beginnings and ends, what is context (T,), and the most tokens, 2 or 3.

    The scores tempt: with places outside the context, one of them just before it, with a best
    beginning behind the best end or too far before it, and with answers that are too long or a token
    shorter. As a coin says, the best answer is that of `longest` tokens, or the last token alone.
    """
    longest, question, sep, far, alone = (
        low + int(torch.randint(2, (), generator=g)) for low in (2, 4, 0, 0, 0)
    )
    stop = question + longest + 9
    start, end = 0.3 * torch.rand(2, stop + sep, generator=g)
    context = (torch.arange(stop + sep) >= question) & (torch.arange(stop + sep) < stop)
    start[1], end[2], start[question - 1], end[stop:] = 9.0, 9.0, 9.0, 9.5
    first = question + 3
    start[first] = 4.0
    behind = first + longest
    end[behind - 2 : behind + 2] = torch.tensor([3.6, 4.0, 4.1, 4.2])  # the second is the longest
    best_start, best_end = (question, behind + 3) if far else (behind + 2, question)
    start[best_start], end[best_end] = 4.1, 5.6
    if alone:
        start[stop - 1], end[stop - 1] = 5.0, 5.0
    return start - 10, end - 10, context, longest  # all below 0, so that a 0 would win


def each_by_itself(start, end, context, longest):
    """The best beginning and the best end."""
    first, last = (x.masked_fill(~context, -math.inf).argmax().item() for x in (start, end))
    return first, last


def beginning_first(start, end, context, longest):
    """The best beginning, then the best end for it."""
    first = start.masked_fill(~context, -math.inf).argmax().item()
    ends = end.masked_fill(~context, -math.inf)[first : first + longest]
    return first, first + ends.argmax().item()


def end_first(start, end, context, longest):
    """The best end, then the best beginning for it."""
    last = end.masked_fill(~context, -math.inf).argmax().item()
    first = max(0, last - longest + 1)
    starts = start.masked_fill(~context, -math.inf)[first : last + 1]
    return first + starts.argmax().item(), last


def any_length(start, end, context):
    """The best pair of any length."""
    allowed = (context[:, None] & context).triu()
    total = (start[:, None] + end).masked_fill(~allowed, -math.inf)
    return divmod(total.argmax().item(), len(start))


def end_cut(start, end, context, longest):
    """The best pair of any length, without what is too much behind."""
    first, last = any_length(start, end, context)
    return first, min(last, first + longest - 1)


def beginning_cut(start, end, context, longest):
    """The best pair of any length, without what is too much before."""
    first, last = any_length(start, end, context)
    return max(first, last - longest + 1), last


BOTH = "(context[:, None] & context[None, :])"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    trials=12,
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
            end_first,
        ),
        Mistake(
            "You added probabilities, and a sure end outweighs a pair that is good at both. Add the "
            "scores, or multiply the probabilities.",
            {
                "start[:, None] + end[None, :]": "start.softmax(0)[:, None] + end.softmax(0)[None]",
            },
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
            {BOTH: "torch.ones_like(total, dtype=torch.bool)"},
        ),
        Mistake(
            "Only one of the two tokens has to lie in the context here. Both must: "
            "`context[:, None] & context`.",
            {BOTH: "context[None, :].expand_as(total)"},
            {BOTH: "context[:, None].expand_as(total)"},
            {"[:, None] & ": "[:, None] | "},
        ),
        Mistake(
            "One token too long: `longest` counts the tokens of the answer, both ends included.",
            {"longest - 1": "longest"},
        ),
        Mistake(
            "One token too short: an answer may have `longest` tokens, both ends included, so its last "
            "token is at most longest - 1 places behind its first.",
            {"longest - 1": "longest - 2"},
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
            "You chose the best pair of any length and then cut it. Choose among the pairs that are "
            "short enough: the best of these may lie elsewhere.",
            end_cut,
            beginning_cut,
        ),
        Mistake(
            "The answer ends before it begins: last >= first.",
            {"triu()": "triu(1 - longest)"},
            {".triu()": ""},
        ),
    ),
)
