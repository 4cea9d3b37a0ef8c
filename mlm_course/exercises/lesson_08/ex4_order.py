"""Where does pretraining help most?"""

from itertools import combinations, permutations
from typing import Any

import torch

from mlm_course.exercises.lesson_08.gains import GAINS
from mlm_course.practice.exercise import Exercise, Function, Mistake

NAMES = "'tags', 'errors' and 'questions'"
MUCH = {  # why one could have expected that a task gains, and that it does not
    "tags": "filling gaps asks which kind of word stands where, and so do tags",
    "questions": "an answer depends on several words and their order, as a gap does",
}
LITTLE = {
    "questions": "no gap ever came with a question",
    "errors": "single words such as 'deprecated' tell a warning from an error, and a few labels "
    "are enough to learn those",
}


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the order is a prediction."""
    return ()


def judge(order: Any) -> str | None:
    """A sentence for each pair in an order that the record has the other way round."""
    if not isinstance(order, list | tuple) or not all(type(name) is str for name in order):
        return f"Your function does not return a list of names. They are {NAMES}, in quotes."
    if sorted(order) != sorted(GAINS):
        return f"Each of the three names stands in the list once, spelled {NAMES}."
    wrong = [
        (more, less) for less, more in combinations(order, 2) if GAINS[more][0] > GAINS[less][1]
    ]
    return said(wrong) if wrong else None


def said(wrong: list[tuple[str, str]]) -> str:
    """What the record says about pairs (more, less) that stand the other way round, and why."""
    tasks = dict.fromkeys(name for pair in wrong for name in pair)
    pairs = " and ".join(f"'{less}' before '{more}'" for more, less in wrong)
    gains = ", ".join(f"{name} {GAINS[name][0]:+.2f} to {GAINS[name][1]:+.2f}" for name in tasks)
    reasons = [MUCH.get(more) for more, _ in wrong] + [LITTLE.get(less) for _, less in wrong]
    why = "; ".join(dict.fromkeys(filter(None, reasons)))
    said = f"You have {pairs}. In the record pretraining adds to {gains} (95 % intervals)."
    return f"{said} One could have expected that: {why}." if why else said


def giving(names: tuple[str, ...]) -> Function:
    """A function that predicts this order."""

    def order() -> list[str]:
        return list(names)

    return order


def wrong_orders() -> tuple[Mistake, ...]:
    """A mistake for each set of wrong pairs, with all orders that have just these."""
    ways: dict[str, list[Function]] = {}
    for names in permutations(GAINS):
        if sentence := judge(names):
            ways.setdefault(sentence, []).append(giving(names))
    return tuple(Mistake(sentence, *orders) for sentence, orders in ways.items())


EXERCISE = Exercise(
    minutes=5,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "What does filling gaps teach? Which of the three tasks asks for just that?",
        "Where would a list of single words do? What a rival with random weights learns quickly, "
        "pretraining cannot add.",
        "Errors come last. The other two may stand in any order: their intervals overlap.",
    ),
    mistakes=(
        *wrong_orders(),
        Mistake(
            f"Each of the three names stands in the list once, spelled {NAMES}.",
            giving(("tags", "messages", "questions")),
            giving(("tags",)),
            giving(("tags", "tags", "errors")),
        ),
    ),
)
