"""One step of a sampler."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.exercises.lesson_12.little_model import V, maker
from mlm_course.practice.exercise import Exercise, Mistake

ORDERS = ("confidence", "random", "chance")


def inputs(g: torch.Generator) -> tuple[Any, ...]:
    """A model that says [MASK] at times; lines (4, 10) with given words; gaps, shares, order and noise."""
    new_model, bias = maker(g, 10), torch.zeros(10, V)
    bias[:, 4] = torch.linspace(-2, 5, 10)[torch.randperm(10, generator=g)]  # at some places only
    model = new_model().requires_grad_(False)

    def predict(canvas: Tensor) -> Tensor:
        return model(canvas) + bias

    n_gaps = torch.tensor([10, 9, 8, 7])
    gaps = torch.rand(4, 10, generator=g).argsort(1).argsort(1) < n_gaps[:, None]
    n_masked = torch.tensor([8, 7, 6, 5])
    score = torch.rand(4, 10, generator=g).masked_fill(~gaps, 2.0)
    masked = score.argsort(1).argsort(1) < n_masked[:, None]
    words = torch.randint(5, V, (4, 10), generator=g)
    order = ORDERS[int(torch.randint(3, (), generator=g))]
    noise = torch.rand(4, 10, generator=g)
    # between the right chance, .383, and the wrong ones: .31, .5 and .617
    telling = torch.tensor([0.02, 0.33, 0.36, 0.44, 0.56, 0.7, 0.85, 0.95])
    noise[0, masked[0]] = telling[torch.randperm(8, generator=g)]
    return predict, words.masked_fill(masked, 4), gaps, 0.81, 0.31, order, noise


AGAIN = "score.where(masked, torch.inf).argsort(1).argsort(1) < n[:, None]"

EXERCISE = Exercise(
    minutes=25,
    hard=True,
    inputs=inputs,
    trials=12,
    hints=(
        "First the words and how probable each is, without `[MASK]`; then, by `order`, which of the "
        "masked places are masked again; then put the words of the others into the canvas.",
        "`index_fill(-1, torch.tensor([4]), -torch.inf)` takes `[MASK]` out, before softmax. For two "
        "of the orders the `n` smallest of a score are masked again: ranks, with infinity where nothing is "
        "masked.",
        'Order "chance": what is hidden at the earlier time `after` is a part of what is hidden at '
        "`before`. Of 100 words hidden at .8, how many are still hidden at .4?",
        "masked = canvas == 4\n"
        "logits = predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)\n"
        "p, best = logits.softmax(-1).max(-1)\n"
        "n = (after * gaps.sum(1)).long()\n"
        'score = p if order == "confidence" else noise\n'
        "again = score.where(masked, torch.inf).argsort(1).argsort(1) < n[:, None]\n"
        'if order == "chance":\n'
        "    again = noise < after / before\n"
        "return torch.where(masked & ~again, best, canvas)",
    ),
    stages={
        "masked": "which places are masked now",
        "best": "the likeliest word of each place",
        "p": "its probability, `[MASK]` left out",
        "n": "how many places of each row the schedule leaves masked",
    },
    mistakes=(
        Mistake(
            "`[MASK]` was put in as if it were a word, at places where the model finds it the likeliest. "
            "Take its logit out before softmax.",
            {"predict(canvas).index_fill(-1, torch.tensor([4]), -torch.inf)": "predict(canvas)"},
        ),
        Mistake(
            "The words are right; the confidences are those of a model that may say `[MASK]`, whose share "
            "differs from place to place. Take its logit out before softmax, not after.",
            {
                "p, best = logits.softmax(-1).max(-1)": "best = logits.argmax(-1)\n"
                "    p = predict(canvas).softmax(-1).gather(-1, best[..., None])[..., 0]"
            },
        ),
        Mistake(
            "The share `after` was taken of what is masked now, not of all gaps.",
            {"gaps.sum(1)": "masked.sum(1)"},
        ),
        Mistake(
            "The share `after` was taken of the whole line. Some of its places were given from the "
            "start: take it of the gaps.",
            {"gaps.sum(1)": "canvas.shape[1]"},
        ),
        Mistake(
            "Rounded to the nearest, or up. The number of masked places is rounded down.",
            {"(after * gaps.sum(1)).long()": "(after * gaps.sum(1)).round()"},
            {"(after * gaps.sum(1)).long()": "(after * gaps.sum(1)).ceil()"},
        ),
        Mistake(
            "The most confident, or those with the largest noise, were masked again. It should be the "
            "smallest.",
            {"score.where(": "(-score).where("},
        ),
        Mistake(
            "Words that were kept or given earlier compete for being masked again; what is filled stays, "
            "so fewer than n places are left masked. Rank the masked places only.",
            {"score.where(masked, torch.inf)": "score"},
        ),
        Mistake(
            "Kept words, or given ones, were masked again: only what this step fills may be.",
            {
                "torch.where(masked & ~again, best, canvas)": "torch.where(again, 4, "
                "torch.where(masked, best, canvas))",
                "score.where(masked, torch.inf)": "score.where(gaps, torch.inf)",
            },
        ),
        Mistake(
            "Words that stood on the canvas were written over. New words only where it was masked.",
            {"masked & ~again": "~again"},
        ),
        Mistake(
            "The right choice, turned around: those that should stay masked were filled, and the others "
            "left.",
            {"masked & ~again": "masked & again"},
        ),
        Mistake(
            'With "chance" each place stays masked with probability `after`. That is its chance among '
            "*all* words; among those hidden at `before` it is larger.",
            {"after / before": "after"},
        ),
        Mistake(
            'With "chance" each place stays masked with the probability to be *filled*: what is asked for '
            "is the rest of it.",
            {"after / before": "1 - after / before"},
        ),
        Mistake(
            'With "chance" each place stays masked with probability `before - after`. That is how many of '
            "*all* words this step fills.",
            {"after / before": "before - after"},
        ),
        Mistake(
            'With "chance" the right number on average, but on the wrong side: a place stays masked where '
            "its noise is *below* the probability.",
            {"noise < after / before": "noise > 1 - after / before"},
        ),
        Mistake(
            'A fixed number was masked again with "chance" as well. There each place is decided alone, by '
            "its own noise.",
            {'if order == "chance":': "if False:"},
        ),
        Mistake(
            "One argsort gives places, not ranks: what is masked again are not those with the smallest "
            "score. `argsort(1).argsort(1)` is the rank.",
            {"argsort(1).argsort(1)": "argsort(1)"},
        ),
        Mistake(
            "All masked places were filled, and none masked again.",
            {"masked & ~again": "masked"},
        ),
    ),
)
