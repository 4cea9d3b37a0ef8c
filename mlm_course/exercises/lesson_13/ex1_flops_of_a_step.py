"""The FLOPs of a step."""

import torch

from mlm_course.exercises.lesson_13.draws import whole
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, ...]:
    """Sizes of a model and a batch; d_ff is no multiple of D."""
    D = 64 * whole(g, 1, 5)
    rows, length = whole(g, 4, 20), whole(g, 30, 200)
    return D, whole(g, 3, 7), 3 * D + 1, whole(g, 500, 9000), rows, length, rows * length // 7


EXERCISE = Exercise(
    minutes=15,
    hard=True,
    inputs=inputs,
    hints=(
        "Three parts: the blocks' matrices for every token, the head's for the hidden ones, and "
        "attention, which grows with the square of the length.",
        "Count the multiply-adds of one forward pass in each part. A block has 4 * D * D + 2 * D * d_ff "
        "numbers in matrices, the head D * D + D * V: one multiply-add for each of them and each token "
        "it works on. Attention has two products of length * D for each token and layer.",
        "A multiply-add is two FLOPs, and the backward pass has two products for each of the forward "
        "pass: 6 in all, for all three parts alike.",
        "tokens = rows * length\n"
        "blocks = n_layers * (4 * D * D + 2 * D * d_ff) * tokens\n"
        "head = (D * D + D * V) * masked\n"
        "attention = n_layers * tokens * 2 * length * D\n"
        "return 6 * (blocks + head + attention)",
    ),
    stages={
        "blocks": "the multiply-adds of the blocks' matrices in one forward pass",
        "head": "those of the head",
        "attention": "those of attention's own products",
    },
    mistakes=(
        Mistake(
            "This is the forward pass alone. The backward pass costs twice as much again: one "
            "product for the gradient of the input, one for that of the weights.",
            {"3 * forward": "forward"},
        ),
        Mistake(
            "4 instead of 6: either the backward pass was given one product instead of two, or the "
            "forward pass is missing. 2 + 4 = 6.",
            {"3 * forward": "2 * forward"},
        ),
        Mistake(
            "A multiply-add counts as one FLOP here. It is two: one multiplication, one addition.",
            {"2 * (blocks": "(blocks"},
        ),
        Mistake(
            "The head works on every token here. Only the `masked` ones are projected to the vocabulary.",
            {") * masked": ") * tokens"},
        ),
        Mistake(
            "The head is missing: D * D + D * V numbers, for the hidden tokens.",
            {"blocks + head + attention": "blocks + attention"},
        ),
        Mistake(
            "The head has two matrices, one of D x D before the one of D x V.",
            {"(D * D + D * V)": "(D * V)"},
        ),
        Mistake(
            "The projection to the vocabulary is missing in the head: D * V, beside D * D.",
            {"(D * D + D * V)": "(D * D)"},
        ),
        Mistake(
            "The head was counted in every layer. It comes once, after the last block.",
            {") * masked": ") * masked * n_layers"},
        ),
        Mistake(
            "The hidden tokens were multiplied by the number of rows. `masked` is their number in the "
            "whole batch.",
            {") * masked": ") * masked * rows"},
        ),
        Mistake(
            "Attention is missing: every token is compared with every other in its row, and "
            "takes its value. No parameters, but FLOPs.",
            {"head + attention": "head"},
        ),
        Mistake(
            "Attention's own products are there for the forward pass only. Backward they cost "
            "twice as much again: 12 in all, not 4.",
            {"3 * forward": "3 * forward - 4 * attention"},
        ),
        Mistake(
            "Attention goes with rows * length * length: *each* token of a row is compared with *all* "
            "tokens of the row. Here one of the two lengths is missing.",
            {"2 * length * D": "2 * D"},
        ),
        Mistake(
            "Attention has two products without parameters: the scores, and the weighted sum of the "
            "values. Here it is half of it.",
            {"tokens * 2 * length": "tokens * length"},
        ),
        Mistake(
            "Attention's 12 FLOPs have forward and backward pass in them already, and were multiplied by "
            "6 once more.",
            {"tokens * 2 * length": "tokens * 12 * length"},
        ),
        Mistake(
            "Attention's products were counted once. Every layer has them.",
            {"n_layers * tokens": "tokens"},
        ),
        Mistake(
            "Attention compares tokens across the whole batch here. A token sees its own row only.",
            {"2 * length * D": "2 * tokens * D"},
        ),
        Mistake(
            "The embedding of the tokens was counted as a matrix product. It is a look-up in a table: no "
            "multiplication at all.",
            {"2 * (blocks": "2 * (V * D * tokens + blocks"},
        ),
        Mistake(
            "The feed-forward network has two matrices of D x d_ff: one to widen, one to narrow.",
            {"2 * D * d_ff": "D * d_ff"},
        ),
        Mistake(
            "Attention has four matrices of D x D: for queries, keys, values and the output.",
            {"4 * D * D": "3 * D * D"},
            {"4 * D * D": "D * D"},
        ),
        Mistake(
            "The matrices of one block were counted. There are `n_layers` blocks.",
            {"n_layers * (4": "(4"},
        ),
        Mistake(
            "The blocks worked on the hidden tokens only. Every token passes through them; the head alone "
            "is for hidden ones.",
            {"d_ff) * tokens": "d_ff) * masked"},
        ),
        Mistake(
            "This counts the tokens of one row. The batch has `rows` of them.",
            {"rows * length": "length"},
        ),
    ),
)
