"""ELECTRA's labels."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_06.tiny import MASK_ID, VOCABULARY, some_masked, texts
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Texts, the same with gaps that a generator filled, about half of them as they were, and gaps.

    All are (3, 11).
    """
    original = texts(g, 3, 11)
    masked = some_masked(original, 0.5, g)
    guesses = torch.randint(5, VOCABULARY, (3, 11), generator=g)
    lucky = torch.rand(3, 11, generator=g) < 0.5
    masked[1, 3:5], lucky[1, 3:5] = True, torch.tensor([True, False])
    guesses[1, 4] = 5 + (original[1, 4] - 4) % (VOCABULARY - 5)  # certainly another one
    return original, torch.where(masked & ~lucky, guesses, original), masked


EXERCISE = Exercise(
    minutes=3,
    inputs=inputs,
    hints=(
        "The generator may have guessed right. Can anyone tell such a token from one that was "
        "never hidden?",
        "Compare the text that is shown with the original, place by place.",
        "return shown != original",
    ),
    mistakes=(
        Mistake(
            "You marked every hidden token. Where the generator guessed right, the token is the "
            "original, and no discriminator could tell: compare `shown` with `original`.",
            {"shown != original": "masked"},
        ),
        Mistake(
            "Inverted: True means replaced.",
            {"!=": "=="},
        ),
        Mistake(
            "These are the lucky guesses. Replaced are the tokens that differ from the original.",
            {"shown != original": "masked & (shown == original)"},
        ),
        Mistake(
            "You looked for [MASK]. There is none: the generator has filled every gap.",
            {"shown != original": f"shown == {MASK_ID}"},
        ),
        Mistake(
            "You asked about the hidden places only. ELECTRA asks about every token, (B, T): that "
            "is why it learns from each of them.",
            {"shown != original": "(shown != original)[masked]"},
        ),
        Mistake(
            "You left the visible tokens out with -100. ELECTRA asks about every token: there the "
            "answer is False.",
            {"shown != original": "(shown != original).long().masked_fill(~masked, -100)"},
        ),
    ),
)
