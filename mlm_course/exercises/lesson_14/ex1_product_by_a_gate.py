"""A product, by a gate."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.practice.exercise import Exercise, Mistake

PAIRS = [
    (2, 3),
    (-2, 3),
    (2, -3),
    (-2, -3),
    (0.5, 4),
    (4, 0.5),
    (-0.5, 1),
    (1, -0.5),
    (0, 3),
    (3, 0),
]
X = torch.tensor(PAIRS, dtype=torch.float64)
PRODUCTS = X.prod(1)


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the matrices are constants."""
    return ()


def judge(matrices: Any) -> str | None:
    """What is wrong with a pair of matrices, tried on ten pairs of numbers."""
    if not isinstance(matrices, list | tuple) or len(matrices) != 2:
        return "Two matrices are wanted: `return expand, contract`."
    try:
        expand, contract = (torch.as_tensor(matrix).detach().double() for matrix in matrices)
    except (TypeError, ValueError, RuntimeError):
        return "Both have to be tensors of numbers: `torch.tensor([[...], ...])`."
    if (expand.shape, contract.shape) != ((4, 2), (1, 2)):
        shapes = f"{tuple(expand.shape)} and {tuple(contract.shape)}"
        return f"`expand` is (4, 2) and `contract` (1, 2); yours are {shapes}."
    content, gate = (X @ expand.T).chunk(2, dim=-1)
    return wrong_product(((F.gelu(content) * gate) @ contract.T)[:, 0])


def wrong_product(y: Tensor) -> str | None:
    """A sentence about the first pair whose product is wrong, None if all are right."""
    right = torch.isclose(y, PRODUCTS, rtol=1e-4, atol=1e-4)
    if right.all():
        return None
    place = int((~right).nonzero()[0])
    pair = ", ".join(f"{number:g}" for number in X[place].tolist())
    wanted = f"{PRODUCTS[place].item():g}"
    return f"{general(y)}For x = ({pair}) comes out {y[place]:.4g}; it should be {wanted}."


def general(y: Tensor) -> str:
    """What all results have in common, as a sentence, "" where nothing is known."""
    a, b = X.T
    known = {
        "Only the content goes through GELU, and GELU is nearly 0 for negative numbers. ": F.gelu(a)
        * b,
        "Only the content goes through GELU, and GELU is nearly 0 for a negative one. ": F.gelu(b)
        * a,
        "The sign is turned round. ": -PRODUCTS,
        "Everything comes out twice as large. ": 2 * PRODUCTS,
        "Nothing changes with the sign of one of the two numbers: the sign of one is lost. ": (
            (F.gelu(a) + F.gelu(-a)) * b
        ),
        "This is the sum of the two numbers. ": a + b,
    }
    return next((said for said, values in known.items() if torch.allclose(y, values)), "")


def said(function: Any) -> str:
    """What is said about the matrices of a function."""
    return str(judge(function()))


def of_answer(expand: list[list[float]], contract: list[list[float]]) -> Any:
    """A function that returns two matrices."""

    def product_by_hand() -> tuple[Tensor, Tensor]:
        return torch.tensor(expand), torch.tensor(contract)

    return product_by_hand


WRONG = (
    of_answer([[1.0, 0], [0, 0], [0, 1], [0, 0]], [[1.0, 0]]),
    of_answer([[0.0, 1], [0, 0], [1, 0], [0, 0]], [[1.0, 0]]),
    of_answer([[1.0, 0], [-1, 0], [0, 1], [0, 1]], [[1.0, 1]]),
    of_answer([[1.0, 0], [-1, 0], [0, 1], [0, 1]], [[-1.0, 1]]),
    of_answer([[1.0, 0], [-1, 0], [0, 2], [0, 2]], [[1.0, -1]]),
    of_answer([[1.0, 0], [0, 1], [0, 1], [1, 0]], [[1.0, 1]]),
    of_answer([[1.0, 0], [0, 1], [0, 1], [1, 0]], [[0.5, 0.5]]),
    of_answer([[1.0, 1], [-1, -1], [1, -1], [1, -1]], [[1.0, -1]]),
)

EXERCISE = Exercise(
    kind="set by hand",
    hard=True,
    minutes=12,
    trials=1,
    inputs=inputs,
    judge=judge,
    hints=(
        "With one unit, content x[0] and gate x[1], the product is right as long as the content is large "
        "and positive: GELU lets it through. What about negative contents? There is a second unit.",
        "GELU(a) is `a` times the share of the normal distribution below `a`. What is GELU(a) - GELU(-a)?",
        "The shares below `a` and below `-a` sum to 1, so GELU(a) - GELU(-a) = a. Both units get the same "
        "gate, and `contract` takes their difference.",
        "expand = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, 1]])\n"
        "contract = torch.tensor([[1.0, -1]])\n"
        "return expand, contract",
    ),
    mistakes=tuple(Mistake(said(wrong), wrong) for wrong in WRONG),
)
