"""Wrong ways to choose several spans, for the exercise that asks for them."""

import math

from torch import Tensor

RAW_BEAT = "allowed & (start[:, None] + end[None] > start[0] + end[0] + threshold)"


def tempting(longest: int) -> list[tuple[dict[int, float], dict[int, float]]]:
    """Good beginnings and ends: one span inside of another, two that touch a third, one too long."""
    return [
        ({0: 5.0, 1: 6.0}, {1: 6.1, 2: 5.2}),
        ({0: 5.5, 1: 6.0}, {1: 6.1, 2: 5.7}),
        ({0: 5.4, 1: 6.0, 2: 5.5}, {0: 5.2, 1: 6.0, 2: 5.3}),
        ({0: 5.5, 1: 6.0, 2: 5.4}, {0: 5.3, 1: 6.0, 2: 5.2}),
        ({0: 6.0}, {longest - 1: 5.5, longest: 6.0, longest + 1: 6.5}),
    ]


def totals(start: Tensor, end: Tensor, context: Tensor, longest: int) -> Tensor:
    """The score of each pair (T, T), minus infinity for one that is no span."""
    allowed = (context[:, None] & context).triu().tril(longest - 1)
    return (start[:, None] + end).masked_fill(~allowed, -math.inf)


def apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two spans share no token."""
    return one[1] < other[0] or other[1] < one[0]


def falling(total: Tensor, bar: Tensor) -> list[tuple[int, int]]:
    """Pairs above a bar, the best first."""
    pairs = (total > bar).nonzero().tolist()
    return sorted(((i, j) for i, j in pairs), key=lambda pair: -total[pair].item())


def separate(pairs: list[tuple[int, int]], n: int) -> list[tuple[int, int]]:
    """Pairs that share nothing with an earlier one, n at most."""
    kept: list[tuple[int, int]] = []
    for pair in pairs:
        if len(kept) < n and all(apart(pair, one) for one in kept):
            kept.append(pair)
    return kept


def best_then_apart(start, end, context, longest, threshold, n):
    """The n best spans, less those that overlap with a better one."""
    total = totals(start, end, context, longest)
    return separate(falling(total, start[0] + end[0] + threshold)[:n], n)


def best_against_the_bar(start, end, context, longest, threshold, n):
    """Nothing if the best span does not count, else the n best that are apart."""
    total = totals(start, end, context, longest)
    if total.max() <= start[0] + end[0] + threshold:
        return []
    return separate(falling(total, total.new_tensor(-math.inf)), n)


def beginning_first(start, end, context, longest, threshold, n):
    """For each beginning, the best first, the best end that it leaves."""
    total = totals(start, end, context, longest)
    bar, kept = start[0] + end[0] + threshold, []
    for first in start.masked_fill(~context, -math.inf).argsort(descending=True).tolist():
        pair = (first, int(total[first].argmax()))
        if len(kept) < n and total[pair] > bar and all(apart(pair, one) for one in kept):
            kept.append(pair)
    return kept


def end_first(start, end, context, longest, threshold, n):
    """For each end, the best first, the best beginning that it leaves."""
    total = totals(start, end, context, longest)
    bar, kept = start[0] + end[0] + threshold, []
    for last in end.masked_fill(~context, -math.inf).argsort(descending=True).tolist():
        pair = (int(total[:, last].argmax()), last)
        if len(kept) < n and total[pair] > bar and all(apart(pair, one) for one in kept):
            kept.append(pair)
    return kept
