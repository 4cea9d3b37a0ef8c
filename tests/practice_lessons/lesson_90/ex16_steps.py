"""Several steps."""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
    """A function, and two tensors of one shape."""
    x, y = torch.rand(2, 2, 3, generator=generator)
    return (lambda some: some.square()), x, y


EXERCISE = Exercise(
    answer="""\
def steps(predict, x, y):
    first = predict(x)
    second = predict(first + y)
    return first - second
""",
    inputs=inputs,
    counted=("predict",),
    stages={"first": "the first guess", "second": "the second guess"},
    hints=("Nothing.", "Nothing.", "return predict(x) - predict(predict(x) + y)"),
    mistakes=(
        Mistake("Said of cubes alone.", {"first - second": "first + second"}, writes="cube"),
        Mistake("One of two that look alike.", {"first - second": "first * second"}),
        Mistake("The other of two that look alike.", {"first - second": "second * first"}),
    ),
)
