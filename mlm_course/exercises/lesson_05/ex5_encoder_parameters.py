"""Counting the encoder's parameters."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int, int, int]:
    """V, places, D and the number of blocks."""
    V, places, D, n = (int(torch.randint(*ends, (1,), generator=g)) for ends in ENDS)
    return 10 * V + 1, 10 * places + 3, 4 * D, n


ENDS = ((200, 3000), (5, 60), (5, 40), (3, 15))
NO_BIAS = {
    "(D * D + D)": "D * D",
    "(D * 4 * D + 4 * D)": "4 * D * D",
    "(4 * D * D + D)": "4 * D * D",
}
NO_NORMS = {" + 2 * norm": "", "* D + norm": "* D"}
EMBEDDINGS = "embeddings + n_layers"

EXERCISE = Exercise(
    minutes=8,
    seconds=20,  # one may build such an encoder, and count
    inputs=inputs,
    hints=(
        "Three tables, then one norm; then n_layers times the same number.",
        "In a block: four linear layers in attention, two in the feed-forward network, two norms. A "
        "bias has as many numbers as come *out* of its layer.",
        "attention = 4 * (D * D + D)\n"
        "feed_forward = 4 * D * D + 4 * D + 4 * D * D + D\n"
        "block = attention + feed_forward + 2 * 2 * D\n"
        "return (V + places + 2) * D + 2 * D + n_layers * block",
    ),
    mistakes=(
        Mistake(
            "2 * D are missing, as many as one norm has, or the table of the segments. Neither may be "
            "forgotten: in BERT a norm follows the embeddings, and there are two segments.",
            {"* D + norm": "* D"},
        ),
        Mistake(
            "The embeddings are missing: token, position and segment table, and their norm.",
            {EMBEDDINGS: "n_layers"},
        ),
        Mistake(
            "The position table is missing.",
            {"V + places + 2": "V + 2"},
        ),
        Mistake(
            "This is the number of one block and the embeddings. There are n_layers blocks, each with "
            "weights of its own.",
            {"n_layers * (": "("},
        ),
        Mistake(
            "The embeddings are counted once for each block. They stand below all blocks, once.",
            {
                "embeddings + n_layers * (attention": "n_layers * (embeddings + attention",
            },
        ),
        Mistake(
            "9 * D numbers are missing in each block, as many as its linear layers have biases: 4 * D in "
            "attention, 4 * D + D in the feed-forward network.",
            NO_BIAS,
        ),
        Mistake(
            "The norms are missing: one after the embeddings and two in each block, with a weight and a "
            "bias of D numbers.",
            NO_NORMS,
        ),
        Mistake(
            "4 * D numbers are missing in each block: as many as its two norms have, or the biases of "
            "attention's four layers.",
            {" + 2 * norm": ""},
        ),
        Mistake(
            "Each norm is counted with D numbers. It has a weight *and* a bias.",
            {"norm = 2 * D": "norm = D"},
        ),
        Mistake(
            "2 * D numbers are missing in each block, as many as one norm has. Each has two norms.",
            {"2 * norm": "norm"},
        ),
        Mistake(
            "One of attention's four linear layers is missing in each block: query, key, value, and the "
            "output that mixes the heads.",
            {"4 * (D * D + D)": "3 * (D * D + D)"},
        ),
        Mistake(
            "3 * D numbers are missing in each block, as with a bias of D in the layer that widens. It is "
            "as long as what comes *out* of its layer: 4 * D.",
            {"D * 4 * D + 4 * D": "D * 4 * D + D"},
        ),
        Mistake(
            "3 * D numbers are too many in each block, as with a last bias of 4 * D. It is as long as what "
            "comes *out* of its layer: D.",
            {"4 * D * D + D": "4 * D * D + 4 * D"},
        ),
        Mistake(
            "One half of each feed-forward network is missing: it has two linear layers, there and back.",
            {" + (4 * D * D + D)": ""},
            {"(D * 4 * D + 4 * D) + ": ""},
        ),
        Mistake(
            "These are V numbers too many, as many as the decoder's bias has. That is a part of the head.",
            {EMBEDDINGS: "V + embeddings + n_layers"},
        ),
        Mistake(
            "These are 2 * D numbers too many, as many as one more norm. In BERT, which is post-norm, none "
            "follows the blocks.",
            {EMBEDDINGS: "norm + embeddings + n_layers"},
        ),
    ),
)
