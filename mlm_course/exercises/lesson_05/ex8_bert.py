"""BERT, whole."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_05.parts import randomised
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, MaskedLM]:
    """ids, visible and segments (3, 5) with padding, and a model of two blocks."""
    visible = torch.arange(5) < torch.tensor([[5], [3], [4]])
    ids = torch.randint(5, 23, (3, 5), generator=g).masked_fill(~visible, 0)
    segments = (torch.arange(5) >= 2).long().expand(3, 5).clone()
    config = EncoderConfig(
        23, 9, d_model=12, n_layers=2, n_heads=3, d_ff=20, n_segments=2, pre_norm=False,
        norm_eps=1e-12,
    )  # fmt: skip
    return ids, visible, segments, randomised(MaskedLM(config), g)


MASK = "visible[:, None, None, :]"
FIRST = "b.attention_norm(x + b.attention(x, mask))"
SECOND = "b.feed_forward_norm(x + b.feed_forward(x))"
LOGITS = "x @ e.token.weight.T + model.decoder_bias"

EXERCISE = Exercise(
    minutes=20,
    inputs=inputs,
    hints=(
        "You have written every piece: embeddings (then a norm), blocks (exercise 5.4), head "
        "(exercise 5.7, here for all tokens).",
        "The mask needs two more axes, for heads and queries: visible[:, None, None, :]. Attention "
        "takes it as second argument: block.attention(x, mask).",
        "for b in model.encoder.blocks: x = b.attention_norm(x + b.attention(x, mask)); then x = "
        "b.feed_forward_norm(x + b.feed_forward(x)). The head's matrix is e.token.weight.T.",
    ),
    mistakes=(
        Mistake(
            "The padding is heard: hand the mask to every block's attention.",
            {"b.attention(x, mask)": "b.attention(x)"},
        ),
        Mistake(
            "The mask is inverted: True means may attend, and `visible` is True at real tokens.",
            {MASK: f"~{MASK}"},
        ),
        Mistake(
            "Your mask has its axes in the wrong places. Attention matches it with (B, H, queries, "
            "keys), from the last axis backwards: rows first, then an axis of size 1 for heads and "
            "one for queries, and the padding at the keys: visible[:, None, None, :].",
            {MASK: "visible[:, None, :, None]"},
            {MASK: "visible"},
            {MASK: "visible[:, None]"},
            {MASK: "visible[:, :, None]"},
        ),
        Mistake(
            "The segments are missing from the embeddings.",
            {" + e.segment(segments)": ""},
        ),
        Mistake(
            "The positions are missing from the embeddings.",
            {" + e.position(torch.arange(ids.shape[1]))": ""},
        ),
        Mistake(
            "The norm after the embeddings is missing: e.norm(...).",
            {"e.norm(": "("},
        ),
        Mistake(
            "Your blocks are pre-norm. BERT's are post-norm (exercise 5.4).",
            {
                FIRST: "x + b.attention(b.attention_norm(x), mask)",
                SECOND: "x + b.feed_forward(b.feed_forward_norm(x))",
            },
        ),
        Mistake(
            "The residual connections are missing in the blocks.",
            {"x + b.attention": "b.attention", "x + b.feed_forward": "b.feed_forward"},
        ),
        Mistake(
            "Only the first block was used. Go through all of model.encoder.blocks.",
            {"model.encoder.blocks": "model.encoder.blocks[:1]"},
        ),
        Mistake(
            "GELU is missing in the head, between model.dense and model.norm.",
            {"F.gelu(model.dense(x))": "model.dense(x)"},
        ),
        Mistake(
            "The head's norm is missing: model.norm, after GELU.",
            {"model.norm(": "("},
        ),
        Mistake(
            "The decoder's bias is missing: model.decoder_bias.",
            {" + model.decoder_bias": ""},
        ),
        Mistake(
            "These are probabilities, or their logarithms. Return the logits.",
            {LOGITS: f"({LOGITS}).softmax(-1)"},
            {LOGITS: f"({LOGITS}).log_softmax(-1)"},
        ),
        Mistake(
            "This is what the encoder returns. The head is still to come: dense, GELU, norm, and the "
            "transposed token table.",
            {"x = model.norm(F.gelu(model.dense(x)))": "return x"},
        ),
    ),
)
