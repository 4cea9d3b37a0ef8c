"""Many easy words, three hard ones."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.corpora import tinyworld
from mlm_course.practice.exercise import Exercise, Function, Mistake

SENTENCE = "anna gave tom a red towel , and he thanked her for the red towel at the river ."
WORDS = SENTENCE.split()
MOST, ENOUGH = 14, 8.0  # words that can be told; nats that only one set of three words reaches


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: two masks are designed."""
    return ()


def surprises(places: list[int]) -> Tensor:
    """-log p of the true words at hidden places (n,), by the exact posterior."""
    ids = tinyworld.encode([WORDS])
    masked = torch.zeros_like(ids, dtype=torch.bool)
    masked[0, [place + 1 for place in places]] = True  # [CLS] stands in front
    chances = tinyworld.masked_posterior(ids, masked)[0]  # (T, V)
    return -torch.stack([chances[place + 1, ids[0, place + 1]] for place in places]).log()


def judge(design: Any) -> str | None:
    """What is wrong with the first mask that is not as asked."""
    if not isinstance(design, tuple | list) or len(design) != 2:
        return "Your function has to return two lists, `easy` and `hard`."
    for name, places in zip(("easy", "hard"), design, strict=True):
        if not isinstance(places, tuple | list) or not all(type(p) is int for p in places):
            return f"`{name}` has to be a list of places, whole numbers."
        if not places or not all(0 <= place < len(WORDS) for place in places):
            return f"The places in `{name}` have to lie between 0 and {len(WORDS) - 1}."
        if len(set(places)) < len(places):
            return f"A place stands twice in `{name}`."
    easy, hard = (list(places) for places in design)
    values = surprises(easy)
    if values.max() > 1e-3:
        worst = easy[int(values.argmax())]
        return (
            f"In `easy`, '{WORDS[worst]}' at {worst} surprises the best guesser by "
            f"{values.max():.2f} nats when all of these words are hidden."
        )
    if len(easy) < MOST:
        return f"No word of `easy` surprises, but more than {len(easy)} can be hidden so."
    if len(hard) != 3:
        return f"`hard` has {len(hard)} places; it should have three."
    total = surprises(hard).sum()
    if total < ENOUGH:
        said = ", ".join(f"'{WORDS[place]}'" for place in hard)
        return (
            f"`easy` is right. `hard`: {said} surprise by {total:.2f} nats together. One set of three "
            "surprises by more than 8."
        )
    return None


def returning(easy: list[int], hard: list[int]) -> Function:
    """A function with these two masks."""

    def masks() -> tuple[list[int], list[int]]:
        return list(easy), list(hard)

    return masks


EASY = [place for place in range(19) if place not in (0, 2, 4, 5, 17)]
WRONG = (
    returning(list(range(19)), [5, 14, 17]),
    returning([place for place in range(19) if place not in (0, 2, 17)], [5, 14, 17]),
    returning([*EASY, 17], [5, 14, 17]),
    returning(EASY[1:], [5, 14, 17]),
    returning(EASY, [0, 2, 17]),
    returning(EASY, [4, 13, 17]),
    returning(EASY, [5, 14]),
    returning([place + 1 for place in EASY], [6, 15, 18]),
)

EXERCISE = Exercise(
    minutes=15,
    kind="design",
    hard=True,
    inputs=inputs,
    trials=1,
    seconds=60,  # for whoever tries all sets of three
    judge=judge,
    hints=(
        "Hide each word alone first: which three are open even then? They cannot be in `easy`.",
        "Of two words that tell each other, such as the two colours, one may be hidden in `easy`. What "
        "else is tied in this sentence?",
        "For `hard`, look for words that decide about others: what does the place say if the thing is "
        "gone, and the thing if the place is gone?",
        "easy = [place for place in range(19) if place not in (0, 2, 4, 5, 17)]\n"
        "hard = [5, 14, 17]\n"
        "return easy, hard",
    ),
    mistakes=tuple(Mistake(judge(way()) or "", way) for way in WRONG),
)
