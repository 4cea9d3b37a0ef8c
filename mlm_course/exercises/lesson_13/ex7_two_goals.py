"""Two goals for a student."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """Logits (6, 9) of student and teacher, true words (6,), the temperature and the share."""
    student, teacher = ((2 * torch.randn(6, 9, generator=g)).requires_grad_() for _ in range(2))
    target = torch.randint(9, (6,), generator=g)
    return student, teacher, target, 1.5 + 0.5 * whole(g, 0, 5), whole(g, 2, 5) / 10


DIVERGENCE = 'F.kl_div(learnt, taught, reduction="batchmean", log_target=True)'

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    backward=True,
    hints=(
        "Two losses, mixed: the teacher's with weight `share`, the true ids' with the rest. Only the "
        "first is softened.",
        "`F.kl_div(log_student, log_teacher, log_target=True)` expects logarithms, the student's first; "
        'with reduction="batchmean" it divides by the number of places, with "mean" by V as well.',
        "The divergence is multiplied by temperature**2, and the teacher is detached before it is used.",
        "learnt = (student / temperature).log_softmax(-1)\n"
        "taught = (teacher.detach() / temperature).log_softmax(-1)\n"
        'soft = F.kl_div(learnt, taught, reduction="batchmean", log_target=True)\n'
        "soft = temperature**2 * soft\n"
        "return share * soft + (1 - share) * F.cross_entropy(student, target)",
    ),
    stages={
        "learnt": "the student's softened log-probabilities",
        "taught": "the teacher's",
        "soft": "the softened part, its square of the temperature included",
    },
    mistakes=(
        Mistake(
            "The factor temperature**2 is missing: the softened part would lose its weight as the "
            "temperature grows.",
            {"temperature**2 * ": ""},
        ),
        Mistake(
            "The softened part was multiplied by the temperature instead of its square. Logits are divided "
            "by it twice over: in what goes in, and again in the gradient on its way back.",
            {"temperature**2 * ": "temperature * "},
        ),
        Mistake(
            "The square of the temperature multiplies both parts. Only the first is softened.",
            {
                "temperature**2 * ": "",
                "return share * soft + (1 - share) * F.cross_entropy(student, target)": "return "
                "temperature**2 * (share * soft + (1 - share) * F.cross_entropy(student, target))",
            },
        ),
        Mistake(
            "Only the teacher was softened. The student's logits are divided by the temperature, too.",
            {"student / temperature": "student"},
        ),
        Mistake(
            "Only the student was softened. The teacher's logits are divided by the temperature, too.",
            {"teacher.detach() / temperature": "teacher.detach()"},
        ),
        Mistake(
            "Logits were multiplied by the temperature, which makes answers sharper. Divide.",
            {
                "student / temperature": "student * temperature",
                "() / temperature": "() * temperature",
            },
        ),
        Mistake(
            "The true ids' loss uses softened answers. There the student must answer as it will be "
            "used: without temperature.",
            {"F.cross_entropy(student,": "F.cross_entropy(student / temperature,"},
        ),
        Mistake(
            "The divergence runs the other way: the expectations are the student's. They should be the "
            "teacher's; `F.kl_div` takes the student first.",
            {"F.kl_div(learnt, taught,": "F.kl_div(taught, learnt,"},
        ),
        Mistake(
            "`share` is the weight of the teacher's part, 1 - share that of the true ids.",
            {"share * soft + (1 - share) *": "(1 - share) * soft + share *"},
        ),
        Mistake(
            "The softened part was divided by the size of the vocabulary as well: a mean over all "
            'entries. The mean over places is reduction="batchmean".',
            {'"batchmean"': '"mean"'},
        ),
        Mistake(
            "The softened part is a sum over places. It should be their mean, like the other part.",
            {'"batchmean"': '"sum"'},
        ),
        Mistake(
            "This is the cross-entropy with the teacher. It has the same gradient, but does not fall "
            "to 0 where both agree: subtract the teacher's entropy, as the divergence does.",
            {DIVERGENCE: "F.cross_entropy(student / temperature, taught.exp())"},
        ),
        Mistake(
            "The teacher's likeliest words alone were taught. What it thinks of the others is the very "
            "thing to learn: compare whole distributions.",
            {DIVERGENCE: "F.cross_entropy(student / temperature, teacher.argmax(-1))"},
            {"temperature**2 * " + DIVERGENCE: "F.cross_entropy(student, teacher.argmax(-1))"},
        ),
        Mistake(
            "The true ids are missing: this is the teacher's part alone.",
            {" + (1 - share) * F.cross_entropy(student, target)": ""},
            {"share * soft + (1 - share) * F.cross_entropy(student, target)": "soft"},
        ),
        Mistake(
            "The loss is right, but a step along its gradient would change the teacher, too. "
            "`teacher.detach()` keeps it as it is.",
            {"teacher.detach()": "teacher"},
        ),
    ),
)
