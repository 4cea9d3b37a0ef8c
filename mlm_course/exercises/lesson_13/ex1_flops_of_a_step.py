"""The FLOPs of a step."""

import torch

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, ...]:
    """Sizes of a model and a batch, no two alike and d_ff no multiple of D."""
    D = 64 * whole(g, 1, 5)
    rows, length = whole(g, 2, 20), whole(g, 30, 200)
    return D, whole(g, 2, 7), 3 * D + 1, whole(g, 500, 9000), rows, length, rows * length // 7


EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    hints=(
        "Three parts: the blocks' matrices for every token, the head's for the hidden ones, and "
        "attention, which grows with the square of the length.",
        "A block has 4 * D * D + 2 * D * d_ff numbers in matrices, the head D * D + D * V. "
        "Each of them costs 6 FLOPs for each token it works on.",
        "6 * (n_layers * (4*D*D + 2*D*d_ff) * rows * length + (D*D + D*V) * masked) "
        "+ 12 * n_layers * rows * length * length * D",
    ),
    mistakes=(
        Mistake(
            "This is the forward pass alone. The backward pass costs twice as much again: one "
            "product for the gradient of the input, one for that of the weights.",
            {"6 * (": "2 * ("},
        ),
        Mistake(
            "4 instead of 6: either the backward pass was given one product instead of two, or the "
            "forward pass is missing. 2 + 4 = 6.",
            {"6 * (": "4 * ("},
        ),
        Mistake(
            "You counted a multiply-add as one FLOP. It is two: one multiplication, one addition.",
            {"6 * (": "3 * ("},
        ),
        Mistake(
            "You let the head work on every token. Only the `masked` ones are projected to the "
            "vocabulary.",
            {"head * masked": "head * tokens"},
        ),
        Mistake(
            "The head is missing: D * D + D * V numbers, for the hidden tokens.",
            {" + head * masked": ""},
        ),
        Mistake(
            "Attention is missing: every token is compared with every other in its row, and "
            "takes its value. No parameters, but FLOPs.",
            {" + attention": ""},
        ),
        Mistake(
            "Attention's own products are there for the forward pass only. Backward they cost "
            "twice as much again: 12 in all, not 4.",
            {" + attention)": ") + 2 * attention"},
        ),
        Mistake(
            "Each token is compared with all tokens of its row: attention goes with "
            "rows * length * length.",
            {"2 * length * D": "2 * D"},
        ),
        Mistake(
            "You counted the embedding of the tokens as a matrix product. It is a look-up in a "
            "table: no multiplication at all.",
            {"blocks * tokens": "(blocks + V * D) * tokens"},
        ),
        Mistake(
            "Attention's products were counted once. Every layer has them.",
            {"n_layers * tokens": "tokens"},
        ),
    ),
)
