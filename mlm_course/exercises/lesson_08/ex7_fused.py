"""Several searches in one."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int]:
    """Scores (3, 8) of very different sizes, one search with equal ones, and k from 5 to 60."""
    sizes = torch.tensor([[1.0], [1.0], [30.0]])
    scores = sizes * torch.randn(3, 8, generator=g)
    counts = torch.tensor([4.0, 4.0, 2.0, 2.0, 2.0, 1.0, 0.0, 0.0])
    scores[1] = counts[torch.randperm(8, generator=g)]
    return scores, int(torch.randint(5, 61, (), generator=g))


AHEAD = "scores[:, None, :] > scores[:, :, None]"
FALLING, RISING = "argsort(dim=1, descending=True, stable=True)", "argsort(dim=1, stable=True)"
PLACES = "1 + ahead.sum(-1)"
SCORES = "(scores - scores.mean(1, keepdim=True))"
SUM = "(1 / (k + places)).sum(0)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "The place of a text in one search is 1 + how many texts have a larger score there. What "
        "about those with the same score?",
        "scores[:, None, :] > scores[:, :, None] is (S, N, N): for each text, which ones are ahead of "
        "it. Its sum over the last axis is (S, N). Equal scores are not ahead of each other.",
        "places = 1 + (scores[:, None, :] > scores[:, :, None]).sum(-1); return "
        "(1 / (k + places)).sum(0)",
    ),
    mistakes=(
        Mistake(
            "Your places begin at 0. The best text of a search has place 1.",
            {PLACES: "ahead.sum(-1)"},
            {PLACES: f"scores.{FALLING}.argsort(1)"},
        ),
        Mistake(
            "Place 1 went to the smallest score. Larger is better.",
            {":] > scores": ":] < scores"},
            {PLACES: f"1 + scores.{RISING}.argsort(1)"},
            {PLACES: f"scores.{RISING}.argsort(1)"},
        ),
        Mistake(
            "argsort alone says which text has place 1, place 2, ...; you need the place of text 1, "
            "text 2, ... Sort once more: `.argsort(1, True).argsort(1)`, or count who is ahead. "
            "(Places begin at 1, and equal scores share the best place.)",
            {PLACES: f"1 + scores.{FALLING}"},
            {PLACES: f"scores.{FALLING}"},
            {PLACES: f"1 + scores.{RISING}"},
            {PLACES: f"scores.{RISING}"},
        ),
        Mistake(
            "k is missing: 1 / (k + place). Without it the first place alone decides nearly all.",
            {"(k + places)": "places"},
        ),
        Mistake(
            "It is k *plus* the place, so that a better place gives more.",
            {"k + places": "k - places"},
        ),
        Mistake(
            "It is k plus the place. As a factor, k changes all sums alike and no order.",
            {"k + places": "k * places"},
        ),
        Mistake(
            "You used 60 for k. Use the argument: 60 is only its default.",
            {"k + places": "60 + places"},
        ),
        Mistake(
            "This is the mean over the searches. Add them up.",
            {".sum(0)": ".mean(0)"},
        ),
        Mistake(
            "Equal scores got different places, by the order in which they stand. They share the best "
            "of their places: count the texts whose score is larger.",
            {PLACES: f"1 + scores.{FALLING}.argsort(1)"},
            {PLACES: f"scores.shape[1] - scores.{RISING}.argsort(1)"},
        ),
        Mistake(
            "Equal scores share the *worst* of their places here. Count the texts whose score is "
            "larger, and add 1.",
            {PLACES: "ahead.sum(-1)", ":] > scores": ":] >= scores"},
        ),
        Mistake(
            "Equal scores share the mean of their places here. They share the best.",
            {PLACES: "0.5 + ahead.sum(-1) + (scores[:, None] == scores[..., None]).sum(-1) / 2"},
        ),
        Mistake(
            "After a shared place, places are left out: two texts at place 1, then place 3. Count the "
            "texts that are ahead, not the scores.",
            {PLACES: "torch.stack([1 + (row.unique() > row[:, None]).sum(1) for row in scores])"},
        ),
        Mistake(
            "You added the scores themselves. Searches count in different sizes, and the largest "
            "numbers win. Here only places are added.",
            {SUM: "scores.sum(0)"},
            {SUM: "scores.mean(0)"},
        ),
        Mistake(
            "You added standardised scores. That is another way to fuse; here only places count.",
            {SUM: f"({SCORES} / scores.std(1, keepdim=True)).sum(0)"},
            {SUM: f"({SCORES} / scores.std(1, keepdim=True, correction=0)).sum(0)"},
        ),
        Mistake(
            "You added the places. It is the sum of 1 / (k + place), so that more is better and first "
            "places count most.",
            {SUM: "places.sum(0)"},
            {SUM: "places.float().sum(0)"},
        ),
        Mistake(
            "You added the places and then took 1 / (k + sum). Each search gives its own "
            "1 / (k + place); these are added.",
            {SUM: "1 / (k + places.sum(0))"},
        ),
        Mistake(
            "Your places compare the searches with each other. Each row of `scores` is one search: "
            "rank within it.",
            {AHEAD: "scores[None] > scores[:, None]", PLACES: "1 + ahead.sum(1)"},
        ),
        Mistake(
            "You summed over the texts. One number for each *text* is wanted: sum over the searches.",
            {".sum(0)": ".sum(1)"},
        ),
        Mistake(
            "This is the order of the texts. Return their sums, (N,), one for each text.",
            {SUM: "(1 / (k + places)).sum(0).argsort(descending=True)"},
        ),
    ),
)
