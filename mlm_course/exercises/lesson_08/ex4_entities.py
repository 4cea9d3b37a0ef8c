"""Entities, not tokens."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake

KINDS = ("PARAM", "VALUE", "CODE")


def inputs(g: torch.Generator) -> tuple[list[str]]:
    """Tags of 11 to 13 words with every awkward neighbour: B after B, another kind, an end."""
    a, b, c = (KINDS[i] for i in torch.randperm(3, generator=g).tolist())
    awkward = [f"B-{a}", f"I-{a}", f"B-{a}", "O", f"I-{b}", f"B-{c}", f"I-{a}", f"I-{a}", "O"]
    shift = int(torch.randint(3, (1,), generator=g))
    return ([*["O"] * shift, *awkward, f"B-{b}", f"I-{b}"],)


EXERCISE = Exercise(
    minutes=18,
    inputs=inputs,
    trials=4,
    hints=(
        "Walk along the tags and keep the entity that is open. When does it end? When does one "
        "begin?",
        "It ends at O, at B-, and at an I- of another kind. One begins at B-, and at an I- while "
        "none of its kind is open. Do not forget the last one.",
        "for place, tag in enumerate([*tags, 'O']): mark, _, kind = tag.partition('-'); if open "
        "and not (mark == 'I' and kind == open kind): add (open kind, start, place), close; if "
        "mark != 'O' and nothing is open: open kind and start here",
    ),
    mistakes=(
        Mistake(
            "Two entities that touch became one: B- begins a new one even after its own kind.",
            {'mark == "I" and here == kind': "here == kind"},
        ),
        Mistake(
            "An I- of another kind cannot go on with an entity: it ends it and begins a new one.",
            {'mark == "I" and here == kind': 'mark == "I"'},
        ),
        Mistake(
            "An I- with nothing to go on with was dropped. By convention it begins an entity.",
            {'mark != "O" and kind is None': 'mark == "B"'},
        ),
        Mistake(
            "The third number is the place *after* the last word, as in a slice.",
            {"start, place))": "start, place - 1))"},
        ),
        Mistake(
            "The third number is a *place*, that of the word after the last one. You gave the "
            "number of words.",
            {"start, place))": "start, place - start))"},
        ),
        Mistake(
            "The places are right. The kind comes without its mark: 'PARAM', not 'B-PARAM'.",
            {"(kind, start, place)": "(tags[start], start, place)"},
            {"(kind, start, place)": '("B-" + kind, start, place)'},
        ),
        Mistake(
            "An entity that reaches to the end of the sentence was lost: close it after the "
            "loop, or put an 'O' after the tags.",
            {'[*tags, "O"]': "tags"},
        ),
        Mistake(
            "You counted tokens. B- and the I- after it are *one* entity.",
            {' and not (mark == "I" and here == kind)': ""},
        ),
    ),
)
