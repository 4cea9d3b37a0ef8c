"""What each process sends back."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sums and counts of three processes of two pieces, (3, 2), or of two of three, (2, 3).

    Pieces hide very different numbers of tokens.
    """
    shape = (3, 2) if torch.rand((), generator=g) < 0.5 else (2, 3)
    counts = torch.randint(1, 40, shape, generator=g)
    return counts * (1 + 2 * torch.rand(shape, generator=g)), counts


ANSWER = "len(sums) * sums.sum(1) / counts.sum()"

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Write down what is wanted: all sums, divided by all counts. And what happens by itself: the "
        "gradients of the R processes are averaged, so each is divided by R.",
        "Each process divides its own sum by the count of *all*, and makes up for the average by "
        "multiplying by R = len(sums).",
        "return len(sums) * sums.sum(1) / counts.sum()",
    ),
    mistakes=(
        Mistake(
            "Each process divided by its own count. A token weighs more where few are hidden: divide "
            "by the count of all processes.",
            {"len(sums) * ": "", "counts.sum()": "counts.sum(1)"},
        ),
        Mistake(
            "These are means of the pieces' means. Sums are added up, and divided once, by the "
            "count of all pieces of all processes.",
            {ANSWER: "(sums / counts).mean(1)"},
        ),
        Mistake(
            "The right count, but the gradients will be averaged over the processes, and the result "
            "is R times too small: multiply by R.",
            {"len(sums) * ": ""},
        ),
        Mistake(
            "Multiplied by the number of pieces. Only the processes are averaged; pieces of one "
            "process add up by themselves.",
            {"len(sums)": "sums.numel()"},
        ),
        Mistake(
            "Divided by R, and the average will do so once more. Multiply by R instead.",
            {ANSWER: "sums.sum(1) / counts.sum() / len(sums)"},
        ),
        Mistake(
            "That is the loss of the whole batch, for everyone. A process has the gradient of its "
            "own sum only: return what each one contributes.",
            {ANSWER: "(sums.sum() / counts.sum()).expand(len(sums))"},
        ),
        Mistake(
            "Multiplied by R, and divided by each process's own count. The count is that of all.",
            {"counts.sum()": "counts.sum(1)"},
        ),
        Mistake(
            "Each process's sum was divided by the number of its pieces as well. Their gradients are added "
            "up within a process, not averaged.",
            {"sums.sum(1)": "sums.mean(1)"},
        ),
        Mistake(
            "The rows are the processes; here the pieces of all processes with the same turn were added.",
            {"len(sums) * sums.sum(1)": "len(sums) * sums.sum(0)"},
        ),
        Mistake(
            "These are the contributions of the pieces, (R, A). Add up those of one process: (R,).",
            {"sums.sum(1)": "sums"},
        ),
    ),
)
