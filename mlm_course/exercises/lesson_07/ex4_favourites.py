"""Two favourites that do not fit."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

LEAD = 0.05
FEWEST = 3


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the table is a construction."""
    return ()


def judge(table: Any) -> str | None:
    """What is wrong with a joint table, None if its favourites exclude each other."""
    try:
        joint = torch.as_tensor(table).detach().double()
    except (TypeError, ValueError, RuntimeError):
        return "The result is no table of numbers: a tensor (K, K), or a list of lists."
    if joint.dim() != 2 or joint.shape[0] != joint.shape[1]:
        return f"The table has the shape {tuple(joint.shape)}; wanted is (K, K)."
    if not joint.isfinite().all() or (joint < 0).any() or abs(float(joint.sum()) - 1) > 1e-4:
        return "A joint probability has no entry below 0, and all of its entries add up to 1."
    return _favourites(joint) or _too_large(joint)


def _favourites(joint: Tensor) -> str | None:
    lists = joint.sum(1), joint.sum(0)  # the first gap's, the second's
    for which, chances in zip(("first", "second"), lists, strict=True):
        best, second = [*chances.topk(min(2, len(chances))).values.tolist(), 0.0][:2]
        if best - second < LEAD - 1e-9:
            said = ", ".join(f"{p:.2f}" for p in chances.tolist()[:6])
            return f"The {which} gap's list is {said}: no word leads by {LEAD}."
    row, column = (int(chances.argmax()) for chances in lists)
    if joint[row, column] > 1e-9:
        return (
            f"The favourites are word {row} of the first gap and word {column} of the second, and "
            f"together they have the probability {joint[row, column]:.2f}. It should be 0."
        )
    return None


def _too_large(joint: Tensor) -> str | None:
    if len(joint) == FEWEST:
        return None
    return (
        f"The favourites exclude each other, as they should. It works with fewer than {len(joint)}."
    )


def two_words():
    """Each with another one: no favourite."""
    return torch.tensor([[0.0, 0.5], [0.5, 0.0]])


def nearly_two_words():
    """One pair likelier than the other: the favourites are that pair."""
    return torch.tensor([[0.0, 0.6], [0.4, 0.0]])


def four_words():
    """Right, with a word too many."""
    table = torch.zeros(4, 4)
    table[0, 1:] = table[1:, 0] = 1 / 6
    return table


def no_favourite():
    """A ring."""
    return torch.tensor([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]) / 3


EXERCISE = Exercise(
    kind="design",
    minutes=10,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "Each list is a sum over the table: rows for the first gap, columns for the second. Put a 0 "
        "where both favourites meet, and collect for each of them elsewhere.",
        "With two words a favourite has more than half of its list. Two events of more than half each "
        "overlap. So how many words does it take?",
        "Let word 0 be the favourite of both. Its row needs company, and so does its column; the "
        "company must not be one single word, or that would be as likely.",
        "return torch.tensor([[0.0, 0.25, 0.25], [0.25, 0.0, 0.0], [0.25, 0.0, 0.0]])",
    ),
    mistakes=(
        Mistake(
            "The favourites are the likeliest pair of the table, so they fit. Give each favourite "
            "several partners, none of them the other favourite.",
            nearly_two_words,
        ),
        Mistake(
            "Both words of a list are equally likely: there is no favourite. And with two words a "
            "favourite has more than half; two such overlap.",
            two_words,
        ),
        Mistake(
            "The favourites exclude each other. But one word is more than it takes: give each favourite "
            "two partners.",
            four_words,
        ),
        Mistake(
            "All words are equally likely in each list, so there are no favourites. Take from some pairs "
            "what others get.",
            no_favourite,
        ),
    ),
)
