"""Hide any number of words."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import PAD_ID, VOCABULARY
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Texts (5, 9) of 5 to 9 words, shares (5,), one 0 and one nearly 1, and noise (5, 9)."""
    ids = torch.randint(5, VOCABULARY, (5, 9), generator=g)
    target = ids.masked_fill(torch.arange(9) >= torch.tensor([[9], [6], [8], [5], [7]]), PAD_ID)
    share = torch.tensor([0.97, 0.5, 0.0, 0.72, 0.4]) + 0.01 * torch.rand(5, generator=g)
    share[1:3] = torch.tensor([0.5, 0.0])  # exactly: 3 of 6 words, and none
    return target, share, torch.rand(5, 9, generator=g)


NOISE = ".masked_fill(~real, torch.inf)"
RANK, COUNT = "rank < n[:, None]", "1 + (share * real.sum(1)).long()"
OWN_WORDS = {RANK: f"({RANK}) & real"}

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    stages={"n": "how many words of each row are hidden, (B,)"},
    hints=(
        "First how many words each row has and how many of them go; then which. Noise behind a "
        "row's end must never win.",
        "n is (B,). A place's rank among the noise of its row is `noise.argsort(1).argsort(1)`; set "
        "the noise of padding to infinity before.",
        "real = target != 0\n"
        "n = 1 + (share * real.sum(1)).long()\n"
        "return noise.masked_fill(~real, torch.inf).argsort(1).argsort(1) < n[:, None]",
    ),
    mistakes=(
        Mistake(
            "15 % of every row are hidden, as in BERT. A model trained like this has never seen an "
            "empty page. Use `share`.",
            {COUNT: "(0.15 * real.sum(1)).round()"},
            {COUNT: "(0.15 * real.sum(1)).long().clamp(min=1)"},
            {COUNT: "1 + (0.15 * real.sum(1)).long()"},
        ),
        Mistake(
            "One word too few goes in each row: the numbers run from 0 to L - 1, so a row can hide "
            "nothing, and none hides all.",
            {"1 + ": ""},
        ),
        Mistake(
            "One word too few goes wherever the product is 1 or more: n is 1 *plus* the product, not the "
            "product but at least 1. So no row hides all of its words.",
            {COUNT: "(share * real.sum(1)).long().clamp(min=1)"},
        ),
        Mistake(
            "The product is rounded up here, and 1 is not added: with a share of 0 nothing is hidden.",
            {COUNT: "(share * real.sum(1)).ceil()"},
        ),
        Mistake(
            "The product is rounded to the nearest here; round it down, then add 1.",
            {".long()": ".round()"},
        ),
        Mistake(
            "No row hides all of its words: `share` is to be multiplied by L, not by L - 1.",
            {"real.sum(1)": "(real.sum(1) - 1)"},
        ),
        Mistake(
            "The number comes from the width of the batch. L is the number of words of the row, "
            "without padding.",
            {"real.sum(1)": "real.shape[1]"} | OWN_WORDS,
            {"real.sum(1)": "real.shape[1]"},
            {"real.sum(1)": "real.shape[1]", NOISE: ""} | OWN_WORDS,
        ),
        Mistake(
            "Rows with padding hide too few words: padding's noise is ranked among the words', and "
            "taken out only afterwards. Rank without it.",
            {NOISE: ""} | OWN_WORDS,
            {NOISE: ".masked_fill(~real, 0)"} | OWN_WORDS,
        ),
        Mistake(
            "Padding is hidden. Its noise must never be among the smallest.",
            {NOISE: ""},
            {NOISE: "", "real.sum(1)": "real.shape[1]"},
        ),
        Mistake(
            "One `argsort` lists the places in order of their noise, and its entries are compared with "
            "n here. A second one turns the list into each place's rank.",
            {".argsort(1).argsort(1)": ".argsort(1)"},
            {".argsort(1).argsort(1)": ".argsort(1)"} | OWN_WORDS,
            {NOISE: "", ".argsort(1).argsort(1)": ".argsort(1)"},
            {NOISE: "", ".argsort(1).argsort(1)": ".argsort(1)"} | OWN_WORDS,
        ),
        Mistake(
            "All rows use the first one's share. Each row has its own.",
            {"share *": "share[0] *"},
        ),
        Mistake(
            "The noise itself is compared with the share, so the number of hidden words is left to "
            "chance, and can be 0. Take exactly n, those with the smallest noise.",
            {RANK: "(noise < share[:, None]) & real"},
            {RANK: "noise < share[:, None]"},
        ),
        Mistake(
            "The words with the *largest* noise are hidden; it should be the smallest.",
            {"noise.masked_fill": "(-noise).masked_fill"},
        ),
        Mistake("One word too many in each row: ranks begin at 0.", {"rank <": "rank <="}),
        Mistake(
            "These are the words that stay: True where a word is hidden.",
            {RANK: f"real & ~({RANK})"},
            {RANK: f"~({RANK})"},
        ),
    ),
)
