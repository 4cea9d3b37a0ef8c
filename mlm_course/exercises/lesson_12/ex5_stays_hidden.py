"""What stays hidden."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float, float]:
    """Hidden places and noise, both (5, 8), and two times, t and the earlier s."""
    masked = torch.rand(5, 8, generator=g) < 0.6
    t = 0.5 + 0.3 * torch.rand((), generator=g).item()
    s = t * 0.6
    noise = torch.rand(5, 8, generator=g)
    masked[0, :5] = torch.tensor([True, True, True, True, False])
    # noise between s and s / t, and between s and 1 - s / t, tells the wrong chances from the right
    noise[0, :5] = torch.tensor([0.01, 0.5 * (s + s / t), 0.99, 0.5 * (1 - s / t + s), 0.02])
    return masked, noise, t, s


def fixed_number(masked, noise, t, s):
    """In each row the share s / t of the hidden places, those with the least noise."""
    n = (masked.sum(1) * s / t).long()
    return noise.masked_fill(~masked, 2.0).argsort(1).argsort(1) < n[:, None]


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "At time t a word is hidden with probability t, at time s with probability s. Of those "
        "hidden at t, which share is still hidden at s?",
        "The share is s / t. A noise below it happens with just that chance; and only what was "
        "hidden can stay so.",
        "return masked & (noise < s / t)",
    ),
    mistakes=(
        Mistake(
            "(t - s) / t is the chance to be *filled*. To stay hidden is the rest: s / t.",
            {"s / t": "(t - s) / t"},
        ),
        Mistake(
            "s is the chance among all words. Among those that are still hidden at time t it is s / t.",
            {"s / t": "s"},
        ),
        Mistake(
            "Words that were filled already are hidden again. Only what was hidden can stay hidden: "
            "`masked & ...`.",
            {"masked & ": ""},
        ),
        Mistake(
            "Inverted: a place stays hidden where its noise is *below* s / t.",
            {"noise <": "noise >="},
        ),
        Mistake(
            "The chance is right. Which side of the noise hides is a convention: a place stays hidden "
            "where its noise is *below* s / t.",
            {"noise < s / t": "noise >= (t - s) / t"},
        ),
        Mistake(
            "This leaves a fixed number hidden. Here each place is decided alone, by its own noise.",
            fixed_number,
        ),
        Mistake(
            "t - s is how many of *all* words are filled in this step. Wanted: of those hidden at t, "
            "the share that stays hidden, s / t.",
            {"s / t": "t - s"},
        ),
    ),
)
