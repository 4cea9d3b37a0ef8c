"""Records of Mask-Predict programs, right ones and wrong ones, for the exercise that looks for faults."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.corruption.strategies import lowest
from mlm_course.exercises.lesson_11.tiny import MASK_ID, VOCABULARY, TinyModel

Run = tuple[Tensor, Tensor, Tensor]  # tokens, confidence, masked, each (T, N)


class Program(NamedTuple):
    """Sizes, how many words go before step t, which of them, and what a step does to the page."""

    N: int
    T: int
    how_many: Callable[[int, int, int], int]
    choose: Callable[[Tensor, Tensor, int], Tensor]
    spoil: Callable[[int, Tensor, Tensor, Tensor], None]


def scheduled(N: int, T: int, t: int) -> int:
    """What Mask-Predict hides."""
    return max(N * (T - t) // T, 1)


def rounded_up(N: int, T: int, t: int) -> int:
    """Too many wherever the share is no whole number."""
    return -(-N * (T - t) // T)


def none_at_last(N: int, T: int, t: int) -> int:
    """With fewer words than steps too few at the end."""
    return N * (T - t) // T


def late(N: int, T: int, t: int) -> int:
    """From step 2 on the number of the step before."""
    return scheduled(N, T, t if t < 2 else t - 1)


def all_but_one_at_first(N: int, T: int, t: int) -> int:
    """One word of the page is there from the beginning."""
    return N - 1 if t == 0 else scheduled(N, T, t)


def least_sure(confidence: Tensor, before: Tensor, n: int) -> Tensor:
    """Mask-Predict's choice: (N,) bool."""
    return lowest(confidence[None], torch.tensor([n]))[0]


def least_sure_of_hidden(confidence: Tensor, before: Tensor, n: int) -> Tensor:
    """The choice where words that stayed once stay for good."""
    return least_sure(confidence.masked_fill(~before, torch.inf), before, n)


def surest(confidence: Tensor, before: Tensor, n: int) -> Tensor:
    """The choice turned round."""
    return least_sure(-confidence, before, n)


def nothing(t: int, tokens: Tensor, confidence: Tensor, masked: Tensor) -> None:
    """No fault."""


def new_words_from(first: int) -> Callable[[int, Tensor, Tensor, Tensor], None]:
    """From a step on the surest of the visible words is replaced."""

    def spoil(t: int, tokens: Tensor, confidence: Tensor, masked: Tensor) -> None:
        if t >= first:
            place = confidence.masked_fill(masked, -1).argmax()
            tokens[place] = 5 + (tokens[place] - 4) % (VOCABULARY - 5)

    return spoil


def new_confidences_from(first: int) -> Callable[[int, Tensor, Tensor, Tensor], None]:
    """From a step on the visible words' confidences are other ones."""

    def spoil(t: int, tokens: Tensor, confidence: Tensor, masked: Tensor) -> None:
        if t >= first:
            confidence[~masked] *= 0.9

    return spoil


def both_from(first: int) -> Callable[[int, Tensor, Tensor, Tensor], None]:
    """From a step on the visible words are other ones, and so are their confidences."""
    words, confidences = new_words_from(first), new_confidences_from(first)

    def spoil(t: int, tokens: Tensor, confidence: Tensor, masked: Tensor) -> None:
        words(t, tokens, confidence, masked)
        confidences(t, tokens, confidence, masked)

    return spoil


def run(program: Program, g: torch.Generator) -> Run:
    """What a program writes down with a model of its own."""
    N, T, how_many, choose, spoil = program
    model, rows = TinyModel(g), []
    tokens, confidence = torch.randint(5, VOCABULARY, (N,), generator=g), torch.ones(N)
    masked = torch.ones(N, dtype=torch.bool)
    for t in range(T):
        masked = choose(confidence, masked, how_many(N, T, t))
        p, best = model(tokens.masked_fill(masked, MASK_ID)[None])[0].softmax(-1).max(-1)
        p = p * (1 - 0.001 * torch.rand(N, generator=g))  # no two are equal
        tokens, confidence = torch.where(masked, best, tokens), torch.where(masked, p, confidence)
        spoil(t, tokens, confidence, masked)
        rows.append((tokens, confidence, masked))
    all_tokens, confidences, all_masked = map(torch.stack, zip(*rows, strict=True))
    return all_tokens, confidences, all_masked
