"""What mixing costs."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_11.tiny import VOCABULARY
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Chances (3,) of three answers, and their words (3, 5); some stand in two answers."""
    p = torch.tensor([0.5, 0.3, 0.2]) + 0.06 * (torch.rand(3, generator=g) - 0.5)
    answers = torch.stack([torch.randperm(VOCABULARY - 5, generator=g)[:5] + 5 for _ in range(3)])
    answers[1, :2], answers[2, 3] = answers[0, :2], answers[0, 3]
    return p / p.sum(), answers


SUM = "sum(chances.prod().item() for chances in at_places)"

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    hints=(
        "At each place, how likely is this answer's word, whichever answer it comes from? Places "
        "are drawn independently: multiply. Distinct answers exclude each other: add.",
        "`answers == one` is (M, L): which answers have the same word at each place. Weighted with "
        "p and summed over the answers it gives the L chances of `one`.",
        "return sum((p[:, None] * (answers == one)).sum(0).prod().item() for one in answers)",
    ),
    mistakes=(
        Mistake(
            "This is how likely an answer is if it is drawn as a whole: always 1. Here each place "
            "is drawn by itself.",
            {SUM: "p.sum().item()"},
        ),
        Mistake(
            "This is the chance of the likeliest answer alone. Any right answer counts: add them.",
            {"return sum(": "return max("},
        ),
        Mistake(
            "You averaged over the answers. They exclude each other, so their chances add up.",
            {SUM: f"{SUM} / len(p)"},
        ),
        Mistake(
            "The answers were counted, not weighted by how likely they are: use p.",
            {"p[:, None] * (answers == one)": "(answers == one).float()"},
            {"p[:, None]": "1 / len(p)"},
        ),
        Mistake(
            "You took only an answer's own chance at each place. Another answer with the same word "
            "there helps, too: sum p over all answers that agree at the place.",
            {SUM: "(p ** answers.shape[1]).sum().item()"},
        ),
        Mistake(
            "p was used twice: it is in the chances of the places already.",
            {SUM: "sum((p * torch.stack(at_places).prod(1)).tolist())"},
        ),
    ),
)
