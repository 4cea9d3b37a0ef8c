"""The MLM head."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_05.parts import randomised
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple:
    """x (2, 7, 6), hidden places (2, 7), dense, norm, token table (9, 6), bias (9,)."""
    masked = torch.rand(2, 7, generator=g) < 0.4
    masked[0, 2], masked[1, 3] = True, False  # never all, never none
    parts = randomised(nn.Linear(6, 6), g), randomised(nn.LayerNorm(6), g)
    tables = torch.randn(9, 6, generator=g), torch.randn(9, generator=g)
    return torch.randn(2, 7, 6, generator=g), masked, *parts, *tables


HEAD = "norm(F.gelu(dense(x)))"
LOGITS = "x @ token.T + bias"

EXERCISE = Exercise(
    minutes=8,
    inputs=inputs,
    hints=(
        "First keep the hidden places only; then everything is (n, something).",
        "dense, GELU, norm, in this order: (n, D). Then one dot product with each row of `token`: (n, "
        "D) @ (D, V).",
        "return norm(F.gelu(dense(x[masked]))) @ token.T + bias",
    ),
    mistakes=(
        Mistake(
            "Right logits, but for every token. Only those at hidden places are wanted: x[masked].",
            {"x[masked]": "x"},
        ),
        Mistake(
            "These are probabilities, or their logarithms. Return the logits as they are: the loss "
            "function applies softmax itself.",
            {LOGITS: f"({LOGITS}).softmax(-1)"},
            {LOGITS: f"({LOGITS}).log_softmax(-1)"},
        ),
        Mistake(
            "A token still has D numbers here, not one for each token of the vocabulary. Take "
            "x[masked] through dense, GELU and norm; then `@ token.T + bias` makes V logits of D "
            "numbers.",
            {"x[masked]": "x", HEAD: "x", LOGITS: "x"},
            {HEAD: "x", LOGITS: "x"},
            {HEAD: "dense(x)", LOGITS: "x"},
            {LOGITS: "x"},
            {"x[masked]": "x", LOGITS: "x"},
        ),
        Mistake(
            "The bias is missing: one number for each token of the vocabulary.",
            {" + bias": ""},
        ),
        Mistake(
            "GELU is missing between dense and norm.",
            {HEAD: "norm(dense(x))"},
        ),
        Mistake(
            "Nearly: this is the tanh approximation of GELU. Take F.gelu as it is, with erf.",
            {HEAD: 'norm(F.gelu(dense(x), approximate="tanh"))'},
        ),
        Mistake(
            "Norm and GELU have changed places: dense, GELU, norm.",
            {HEAD: "F.gelu(norm(dense(x)))"},
        ),
        Mistake(
            "The norm is missing.",
            {HEAD: "F.gelu(dense(x))"},
        ),
        Mistake(
            "x went straight to the decoder. Before it come dense, GELU and norm.",
            {HEAD: "x"},
        ),
        Mistake(
            "`token` is (V, D), a row for each token. To get (n, V) out of (n, D) it has to be "
            "transposed: token.T.",
            {"token.T": "token"},
        ),
    ),
)
