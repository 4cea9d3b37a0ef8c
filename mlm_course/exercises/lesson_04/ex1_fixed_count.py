"""A fixed count."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_04.rows import some_rows
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, list[int], Tensor, float]:
    """Ids (3, 14), special ids as in BERT's vocabulary, noise, and a ratio that leaves no ties.

    The last row has one candidate, and its share rounds to none.
    """
    ids = some_rows(g)
    ids[2, 2:7] = 1
    for i, special in ((1, 100), (2, 101), (3, 102)):
        ids[ids == i] = special
    ids[:2, 3], ids[:2, 6:8] = (
        3,
        ids[:2, 6:8] + 100,
    )  # ordinary ids below and above the special ones
    ratio = (0.15, 0.3, 0.4)[int(torch.randint(3, (), generator=g))]
    return ids, [0, 100, 101, 102, 103], torch.rand(3, 14, generator=g), ratio


MASKABLE = "~torch.isin(ids, torch.tensor(special_ids))"
ALL_COMPETE = {"noise.masked_fill(~maskable, 2.0)": "noise"}
CANDIDATES_ONLY = {"rank < count": "(rank < count) & maskable"}
ONE_SORT = {".argsort(1).argsort(1)": ".argsort(1)"}

EXERCISE = Exercise(
    minutes=20,
    hard=True,
    inputs=inputs,
    trials=8,
    stages={
        "maskable": "which tokens may be hidden",
        "count": "how many to hide in each row, (B, 1)",
        "rank": "each place's rank",
    },
    hints=(
        "Three steps: what may be hidden, how many of it in each row, and each place's rank by noise. "
        "Hidden is what has a rank below the count.",
        "Tokens that may not be hidden get a noise above 1, so that they come last. "
        "`maskable.sum(1, keepdim=True)` is (B, 1).",
        "A place's rank is the number of smaller ones. And what does `argsort` say of the numbers that "
        "`argsort` gives? Which place of them holds 0 is the rank of place 0.",
        "maskable = ~torch.isin(ids, torch.tensor(special_ids))\n"
        "count = (maskable.sum(1, keepdim=True) * ratio).round().clamp(min=1)\n"
        "rank = noise.masked_fill(~maskable, 2.0).argsort(1).argsort(1)\n"
        "return rank < count",
    ),
    mistakes=(
        Mistake(
            "That is Bernoulli masking: a coin for each token. The number of hidden tokens has to be "
            "fixed: take the smallest noises.",
            {"rank < count": "(noise < ratio) & maskable"},
        ),
        Mistake(
            "Tokens that may not be hidden took some of the places. Give them a noise above 1 before "
            "you rank.",
            ALL_COMPETE,
        ),
        Mistake(
            "Special tokens compete for the places of a row, and where they win, too few candidates are "
            "hidden. Give them a noise above 1 *before* you rank.",
            ALL_COMPETE | CANDIDATES_ONLY,
        ),
        Mistake(
            "Special tokens come first here, and the candidates last. `masked_fill` writes where its "
            "mask is True.",
            {"(~maskable, 2.0)": "(maskable, 2.0)"},
        ),
        Mistake(
            "One too many in each row: ranks count from 0, so `rank < count`.",
            {"rank < count": "rank <= count"},
        ),
        Mistake(
            "Counted down to an integer, and one too many in each row: round, and ranks count from 0.",
            {"rank < count": "rank <= count", ".round()": ".floor()"},
        ),
        Mistake(
            "A short row was left with nothing to guess. At least one: `.clamp(min=1)`.",
            {".clamp(min=1)": ""},
        ),
        Mistake(
            "Your counts are those of cutting down to an integer. Round to the nearest one.",
            {".round()": ".floor()"},
        ),
        Mistake(
            "Your counts are those of rounding up. Round to the nearest integer.",
            {".round()": ".ceil()"},
        ),
        Mistake(
            "`argsort` says which place comes first, second, ...; this compares those places with the "
            "count. Needed is each place's rank.",
            ONE_SORT,
            ONE_SORT | CANDIDATES_ONLY,
        ),
        Mistake(
            "You took the share of the whole row, special tokens and padding included. It is a share "
            "of the candidates.",
            {"maskable.sum": "torch.ones_like(maskable).sum"},
            {"maskable.sum": "torch.ones_like(maskable).sum"} | CANDIDATES_ONLY,
        ),
        Mistake(
            "Those are the candidates with the *largest* noise.",
            {"noise.masked_fill(~maskable, 2.0)": "(-noise).masked_fill(~maskable, 2.0)"},
        ),
        Mistake(
            "Each row hides as many as the others. The share is one of the row's own candidates.",
            {"maskable.sum(1, keepdim=True)": "maskable.sum(1).float().mean()"},
        ),
        Mistake(
            "Padding alone is kept out. [CLS], [SEP] and [UNK] are special as well: use `special_ids`.",
            {MASKABLE: "ids != 0"},
        ),
        Mistake(
            "Every id up to the largest special one is kept out. Other vocabularies have ordinary ids "
            "among them: ask for each id whether it is in the list.",
            {MASKABLE: "ids > max(special_ids)"},
        ),
        Mistake(
            "Kept out are the ids below the *number* of special tokens. `special_ids` says which they are.",
            {MASKABLE: "ids >= len(special_ids)"},
        ),
        Mistake(
            "Every id differs from *some* special id. It has to differ from all of them.",
            {MASKABLE: "(ids[..., None] != torch.tensor(special_ids)).any(-1)"},
        ),
    ),
)
