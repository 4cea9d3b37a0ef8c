"""Several answers, or none."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_08 import spans
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int, float, int]:
    """Scores (T,), the context (T,), the most tokens, a threshold, and how many answers."""
    longest, n, far = (low + int(torch.randint(2, (), generator=g)) for low in (3, 2, 0))
    size = 21 + int(torch.randint(3, (), generator=g))
    level = -10.0 * int(torch.randint(2, (), generator=g))  # scores are all below 0, or around it
    start, end = 2 * torch.randn(2, size, generator=g) + level
    context = torch.ones(size, dtype=torch.bool)
    context[[0, 1, 2, 3, size - 1]] = False
    start[[2, 3, size - 1]], end[[1, 2, size - 1]] = level + 8, level + 9
    kind, place = (int(torch.randint(most, (), generator=g)) for most in (5, size - 15))
    for scores, these in zip((start, end), spans.tempting(longest)[kind], strict=True):
        for step, score in these.items():
            scores[5 + place + step] = level + score
    if far:
        start[size - 3], end[size - 3] = level + 5.1, level + 5.13
    else:  # a sure beginning without an end
        start[size - 5], end[size - 5 : size - 1] = level + 9, level - 1 - torch.arange(4) / 3
    scores = spans.totals(start, end, context, longest).flatten()
    scores = scores[scores.isfinite()].sort(descending=True).values
    count = (0, 0, 1, 3, 8, 20, 40, len(scores) - 2)[int(torch.randint(8, (), generator=g))]
    cut = scores[0] + 1 if count == 0 else (scores[count - 1] + scores[count]) / 2
    threshold = 1 + 2 * torch.rand((), generator=g).item()
    threshold *= 1 - 2 * int(torch.randint(2, (), generator=g))
    start[0], end[0] = (cut - threshold) / 2 - 1.5, (cut - threshold) / 2 + 1.5
    return start, end, context, longest, threshold, n


BOTH = "(context[:, None] & context[None, :])"
TOTAL = "start[:, None] + end[None, :]"
NULL = "start[0] + end[0] + threshold"
BEAT = f"allowed & (total > {NULL})"
STRIKE = "allowed[: last + 1, first:] = False"
OVERLAP = (
    "Two of your answers share a token. Once a span is taken, all spans go that begin no later than "
    "its last token and end no earlier than its first: also those that enclose it."
)

EXERCISE = Exercise(
    minutes=22,
    hard=True,
    inputs=inputs,
    trials=48,
    stages={"total": "the score of each pair, (T, T)"},
    hints=(
        "Take the best allowed *pair*, not the best beginning and the best end. Which pairs does it rule "
        "out? Draw two spans that share a token, in all four ways.",
        "total = start[:, None] + end is (T, T), and `allowed` says which pairs are left: both in the "
        "context, 0 <= last - first < longest (a band: `.triu().tril(longest - 1)`), above the bar. "
        "Once (first, last) is taken, a pair is out if it begins at `last` or before *and* ends at `first` "
        "or behind.",
        "total = start[:, None] + end\n"
        "allowed = (context[:, None] & context).triu().tril(longest - 1)\n"
        "allowed = allowed & (total > start[0] + end[0] + threshold)\n"
        "spans = []\n"
        "while allowed.any() and len(spans) < n:\n"
        "    best = total.masked_fill(~allowed, -math.inf).argmax().item()\n"
        "    first, last = divmod(best, len(start))\n"
        "    spans.append((first, last))\n"
        "    allowed[: last + 1, first:] = False\n"
        "return spans",
    ),
    mistakes=(
        Mistake(
            OVERLAP,
            {STRIKE: "allowed[first, last] = False"},
            {STRIKE: "allowed[first] = False"},
            {STRIKE: "allowed[first : last + 1, first : last + 1] = False"},
            {STRIKE: "allowed[first : last + 1] = allowed[:, first : last + 1] = False"},
            {STRIKE: "allowed[first : last + 1] = False"},
            {STRIKE: "allowed[:, first : last + 1] = False"},
            {STRIKE: "allowed[:last, first:] = False"},
        ),
        Mistake(
            "More was ruled out than shares a token: a span may begin right behind the one before, or "
            "end right before it.",
            {STRIKE: "allowed[: last + 2, first:] = False"},
            {STRIKE: "allowed[: last + 1, max(first - 1, 0) :] = False"},
        ),
        Mistake(
            "Later answers lie on one side of the first. They may lie before it as well as behind.",
            {STRIKE: "allowed[: last + 1] = False"},
            {STRIKE: "allowed[:, first:] = False"},
        ),
        Mistake(
            "The `n` best spans were taken first, and then those that overlap left out. Go on down the "
            "list until there are `n` that share nothing.",
            spans.best_then_apart,
        ),
        Mistake(
            "The beginnings or the ends are chosen by themselves. Choose the best *pair*: a good end "
            "can make up for a worse beginning, and it must not lie before it.",
            spans.beginning_first,
            spans.end_first,
        ),
        Mistake(
            "These are sums of probabilities, and a sure end outweighs a pair that is good at both. "
            "Add the scores.",
            {TOTAL: "start.softmax(0)[:, None] + end.softmax(0)[None]", BEAT: spans.RAW_BEAT},
        ),
        Mistake(
            "The bar is missing: spans that do not beat the score of place 0 by the threshold are no "
            "answers.",
            {f"    allowed = {BEAT}\n": ""},
        ),
        Mistake(
            "The bar is the score of place 0 *plus* the threshold. Here the threshold is left out or "
            "taken away.",
            {NULL: "start[0] + end[0]"},
            {NULL: "start[0] + end[0] - threshold"},
        ),
        Mistake(
            "The bar is the threshold alone here. Above it has to be the lead over place 0: "
            "start[0] + end[0] + threshold.",
            {NULL: "threshold"},
        ),
        Mistake(
            'Only one of the two scores of place 0 is in your bar. "No answer" is a span as well: it '
            "begins and ends there.",
            {NULL: "start[0] + threshold"},
            {NULL: "end[0] + threshold"},
        ),
        Mistake(
            "Only the best span was held against the bar. Each answer has to beat it.",
            spans.best_against_the_bar,
        ),
        Mistake(
            "Pairs that are not allowed have 0 as their score here, and scores can be negative: then 0 "
            "wins. Give them minus infinity.",
            {'float("-inf")': "0.0"},
        ),
        Mistake(
            "There are more than `n` answers here.",
            {" and len(spans) < n": ""},
            {"< n": "<= n"},
        ),
        Mistake(
            "The second number is the last token of the answer itself, not the place after it.",
            {"spans.append((first, last))": "spans.append((first, last + 1))"},
        ),
        Mistake(
            "Right tokens in the wrong order: the first token of an answer, then the last.",
            {"spans.append((first, last))": "spans.append((last, first))"},
        ),
        Mistake(
            "The right spans in the order of their places. The best comes first.",
            {"return spans": "return sorted(spans)"},
        ),
        Mistake(
            "The right spans, but counted from the first token of the context. Places count from the "
            "first token of the row.",
            {
                "return spans": "shift = int(context.nonzero()[0])\n"
                "    return [(first - shift, last - shift) for first, last in spans]"
            },
        ),
        Mistake(
            "Answers lie out of the context here. Both tokens have to be in it.",
            {BOTH: "torch.ones_like(total, dtype=torch.bool)"},
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
            "Some answer is longer than `longest` tokens.",
            {".tril(longest - 1)": ""},
        ),
        Mistake(
            "Some answer ends before it begins: last >= first.",
            {"triu()": "triu(1 - longest)"},
            {".triu()": ""},
        ),
    ),
)
