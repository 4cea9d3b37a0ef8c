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
    masked[places[: 1 if torch.rand((), generator=g) < 0.2 else 2]] = True
    return joint / joint.sum(), text, masked, int(places[0])


def weighed_alike(joint, text, masked, place):
    """The mean of the guesses given each choice of words at the other hidden places."""
    seen = tuple(slice(None) if gap else int(word) for word, gap in zip(text, masked, strict=True))
    own = int(masked[:place].sum())  # the place's axis among those of hidden places
    table = joint[seen].movedim(own, 0).reshape(3, -1)
    return (table / table.sum(0)).mean(1)


ANSWER = "joint.flatten() / joint.sum()"
HIDDEN = "joint.sum(i, keepdim=True) if masked[i] else visible"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    trials=16,
    hints=(
        "Three kinds of axes: the place that is asked stays; at a visible place only the true word "
        "counts; at another hidden place every word might stand there.",
        "`joint.narrow(i, int(text[i]), 1)` keeps the slice of a visible word, "
        "`joint.sum(i, keepdim=True)` adds up over a hidden one; both leave the axis there, of "
        "size 1. At the end make it sum to 1.",
        "for i in range(joint.ndim):\n"
        "    if i != place:\n"
        "        seen = joint.narrow(i, int(text[i]), 1)\n"
        "        joint = joint.sum(i, keepdim=True) if masked[i] else seen\n"
        "return joint.flatten() / joint.sum()",
    ),
    mistakes=(
        Mistake(
            "The other hidden words were looked at: this is the guess with everything else visible. "
            "Sum over what might stand at a hidden place.",
            {HIDDEN: "visible"},
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
            {ANSWER: f"({ANSWER}).log()"},
        ),
        Mistake(
            "These are softmax's: the shares differ far less than the probabilities do. The entries "
            "are probabilities already; divide them by their sum.",
            {ANSWER: "joint.flatten().softmax(0)"},
            {ANSWER: f"({ANSWER}).softmax(0)"},
        ),
        Mistake(
            "This is the guess at the first hidden place, whichever was asked. Asked is `place`.",
            {"i != place": "i != int(masked.nonzero()[0])"},
        ),
        Mistake(
            "What might stand at the other hidden place was weighed alike: each slice was divided by "
            "its own sum before they were added up. Words that are less probable there count less.",
            weighed_alike,
        ),
    ),
)
