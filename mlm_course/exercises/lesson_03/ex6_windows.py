"""Windows with context."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int, int]:
    """A text of 5 to 70 tokens, windows of 9 to 14, a context of 2 to 4."""
    context = int(torch.randint(2, 5, (), generator=g))
    length = int(torch.randint(2 * context + 2, 2 * context + 7, (), generator=g))
    return int(torch.randint(5, 71, (), generator=g)), length, context


Windows = list[tuple[int, int, int, int]]


def regular(n_tokens: int, length: int, context: int, step: int) -> Windows:
    """Windows `step` apart, up to the first that reaches the end; each token read where it first may be."""
    windows, start, done = [], 0, 0
    while True:
        end = min(start + length, n_tokens)
        last = n_tokens if end == n_tokens else end - context
        windows.append((start, end, done, last))
        if end == n_tokens:
            return windows
        start, done = start + step, last


def half_overlap(n_tokens: int, length: int, context: int) -> Windows:
    """Windows that share `context` tokens."""
    return regular(n_tokens, length, context, length - context)


def steps_of_context(n_tokens: int, length: int, context: int) -> Windows:
    """Windows that begin `context` tokens apart."""
    return regular(n_tokens, length, context, context)


def too_many(n_tokens: int, length: int, context: int) -> Windows:
    """A window at each step as long as there is a token at its beginning."""
    windows, last = [], 0
    for start in range(0, n_tokens, length - 2 * context):
        end = min(start + length, n_tokens)
        first, last = last, end - context if end < n_tokens else n_tokens
        windows.append((start, end, first, last))
    return windows


def moved_back(n_tokens: int, length: int, context: int) -> Windows:
    """The last window moved back until it is full."""
    windows = regular(n_tokens, length, context, length - 2 * context)
    _, end, first, last = windows[-1]
    return [*windows[:-1], (max(0, end - length), end, first, last)]


EXERCISE = Exercise(
    minutes=20,
    hard=True,
    trials=12,
    inputs=inputs,
    hints=(
        "Draw one window as a line. Which of its tokens have `context` others on both sides within it? "
        "Which do in the very first window, and in the last one?",
        "The first token that this window cannot serve is `end - context`. It needs `context` tokens "
        "before it in the next window. Where does that window begin at the latest?",
        "Two neighbouring windows share 2 * context tokens: `start = last - context`. Stop at the first "
        "window whose `end` is n_tokens.",
        "windows, start = [], 0\n"
        "while True:\n"
        "    end = min(start + length, n_tokens)\n"
        "    first = start + context if start > 0 else 0\n"
        "    last = end - context if end < n_tokens else n_tokens\n"
        "    windows.append((start, end, first, last))\n"
        "    if end == n_tokens:\n"
        "        return windows\n"
        "    start = last - context",
    ),
    mistakes=(
        Mistake(
            "Your windows share `context` tokens. At a seam one window lacks `context` tokens behind "
            "the token, the next one those before it. How many must they share?",
            half_overlap,
            {"start = last - context": "start = last"},
        ),
        Mistake(
            "Your windows do not overlap. The tokens next to a seam then lack their context on one side.",
            {"start = last - context": "start = end"},
        ),
        Mistake(
            "Your windows begin `context` tokens apart. How far apart they may be depends on `length`, too.",
            steps_of_context,
        ),
        Mistake(
            "There are windows too many at the end. The last one is the first that reaches n_tokens.",
            too_many,
        ),
        Mistake(
            "Your last window was moved back to be full. Here it begins where the rule says, and may be "
            "shorter.",
            moved_back,
        ),
        Mistake(
            "The first tokens of the text are read nowhere. Nothing stands before them that could be "
            "missing.",
            {"start + context if start > 0 else 0": "start + context"},
        ),
        Mistake(
            "The last tokens of the text are read nowhere. Nothing stands behind them that could be "
            "missing.",
            {"last = end - context if end < n_tokens else n_tokens": "last = end - context"},
        ),
        Mistake(
            "The windows are right, but all of their tokens are read, those without context included.",
            {
                "windows.append((start, end, first, last))": "windows.append((start, end, start, end))",
            },
        ),
        Mistake(
            "The last window reaches beyond the end of the text: its `end` is n_tokens at most.",
            {
                "windows.append((start, end, first, last))": "windows.append("
                "(start, start + length, first, last))",
            },
        ),
        Mistake(
            "Your pairs name the last token itself. Say where it ends: before `end`, before `last`.",
            {
                "windows.append((start, end, first, last))": "windows.append("
                "(start, end - 1, first, last - 1))",
            },
        ),
        Mistake(
            "Windows begin a token too late: between two of them a token lacks one of its neighbours.",
            {"start = last - context": "start = last - context + 1"},
        ),
        Mistake(
            "Windows begin a token earlier than they have to.",
            {"start = last - context": "start = last - context - 1"},
        ),
    ),
)
