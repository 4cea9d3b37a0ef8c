"""How many will be valid?"""

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, int, list[int]]:
    """Probabilities (3,) of three answers, a length, and numbers of steps: one, some, too many."""
    p = torch.tensor([0.55, 0.3, 0.15]) + 0.06 * (torch.rand(3, generator=g) - 0.5)
    N = 5 + 6 * int(
        torch.randint(1, 3, (), generator=g)
    )  # 11 or 17: no step between 1 and N divides it
    return p / p.sum(), N, [1, 2, 4, N - 2, N, N + 3]


STAY = "N - N * (T - 1) // T"
CHANCE = "(p**k).sum().item()"

EXERCISE = Exercise(
    minutes=10,
    kind="predict",
    inputs=inputs,
    stages={"stay": "how many words stay after the first step, for each T"},
    hints=(
        "How many words does the second step hide, and how many do not go? With one step there is no "
        "second one. Then: how likely do that many draws all give the same answer?",
        "k stay. All k are answer m's with probability p[m] to the power of k, and the answers exclude "
        "each other.",
        "chances = []\n"
        "for T in steps:\n"
        "    n = N * (T - 1) // T if T > 1 else 0\n"
        "    chances.append((p ** (N - n)).sum().item())\n"
        "return chances",
    ),
    mistakes=(
        Mistake(
            "This is the chance if all N words of the first step stay. With more steps fewer do.",
            {STAY: "N"},
        ),
        Mistake(
            "These are chances of the words that go. Those that *stay* have to belong together.",
            {STAY: "N * (T - 1) // T"},
            {STAY: "max(N * (T - 1) // T, 1)"},
        ),
        Mistake(
            "The number that stays is rounded down here. The number that *goes* is, so one more "
            "word may stay.",
            {STAY: "N // T"},
            {STAY: "max(N // T, 1)"},
        ),
        Mistake("Words are not cut: N / T is no whole number of them.", {STAY: "N / T"}),
        Mistake(
            "With `T` = 1 nothing is hidden again: all N words stay, not N - 1.",
            {STAY: "N - max(N * (T - 1) // T, 1)"},
        ),
        Mistake(
            "What stays after the first step decides. These are the chances of what stays in the last "
            "one.",
            {STAY: "N - max(N // T, 1)"},
        ),
        Mistake(
            "This is the chance of one answer. Any of the M will do: add them.",
            {CHANCE: "(p**k).amax().item()"},
            {CHANCE: "(p**k)[0].item()"},
            {CHANCE: "(p**k)[-1].item()"},
        ),
        Mistake(
            "The answers count alike here. Each has its own probability in `p`.",
            {CHANCE: "len(p) ** (1.0 - k)"},
            {CHANCE: "2 / 2**k"},
        ),
        Mistake(
            "Here one word more has to agree than stays: p to the power of k is enough.",
            {CHANCE: "(p * p**k).sum().item()"},
        ),
        Mistake(
            "Here one word fewer has to agree than stays: the first one counts, too.",
            {CHANCE: "(p ** (k - 1)).sum().item()"},
        ),
        Mistake(
            "The k words are drawn one by one: `p` to the power of k, not times k.",
            {CHANCE: "(p * k).sum().item()"},
        ),
        Mistake(
            "The chances are averaged over the answers. They exclude each other: add them.",
            {CHANCE: "(p**k).mean().item()"},
        ),
    ),
)
