"""An order."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(generator: torch.Generator) -> tuple[()]:
    """Nothing."""
    return ()


def judge(letters: list[str]) -> str | None:
    """a has to come first."""
    return None if letters[0] == "a" else f"a comes first, not {letters[0]}."


EXERCISE = Exercise(
    answer="""\
def order():
    return ["a", "b", "c"]
""",
    inputs=inputs,
    hints=(),
    mistakes=(Mistake("b is the second letter.", {'"a", "b"': '"b", "a"'}),),
    judge=judge,
)
