"""Whole texts, first fit."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[int], int]:
    """Thirteen lengths from 2 to 11. The first seven tell apart which row a text may go into.

    The third fits into both rows there are, the fourth fills a row to the last place, and the sixth
    fits into the second row and, with more room to spare, into the third; for the [SEP] of the
    seventh no row has room. Or there are no others, and two more places in each row, none of which is
    full then.
    """
    room = int(torch.randint(15, 19, (), generator=g))
    half = room // 2
    sizes = [half + 1, half + 3, 3, room - half - 4, half + 2, 3, room - half - 1]
    rest = torch.randint(2, 12, (6,), generator=g).tolist()
    if torch.rand((), generator=g) < 0.5:
        return [size - 1 for size in sizes], room + 2
    return [size - 1 for size in sizes] + rest, room


def tensor_of(rows: list[list[int]], room: int) -> Tensor:
    """Rows filled up with -1."""
    return torch.tensor([row + [-1] * (room - len(row)) for row in rows])


def best_fit(lengths: list[int], room: int) -> Tensor:
    """Each text in the row where the least room is left."""
    rows: list[list[int]] = []
    for text, length in enumerate(lengths):
        free = [row for row in rows if len(row) + length + 1 <= room]
        row = max(free, key=len, default=[])
        if not row:
            rows.append(row)
        row += [text] * (length + 1)
    return tensor_of(rows, room)


def cut_texts(lengths: list[int], room: int) -> Tensor:
    """Texts joined and cut wherever a row ends."""
    joined = [text for text, length in enumerate(lengths) for _ in range(length + 1)]
    return tensor_of([joined[i : i + room] for i in range(0, len(joined), room)], room)


def in_the_row(lengths: list[int], room: int) -> Tensor:
    """Texts numbered anew in each row."""
    rows: list[list[int]] = []
    for length in lengths:
        row = next((row for row in rows if len(row) + length + 1 <= room), None)
        if row is None:
            rows.append(row := [])
        row += [row[-1] + 1 if row else 0] * (length + 1)
    return tensor_of(rows, room)


def last_without_sep(lengths: list[int], room: int) -> Tensor:
    """A text placed where it fits without its [SEP], which is cut off."""
    rows: list[list[int]] = []
    for text, length in enumerate(lengths):
        row = next((row for row in rows if len(row) + length <= room), None)
        if row is None:
            rows.append(row := [])
        row += [text] * (length + 1)
    return tensor_of([row[:room] for row in rows], room)


EXERCISE = Exercise(
    minutes=12,
    trials=12,  # so that they meet both kinds of draws
    inputs=inputs,
    hints=(
        "Keep a list of rows, each a list of text numbers. For each text look through the rows from the "
        "first one on.",
        "A text needs length + 1 places: it fits if `len(row) + length + 1 <= room`. If no row has that "
        "much, append a new one.",
        "At the end fill each row up: `row + [-1] * (room - len(row))`.",
        "rows = []\n"
        "for text, length in enumerate(lengths):\n"
        "    size = length + 1\n"
        "    row = next((row for row in rows if len(row) + size <= room), None)\n"
        "    if row is None:\n"
        "        row = []\n"
        "        rows.append(row)\n"
        "    row += [text] * size\n"
        "return torch.tensor([row + [-1] * (room - len(row)) for row in rows])",
    ),
    mistakes=(
        Mistake(
            "Each text was tried in the newest row only. First fit looks at all rows, the oldest first.",
            {"for row in rows if len(row) + size": "for row in rows[-1:] if len(row) + size"},
        ),
        Mistake(
            "Each text went into the row where least room is left: best fit. First fit takes the first "
            "row that has room, however much.",
            best_fit,
        ),
        Mistake(
            "Each text was tried in the newest row that has room. First fit begins with the oldest.",
            {"for row in rows if len(row) + size": "for row in rows[::-1] if len(row) + size"},
        ),
        Mistake(
            "The [SEP] of each text has no place: a text takes one more than its length.",
            {"size = length + 1": "size = length"},
        ),
        Mistake(
            "At the end of a row a text was placed without its [SEP]. Each text has its own, the last of "
            "a row as well.",
            last_without_sep,
        ),
        Mistake(
            "A text that fills a row to the last place was refused: it fits.",
            {"<= room": "< room"},
        ),
        Mistake(
            "The longest texts were placed first. Take them in the order in which they come.",
            {
                "for text, length in enumerate(lengths):": "for text, length in sorted("
                "enumerate(lengths), key=lambda pair: -pair[1]):"
            },
        ),
        Mistake(
            "Texts were cut where a row ends. A text that does not fit goes into another row as a whole.",
            cut_texts,
        ),
        Mistake(
            "Texts are numbered anew in each row. The number is the one that a text has in `lengths`.",
            in_the_row,
        ),
        Mistake(
            "Texts are numbered from 1. `lengths` counts from 0.",
            {"[text] * size": "[text + 1] * size"},
        ),
        Mistake(
            "Padding got a 0, which is the number of the first text. It should be -1.",
            {"[-1] *": "[0] *"},
        ),
        Mistake(
            "Rows end where the longest of them does. Each has `room` places.",
            {"(room - len(row))": "(max(map(len, rows)) - len(row))"},
        ),
        Mistake(
            "Each text has a row of its own. Put it into an earlier row where it fits.",
            {"for row in rows if len(row) + size": "for row in rows[:0] if len(row) + size"},
        ),
        Mistake(
            "Only the text's places carry its number, its [SEP] carries -1. The [SEP] belongs to the text.",
            {"row += [text] * size": "row += [text] * length + [-1]"},
        ),
    ),
)
