"""Scores to compute."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[int], int]:
    """Lengths of three long texts, of one shorter than the reach, of one a little longer; the reach."""
    reach = int(torch.randint(5, 9, (), generator=g))
    long = (3 * reach + torch.randint(0, 9, (3,), generator=g)).tolist()
    short = int(torch.randint(2, reach - 1, (), generator=g))
    return [long[0], short, long[1], reach + 2, long[2]], reach


EXERCISE = Exercise(
    minutes=12,
    hard=True,
    inputs=inputs,
    hints=(
        "Draw the square of one text's pairs. Which of its diagonals are open?",
        "The diagonal at distance `d` has `n - d` pairs, and there are two of them, one above and one "
        "below the main one. A text of n tokens has no distance beyond n - 1.",
        "For each text: n pairs at distance 0, and 2 (n - d) at each distance d from 1 to the smaller one "
        "of reach and n - 1.",
        "return sum(\n"
        "    n + 2 * sum(n - d for d in range(1, min(reach, n - 1) + 1)) for n in lengths\n"
        ")",
    ),
    mistakes=(
        Mistake(
            "You took the whole row for one text. A token attends to its own text only.",
            {"for n in lengths": "for n in [sum(lengths)]"},
        ),
        Mistake(
            "Every token got a full window. The first and the last tokens of a text have fewer neighbours.",
            {"total += n * n - beyond * (beyond + 1)": "total += n * (2 * reach + 1)"},
            {"total += n * n - beyond * (beyond + 1)": "total += n * min(n, 2 * reach + 1)"},
        ),
        Mistake(
            "Right for texts that are longer than the reach; of a much shorter one fewer pairs are counted "
            "than it has, even a negative number.",
            {"beyond = max(0, n - 1 - reach)": "beyond = n - 1 - reach"},
        ),
        Mistake(
            "These are the pairs of global attention, n * n a text.",
            {" - beyond * (beyond + 1)": ""},
        ),
        Mistake(
            "Only one side of the windows is counted, and each token itself.",
            {"n * n - beyond * (beyond + 1)": "(n * n - beyond * (beyond + 1) + n) // 2"},
        ),
        Mistake(
            "A token itself is not counted: it attends to itself, too.",
            {"n * n - beyond * (beyond + 1)": "n * n - n - beyond * (beyond + 1)"},
        ),
        Mistake(
            "`reach` is how far a window goes to *each* side; you took it for the whole window.",
            {"n - 1 - reach": "n - 1 - reach // 2"},
        ),
        Mistake(
            "Your window is too narrow by one place on each side: a token `reach` places away is heard.",
            {"n - 1 - reach": "n - reach"},
        ),
        Mistake(
            "Your window is too wide by one place on each side: a token `reach` places away is the last "
            "one heard.",
            {"n - 1 - reach": "n - 2 - reach"},
        ),
    ),
)
