"""Multi-head attention."""

import torch
from torch import Tensor

from mlm_course.attention import scaled_dot_product_attention  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
    """Vectors (B, T, M), four matrices (M, M), and the number of heads."""
    w_q, w_k, w_v, w_o = torch.randn(4, 12, 12, generator=g) / 3
    return torch.randn(4, 5, 12, generator=g), w_q, w_k, w_v, w_o, 3


SPLIT = ".reshape(B, T, n_heads, M // n_heads).transpose(1, 2)"

EXERCISE = Exercise(
    minutes=18,
    inputs=inputs,
    hints=(
        "Follow the five steps. Only steps 2 and 4 change shapes.",
        "After step 3 you hold (B, H, T, D). Swap H and T back before you reshape to (B, T, M).",
        "return output.transpose(1, 2).reshape(B, T, M) @ w_o",
    ),
    mistakes=(
        Mistake(
            "The heads were reshaped straight to (B, T, M), which mixes tokens. Swap H and T back "
            "first: .transpose(1, 2).reshape(B, T, M).",
            {"output.transpose(1, 2).reshape(B, T, M)": "output.reshape(B, T, M)"},
        ),
        Mistake(
            "All heads are right, but they have not been mixed yet: multiply by w_o at the end.",
            {"joined @ w_o": "joined"},
        ),
        Mistake(
            "The scores are divided by sqrt(M). Within a head vectors have D = M / H numbers: divide "
            "by sqrt(D).",
            {"heads(x @ w_q)": "heads(x @ w_q) / n_heads**0.5"},
        ),
        Mistake(
            "The keys were made with w_q. Queries and keys need their own matrices, or listening "
            "stays mutual.",
            {"heads(x @ w_k)": "heads(x @ w_q)"},
        ),
        Mistake(
            "The split into heads is a bare reshape, which mixes tokens: reshape to (B, T, H, D), "
            "then swap T and H (exercise 1.5).",
            {SPLIT: ".reshape(B, n_heads, T, M // n_heads)"},
        ),
        Mistake(
            "The matrices were transposed (F.linear does that, too). Here it is simply x @ w_q.",
            {
                "x @ w_q": "x @ w_q.T",
                "x @ w_k": "x @ w_k.T",
                "x @ w_v": "x @ w_v.T",
                "joined @ w_o": "joined @ w_o.T",
            },
        ),
        Mistake(
            "The input was added to the result. That is the residual connection, which lesson 5 "
            "builds around attention. Here return the result alone.",
            {"joined @ w_o": "x + joined @ w_o"},
        ),
        Mistake(
            "This is one head over all M numbers. Split queries, keys and values into n_heads "
            "pieces first.",
            {SPLIT: ".reshape(B, T, 1, M).transpose(1, 2)"},
        ),
    ),
)
