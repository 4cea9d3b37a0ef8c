"""One draw of the bound."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Surprises, hidden places and words, each (3, 8); the shortest row has most hidden, then padding."""
    words = torch.arange(8) < torch.tensor([[8], [5], [6]])
    masked = (torch.rand(3, 8, generator=g).argsort(1) < 2) & words
    masked[:, 0], masked[1, :4] = True, True
    masked[:, 4] = False
    return 0.1 + 3 * torch.rand(3, 8, generator=g), masked, words


SUM_ALONE = {"words.sum(1) * ": "", " / masked.sum(1)": ""}
VISIBLE_TOO = {"surprise * masked": "surprise * words"}

EXERCISE = Exercise(
    minutes=6,
    inputs=inputs,
    hints=(
        "Two steps for each row: the mean over the hidden words, then times the number of words "
        "in the row.",
        "`(surprise * masked).sum(1)` and `masked.sum(1)` are (B,). So is the number of words, "
        "`words.sum(1)`.",
        "return words.sum(1) * (surprise * masked).sum(1) / masked.sum(1)",
    ),
    mistakes=(
        Mistake(
            "The mean was taken over all hidden words of the batch. Then a row with many hidden counts "
            "more, and it is no bound any more: take each row's own mean.",
            {"masked).sum(1)": "masked).sum()", "/ masked.sum(1)": "/ masked.sum()"},
        ),
        Mistake(
            "This is the mean surprise of a word. The text has N of them: times `words.sum(1)`.",
            {"words.sum(1) * ": ""},
        ),
        Mistake(
            "Padding was counted as words. N is `words.sum(1)`, row by row.",
            {"words.sum(1)": "surprise.shape[1]"},
        ),
        Mistake(
            "The sum alone grows with the number of hidden words. Divide by it, then times N.",
            SUM_ALONE,
        ),
        Mistake(
            "Visible words were counted in. Nobody asked about them: only the hidden ones count.",
            SUM_ALONE | VISIBLE_TOO,
            VISIBLE_TOO,
            SUM_ALONE | {"(surprise * masked)": "surprise"},
        ),
        Mistake(
            "The two numbers are exchanged: times the number of words, divided by the number of "
            "hidden ones.",
            {"words.sum(1) *": "masked.sum(1) *", "/ masked.sum(1)": "/ words.sum(1)"},
        ),
        Mistake(
            "The rows were averaged. Return one number a row.",
            {"return words": "return (words", "/ masked.sum(1)": "/ masked.sum(1)).mean()"},
        ),
    ),
)
