"""Four patches that tell most."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.exercises.lesson_09.linear import linear_error
from mlm_course.practice.exercise import Exercise, Function, Mistake

BAR = 0.0287
FORM = "Return a list of four different numbers of patches, from 0 to 15."
CENTRE = [5, 6, 9, 10]


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the patches are a construction."""
    return ()


def judge(stay: Any) -> str | None:
    """A sentence for anything but four patches that are good enough."""
    stay = stay.tolist() if isinstance(stay, Tensor) else stay
    if not isinstance(stay, list | tuple | set) or len(stay) != 4:
        return FORM
    numbers = {i for i in stay if isinstance(i, int) and not isinstance(i, bool)}
    if len(numbers) != 4 or not numbers <= set(range(16)):
        return FORM
    error = linear_error(sorted(numbers))
    if error <= BAR:
        return None
    said = f"From these four the others are guessed with an error of {error:.4f}; at most {BAR:.4f}"
    if numbers == set(CENTRE):
        return (
            f"{said} can be had. The four in the middle hold much of the ink, but they also say "
            "much about each other."
        )
    return f"{said} can be had."


def giving(stay: list[int]) -> Function:
    """A function that returns these patches."""

    def telling_patches() -> list[int]:
        return list(stay)

    return telling_patches


def judged(stay: list[int]) -> Mistake:
    """A mistake whose sentence is the judge's."""
    sentence = judge(stay)
    assert sentence
    return Mistake(sentence, giving(stay))


EXERCISE = Exercise(
    minutes=8,
    kind="design",
    inputs=inputs,
    trials=1,
    seconds=20,
    judge=judge,
    hints=(
        "A patch that tells much has two properties: it varies from digit to digit, and what it says "
        "is not said by another one that you keep. Edges are mostly paper.",
        "Let the computer try: `itertools.combinations(range(16), 4)` gives all sets. Or begin with "
        "the best single patch, and add three times the one that helps most.",
        "stay = []\n"
        "for _ in range(4):\n"
        "    others = [i for i in range(16) if i not in stay]\n"
        "    stay.append(min(others, key=lambda i: linear_error([*stay, i])))\n"
        "return stay",
    ),
    mistakes=(
        Mistake(FORM, giving([9, 6, 14]), giving([9, 6, 14, 14]), giving([9, 6, 14, 16])),
        judged(CENTRE),
        judged([0, 3, 12, 15]),  # the corners
        judged([5, 9, 10, 13]),  # the four best, each by itself
        judged([1, 4, 11, 14]),
    ),
)
