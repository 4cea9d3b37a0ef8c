"""A floor for the time."""

import torch

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[list[tuple[float, float]], float, float]:
    """Five pieces of work: at least two limited by FLOPs and two by bytes; both rates."""
    flops, bytes_ = 1e9 * whole(g, 20, 90), 1e9 * whole(g, 3, 15)
    seconds = 0.01 + torch.rand(5, 2, generator=g)
    seconds[:2, 0] += 1.5
    seconds[2:4, 1] += 1.5
    return [(f * flops, b * bytes_) for f, b in seconds.tolist()], flops, bytes_


def larger_total(work, flops_a_second, bytes_a_second):
    """The larger of the two times of all work together."""
    flops, bytes_ = (sum(column) for column in zip(*work, strict=True))
    return max(flops / flops_a_second, bytes_ / bytes_a_second)


MAX = "max(f / flops_a_second, b / bytes_a_second)"

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    trials=12,
    hints=(
        "While numbers are fetched, others can be multiplied. So a piece of work takes as long as "
        "the slower of its two needs.",
        "For each (f, b) in work: the larger of f / flops_a_second and b / bytes_a_second. Pieces "
        "come one after another: add them up.",
        "return sum(max(f / flops_a_second, b / bytes_a_second) for f, b in work)",
    ),
    mistakes=(
        Mistake(
            "You added the two times of each piece. They can overlap: the floor is the larger one.",
            {MAX: "f / flops_a_second + b / bytes_a_second"},
        ),
        Mistake(
            "You took the larger one of two totals. That would let one piece's bytes travel while "
            "another multiplies; but they come one after another: the larger one of *each* piece.",
            larger_total,
        ),
        Mistake(
            "You took the smaller of the two times. The work is done when both are: the larger one.",
            {"max(": "min("},
        ),
        Mistake(
            "Only the FLOPs count in yours. Some pieces wait for memory.",
            {MAX: "f / flops_a_second"},
        ),
        Mistake(
            "Only the bytes count in yours. Some pieces wait for the multiplications.",
            {MAX: "b / bytes_a_second"},
        ),
        Mistake(
            "This is the time of the slowest piece. They come one after another: add them up.",
            {"sum(": "max("},
        ),
    ),
)
