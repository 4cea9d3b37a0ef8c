"""BERT's block, from its numbers."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.attention import MultiHeadAttention
from mlm_course.exercises.lesson_05.parts import randomised
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, MultiHeadAttention, dict[str, Tensor]]:
    """x (2, 5, 12) of small numbers, to which an epsilon matters, attention, and the other numbers."""
    attention = randomised(MultiHeadAttention(12, 3), g)
    with torch.no_grad():
        for parameter in attention.output.parameters():
            parameter.mul_(0.03)
    return 0.01 * torch.randn(2, 5, 12, generator=g), attention, numbers(g)


def numbers(g: torch.Generator) -> dict[str, Tensor]:
    """The numbers of the feed-forward network, 20 wide inside, and of the norms."""
    p = {}
    for name, shape, size in (
        ("attention_norm", (12,), 0.01),
        ("feed_forward.expand", (20, 12), 50.0),
        ("feed_forward.contract", (12, 20), 0.002),
        ("feed_forward_norm", (12,), 1.0),
    ):
        weight, bias = (torch.randn(one, generator=g) for one in (shape, shape[:1]))
        p[f"{name}.weight"] = size * (weight if len(shape) == 2 else 1 + 0.3 * weight)
        p[f"{name}.bias"] = bias * (0.5 if len(shape) == 2 and size > 1 else min(size, 1.0))
    return p


SUMMED = "summed = x + attention(x)"
TOTAL = "total = heard + made"
HEARD = 'F.layer_norm(summed, D, p["attention_norm.weight"], p["attention_norm.bias"], eps=1e-12)'
LAST = """F.layer_norm(
        total, D, p["feed_forward_norm.weight"], p["feed_forward_norm.bias"], eps=1e-12
    )"""
DEFAULT_FIRST = {'p["attention_norm.bias"], eps=1e-12': 'p["attention_norm.bias"]'}
DEFAULT_LAST = {'p["feed_forward_norm.bias"], eps=1e-12': 'p["feed_forward_norm.bias"]'}
WIDE = 'F.linear(heard, p["feed_forward.expand.weight"], p["feed_forward.expand.bias"])'
MADE = 'F.linear(active, p["feed_forward.contract.weight"], p["feed_forward.contract.bias"])'
STREAM = {"heard = F": "heard = x + F", "summed = x + a": "summed = a"}
UNSCALED = {
    'p["attention_norm.weight"], p["attention_norm.bias"]': "None, None",
    'p["feed_forward_norm.weight"], p["feed_forward_norm.bias"]': "None, None",
}
PRE_NORM = {
    SUMMED: f"summed = x + attention({HEARD.replace('summed', 'x')})",
    f"heard = {HEARD}": "heard = summed",
    WIDE: WIDE.replace("heard", LAST.replace("total", "heard")),
    f"return {LAST}": "return total",
}
UNBIASED = """(lambda x, w, b: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * w + b)(
        {}, p["{}.weight"], p["{}.bias"])"""

EXERCISE = Exercise(
    minutes=12,
    inputs=inputs,
    stages={
        "heard": "x plus what attention adds, normalised",
        "made": "what the feed-forward network adds",
    },
    hints=(
        "Twice the same pattern: compute something from x, add it to x, normalise the sum. The second "
        "half starts from the *result* of the first.",
        "The feed-forward network: `F.linear` with `expand`, GELU, `F.linear` with `contract`. `F.linear` "
        "takes a weight as it stands in the file.",
        "`F.layer_norm` takes the shape `(D,)`, weight, bias and eps; without eps it takes 1e-5.",
        "D = x.shape[-1:]\n"
        "def norm(x, name):\n"
        '    return F.layer_norm(x, D, p[name + ".weight"], p[name + ".bias"], eps=1e-12)\n'
        "def linear(x, name):\n"
        '    return F.linear(x, p[name + ".weight"], p[name + ".bias"])\n'
        'heard = norm(x + attention(x), "attention_norm")\n'
        'active = F.gelu(linear(heard, "feed_forward.expand"))\n'
        'return norm(heard + linear(active, "feed_forward.contract"), "feed_forward_norm")',
    ),
    mistakes=(
        Mistake(
            "Nearly: the numbers are those of epsilon 1e-5, PyTorch's default, in both norms. BERT's is "
            "1e-12, and these vectors are small.",
            DEFAULT_FIRST | DEFAULT_LAST,
        ),
        Mistake(
            "Nearly: in one of the norms epsilon is 1e-5, PyTorch's default. BERT's is 1e-12, and these "
            "vectors are small.",
            DEFAULT_FIRST,
            DEFAULT_LAST,
        ),
        Mistake(
            "Nearly: these are the numbers of the tanh approximation of GELU. The exact form is asked for.",
            {"F.gelu(wide)": 'F.gelu(wide, approximate="tanh")'},
        ),
        Mistake(
            "Nearly: these are the numbers of a tanh approximation of GELU together with epsilon 1e-5. The "
            "exact form and 1e-12 are asked for.",
            {"F.gelu(wide)": 'F.gelu(wide, approximate="tanh")'} | DEFAULT_FIRST | DEFAULT_LAST,
        ),
        Mistake(
            "Nearly: the variances were divided by D - 1. LayerNorm divides by D.",
            {
                HEARD: UNBIASED.format("summed", "attention_norm", "attention_norm"),
                LAST: UNBIASED.format("total", "feed_forward_norm", "feed_forward_norm"),
            },
        ),
        Mistake(
            "These are the numbers of a block with ReLU. BERT has GELU.",
            {"F.gelu(wide)": "F.relu(wide)"},
        ),
        Mistake(
            "These are the numbers of a feed-forward network without an activation function.",
            {"F.gelu(wide)": "wide"},
        ),
        Mistake(
            "GELU has acted on what the feed-forward network returns. It stands inside, between the two "
            "layers.",
            {"F.gelu(wide)": "wide", MADE: f"F.gelu({MADE})"},
        ),
        Mistake(
            "Both residual connections are missing: what comes out of a sublayer is *added* to what went in.",
            {SUMMED: "summed = attention(x)", TOTAL: "total = made"},
        ),
        Mistake(
            "The residual connection around attention is missing.",
            {SUMMED: "summed = attention(x)"},
        ),
        Mistake(
            "The residual connection around the feed-forward network is missing.",
            {TOTAL: "total = made"},
        ),
        Mistake(
            "This is pre-norm: what enters a sublayer is normalised. In BERT the sums are.",
            PRE_NORM,
        ),
        Mistake(
            "Attention's result is normalised, then added to x. Add first, and normalise the sum.",
            STREAM,
        ),
        Mistake(
            "The feed-forward network's result is normalised, then added. Add first, and normalise the sum.",
            {TOTAL: "total = made", f"return {LAST}": f"return heard + {LAST}"},
        ),
        Mistake(
            "The feed-forward network has read the block's input. It should read what attention's half has "
            "produced.",
            {WIDE: WIDE.replace("heard", "x")},
        ),
        Mistake(
            "The second sum adds the block's own input. Add what went into the feed-forward network.",
            {TOTAL: "total = x + made"},
        ),
        Mistake(
            "The second sum adds what the first norm has read. Add what went into the feed-forward network, "
            "which is normalised.",
            {TOTAL: "total = summed + made"},
        ),
        Mistake(
            "The first sum is not normalised. Each sublayer has its own norm, behind its sum.",
            {f"heard = {HEARD}": "heard = summed"},
        ),
        Mistake(
            "The second sum is not normalised. Each sublayer has its own norm, behind its sum.",
            {f"return {LAST}": "return total"},
        ),
        Mistake(
            "The norms' weights and biases are not used: a norm multiplies by its weight and adds its bias.",
            UNSCALED,
        ),
        Mistake(
            "The two norms have changed places.",
            {
                HEARD: HEARD.replace("attention_norm", "feed_forward_norm"),
                LAST: LAST.replace("feed_forward_norm", "attention_norm"),
            },
        ),
        Mistake(
            "The biases of the feed-forward network's two layers are missing.",
            {
                ', p["feed_forward.expand.bias"]': "",
                ', p["feed_forward.contract.bias"]': "",
            },
        ),
    ),
)
