"""A window, and tokens for everybody."""

import torch
from torch import Tensor

from mlm_course.attention import padding_mask  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int, int, int]:
    """Lengths (B,) of a full, of a longer and of a shorter row, size, window, global tokens."""
    some = int(torch.randint(7, 10, (1,), generator=g))
    lengths = torch.tensor([11, some, int(torch.randint(3, 6, (1,), generator=g))])
    return lengths, 11, 3, 5


EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    stages={
        "near": "the window (size, size)",
        "pairs": "window and global tokens together (size, size)",
    },
    hints=(
        "Say in one sentence when a pair is open. Where does your sentence say *or*, where *and*?",
        "`place[:, None] - place` is a table of distances (T, S). A global token opens a row as query "
        "and a column as key: is_global[:, None] is (T, 1), is_global (S,).",
        "Three tables joined with `|` in parentheses; and then `&` with padding_mask(lengths, size), "
        "which nothing may open again.",
        "place = torch.arange(size)\n"
        "near = (place[:, None] - place).abs() <= window\n"
        "is_global = place < n_global\n"
        "pairs = near | is_global[:, None] | is_global\n"
        "return pairs & padding_mask(lengths, size)",
    ),
    mistakes=(
        Mistake(
            "Padding is heard: by global tokens, or inside the window. Whatever else opens a pair, "
            "padding keys stay closed.",
            {"pairs & padding_mask(lengths, size)": "pairs.expand(len(lengths), 1, -1, -1)"},
            {
                "pairs & padding_mask(lengths, size)": "near & padding_mask(lengths, size) | "
                "is_global[:, None] | is_global"
            },
            {"pairs & padding_mask(lengths, size)": "pairs | padding_mask(lengths, size)"},
        ),
        Mistake(
            "Global tokens listen to all words here, but not all words listen to them: their columns "
            "are missing.",
            {"| is_global[:, None] | is_global": "| is_global[:, None]"},
        ),
        Mistake(
            "All words listen to the global tokens here, but these do not listen to all words: their "
            "rows are missing.",
            {"| is_global[:, None] | is_global": "| is_global"},
        ),
        Mistake(
            "Beyond the window global tokens hear only each other. Either of the two being global is "
            "enough.",
            {"| is_global[:, None] | is_global": "| (is_global[:, None] & is_global)"},
        ),
        Mistake(
            "The global tokens are missing.",
            {"near | is_global[:, None] | is_global": "near"},
        ),
        Mistake(
            "The window is missing, or closed: only pairs with a global token are open.",
            {"near | is_global[:, None]": "is_global[:, None]"},
        ),
        Mistake(
            "Only near pairs with a global token are open. A pair is open if it is near *or* one of "
            "the two is global.",
            {"near | is_global[:, None] | is_global": "near & (is_global[:, None] | is_global)"},
        ),
        Mistake(
            "The window is too narrow by one: a word `window` places away is still heard.",
            {" <= window": " < window"},
        ),
        Mistake(
            "The window is too wide by one: a word `window` places away is the last one heard.",
            {" <= window": " <= window + 1"},
        ),
        Mistake(
            "`window` is the reach to each side here, not the width of the whole window.",
            {" <= window": " <= window // 2"},
        ),
        Mistake(
            "The window reaches to one side only.",
            {
                "(place[:, None] - place).abs() <= window": "((place[:, None] - place) <= window) "
                "& (place[:, None] >= place)"
            },
            {
                "(place[:, None] - place).abs() <= window": "((place - place[:, None]) <= window) "
                "& (place[:, None] <= place)"
            },
        ),
        Mistake(
            "On one side the window has no end: a distance below zero is always small. Take "
            "its absolute value.",
            {"(place[:, None] - place).abs()": "(place[:, None] - place)"},
            {"(place[:, None] - place).abs()": "(place - place[:, None])"},
        ),
        Mistake(
            "One global token too many: the first n_global have the places 0 to n_global - 1.",
            {"place < n_global": "place <= n_global"},
        ),
        Mistake(
            "The rows of padding queries are closed as well. They are harmless, and a query with "
            "nothing to hear makes trouble (section 6): close keys only.",
            {
                "padding_mask(lengths, size)": "padding_mask(lengths, size) & padding_mask(lengths, size).mT"
            },
        ),
    ),
)
