"""Which layers do not know the order."""

import torch
from torch import Tensor

from mlm_course.exercises.lesson_01.twelve import Layer, layers
from mlm_course.practice.exercise import Exercise, Function, Mistake


def inputs(g: torch.Generator) -> tuple[list[Layer], Tensor]:
    """Twelve layers in a random order, and vectors (T, D)."""
    all_layers = layers(g)
    order = torch.randperm(len(all_layers), generator=g).tolist()
    return [all_layers[i] for i in order], torch.randn(5, 6, generator=g)


def fooled_by(order: list[int]) -> Function:
    """A test of a single order."""

    def ignore_order(layers: list[Layer], x: Tensor) -> list[bool]:
        return [torch.allclose(layer(x[order]), layer(x)[order], atol=1e-4) for layer in layers]

    return ignore_order


def outputs_in_the_old_order(layers: list[Layer], x: Tensor) -> list[bool]:
    orders = [torch.randperm(len(x)) for _ in range(50)]
    return [
        all(torch.allclose(layer(x[order]), layer(x), atol=1e-4) for order in orders)
        for layer in layers
    ]


def only_the_mean(layers: list[Layer], x: Tensor) -> list[bool]:
    orders = [torch.randperm(len(x)) for _ in range(50)]
    return [
        all(
            torch.allclose(layer(x[order]).mean(0), layer(x).mean(0), atol=1e-4) for order in orders
        )
        for layer in layers
    ]


def turned_round(layers: list[Layer], x: Tensor) -> list[bool]:
    orders = [torch.randperm(len(x)) for _ in range(50)]
    return [
        not all(torch.allclose(layer(x[o]), layer(x)[o], atol=1e-4) for o in orders)
        for layer in layers
    ]


EXERCISE = Exercise(
    minutes=15,
    kind="design",
    hard=True,
    inputs=inputs,
    hints=(
        "If a layer treats its tokens as a bag, what comes out when the tokens go in in another "
        "order? Not the same thing: say exactly where each output should stand.",
        "`x[order]` brings the rows of x into another order, and the outputs for x in that order "
        "should be `layer(x)[order]`. Compare with torch.allclose(..., atol=1e-4).",
        "One order proves little: the ring of neighbours does not notice a rotation, others not "
        "that the first token stays first. Ask for many random orders, `torch.randperm(len(x))`, "
        "and say True only if all of them agree.",
        "orders = [torch.randperm(len(x)) for _ in range(50)]\n"
        "return [\n"
        "    all(torch.allclose(layer(x[o]), layer(x)[o], atol=1e-4) for o in orders)\n"
        "    for layer in layers\n"
        "]",
    ),
    mistakes=(
        Mistake(
            "Your list is what the reversed order alone would give, or rotations. Some layers are "
            "symmetrical enough not to notice these: ask for many orders, drawn at random.",
            fooled_by([4, 3, 2, 1, 0]),
        ),
        Mistake(
            "Your list is that of a test that exchanges the first two tokens alone. A layer that "
            "looks at the last one does not notice: a True needs more than one order.",
            fooled_by([1, 0, 2, 3, 4]),
        ),
        Mistake(
            "You have the layers whose output does not change at all when tokens go in in another "
            "order. A bag gives each token the same output as before, but it stands where the token "
            "stands now.",
            outputs_in_the_old_order,
        ),
        Mistake(
            "You have the layers whose outputs have the same mean in every order. That does not say "
            "which output belongs to which token.",
            only_the_mean,
        ),
        Mistake(
            "Upside down: True is asked for where the order makes no difference.", turned_round
        ),
    ),
)
