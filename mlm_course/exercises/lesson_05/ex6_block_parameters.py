"""Counting a block's parameters."""

import torch

from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[int, int]:
    """D and d_ff."""
    D = 4 * int(torch.randint(5, 40, (1,), generator=g))
    return D, 3 * D + 2


NO_BIAS = {
    "(D * D + D)": "D * D",
    "(D * d_ff + d_ff)": "D * d_ff",
    "(d_ff * D + D)": "d_ff * D",
}
NO_NORMS = {" + norms": ""}
HALF_NORMS = {"2 * 2 * D": "2 * D"}
THREE_LAYERS = {"4 *": "3 *"}

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "A linear layer from a to b numbers has a matrix of a * b and a bias of b.",
        "Four linear layers in attention, two in the feed-forward network, and two LayerNorms with a "
        "weight and a bias of D each.",
        "return 4 * (D * D + D) + (D * d_ff + d_ff) + (d_ff * D + D) + 2 * 2 * D",
    ),
    mistakes=(
        Mistake(
            "5 * D + d_ff numbers are missing: the biases of all linear layers, or else the two "
            "LayerNorms and the feed-forward network's biases.",
            NO_BIAS,
        ),
        Mistake(
            "All biases are missing, those of the linear layers and those of the LayerNorms.",
            NO_BIAS | HALF_NORMS,
        ),
        Mistake(
            "These are the matrices alone. Linear layers have biases, and the two LayerNorms count as "
            "well.",
            NO_BIAS | NO_NORMS,
        ),
        Mistake(
            "4 * D numbers are missing: the two LayerNorms, with a weight and a bias of D each, or "
            "else the biases of attention's four linear layers.",
            NO_NORMS,
        ),
        Mistake(
            "Half of the LayerNorms is missing: there are two, each with a weight *and* a bias.",
            HALF_NORMS,
        ),
        Mistake(
            "Attention has four linear layers: query, key, value, and the output that mixes the heads.",
            THREE_LAYERS,
            THREE_LAYERS | NO_NORMS,
            THREE_LAYERS | HALF_NORMS,
            THREE_LAYERS | NO_BIAS,
            THREE_LAYERS | NO_BIAS | NO_NORMS,
        ),
        Mistake(
            "The feed-forward network's first layer goes from D to d_ff numbers, so its bias has "
            "d_ff: a bias is as long as what comes *out* of the layer.",
            {"D * d_ff + d_ff": "D * d_ff + D"},
        ),
        Mistake(
            "The last bias has D numbers: a layer's bias is as long as what comes *out* of it.",
            {"d_ff * D + D": "d_ff * D + d_ff"},
        ),
        Mistake(
            "The feed-forward network has two linear layers: there and back again.",
            {" + (d_ff * D + D)": ""},
        ),
    ),
)
