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
    stages={"at_places": "how likely each answer's word is at each place, a row for each answer"},
    hints=(
        "At each place, how likely is this answer's word, whichever answer it comes from? Places "
        "are drawn independently: multiply. Distinct answers exclude each other: add.",
        "`answers == one` is (M, L): which answers have the same word at each place. Weighted with "
        "p and summed over the answers it gives the L chances of `one`.",
        "chances = [(p[:, None] * (answers == one)).sum(0) for one in answers]\n"
        "return sum(row.prod().item() for row in chances)",
    ),
    mistakes=(
        Mistake(
            "This is how likely an answer is if it is drawn as a whole: always 1. Here each place "
            "is drawn by itself.",
            {SUM: "p.sum().item()"},
        ),
        Mistake(
            "This is the chance of one answer alone. Any right answer counts: add them.",
            {"return sum(": "return max("},
            {SUM: f"[{SUM[4:-1]}][0]"},
            {SUM: f"[{SUM[4:-1]}][-1]"},
        ),
        Mistake(
            "This is the mean over the answers. They exclude each other, so their chances add up.",
            {SUM: f"{SUM} / len(p)"},
        ),
        Mistake(
            "The answers count alike here. Each has to count with its probability `p`.",
            {"p[:, None]": "1 / len(p)"},
        ),
        Mistake(
            "This sums `p ** L`: each place has to draw from the same answer. Another answer with the "
            "same word there helps, too: sum p over all answers that agree at the place.",
            {SUM: "(p ** answers.shape[1]).sum().item()"},
        ),
        Mistake(
            "Each answer's chance is weighted with its `p` once more: p is in the chances of the "
            "places already.",
            {SUM: "sum((p * torch.stack(at_places).prod(1)).tolist())"},
        ),
        Mistake(
            "A word helps here wherever it stands in another answer. Only those that have it at the "
            "same place help.",
            {"(answers == one)": "torch.stack([torch.isin(one, other) for other in answers])"},
        ),
        Mistake(
            "For each answer the chances of its places are averaged. They are drawn independently: "
            "all of them have to come out, and chances multiply.",
            {"chances.prod()": "chances.mean()"},
        ),
        Mistake(
            "This is a sum of logarithms: the chances multiply, then the answers add up.",
            {"chances.prod()": "chances.log().sum()"},
        ),
        Mistake(
            "This is the probability that the result is *none* of the right answers.",
            {f"return {SUM}": f"return 1 - {SUM}"},
        ),
    ),
)
