"""How far dot products spread."""

import math  # noqa: F401 (the answer uses it)
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake

RIGHT = {"a": 64.0, "b": 12.0, "c": 5.0, "d": 16.0}
WITHIN = 0.03  # whoever simulates it does not get round numbers
REMARKS = {
    ("a", 4096): "That is D. The spread follows its square root.",
    (
        "b",
        8,
    ): "That would do for numbers around 1. Three times the number, three times the product.",
    ("b", 24): "That leaves out how small the keys are.",
    ("b", 4): "That leaves out how large the queries are.",
    ("b", 96): "Right sizes, but times D: it is the square root of D.",
    ("c", 10): "A product with a 0 in it adds nothing: count the products that are left.",
    ("c", 2.5): "The products that are left are summed up, and the spread follows the square root "
    "of their number; dividing by 4 is too much.",
    ("c", 7.5): "Count the products that are left, not those that are gone; then the square root.",
    ("c", 8.66): "That counts the products that are gone. Those that are left make the spread.",
    ("d", 8): "64 products, but not 64 independent ones: four equal ones at a time.",
    ("d", 4): "That is the spread of 16 products. Each of them is added four times.",
    (
        "d",
        32,
    ): "Four times the spread of 64 products. There are 16 products, each of them added four "
    "times.",
    ("d", 64): "That is D. Think of 16 products, each of them added four times.",
}


def judge(value: Any) -> str | None:
    """The first of four numbers that is off, with what it may come from."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if not isinstance(value, Sequence) or len(value) != 4:
        return "Four numbers are asked for, a to d, as a tuple or a list."
    for (name, right), number in zip(RIGHT.items(), value, strict=True):
        try:
            number = float(number)
        except (TypeError, ValueError):
            return f"For {name} a number is asked for."
        if not abs(number - right) <= WITHIN * right:
            near = [
                words
                for (of, wrong), words in REMARKS.items()
                if of == name and abs(number - wrong) <= WITHIN * wrong
            ]
            return " ".join([f"{name} is not {number:.4g}.", *near])
    return None


def grows_with_d() -> tuple[float, ...]:
    return 4096.0, 96.0, 25.0, 64.0


def root_of_d() -> tuple[float, ...]:
    return 64.0, 8.0, 10.0, 8.0


def all_ones() -> tuple[float, ...]:
    return 1.0, 1.0, 1.0, 1.0


def four_independent() -> tuple[float, ...]:
    return 64.0, 12.0, 5.0, 8.0


EXERCISE = Exercise(
    minutes=8,
    kind="predict",
    inputs=lambda generator: (),
    judge=judge,
    hints=(
        "A dot product is a sum of products. How large is one of them, and how many *different* "
        "ones are added up?",
        "b: make all numbers of a query three times as large, and each dot product is three times "
        "as large. c: what does a product with a 0 add?",
        "d: add up 16 independent products, then take the sum four times.",
        "return 64.0, 3 * 0.5 * 8.0, 5.0, 4 * 4.0",
    ),
    mistakes=(
        Mistake(
            "These grow with the number of products. The spread of a sum of independent numbers "
            "follows the square root of their number.",
            grows_with_d,
        ),
        Mistake(
            "That is the square root of D, four times. It holds for numbers around 1 that are "
            "independent; b, c and d are about what happens otherwise.",
            root_of_d,
        ),
        Mistake(
            "Asked for is the spread of the dot products before anything is divided.", all_ones
        ),
        Mistake(
            "Three are right. In d the 64 products are not independent: four at a time are equal.",
            four_independent,
        ),
    ),
)
