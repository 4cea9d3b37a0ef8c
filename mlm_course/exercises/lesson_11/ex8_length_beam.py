"""A length beam."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import VOCABULARY
from mlm_course.practice.exercise import Exercise, Mistake

LONGEST = 9


class TinyWriter:
    """A Mask-Predict whose words depend on source, length and place: rows (R,), real (R, N)."""

    def __init__(self, sources: int, g: torch.Generator) -> None:
        size = (sources, LONGEST + 1, LONGEST)
        self.words = torch.randint(5, VOCABULARY, size, generator=g)
        self.sure = torch.rand(size, generator=g) * 0.9 + 0.05

    def __call__(self, rows: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        if rows.dim() != 1 or real.dim() != 2 or len(rows) != len(real):
            shapes = f"{tuple(rows.shape)} and {tuple(real.shape)}"
            raise ValueError(f"write takes rows (R,) and real (R, N), here {shapes}.")
        place = rows, real.sum(1)
        words, sure = (table[place][:, : real.shape[1]] for table in (self.words, self.sure))
        return torch.where(real, words, 0), torch.where(real, sure, 1.0)


def inputs(g: torch.Generator) -> tuple[TinyWriter, Tensor, int]:
    """A writer; scores (4, 10) of the lengths 0 to 9, with 0 the best of half of them, never 9; 3."""
    scores = torch.randn(4, LONGEST + 1, generator=g)
    scores[:2, 0] = scores.max() + 1
    scores[2:, 0] = scores.min() - 1
    scores[3, 7:] -= 4  # this source's lengths are shorter than others'
    scores[:, LONGEST] -= 9  # no page is as wide as M
    return TinyWriter(len(scores), g), scores, 3


MEAN, LENGTHS = "confidence.log().sum(1) / real.sum(1)", "scores[:, 1:].topk(n).indices + 1"

EXERCISE = Exercise(
    minutes=15,
    hard=True,
    trials=4,
    inputs=inputs,
    counted=("write",),
    stages={
        "lengths": "the likeliest lengths of each source, (B, n)",
        "real": "which places are to be written, (B * n, N)",
        "means": "the mean log-probabilities, (B, n)",
        "best": "the number of each source's winner, (B,)",
    },
    hints=(
        "Four steps: the lengths; a row of `real` for each; one call of `write`; the mean over own "
        "words, and the winner. Behind a candidate's end the logarithm is 0, but is it to be counted?",
        "lengths are (B, n), never 0. Compared with `torch.arange(N)` they make `real` (B * n, N); "
        "`rows` is 0, 0, 0, 1, 1, 1, ... for n = 3. Back in the shape (B, n) the means have an argmax.",
        """B = len(scores)
lengths = scores[:, 1:].topk(n).indices + 1
real = torch.arange(int(lengths.max())) < lengths.reshape(-1, 1)
tokens, confidence = write(torch.arange(B).repeat_interleave(n), real)
means = (confidence.log().sum(1) / real.sum(1)).reshape(B, n)
return tokens.reshape(B, n, -1)[torch.arange(B), means.argmax(1)], means.amax(1)""",
    ),
    mistakes=(
        Mistake(
            "Length 0 was tried. An empty answer is none, and its mean is 0/0: rule it out.",
            {LENGTHS: "scores.topk(n).indices"},
        ),
        Mistake(
            "All lengths are one too short: the first column that may win is length 1, not 0.",
            {" + 1": ""},
        ),
        Mistake(
            "These candidates have the *least* likely lengths. Take those with the highest scores.",
            {"topk(n)": "topk(n, largest=False)"},
        ),
        Mistake(
            "Pages and sources do not belong together: source 0 has the first n pages, source 1 the "
            "next n.",
            {"repeat_interleave(n)": "repeat(n)"},
        ),
        Mistake(
            "These are sums. They fall with every word, which favours short candidates: take the mean.",
            {MEAN: "confidence.log().sum(1)"},
        ),
        Mistake(
            "The mean runs over the width of the page, where 1 stands behind a candidate's end. Divide "
            "by the number of its own words.",
            {MEAN: "confidence.log().mean(1)"},
        ),
        Mistake(
            "This is the mean probability. One impossible word hardly lowers it; take the mean "
            "of the logarithms.",
            {MEAN: "(confidence * real).sum(1) / real.sum(1)"},
        ),
        Mistake(
            "This is the logarithm of the mean probability. Logarithms first, then the mean.",
            {MEAN: "((confidence * real).sum(1) / real.sum(1)).log()"},
        ),
        Mistake(
            "The worst candidate wins: log-probabilities are negative, and the largest is best.",
            {"means.argmax(1)": "means.argmin(1)", "means.amax(1)": "means.amin(1)"},
            {MEAN: f"-({MEAN})"},
        ),
        Mistake(
            "The likeliest length wins here, whatever was written. The surest words decide.",
            {"means.argmax(1)": "0", "means.amax(1)": "means[:, 0]"},
        ),
        Mistake(
            "The least sure word of each candidate decides here. The mean over all words does.",
            {MEAN: "confidence.log().amin(1)"},
        ),
        Mistake(
            "The length's own log-probability is part of this. Only the words count.",
            {MEAN: f"{MEAN} + scores.log_softmax(1).gather(1, lengths).flatten()"},
            {MEAN: f"{MEAN} + scores[:, 1:].log_softmax(1).gather(1, lengths - 1).flatten()"},
        ),
        Mistake(
            "The tokens are right; with them go their mean log-probabilities, not their "
            "probabilities.",
            {"means.amax(1)": "means.amax(1).exp()"},
        ),
    ),
)
