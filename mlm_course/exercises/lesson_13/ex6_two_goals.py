"""Two goals for a student."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """Logits (6, 9) of student and teacher, true words (6,), the temperature and the share."""
    student, teacher = (2 * torch.randn(6, 9, generator=g) for _ in range(2))
    target = torch.randint(9, (6,), generator=g)
    return student, teacher, target, 1.5 + 0.5 * whole(g, 0, 5), whole(g, 2, 5) / 10


DIVERGENCE = 'F.kl_div(learnt, taught, reduction="batchmean", log_target=True)'

EXERCISE = Exercise(
    minutes=10,
    inputs=inputs,
    hints=(
        "Two losses, mixed: the teacher's, as in exercise 12.7, with weight `share`; the true words' "
        "with the rest.",
        "The temperature belongs to the first only: there both logits are divided by it, and the "
        "divergence is multiplied by its square.",
        "learnt, taught = ((x / temperature).log_softmax(-1) for x in (student, teacher)); soft = "
        "temperature**2 * F.kl_div(learnt, taught, reduction='batchmean', log_target=True); "
        "return share * soft + (1 - share) * F.cross_entropy(student, target)",
    ),
    mistakes=(
        Mistake(
            "The factor temperature**2 is missing: the softened part would lose its weight as the "
            "temperature grows.",
            {"temperature**2 * ": ""},
        ),
        Mistake(
            "Only the teacher was softened. The student's logits are divided by the temperature too.",
            {"F.kl_div(learnt,": "F.kl_div(student.log_softmax(-1),"},
        ),
        Mistake(
            "Only the student was softened. The teacher's logits are divided by the temperature too.",
            {"F.kl_div(learnt, taught,": "F.kl_div(learnt, teacher.log_softmax(-1),"},
        ),
        Mistake(
            "The true words' loss uses softened answers. There the student must answer as it will be "
            "used: without temperature.",
            {"F.cross_entropy(student,": "F.cross_entropy(student / temperature,"},
        ),
        Mistake(
            "The divergence runs the other way: p_teacher * log(p_teacher / p_student). `F.kl_div` "
            "takes the student first.",
            {"F.kl_div(learnt, taught,": "F.kl_div(taught, learnt,"},
        ),
        Mistake(
            "`share` is the weight of the teacher's part, 1 - share that of the true words.",
            {"share * soft + (1 - share) *": "(1 - share) * soft + share *"},
        ),
        Mistake(
            'reduction="mean" divides by the size of the vocabulary as well. Use "batchmean".',
            {'"batchmean"': '"mean"'},
        ),
        Mistake(
            "This is the cross-entropy with the teacher. It has the same gradient, but does not fall "
            "to 0 where both agree: subtract the teacher's entropy, as the divergence does.",
            {DIVERGENCE: "F.cross_entropy(student / temperature, taught.exp())"},
        ),
    ),
)
