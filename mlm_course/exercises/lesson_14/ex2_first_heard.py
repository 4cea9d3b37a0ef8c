"""After how many blocks."""

import math  # noqa: F401 (the answer uses it)

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[int | None], int]:
    """Reaches of eight blocks, one of them global, or none, and a distance.

    Two or three local blocks cover it, or a global one does, perhaps the first block, or nothing, not
    even a block of reach 0.
    """

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=g))

    reaches: list[int | None] = [whole(2, 4) for _ in range(8)]
    case = whole(0, 3)
    if case == 0:  # a global block is too late
        covered = sum(r or 0 for r in reaches[: whole(2, 3)])
        return [*reaches[:6], None, reaches[7]], covered - whole(0, 1)
    if case == 1:
        place = whole(0, 2)
        return [*reaches[:place], None, *reaches[place + 1 :]], whole(30, 50)
    if case == 2:
        return [*reaches[:3], 0, *reaches[4:]], whole(40, 50)
    return reaches, 0


EXERCISE = Exercise(
    kind="predict",
    minutes=8,
    trials=40,
    inputs=inputs,
    hints=(
        "One local block carries news `reach` places. A second one carries on from there.",
        "Reaches add up from block to block. A global block covers any distance, whatever came before.",
        "Go through the blocks with a running sum; return the first block's number at which the sum is at "
        "least the distance. `math.inf` is larger than any number.",
        "covered = 0\n"
        "if distance == 0:\n"
        "    return 0\n"
        "for number, reach in enumerate(reaches, 1):\n"
        "    covered = math.inf if reach is None else covered + reach\n"
        "    if covered >= distance:\n"
        "        return number\n"
        "return -1",
    ),
    mistakes=(
        Mistake(
            "Two tokens exactly as far apart as the reaches add up to do hear of each other: a window "
            "includes its last place.",
            {"covered >= distance": "covered > distance"},
        ),
        Mistake(
            "The reaches do not add up in yours: each block is asked by itself whether it covers the whole "
            "distance. But the second block reads what the first has carried some of the way.",
            {"covered + reach": "reach"},
        ),
        Mistake(
            "Blocks are counted from 0 in yours. After the first block, one block has been passed.",
            {"enumerate(reaches, 1)": "enumerate(reaches)"},
        ),
        Mistake(
            "A global block counts for nothing in yours. It reaches every token at once.",
            {"math.inf if reach is None else covered + reach": "covered + (reach or 0)"},
        ),
        Mistake(
            "A reach of 0 counts as global in yours: in Python 0 is false, like `None`. Ask `is None`.",
            {"reach is None": "not reach"},
        ),
        Mistake(
            "Where no block covers the distance, the answer is -1; you say the number of blocks.",
            {"return -1": "return len(reaches)"},
        ),
        Mistake(
            "For distance 0 the answer is 0: a vector depends on its own token before any block.",
            {"if distance == 0:\n        return 0\n    ": ""},
        ),
        Mistake(
            "Each reach is halved in yours. `reach` is how far a window goes to *one* side.",
            {"covered + reach": "covered + reach // 2"},
        ),
        Mistake(
            "Each reach is doubled in yours. A block carries news from one side only as far as its window "
            "goes to that side.",
            {"covered + reach": "covered + 2 * reach"},
        ),
    ),
)
