"""The share that pays."""

import math

import torch

from mlm_course.practice.exercise import Exercise, Mistake

Stack = tuple[int, int]  # blocks, D


def block_work(n: float, D: int) -> float:
    """As in the lesson."""
    return 12 * n * D**2 + 2 * n**2 * D


def work(ratio: float, T: int, encoder: Stack, decoder: Stack) -> float:
    """As in the lesson."""
    (blocks, D), (more, decoder_D) = encoder, decoder
    ours = blocks * block_work((1 - ratio) * T, D) + more * block_work(T, decoder_D)
    return ours / (blocks * block_work(T, D))


def inputs(g: torch.Generator) -> tuple[int, Stack, Stack, float]:
    """T, two stacks, and a budget: within reach, more than enough, or less than the decoder takes."""
    T, D, decoder_D = (int(torch.randint(a, b, (), generator=g)) for a, b in SIZES)
    blocks, more, case = (int(torch.randint(a, b, (), generator=g)) for a, b in COUNTS)
    stacks = (blocks, D), (more, decoder_D)
    full, least = work(0.0, T, *stacks), work(1.0, T, *stacks)
    share = 0.2 + 0.6 * torch.rand((), generator=g).item()
    budget = (full + 0.2, 0.8 * least, least + share * (full - least))[case]
    return T, *stacks, budget


SIZES = (256, 600), (48, 100), (32, 48)
COUNTS = (4, 9), (1, 4), (0, 3)


def by_quadratic(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """The share from the quadratic equation, whatever it is."""
    (blocks, D), (more, decoder_D) = encoder, decoder
    rest = budget * blocks * block_work(T, D) - more * block_work(T, decoder_D)
    a, b = blocks * 2 * D * T**2, blocks * 12 * D**2 * T
    root = b * b + 4 * a * rest
    return 1 - (math.sqrt(root) - b) / (2 * a) if root >= 0 else 1.0


def not_clamped(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """The equation's answer where the budget is more than enough, too."""
    if work(1.0, T, encoder, decoder) > budget:
        return math.inf
    return by_quadratic(T, encoder, decoder, budget)


def clamped_to_one(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """Between 0 and 1, come what may."""
    return min(max(by_quadratic(T, encoder, decoder, budget), 0.0), 1.0)


def proportional(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """As if the encoder's work were proportional to what it reads."""
    if work(0.0, T, encoder, decoder) <= budget:
        return 0.0
    least = work(1.0, T, encoder, decoder)
    return math.inf if least > budget else 1 - (budget - least)


def in_hundredths(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """The first whole per cent that is enough."""
    shares = (i / 100 for i in range(101))
    return next((s for s in shares if work(s, T, encoder, decoder) <= budget), math.inf)


def without_decoder(T: int, encoder: Stack, decoder: Stack, budget: float) -> float:
    """The share for the encoder alone, which can be as cheap as one likes."""
    return min(max(by_quadratic(T, encoder, (0, 1), budget), 0.0), 1.0)


EXERCISE = Exercise(
    minutes=20,
    hard=True,
    inputs=inputs,
    trials=20,
    hints=(
        "`work` gives the work for a share. Here the work is given and the share is asked. What does "
        "`work` do when the share grows, and how would you find a word in a dictionary?",
        "First the two ends: is `work(0.0, ...)` within the budget already? Is even `work(1.0, ...)` "
        "above it? Otherwise halve the interval between a share that is too dear and one that is not, "
        "some 50 times. (The quadratic formula does, too.)",
        "if work(0.0, T, encoder, decoder) <= budget:\n"
        "    return 0.0\n"
        "if work(1.0, T, encoder, decoder) > budget:\n"
        '    return float("inf")\n'
        "low, high = 0.0, 1.0\n"
        "for _ in range(50):\n"
        "    middle = (low + high) / 2\n"
        "    if work(middle, T, encoder, decoder) <= budget:\n"
        "        high = middle\n"
        "    else:\n"
        "        low = middle\n"
        "return high",
    ),
    mistakes=(
        Mistake(
            "That is the share that may stay visible. Asked is the share that is masked: 1 minus it.",
            {"return high": "return 1 - high"},
        ),
        Mistake(
            "The encoder's work is not proportional to what it reads: attention's part goes with the "
            "square. `work` knows both.",
            proportional,
        ),
        Mistake(
            "The decoder's work is missing: it works on all T places, whatever is masked.",
            {
                "work(middle, T, encoder, decoder)": "work(middle, T, encoder, (0, 1))",
            },
            without_decoder,
        ),
        Mistake(
            "Where not even masking everything is enough, the answer is infinite; here it is 1.",
            clamped_to_one,
        ),
        Mistake(
            "Where nothing need be masked, the answer is 0.0; here it is negative. No share is.",
            not_clamped,
        ),
        Mistake(
            "The answers at both ends are those of an equation, not of the question: nothing to mask "
            "is 0.0, and not even everything enough is infinite.",
            by_quadratic,
        ),
        Mistake(
            "The share is rounded to a whole per cent. Any float will do: the smallest one is asked.",
            in_hundredths,
        ),
        Mistake(
            "That is the largest share within the budget, everything. The smallest one is asked.",
            {"return high": "return 1.0"},
        ),
        Mistake(
            "The budget is what may be spent, not what is to be saved.",
            {
                "middle, T, encoder, decoder) <= budget": "middle, T, encoder, decoder) <= 1 - budget"
            },
        ),
        Mistake(
            "Exactly the other way round: 0.0 where not even everything is enough, and infinite where "
            "nothing need be masked.",
            {
                "return 0.0": 'return float("inf")',
                'return float("inf")\n    low': "return 0.0\n    low",
            },
        ),
    ),
)
