"""What a copier scores."""

import math

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, float, float, float]:
    """A small vocabulary, so that lucky draws matter, and three shares."""
    size = int(torch.randint(6, 13, (1,), generator=g))
    ratio, keep, random = torch.rand(3, generator=g).tolist()
    return size, 0.15 + 0.2 * ratio, 0.1 + 0.15 * keep, 0.2 + 0.3 * random


def logarithm_of_the_mean(V, ratio, keep, random):
    """The mean probability first, then the logarithm."""
    shown = keep + random / V
    of_masked = shown * 0.99 + (1 - shown) * 0.01 / (V - 1)
    return -math.log((1 - ratio) * 0.99 + ratio * of_masked), -math.log(of_masked)


SHOWN = "keep + random / V"
UNSEEN = "0.01 / (V - 1)"
OVER_ALL = "(1 - ratio) * seen + ratio * over_hidden"

EXERCISE = Exercise(
    kind="predict",
    minutes=10,
    inputs=inputs,
    hints=(
        "There are two cases only: the true word stands in the input, or something else does. How "
        "surprised is the copier in each?",
        "Where it sees the true word its loss is -log .99. Where it sees another one, that one has "
        "the .99, and the true word has one of V - 1 equal parts of the rest.",
        "Of the hidden tokens the true word stands at those that were left, and at those whose random "
        "word happens to be the true one: one in V of these.",
        "seen, unseen = -math.log(0.99), -math.log(0.01 / (V - 1))\n"
        "shown = keep + random / V\n"
        "over_hidden = shown * seen + (1 - shown) * unseen\n"
        "return (1 - ratio) * seen + ratio * over_hidden, over_hidden",
    ),
    stages={
        "shown": "the share of hidden tokens whose true word stands in the input",
        "over_hidden": "the loss over hidden tokens",
    },
    mistakes=(
        Mistake(
            "Your numbers fit a random word that is never the true one. It is drawn from all V, so "
            "one in V of them is.",
            {SHOWN: "keep"},
        ),
        Mistake(
            "Your numbers fit hidden tokens of which none shows its true word. Those that were left as "
            "they are do, and one in V of the random ones.",
            {SHOWN: "0.0"},
        ),
        Mistake(
            "Your numbers fit true words that are shown at hidden places only by luck. The share "
            "`keep` is left as it is: the copier names these, too.",
            {SHOWN: "random / V"},
        ),
        Mistake(
            "Your numbers treat a random word as the true one. The copier names what it sees, and "
            "that is the true word in one of V cases.",
            {SHOWN: "keep + random"},
        ),
        Mistake(
            "Your numbers fit a random word that is the true one in one of V - 1 cases. All V words can "
            "be drawn.",
            {SHOWN: "keep + random / (V - 1)"},
        ),
        Mistake(
            "Your first number is right. The second is what hidden tokens add to it; their own mean is "
            "not multiplied by `ratio`.",
            {"ratio * over_hidden, over_hidden": "ratio * over_hidden, ratio * over_hidden"},
        ),
        Mistake(
            "Your numbers fit a rest that is shared by V words. The token that is seen has its .99: "
            "V - 1 words share the .01.",
            {UNSEEN: "0.01 / V"},
        ),
        Mistake(
            "Your numbers fit a true word that has all of the .01. It has one of V - 1 equal parts of "
            "it.",
            {UNSEEN: "0.01"},
        ),
        Mistake(
            "These are logarithms of mean probabilities. A loss is the mean of -log p: the logarithm "
            "first, token by token, then the mean.",
            logarithm_of_the_mean,
        ),
        Mistake(
            "The loss over hidden tokens is right. Your first number fits a text of which the share "
            "`ratio` is visible; it is hidden.",
            {OVER_ALL: "ratio * seen + (1 - ratio) * over_hidden"},
        ),
        Mistake(
            "The loss over hidden tokens is right. Your first number is that of the visible tokens; "
            '"all" are both kinds, each by its share.',
            {OVER_ALL: "seen"},
        ),
        Mistake(
            "The loss over hidden tokens is right. Your first number gives visible and hidden tokens "
            "the same weight; they are there by their shares.",
            {OVER_ALL: "(seen + over_hidden) / 2"},
        ),
        Mistake(
            "The signs are wrong: log p is negative, a loss is -log p.",
            {"-math.log(0.99), -math": "math.log(0.99), math"},
        ),
        Mistake(
            "These are losses in bits, of the logarithm to base 2. Nats have the natural logarithm: "
            "math.log.",
            {"-math.log(0.99), -math.log(": "-math.log2(0.99), -math.log2("},
        ),
        Mistake(
            "These are losses of the logarithm to base 10. Nats have the natural logarithm: math.log.",
            {"-math.log(0.99), -math.log(": "-math.log10(0.99), -math.log10("},
        ),
    ),
)
