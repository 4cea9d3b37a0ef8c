"""The worst small push."""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, float]:
    """Gradients (3, 5, 4) of three texts, small, ordinary and large; a size between 0.5 and 1.5."""
    sizes = torch.tensor([0.01, 1.0, 5.0])[:, None, None]
    return torch.randn(3, 5, 4, generator=g) * sizes, 0.5 + torch.rand((), generator=g).item()


EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "The loss grows fastest along its gradient. Only the direction is used: bring each text's "
        "gradient to length 1.",
        "`gradient.flatten(1).norm(dim=1)` is (B,): one length a text, over all of its tokens and "
        "numbers. Give it two more axes before dividing.",
        "return size * gradient / gradient.flatten(1).norm(dim=1)[:, None, None]",
    ),
    mistakes=(
        Mistake(
            "The gradient was not brought to length 1, so the push is tiny for texts that the model is "
            "rightly sure of. Divide by each text's norm.",
            {" / length[:, None, None]": ""},
        ),
        Mistake(
            "That is the sign of the gradient (FGSM, made for pixels). Here: the gradient, divided by "
            "its length.",
            {"gradient / length[:, None, None]": "gradient.sign()"},
        ),
        Mistake(
            "Each token got a push of full length. The length is that of the whole text: one norm over "
            "tokens and numbers.",
            {"length[:, None, None]": "gradient.norm(dim=-1, keepdim=True)"},
        ),
        Mistake(
            "This makes the loss *smaller*: a push against the gradient. The adversary wants it larger.",
            {"return size": "return -size"},
        ),
        Mistake(
            "One norm over the whole batch: then texts share one push among them. One norm a text.",
            {"length[:, None, None]": "gradient.norm()"},
        ),
        Mistake(
            "The direction is right, but `size` was not used.",
            {"size * gradient": "gradient"},
        ),
    ),
)
