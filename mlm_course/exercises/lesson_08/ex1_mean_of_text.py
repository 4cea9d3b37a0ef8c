"""The mean of a text."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

TOKENS = (6, 4, 2, 0)  # of six places


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vectors (4, 6, 5), and which of them are tokens, (4, 6): of six, four, two and none.

    Where four are tokens, padding holds large numbers; where two or none are, it holds NaN.
    """
    x = torch.randn(4, 6, 5, generator=g) + 1
    visible = torch.zeros(4, 6, dtype=torch.bool)
    for row, count in enumerate(TOKENS):
        places = torch.randperm(5, generator=g)[:count] + 1  # the first place is no token,
        visible[row, places] = True
        visible[row, 0] = count == 6  # but in the full row
    x[~visible] = 7.0 + torch.rand(int((~visible).sum()), 5, generator=g)
    x[2:] = x[2:].masked_fill(~visible[2:, :, None], torch.nan)
    order = torch.randperm(4, generator=g)
    return x[order], visible[order]


def first_places(x, visible):
    """The mean over the first places of a row, as many as it has tokens."""
    counts = visible.sum(1, keepdim=True)  # (B, 1)
    first = torch.arange(x.shape[1]) < counts
    return x.masked_fill(~first[..., None], 0).sum(1) / counts.clamp(min=1)


def first_numbers(x, visible):
    """The same, with zeros in place of NaN."""
    return first_places(x.nan_to_num(0.0), visible)


def numbers_only(x, visible):
    """The mean over all places that hold numbers."""
    return x.nanmean(1)


def numbers_or_zero(x, visible):
    """The same, and zeros where there is none."""
    return x.nanmean(1).nan_to_num(0.0)


TOKENS_ONLY = "x.masked_fill(~visible[..., None], 0.0)"
RESULT = "tokens.sum(1) / counts"
CLAMP = ".clamp(min=1)"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Padding must neither be added nor counted. What is 0 times NaN, and what is 0 / 0?",
        "Write zeros where there is no token: `masked_fill` or `torch.where`. Count tokens by row, "
        "(B, 1), and let no count be below 1.",
        "tokens = x.masked_fill(~visible[..., None], 0.0)\n"
        "return tokens.sum(1) / visible.sum(1, keepdim=True).clamp(min=1)",
    ),
    mistakes=(
        Mistake(
            "All places of a row went into its mean, padding with them: the same text gets another "
            "vector in a longer batch.",
            {RESULT: "x.mean(1)"},
        ),
        Mistake(
            "Padding is no longer added, but still counted: divide by the number of tokens, not "
            "by T.",
            {RESULT: "tokens.mean(1)"},
        ),
        Mistake(
            "One mean for the whole batch: every text gets the same vector. Take the mean over T only.",
            {RESULT: "x[visible].mean(0).expand(len(x), -1)"},
            {RESULT: "x[visible].mean(0)"},
        ),
        Mistake(
            "This is the largest number of each component, not the mean.",
            {RESULT: 'x.masked_fill(~visible[..., None], float("-inf")).amax(1)'},
            {RESULT: "tokens.amax(1)"},
        ),
        Mistake(
            "This is the vector at place 0 alone, and in some rows that is padding.",
            {RESULT: "x[:, 0]"},
            {RESULT: "tokens[:, 0]"},
        ),
        Mistake(
            "This is the sum: long texts get long vectors. Divide by the number of tokens.",
            {RESULT: "tokens.sum(1)"},
        ),
        Mistake(
            "You divided by the number of tokens in the whole batch. Each row has its own: "
            "`visible.sum(1, keepdim=True)`.",
            {"visible.sum(1, keepdim=True).clamp(min=1)": "visible.sum()"},
        ),
        Mistake(
            "Padding is no longer counted, but still added.",
            {TOKENS_ONLY: "x"},
        ),
        Mistake(
            "NaN went through: 0 * NaN is NaN, so numbers at padding cannot be multiplied away. Write "
            "zeros there, by `masked_fill` or `torch.where`. And a row without tokens gets zeros.",
            {TOKENS_ONLY: "x * visible[..., None]"},
        ),
        Mistake(
            "A row without tokens comes out as NaN, 0 / 0. It is to get zeros.",
            {CLAMP: ""},
        ),
        Mistake(
            "Inverted: the vectors of padding went in, those of tokens were left out. `visible` is "
            "True at tokens, and `masked_fill` writes where its mask is True.",
            {"~visible[..., None]": "visible[..., None]"},
            {"~visible[..., None]": "visible[..., None]", "visible.sum": "(~visible).sum"},
        ),
        Mistake(
            "The vectors of tokens were added, but divided by the number of padding places.",
            {"visible.sum": "(~visible).sum"},
        ),
        Mistake(
            "You divided each row by one more than its number of tokens. `.clamp(min=1)` changes only a "
            "count of 0.",
            {CLAMP: " + 1"},
        ),
        Mistake(
            "You left out what is NaN, not what is padding: padding may hold numbers as well. Ask "
            "`visible`.",
            numbers_only,
            numbers_or_zero,
        ),
        Mistake(
            "You took the first places of each row, as many as it has tokens. But padding may stand "
            "anywhere, also before and between the tokens.",
            first_places,
            first_numbers,
        ),
    ),
)
