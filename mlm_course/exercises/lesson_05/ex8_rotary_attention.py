"""Rotary attention."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """q, k and v (2, 5, 6), five places with gaps from 1 on, and a base from 5 to 40."""
    q, k, v = 1.5 * torch.randn(3, 2, 5, 6, generator=g)
    places = torch.randint(1, 5, (5,), generator=g).cumsum(0)
    places[3:] += 1  # a gap in any case
    return q, k, v, places, float(torch.randint(5, 41, (1,), generator=g))


SPEEDS = "base ** (-2 * torch.arange(D // 2) / D)"
ANGLES = "angles = places[:, None] * speeds"
FIRST, SECOND = "a * cos - b * sin", "a * sin + b * cos"
QUERIES, KEYS = "turned(q)", "turned(k)"

EXERCISE = Exercise(
    hard=True,
    minutes=12,
    inputs=inputs,
    stages={"angles": "the angle of each place and pair", "weights": "the weight of each key"},
    hints=(
        "Two steps: how far each token's pairs turn, which follows from places and base; then attention "
        "as in lesson 1, with turned queries and keys.",
        "The angles are `(T, D / 2)`: each place times the speed of each pair. Their cosines and sines "
        "broadcast to the halves of `q`, `(H, T, D / 2)`: `a, b = q.chunk(2, dim=-1)`.",
        "Turn all pairs at once as the matrix `R` turns one: its first line gives the new first halves, its "
        "second line the new second halves. `torch.cat` puts them side by side.",
        "D = q.shape[-1]\n"
        "angles = places[:, None] * base ** (-torch.arange(0, D, 2) / D)\n"
        "cos, sin = angles.cos(), angles.sin()\n"
        "def turned(x):\n"
        "    a, b = x[..., : D // 2], x[..., D // 2 :]\n"
        "    return torch.cat([cos * a - sin * b, sin * a + cos * b], dim=-1)\n"
        "scores = turned(q) @ turned(k).mT / D**0.5\n"
        "return scores.softmax(-1) @ v",
    ),
    mistakes=(
        Mistake(
            "The values were turned, too. Only what is compared is turned: what is passed on stays as it is.",
            {"weights @ v": "weights @ turned(v)"},
        ),
        Mistake(
            "Numbers 2i and 2i + 1 make a pair in your answer. Here pair i is number i and number i + D / 2.",
            {"x.chunk(2, dim=-1)": "x[..., 0::2], x[..., 1::2]"},
        ),
        Mistake(
            "The vectors turn the other way round, as if places were negative. `R` has its minus in the "
            "first line.",
            {FIRST: "a * cos + b * sin", SECOND: "b * cos - a * sin"},
        ),
        Mistake(
            "A sign is off: a turn keeps the length of each vector, and these numbers are of one that does "
            "not.",
            {SECOND: "b * cos - a * sin"},
            {FIRST: "a * cos + b * sin"},
        ),
        Mistake(
            "The queries are turned and the keys are not, so the scores depend on places, not on distances.",
            {KEYS: "k"},
        ),
        Mistake(
            "The keys are turned and the queries are not, so the scores depend on places, not on distances.",
            {QUERIES: "q"},
        ),
        Mistake(
            "Nothing is turned: this is attention without positions.",
            {QUERIES: "q", KEYS: "k"},
        ),
        Mistake(
            "The tokens were counted 0, 1, 2 and so on. Where they stand is said by `places`, and there are "
            "gaps.",
            {ANGLES: "angles = torch.arange(q.shape[1])[:, None] * speeds"},
        ),
        Mistake(
            "These are the numbers for base 10,000. The base is an argument.",
            {SPEEDS: SPEEDS.replace("base", "10_000.0")},
        ),
        Mistake(
            "The speeds fall too slowly, to about 1 / sqrt(base): the exponent of pair i is -2i / D, not "
            "-i / D.",
            {SPEEDS: SPEEDS.replace("-2 * torch", "-torch")},
        ),
        Mistake(
            "The speeds grow from pair to pair: the exponent of the base is negative.",
            {SPEEDS: SPEEDS.replace("-2", "2")},
        ),
        Mistake(
            "Pairs are counted from 0: the first has speed 1. Yours has that of the second.",
            {SPEEDS: "base ** (-2 * torch.arange(1, D // 2 + 1) / D)"},
        ),
        Mistake(
            "All pairs turn at speed 1. Each has its own.",
            {ANGLES: "angles = places[:, None] * torch.ones(D // 2)"},
        ),
        Mistake(
            "The angles were taken for degrees. They are radians, as `cos` and `sin` take them.",
            {ANGLES: f"{ANGLES}.deg2rad()"},
        ),
        Mistake(
            "The scores are not divided by the root of D.",
            {" / D**0.5": ""},
        ),
        Mistake(
            "The scores are divided by D, not by its root.",
            {" / D**0.5": " / D"},
        ),
        Mistake(
            "The softmax ran over the queries. A query's weights over all keys sum to 1.",
            {"softmax(-1)": "softmax(-2)"},
        ),
    ),
)
