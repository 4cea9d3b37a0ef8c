"""Two numbers in order."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.practice.exercise import Exercise, Mistake

PAIRS = [(3, 1), (1, 3), (2, 2), (-1, -4), (-4, -1), (2, -3), (-3, 2), (-2, 3), (3, -2), (0, 1)]
X = torch.tensor(PAIRS, dtype=torch.float64)
SORTED = X.sort(-1, descending=True).values


def inputs(g: torch.Generator) -> tuple[()]:
    """Nothing: the matrices are constants."""
    return ()


def judge(matrices: Any) -> str | None:
    """What is wrong with a pair of matrices, tried on ten pairs of numbers."""
    if not isinstance(matrices, list | tuple) or len(matrices) != 2:
        return "Two matrices are wanted: `return A, B`."
    try:
        A, B = (torch.as_tensor(matrix).detach().double() for matrix in matrices)
    except (TypeError, ValueError, RuntimeError):
        return "A and B have to be tensors of numbers: `torch.tensor([[...], ...])`."
    if (A.shape, B.shape) == ((2, 4), (4, 2)):
        return "A and B have each other's shape: A is (4, 2), it makes four numbers of two; B is (2, 4)."
    if (A.shape, B.shape) != ((4, 2), (2, 4)):
        return f"A is (4, 2) and B (2, 4); yours are {tuple(A.shape)} and {tuple(B.shape)}."
    return wrong_pair(F.relu(X @ A.T) @ B.T)


def wrong_pair(y: Tensor) -> str | None:
    """A sentence about the first pair that does not come out in order, None if all do."""
    right = torch.isclose(y, SORTED, rtol=1e-4, atol=1e-4)
    if right.all():
        return None
    place = int((~right).any(1).nonzero()[0])
    pair = ", ".join(f"{number:g}" for number in X[place].tolist())
    said = ", ".join(f"{number:.4g}" for number in y[place].tolist())
    wanted = ", ".join(f"{number:g}" for number in SORTED[place].tolist())
    return f"{general(y, right)}For x = ({pair}) comes out ({said}); it should be ({wanted})."


def general(y: Tensor, right: Tensor) -> str:
    """What all wrong pairs have in common, as a sentence, "" where nothing is known."""
    fine = right.all(1)
    if torch.isclose(y, SORTED.flip(1), rtol=1e-4, atol=1e-4).all():
        return "The smaller number comes first. "
    if torch.isclose(y, X, rtol=1e-4, atol=1e-4).all():
        return "The numbers come out as they went in. "
    if right[:, 0].all():
        return "The larger number is always right, the smaller one not. "
    if right[:, 1].all():
        return "The smaller number is always right, the larger one not. "
    if fine[(X >= 0).all(1)].all() and not fine[(X < 0).any(1)].any():
        return "Right as long as no number is negative. "
    if fine[X.sum(1) >= 0].all():
        return "Right as long as the sum of the two is not negative. "
    if torch.isclose(y, 2 * SORTED, rtol=1e-4, atol=1e-4).all():
        return "Everything comes out twice as large. "
    return ""


def three_wide() -> tuple[Tensor, Tensor]:
    """The sum where it is positive, and the distance."""
    A = torch.tensor([[1.0, 1], [0, 0], [1, -1], [-1, 1]])
    return A, torch.tensor([[1.0, 0, 1, 1], [1, 0, -1, -1]]) / 2


def identity() -> tuple[Tensor, Tensor]:
    """Each number through two ReLUs, and out again."""
    A = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    return A, A.T.clone()


def said(function: Any) -> str:
    """What is said about the matrices of a function."""
    return str(judge(function()))


def of_answer(A: list[list[float]], B: list[list[float]]) -> Any:
    """A function that returns two matrices."""

    def sort_by_hand() -> tuple[Tensor, Tensor]:
        return torch.tensor(A), torch.tensor(B)

    return sort_by_hand


ABC = [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]
WRONG = (
    three_wide,
    identity,
    of_answer(ABC, [[0.5, -0.5, -0.5, -0.5], [0.5, -0.5, 0.5, 0.5]]),
    of_answer(ABC, [[1.0, -1.0, 1.0, 1.0], [1.0, -1.0, -1.0, -1.0]]),
    of_answer(ABC, [[0.5, -0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5]]),
    of_answer(ABC, [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, -0.5, -0.5]]),
    of_answer([[1.0, 0], [0, 1], [1, -1], [-1, 1]], [[0.0, 1, 1, 0], [1, 0, -1, 0]]),
    of_answer([[1.0, -1], [0, 1], [0, -1], [-1, 1]], [[1.0, 1, -1, 0], [0, 1, -1, 0]]),
)

EXERCISE = Exercise(
    kind="set by hand",
    hard=True,
    minutes=15,
    trials=1,
    inputs=inputs,
    judge=judge,
    hints=(
        "A number can be got through ReLU unharmed if two of the four carry it: relu(s) - relu(-s) = s. "
        "But two numbers carried so use up all four. What else than the two numbers could be carried?",
        "relu(d) + relu(-d) is the absolute value of d. What has the distance of two numbers to do with "
        "the larger one?",
        "The larger of a and b is half of their sum plus half of their distance, the smaller one half of "
        "the sum minus half of the distance.",
        "A = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])\n"
        "B = torch.tensor([[0.5, -0.5, 0.5, 0.5], [0.5, -0.5, -0.5, -0.5]])\n"
        "return A, B",
    ),
    mistakes=tuple(Mistake(said(wrong), wrong) for wrong in WRONG),
)
