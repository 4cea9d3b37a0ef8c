"""The exact guess."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, int]:
    """Probabilities (3, 3, 3, 3) of all four-word texts, a text (4,), what is hidden (4,), one such place."""
    joint = torch.rand(3, 3, 3, 3, generator=g, dtype=torch.float64) ** 3
    text = torch.randint(3, (4,), generator=g)
    places = torch.randperm(4, generator=g)
    masked = torch.zeros(4, dtype=torch.bool)
    masked[places[:2]] = True
    return joint / joint.sum(), text, masked, int(places[0])


EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    hints=(
        "Three kinds of axes: the place that is asked stays; at a visible place only the true word "
        "counts; at another hidden place every word might stand there.",
        "`joint.narrow(i, int(text[i]), 1)` keeps the slice of a visible word, "
        "`joint.sum(i, keepdim=True)` adds up over a hidden one; both leave the axis there, of "
        "size 1. At the end make it sum to 1.",
        "for i in range(joint.ndim): (skip i == place) joint = joint.sum(i, keepdim=True) if "
        "masked[i] else joint.narrow(i, int(text[i]), 1); then return joint.flatten() / joint.sum()",
    ),
    mistakes=(
        Mistake(
            "The other hidden words were looked at: this is the guess with everything else visible. "
            "Sum over what might stand at a hidden place.",
            {"joint.sum(i, keepdim=True) if masked[i] else visible": "visible"},
        ),
        Mistake(
            "The proportions are right, but they do not sum to 1. Divide by their sum: the probability "
            "of what is visible.",
            {" / joint.sum()": ""},
        ),
        Mistake(
            "At the other hidden place only the most likely word was taken. Sum over all of them.",
            {"joint.sum(i, keepdim=True)": "joint.amax(i, keepdim=True)"},
        ),
        Mistake(
            "The visible words were summed out as well: this guess has not read the text. Keep only "
            "the slice in which they stand.",
            {" if masked[i] else visible": ""},
        ),
        Mistake(
            "Hidden and visible are exchanged: True in `masked` means that the word cannot be seen.",
            {"if masked[i]": "if not masked[i]"},
        ),
        Mistake(
            "These are logarithms. Return the probabilities themselves.",
            {"joint.flatten() / joint.sum()": "(joint.flatten() / joint.sum()).log()"},
        ),
    ),
)
