"""Multi-head attention."""

import torch
from torch import Tensor

from mlm_course.attention import scaled_dot_product_attention  # noqa: F401 (the answer uses it)
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
    """Vectors (B, T, M), four matrices (M, M), and the number of heads."""
    w_q, w_k, w_v, w_o = torch.randn(4, 12, 12, generator=g) / 3
    return torch.randn(4, 5, 12, generator=g), w_q, w_k, w_v, w_o, 3


PIECES, SWAP = ".reshape(B, T, n_heads, M // n_heads)", ".transpose(1, 2)"
SPLIT = f"{PIECES}{SWAP}"

EXERCISE = Exercise(
    minutes=20,
    hard=True,
    inputs=inputs,
    stages={
        "q": "the queries of all heads (B, H, T, D)",
        "k": "their keys (B, H, T, D)",
        "v": "their values (B, H, T, D)",
        "output": "what each head has heard (B, H, T, D)",
        "joined": "the heads side by side (B, T, M)",
    },
    hints=(
        "Three products, the split, attention, the way back, one product. Only the split and the "
        "way back change shapes.",
        "The split: the last axis M becomes two, (B, T, H, D), and then H and T change places. A "
        "reshape never moves a number; it only draws the borders anew.",
        "After attention there is (B, H, T, D). For the way back do the two steps of the split in "
        "reverse: swap H and T, then reshape to (B, T, M).",
        "B, T, M = x.shape\n"
        "pieces = [(x @ w).reshape(B, T, n_heads, -1).transpose(1, 2) for w in (w_q, w_k, w_v)]\n"
        "output, _ = scaled_dot_product_attention(*pieces)\n"
        "return output.transpose(1, 2).reshape(B, T, M) @ w_o",
    ),
    mistakes=(
        Mistake(
            "The heads were reshaped straight to (B, T, M), which mixes tokens. H and T have to be "
            "swapped back first.",
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
            "The scores are not divided by sqrt(D), D being the numbers of one head.",
            {"heads(x @ w_q)": "heads(x @ w_q) * (M // n_heads) ** 0.5"},
        ),
        Mistake(
            "The keys were made with w_q. Queries and keys need their own matrices, or listening "
            "stays mutual.",
            {"heads(x @ w_k)": "heads(x @ w_q)"},
        ),
        Mistake(
            "What the heads average is not the values: it is x as it came in, without w_v.",
            {"heads(x @ w_v)": "heads(x)"},
        ),
        Mistake(
            "The split into heads is a bare reshape, which mixes tokens: first (B, T, H, D), then T "
            "and H change places.",
            {SPLIT: ".reshape(B, n_heads, T, M // n_heads)"},
            {
                SPLIT: ".reshape(B, n_heads, T, M // n_heads)",
                "output.transpose(1, 2).reshape": "output.reshape",
            },
        ),
        Mistake(
            "Tokens never meet here: within each token its heads have attended to each other. In "
            "scaled_dot_product_attention the tokens have to be the second to last axis.",
            {SPLIT: PIECES, "output.transpose(1, 2).reshape": "output.reshape"},
        ),
        Mistake(
            "Each head took every H-th number. Its piece is D numbers in a row: H comes before D.",
            {
                SPLIT: ".reshape(B, T, M // n_heads, n_heads).permute(0, 3, 1, 2)",
                "output.transpose(1, 2)": "output.permute(0, 2, 3, 1)",
            },
            {SPLIT: ".reshape(B, T, M // n_heads, n_heads).permute(0, 3, 1, 2)"},
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
            "Right up to the last product: there w_o came in transposed.",
            {"joined @ w_o": "joined @ w_o.T"},
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
