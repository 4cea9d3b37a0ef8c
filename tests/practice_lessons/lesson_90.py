"""A lesson that only the tests of the practice engine see."""

import math

import torch

from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "A lesson for tests"


def scores(q, k):
    return q @ k.mT / math.sqrt(q.shape[-1])


def noisy(values, generator):
    return values + torch.rand(values.shape, generator=generator)


def longest(words, weights):
    return max(map(len, words)), float(weights.sum())


def scaled_in_place(q, k):
    q /= math.sqrt(q.shape[-1])
    return q @ k.mT


EXERCISES = (
    Exercise(
        id="90.1",
        prompt="Scale the scores",
        reference=scores,
        inputs=lambda g: (torch.randn(2, 3, 8, generator=g), torch.randn(2, 5, 8, generator=g)),
        hints=("A nudge.", "A shape.", "A `line`."),
        misconceptions=(
            Misconception(lambda q, k: q @ k.mT, "Not scaled."),
            Misconception(lambda q, k: q @ k, "The last two axes of k are not swapped."),
            Misconception(lambda q, k: q @ k.mT / q.shape[-1], "Divided by <D>."),
        ),
    ),
    Exercise(
        id="90.2",
        prompt="Add noise",
        reference=noisy,
        inputs=lambda g: (torch.zeros(int(torch.randint(2, 5, (), generator=g))), g),
        hints=(),
        misconceptions=(),
        trials=4,
    ),
    Exercise(
        id="90.10",
        prompt="Count <letters>",
        reference=longest,
        inputs=lambda g: (["a", "abc"], torch.rand(3, generator=g)),
        hints=("Only one.",),
        misconceptions=(),
    ),
    Exercise(
        id="90.11",
        prompt="A mistake that only shows in the arguments",
        reference=scores,
        inputs=lambda g: (torch.randn(2, 3, 8, generator=g), torch.randn(2, 5, 8, generator=g)),
        hints=("One.",),
        misconceptions=(Misconception(scaled_in_place, "Scaled q for everybody."),),
    ),
    Exercise(
        id="90.12",
        prompt="Broken by its author",
        reference=lambda x: None,
        inputs=lambda g: (torch.rand(3, generator=g),),
        hints=(),
        misconceptions=(),
    ),
    Exercise(
        id="90.13",
        prompt="A plain number",
        reference=lambda q: q.sum().item(),
        inputs=lambda g: (torch.rand(5, generator=g),),
        hints=(),
        misconceptions=(
            Misconception(
                lambda q: q.mean().item(), "Not the sum.", also=(lambda q: q.amax().item(),)
            ),
        ),
        plain_numbers=True,
    ),
)

QUIZ = (
    Question(
        id="90.q1",
        prompt="Is 1 < 2?",
        options=(("Yes, <b>always</b>.", "One is less."), ("No.", "Count again.")),
        answer=0,
    ),
)
