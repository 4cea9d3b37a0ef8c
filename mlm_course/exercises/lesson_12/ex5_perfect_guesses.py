"""What perfect guesses write."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, list[list[int]]]:
    """Probabilities (3, 3, 3, 3) of all texts; the four places, in groups of 1, 2, 1 or of 2, 2."""
    joint = 0.02 + torch.rand(3, 3, 3, 3, generator=g, dtype=torch.float64) ** 4
    places = torch.randperm(4, generator=g).tolist()
    at = int(torch.randint(1, 3, (), generator=g))  # where the group of two stands
    groups = [places[:1], places[1:3], places[3:]] if at == 1 else [places[:2], places[2:]]
    return joint / joint.sum(), groups


def never_looking(joint, groups):
    """All places from the blank line."""
    return in_groups(joint, [[i for group in groups for i in group]])


def one_by_one(joint, groups):
    """Each place given all before it, those of its own group too."""
    return in_groups(joint, [[i] for group in groups for i in group])


def only_last_group(joint, groups):
    """Each group given the group before it alone."""
    written = torch.ones_like(joint)
    for before, group in zip([[], *groups], groups, strict=False):
        for place in group:
            both = marginal(joint, [*before, place])
            written = written * both / both.sum(place, keepdim=True)
    return written


def marginal(joint, places):
    """The table summed over all other places."""
    for i in range(joint.ndim):
        if i not in places:
            joint = joint.sum(i, keepdim=True)
    return joint


def in_groups(joint, groups):
    """The right answer for other groups."""
    written, known = torch.ones_like(joint), []
    for group in groups:
        for place in group:
            both = marginal(joint, [*known, place])
            written = written * both / both.sum(place, keepdim=True)
        known = known + group
    return written


EXERCISE = Exercise(
    minutes=20,
    hard=True,
    inputs=inputs,
    trials=6,
    hints=(
        "The probability that a text is written is a product: at each place the probability of its word, "
        "given what stood there when this place was drawn. Which places are those?",
        "For a place: sum the table over all axes but its own and those of *earlier groups*; divide by "
        "the sum of that over its own axis. With `keepdim=True` all these tables broadcast, and no text "
        "need be looked at by itself.",
        "Beware: `joint.sum([])` sums over everything. A loop over axes does not have this trap.",
        "written, known = torch.ones_like(joint), []\n"
        "for group in groups:\n"
        "    for place in group:\n"
        "        seen = joint\n"
        "        for i in range(joint.ndim):\n"
        "            if i != place and i not in known:\n"
        "                seen = seen.sum(i, keepdim=True)\n"
        "        written = written * seen / seen.sum(place, keepdim=True)\n"
        "    known = known + group\n"
        "return written",
    ),
    mistakes=(
        Mistake(
            "This is what comes of drawing *all* places from the blank line. Those of a later group are "
            "drawn given the earlier groups.",
            never_looking,
        ),
        Mistake(
            "This is the language itself. That is what comes of one place at a time, whatever the order; "
            "the places of one group do not see each other.",
            one_by_one,
        ),
        Mistake(
            "Each group was drawn given the one before it alone. It sees all earlier ones.",
            only_last_group,
        ),
        Mistake(
            "Not divided by the probability of what is visible: these are products of how probable the "
            "words are *together* with those seen.",
            {" / seen.sum(place, keepdim=True)": ""},
        ),
        Mistake(
            "Each group was drawn given the *later* ones. The line is blank when the first is drawn.",
            {"in groups": "in groups[::-1]"},
        ),
        Mistake(
            "These are logarithms. Return the probabilities themselves.",
            {"return written": "return written.log()"},
        ),
    ),
)
