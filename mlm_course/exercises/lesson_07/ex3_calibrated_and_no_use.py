"""Calibrated, and no use."""

from typing import Any

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def posterior() -> Tensor:
    """Exact chances (12, 9) of twelve gaps, most of them nearly certain, no word as likely as another."""
    g = torch.Generator().manual_seed(7)
    scores = torch.rand(12, 9, generator=g, dtype=torch.float64)
    words = torch.tensor([0, 1, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8])
    scores[torch.arange(12), words] += torch.linspace(3, 5, 12)
    return scores.softmax(-1)


EXACT = posterior()
LEAST = 0.5  # nats above the floor
CLOSE = 0.01


def inputs(g: torch.Generator) -> tuple[Tensor]:
    """The posterior."""
    return (EXACT.clone(),)


def judge(guess: Any) -> str | None:
    """What is wrong with a guesser, None if it is calibrated and far from the floor."""
    if not isinstance(guess, Tensor) or guess.shape != EXACT.shape:
        return f"The result is no tensor of probabilities, of the shape of exact, {tuple(EXACT.shape)}."
    guess = guess.detach().double()
    if not guess.isfinite().all() or (guess < 0).any():
        return "Probabilities are numbers from 0 to 1; some of these are not."
    if ((guess.sum(-1) - 1).abs() > 1e-4).any():
        return "The probabilities of a gap, over the last axis, have to add up to 1."
    if (guess[EXACT > 0] == 0).any():
        return (
            "Words that can occur have the probability 0: the loss is infinite. Give each a little."
        )
    return _uncalibrated(guess) or _too_good(guess)


def _uncalibrated(guess: Tensor) -> str | None:
    """A sentence about the confidence that is furthest off."""
    confidence, answer = guess.max(-1)
    right = EXACT.gather(-1, answer[:, None])[:, 0]
    alike = (confidence[:, None] - confidence).abs() < 1e-4  # (n, n) gaps of the same confidence
    share = (alike * right).sum(-1) / alike.sum(-1)
    worst = (share - confidence).abs().argmax()
    if (share - confidence)[worst].abs() <= CLOSE:
        return None
    gaps = "gap" if (n := int(alike[worst].sum())) == 1 else "gaps"
    return (
        f"It is not calibrated: at {n} {gaps} its confidence is {confidence[worst]:.2f}, and there its "
        f"answer is right with a probability of {share[worst]:.2f}."
    )


def _too_good(guess: Tensor) -> str | None:
    excess = float((EXACT * (EXACT / guess).log()).sum(-1).mean())
    if excess >= LEAST:
        return None
    return (
        f"It is calibrated, but knows too much: {abs(excess):.2f} nats a gap above the floor, and "
        f"{LEAST} are wanted."
    )


def even(exact):
    """All words alike."""
    return torch.full_like(exact, 1 / exact.shape[-1])


def flattened(exact):
    """Half-way to even."""
    return (exact + 1 / exact.shape[-1]) / 2


def one_word_for_certain(exact):
    """The likeliest word and nothing else."""
    return torch.nn.functional.one_hot(exact.argmax(-1), exact.shape[-1]).to(exact.dtype)


def cubed(exact):
    """Too sure."""
    return (exact**3) / (exact**3).sum(-1, keepdim=True)


def shuffled(exact):
    """Another gap's chances."""
    return exact.roll(1, 0)


MEAN = "exact.mean(0).expand_as(exact)"

EXERCISE = Exercise(
    kind="design",
    hard=True,
    minutes=15,
    inputs=inputs,
    trials=1,
    judge=judge,
    hints=(
        "A weather forecaster who says '30 % rain' every day of the year can be calibrated. When?",
        "The guesser that looks at no gap says the same each time. What must its confidence in its "
        "answer be, so that over all gaps the answer is right just as often?",
        "Let it say how frequent each word is, on average over the gaps.",
        "return exact.mean(0).expand_as(exact)",
    ),
    mistakes=(
        Mistake(
            "This is the ideal guesser: calibrated, and at the floor. Take away what it knows, not its "
            "honesty.",
            {MEAN: "exact"},
        ),
        Mistake(
            "All words are equally likely in it, and whichever is taken as the answer is right more "
            "often, or less, than it says. What may it know without looking at a gap?",
            even,
        ),
        Mistake(
            "It answers as the ideal guesser does, with half of its excess over even chances: it is "
            "right more often than it says.",
            flattened,
        ),
        Mistake(
            "It is certain of its answers, and a certain answer has to be right each time. Besides, "
            "words that can occur have the probability 0.",
            one_word_for_certain,
        ),
        Mistake(
            "It answers as the ideal guesser does, but is more sure than that: right less often than "
            "it says.",
            cubed,
        ),
        Mistake(
            "These are the chances of other gaps: it is sure, and mostly wrong. Calibrated means right "
            "as often as it says.",
            shuffled,
        ),
    ),
)
