"""A decoder without positions."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Words (n,) of few kinds, so that some repeat, and their rows (n,), of unequal lengths.

    One row has a single gap, row 4 none.
    """
    row = torch.tensor([0] * 7 + [1] + [2] * 4 + [3] * 3 + [5] * 6)
    words = torch.randint(5, 9, row.shape, generator=g)
    words[:3], words[8:10] = words[0], words[8]
    words[-1], words[3] = words[0], words[0] + 1
    shuffled = torch.randperm(len(row), generator=g)
    return words[shuffled], row[shuffled]


MINUS_LOG_P = "(counts * (counts / counts.sum()).log()).sum().item()"


def mean_of_rows(words: Tensor, row: Tensor) -> float:
    """Every row counts the same, however many gaps it has."""
    losses = []
    for one in row.unique():
        p = words[row == one].unique(return_counts=True)[1] / (row == one).sum()
        losses.append(-(p * p.log()).sum().item())
    return sum(losses) / len(losses)


def one_answer_for_all(words: Tensor, row: Tensor) -> float:
    """One answer for the whole batch."""
    p = words.unique(return_counts=True)[1] / len(words)
    return -(p * p.log()).sum().item()


EXERCISE = Exercise(
    minutes=12,
    kind="predict",
    inputs=inputs,
    trials=4,
    hints=(
        "One row first: three gaps, 'the', 'the' and 'lake', and one answer for all of them. What is "
        "the loss if it says 1/2 and 1/2? What if it says 2/3 and 1/3? And 1 and 0?",
        "The best answer gives each word its share of the row's gaps: 2/3 and 1/3. Each gap then "
        "costs -log of its own word's share. The mean runs over all gaps, so a row with many gaps "
        "counts more.",
        "total = 0.0\n"
        "for one in row.unique():\n"
        "    counts = words[row == one].unique(return_counts=True)[1]\n"
        "    total -= (counts * (counts / counts.sum()).log()).sum().item()\n"
        "return total / len(words)",
    ),
    mistakes=(
        Mistake(
            "This gives all the *different* words of a row the same probability. A word that is "
            "missing twice should get twice as much.",
            {MINUS_LOG_P: "-(counts.sum() * counts.new_tensor(len(counts)).log()).item()"},
        ),
        Mistake(
            "This gives every gap 1/n, as if no word of a row were missing twice. Gaps that ask for "
            "the same word share its probability.",
            {MINUS_LOG_P: "(counts * (1 / counts.sum()).log()).sum().item()"},
        ),
        Mistake(
            "This is a mean of the rows' means. Every gap counts the same, so a row with many gaps "
            "counts more.",
            mean_of_rows,
        ),
        Mistake(
            "This is the sum over all gaps. Divide by their number.",
            {" / len(words)": ""},
        ),
        Mistake(
            "This is the loss of one answer for the whole batch. The visible words tell one row from "
            "another: one answer for each row.",
            one_answer_for_all,
        ),
        Mistake(
            "The result is in bits. Nats come from the natural logarithm.",
            {".log()": ".log2()"},
        ),
        Mistake(
            "The sign is wrong: a loss is -log p, which is not negative.",
            {"total -=": "total +="},
        ),
        Mistake(
            "Every different word of a row was counted once, however often it is missing: the mean "
            "runs over gaps.",
            {"(counts * (counts": "((counts"},
        ),
        Mistake(
            "Loss 0 is what a decoder reaches that knows which gap is asked. This one must give all "
            "gaps of a row the same answer.",
            {"total / len(words)": "0.0"},
        ),
    ),
)
