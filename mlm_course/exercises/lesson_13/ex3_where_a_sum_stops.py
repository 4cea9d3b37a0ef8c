"""Where a sum stops."""

import torch

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int]:
    """A step, a power of two or not, and a number of digits that can hold it."""
    power = 2 ** whole(g, 2, 6)
    step = power if torch.rand((), generator=g) < 0.5 else power + whole(g, 1, power)
    return step, whole(g, 7, 23)


RESULT = "power * 2 ** (digits + 1)"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    kind="predict",
    inputs=inputs,
    trials=8,
    seconds=2,
    hints=(
        "The sum stops where a step is at most half of the distance to the next number. How far "
        "apart are the numbers from 2**k on?",
        "From 2**k to 2**(k + 1) there are 2**digits numbers: 2**(k - digits) apart. For which k is half "
        "of that at least `step`?",
        "Try it by hand with 2 digits: 0, 1, 2, 3, ... and steps of 1, 2 and 3. Half-way from a power of "
        "two it goes back, so half the distance is enough.",
        "power = 1\nwhile power < step:\n    power *= 2\nreturn power * 2 ** (digits + 1)",
    ),
    mistakes=(
        Mistake(
            "Right where the step is a power of two. Otherwise the sum goes on beyond your number: "
            "distances double at powers of two, and only there can it stop.",
            {RESULT: "step * 2 ** (digits + 1)"},
        ),
        Mistake(
            "This is where counting by 1 stops. Larger steps survive longer.",
            {RESULT: "2 ** (digits + 1)"},
        ),
        Mistake(
            "Half of what is right: there the distance to the next number is less than twice the step, so "
            "a step is not lost yet. It is when it is at most *half* of the distance.",
            {"digits + 1": "digits"},
        ),
        Mistake(
            "Twice what is right: the step is a quarter of the distance there, or less. Half of it is "
            "enough, since half-way from a power of two it goes back.",
            {"digits + 1": "digits + 2"},
        ),
        Mistake(
            "Right where the step is no power of two. For a power of two it is half of that: half-way, "
            "the sum goes back to the power of two on which it stands.",
            {"power < step": "power <= step"},
        ),
        Mistake(
            "Right where the step is a power of two. Any other step is more than half of the distance "
            "where you stop: round up to a power of two, not down.",
            {"power < step": "2 * power <= step"},
        ),
        Mistake(
            "There the next number is at most one step away, so the sum goes on. A step is lost when it is "
            "at most *half* of the distance.",
            {RESULT: "step * 2 ** digits"},
        ),
        Mistake(
            "This is the number after the one at which the sum stops. It is never reached.",
            {RESULT: f"{RESULT} + 2 * power"},
        ),
        Mistake(
            "This is the last number before the power of two at which the sum stops; from there one "
            "step more arrives.",
            {RESULT: f"{RESULT} - power"},
        ),
    ),
)
