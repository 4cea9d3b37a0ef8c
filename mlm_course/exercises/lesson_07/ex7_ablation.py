"""Which head matters?"""

from collections.abc import Callable

import torch
from torch import Tensor

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
    """What 4 heads of 3 deliver (2, 7, 4, 3), padding in the second row, and the rest of a model.

    Heads differ in size and mean, and padding holds large numbers.
    """
    visible = torch.arange(7) < torch.tensor([[7], [4]])  # (2, 7)
    scale = torch.tensor([0.3, 1.0, 0.6, 1.5])[:, None]
    heads = scale * torch.randn(2, 7, 4, 3, generator=g) + torch.randn(4, 3, generator=g)
    heads[~visible] *= 4
    weight, table = torch.randn(12, 8, generator=g) / 2, torch.randn(8, 9, generator=g) / 2
    masked = torch.zeros(2, 7, dtype=torch.bool)
    masked[0, [1, 4, 6]], masked[1, [0, 2]] = True, True
    labels = torch.randint(9, (5,), generator=g)

    def losses(heads: Tensor) -> Tensor:
        """The loss at each hidden place (5,)."""
        logits = torch.tanh(heads.flatten(2)[masked] @ weight) @ table
        return -logits.log_softmax(-1).gather(1, labels[:, None])[:, 0]

    return heads, visible, losses


MEANS = "heads[visible].mean(0)"
PUT = "without[:, :, h] = means[h]"
HARM = "harm.mean(-1), harm.std(-1) / harm.shape[1] ** 0.5"
CLONE = "        without = heads.clone()\n"


def one_head_left(heads, visible, losses):
    """All other heads are off."""
    whole, means = losses(heads), heads[visible].mean(0)
    harm = []
    for h in range(heads.shape[2]):
        only = means.expand_as(heads).clone()
        only[:, :, h] = heads[:, :, h]
        harm.append(losses(only) - whole)
    harm = torch.stack(harm)
    return harm.mean(-1), harm.std(-1) / harm.shape[1] ** 0.5


def means_of_sentences(heads, visible, losses):
    """Each sentence has a mean of its own."""
    whole = losses(heads)
    kept = visible[..., None, None]
    means = (heads * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True)
    harm = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[:, :, h]
        harm.append(losses(without) - whole)
    harm = torch.stack(harm)
    return harm.mean(-1), harm.std(-1) / harm.shape[1] ** 0.5


def error_of_the_losses(heads, visible, losses):
    """The spread of the losses themselves."""
    whole, means = losses(heads), heads[visible].mean(0)
    off = []
    for h in range(heads.shape[2]):
        without = heads.clone()
        without[:, :, h] = means[h]
        off.append(losses(without))
    off = torch.stack(off)
    return (off - whole).mean(-1), off.std(-1) / off.shape[1] ** 0.5


def errors_added(heads, visible, losses):
    """The errors of two means, as if they had nothing to do with each other."""
    harm, error = error_of_the_losses(heads, visible, losses)
    whole = losses(heads)
    return harm, (error**2 + whole.var() / len(whole)).sqrt()


EXERCISE = Exercise(
    hard=True,
    minutes=15,
    inputs=inputs,
    counted=("losses",),
    hints=(
        "One call for the whole model. Then for each head: a copy, one slice of it overwritten, one call, "
        "and the difference at each hidden place.",
        "heads[visible] is (tokens, H, D): its mean over the tokens has a vector for each head. Padding "
        "is not in it. A slice without[:, :, h] is (B, T, D).",
        "The same places are asked with and without a head, so take the n differences first. Their mean "
        "and their std make both results.",
        "whole, means = losses(heads), heads[visible].mean(0)\n"
        "growth = []\n"
        "for h in range(heads.shape[2]):\n"
        "    without = heads.clone()\n"
        "    without[:, :, h] = means[h]\n"
        "    growth.append(losses(without) - whole)\n"
        "harm = torch.stack(growth)\n"
        "return harm.mean(-1), harm.std(-1) / harm.shape[1] ** 0.5",
    ),
    stages={
        "means": "each head's mean over the visible tokens, (H, D)",
        "harm": "how much each loss grows without each head, (H, n)",
    },
    mistakes=(
        Mistake(
            "Zeros were put in place of a head. Here it is the head's own mean that stands in.",
            {PUT: "without[:, :, h] = 0.0"},
        ),
        Mistake(
            "Padding is in the mean. Only visible tokens count in it: heads[visible].",
            {MEANS: "heads.flatten(0, 1).mean(0)"},
        ),
        Mistake(
            "Each sentence's own mean was put in. One mean is wanted, over all visible tokens of the "
            "batch.",
            means_of_sentences,
        ),
        Mistake(
            "Each place has a mean of its own, over the batch. One mean is wanted, over all visible "
            "tokens.",
            {MEANS: "heads.mean(0)", PUT: "without[:, :, h] = means[:, h]"},
        ),
        Mistake(
            "The mean over all heads was put in. It is the head's own mean that stands in for it.",
            {PUT: "without[:, :, h] = means.mean(0)"},
        ),
        Mistake(
            "Each head's mean of all its numbers was put in, one number. A vector of D numbers is "
            "wanted: the mean runs over tokens alone.",
            {PUT: "without[:, :, h] = means[h].mean()"},
        ),
        Mistake(
            "Heads stay off: at head 2, heads 0 and 1 are off as well. Begin with a new copy for each "
            "head.",
            {
                CLONE: "",
                "    growth = []\n": "    growth = []\n    without = heads.clone()\n",
            },
        ),
        Mistake(
            "One head is on and all others are off. The other way round: one is off.",
            one_head_left,
        ),
        Mistake(
            "The sign is turned around: growth is the loss without the head minus that of the whole.",
            {"losses(without) - whole": "whole - losses(without)"},
        ),
        Mistake(
            "These are the losses without a head. How much they *grow* is wanted: subtract the whole "
            "model's.",
            {"losses(without) - whole": "losses(without)"},
        ),
        Mistake(
            "The growth is right. The second result is the standard deviation; divide it by the square "
            "root of n.",
            {HARM: "harm.mean(-1), harm.std(-1)"},
        ),
        Mistake(
            "The growth is right. The standard deviation was divided by n, not by its square root.",
            {HARM: "harm.mean(-1), harm.std(-1) / harm.shape[1]"},
        ),
        Mistake(
            "The growth is right. The standard deviation was divided by the square root of the number of "
            "heads; n is the number of hidden places.",
            {HARM: "harm.mean(-1), harm.std(-1) / harm.shape[0] ** 0.5"},
        ),
        Mistake(
            "The growth is right. The standard deviation is that with n below the line; `std` has "
            "n - 1 unless told otherwise.",
            {HARM: "harm.mean(-1), harm.std(-1, unbiased=False) / harm.shape[1] ** 0.5"},
        ),
        Mistake(
            "The growth is right. The error is that of the losses without a head. That easy and hard "
            "places differ is no error of the growth: take the spread of the n *differences*.",
            error_of_the_losses,
        ),
        Mistake(
            "The growth is right. The error is that of two means without anything in common. But the same "
            "places were asked twice: take the spread of the n *differences*.",
            errors_added,
        ),
        Mistake(
            "The second result is the spread over heads. It is wanted for each head, over the hidden "
            "places.",
            {HARM: "harm.mean(-1), harm.std(0) / harm.shape[1] ** 0.5"},
        ),
    ),
)
