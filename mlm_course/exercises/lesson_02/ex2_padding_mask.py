"""Padding mask."""

import torch  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_02.scores_and_lengths import lengths_and_size
from mlm_course.practice.exercise import Exercise, Mistake

EXERCISE = Exercise(
    minutes=8,
    inputs=lengths_and_size,
    hints=(
        "Place s holds a word if s is smaller than the row's length. Compare all places with all "
        "lengths at once.",
        "torch.arange(size) is (S,), lengths[:, None] is (B, 1); comparing them gives (B, S). The "
        "result needs two more axes in the middle.",
        "return (torch.arange(size) < lengths[:, None])[:, None, None, :]",
    ),
    mistakes=(
        Mistake(
            "This closes rows: padding may not listen, but everybody still listens to padding. "
            "Close the keys, the last axis: (B, 1, 1, S).",
            {"[:, None, None, :]": "[:, None, :, None]"},
        ),
        Mistake(
            "One place too many is open. Places are counted from 0, so a row with 3 words uses the "
            "places 0, 1 and 2.",
            {" < ": " <= "},
        ),
        Mistake(
            "One place too few is open: the last word of each row is closed. A row with 3 words uses "
            "the places 0, 1 and 2.",
            {"lengths[:, None]": "lengths[:, None] - 1"},
        ),
        Mistake(
            "Upside down: this is True at the padding. True should mean may attend.",
            {" < ": " >= "},
        ),
        Mistake(
            "This closes places at the beginning of each row. The padding stands at its end.",
            {
                "torch.arange(size) < lengths[:, None]": "torch.arange(size) >= size - lengths[:, None]"
            },
        ),
        Mistake(
            "This opens only the place behind a row's last word, if there is one. Every place before "
            "that should be open.",
            {" < ": " == "},
        ),
        Mistake(
            "Right values, but (B, S) would broadcast against (B, H, T, S) in the wrong places. "
            "Add two axes: [:, None, None, :].",
            {"[:, None, None, :]": ""},
        ),
        Mistake(
            "Right, but the same line stands there for every query. Once is enough, (B, 1, 1, S): "
            "broadcasting repeats it.",
            {"[:, None, None, :]": "[:, None, None, :].expand(-1, 1, size, -1)"},
        ),
    ),
)
