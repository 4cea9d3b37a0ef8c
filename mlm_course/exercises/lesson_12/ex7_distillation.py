"""Learning from a teacher."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Logits (6, 5) of a student and of a teacher; a temperature between 2 and 3."""
    temperature = 2 + torch.rand((), generator=g).item()
    student, teacher = (2 * torch.randn(6, 5, generator=g) for _ in range(2))
    return student, teacher, temperature


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "Divide both by the temperature and make them (log-)probabilities. How far is the student's "
        "from the teacher's?",
        '`F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True)` is the '
        "divergence of the student from the teacher, a mean over the n rows.",
        "return T**2 * F.kl_div((student / T).log_softmax(-1), (teacher / T).log_softmax(-1), "
        'reduction="batchmean", log_target=True)',
    ),
    mistakes=(
        Mistake(
            "Only the teacher's first answer was used. What it thinks of the other words is the very "
            "thing to learn: compare the whole distributions.",
            {"temperature**2 * divergence": "F.cross_entropy(student, teacher.argmax(-1))"},
        ),
        Mistake(
            "The factor `temperature**2` is missing: without it a high temperature makes all gradients "
            "small.",
            {"temperature**2 * ": ""},
        ),
        Mistake(
            "Student and teacher are exchanged. The expectation is over the *teacher's* "
            "probabilities; in `F.kl_div` the student comes first.",
            {"learnt, taught, reduction": "taught, learnt, reduction"},
        ),
        Mistake(
            "The mean runs over all V words as well, so the loss is V times too small: "
            '`reduction="batchmean"`.',
            {'"batchmean"': '"none"', "* divergence": "* divergence.mean()"},
        ),
        Mistake(
            "Only the teacher was softened. Divide the student's logits by the temperature, too.",
            {"kl_div(learnt": "kl_div(student.log_softmax(-1)"},
        ),
        Mistake(
            "The logits were multiplied by the temperature, which makes the answers sharper. Divide.",
            {"x / temperature": "x * temperature"},
        ),
        Mistake(
            "This is the cross-entropy: the divergence plus the teacher's own entropy. The gradient is "
            "the same, but the value is not 0 for a perfect student. Use the divergence.",
            {"* divergence": "* F.cross_entropy(student / temperature, taught.exp())"},
        ),
    ),
)
