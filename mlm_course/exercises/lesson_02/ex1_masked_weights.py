"""Masked weights."""

import math  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_02.scores_and_lengths import scores_and_mask
from mlm_course.practice.exercise import Exercise, Mistake

EXERCISE = Exercise(
    minutes=6,
    inputs=scores_and_mask,
    hints=(
        "Which score makes exp(score) exactly 0? Give it to the closed keys before softmax.",
        "scores.masked_fill(closed, value) writes value where closed is True; closed broadcasts.",
        "return scores.masked_fill(~attention_mask, -math.inf).softmax(-1)",
    ),
    mistakes=(
        Mistake(
            "The weights were set to zero after softmax, so they no longer sum to 1. Close the "
            "scores with -inf first, then take the softmax.",
            {
                ".masked_fill(~attention_mask, -math.inf)": "",
                "softmax(-1)": "softmax(-1) * attention_mask",
            },
        ),
        Mistake(
            "The mask is upside down: True means may attend, and masked_fill writes where its mask "
            "is True. Use ~attention_mask.",
            {"~attention_mask": "attention_mask"},
        ),
        Mistake(
            "A closed key got the score 0, and exp(0) is 1: it is still heard. The score has to be "
            "minus infinity.",
            {"-math.inf": "0.0"},
        ),
        Mistake(
            "Softmax runs over the queries. Each query's weights should sum to 1 over the keys, the "
            "last axis.",
            {"softmax(-1)": "softmax(-2).nan_to_num(0)"},
        ),
        Mistake(
            "These are the masked scores. One step is left: softmax over the keys.",
            {".softmax(-1)": ""},
        ),
    ),
)
