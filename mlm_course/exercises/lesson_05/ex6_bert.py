"""BERT, whole."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.exercises.lesson_05.parts import only_parts, randomised
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.practice.exercise import Exercise, Mistake


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, MaskedLM]:
    """ids, visible and segments (3, 5) with padding, and the parts of a model of two blocks."""
    visible = torch.arange(5) < torch.tensor([[5], [3], [4]])
    ids = torch.randint(5, 23, (3, 5), generator=g).masked_fill(~visible, 0)
    segments = (torch.arange(5) >= 2).long().expand(3, 5).clone()
    config = EncoderConfig(
        23, 29, d_model=12, n_layers=2, n_heads=3, d_ff=20, n_segments=2, pre_norm=False,
        norm_eps=1e-12,
    )  # fmt: skip
    model = randomised(MaskedLM(config), g)
    only_parts(model, "those of model.encoder, and model.dense, model.norm, model.decoder_bias")
    only_parts(model.encoder, "model.encoder.embeddings and model.encoder.blocks")
    only_parts(model.encoder.embeddings, "e.token, e.position, e.segment and e.norm")
    for block in model.encoder.blocks:
        only_parts(block, "attention, attention_norm, feed_forward and feed_forward_norm")
    return ids, visible, segments, model


MASK = "visible[:, None, None, :]"
EMBEDDED = "e.norm(e.token(ids) + e.position(places) + e.segment(segments))"
FIRST = "b.attention_norm(x + b.attention(x, mask))"
SECOND = "b.feed_forward_norm(x + b.feed_forward(x))"
HEAD = "model.norm(F.gelu(model.dense(x)))"
LOGITS = "vectors @ e.token.weight.T + model.decoder_bias"

EXERCISE = Exercise(
    minutes=15,
    inputs=inputs,
    stages={
        "embedded": "the embeddings with their norm",
        "x": "what the last block returns",
        "vectors": "what the head's norm returns",
    },
    hints=(
        "The order: three embeddings and a norm; the blocks, one after the other; dense, GELU, norm, and "
        "the table as decoder.",
        "The mask needs two more axes, for heads and queries; True at a key means that it may be "
        "attended to. Attention takes it as second argument: `b.attention(x, mask)`.",
        "A block is that of exercise 5.4, with its four parts called like functions. The decoder's matrix "
        "is the table, transposed.",
        "e = model.encoder.embeddings\n"
        "x = e.norm(e.token(ids) + e.position.weight[: ids.shape[1]] + e.segment(segments))\n"
        "mask = visible[:, None, None, :]\n"
        "for b in model.encoder.blocks:\n"
        "    x = b.attention_norm(x + b.attention(x, mask))\n"
        "    x = b.feed_forward_norm(x + b.feed_forward(x))\n"
        "return model.norm(F.gelu(model.dense(x))) @ e.token.weight.T + model.decoder_bias",
    ),
    mistakes=(
        Mistake(
            "The padding is heard: every block's attention needs the mask.",
            {"b.attention(x, mask)": "b.attention(x)"},
        ),
        Mistake(
            "The padding is heard in the second block. Every block's attention needs the mask.",
            {SECOND: f"{SECOND}\n        mask = None"},
        ),
        Mistake(
            "The mask is inverted: True means may attend, and `visible` is True at real tokens.",
            {MASK: f"~{MASK}"},
        ),
        Mistake(
            "Your mask says which *queries* are real tokens: all keys are heard, padding too. The last axis "
            "of a mask is that of the keys.",
            {MASK: "visible[:, None, :, None]"},
        ),
        Mistake(
            "Padding neither hears nor is heard in your mask. Only the keys are asked about: a place of "
            "padding may listen to tokens.",
            {MASK: "visible[:, None, None, :] & visible[:, None, :, None]"},
        ),
        Mistake(
            "Your mask has its axes in the wrong places. Attention matches it with (B, H, queries, keys), "
            "from the last axis backwards: rows first, then an axis of size 1 for heads and one for "
            "queries, and the padding at the keys.",
            {MASK: "visible"},
            {MASK: "visible[:, None]"},
            {MASK: "visible[:, :, None]"},
        ),
        Mistake("The segments are missing from the embeddings.", {" + e.segment(segments)": ""}),
        Mistake("The positions are missing from the embeddings.", {" + e.position(places)": ""}),
        Mistake(
            "The positions are those of the token ids. A position says where a token stands: 0, 1, 2, ...",
            {"e.position(places)": "e.position(ids)"},
        ),
        Mistake(
            "Your positions start at 1. The first token stands at position 0.",
            {"torch.arange(ids.shape[1])": "torch.arange(1, ids.shape[1] + 1)"},
        ),
        Mistake("The norm after the embeddings is missing.", {"e.norm(": "("}),
        Mistake(
            "The norm has read the token embeddings alone. It follows the sum of all three.",
            {EMBEDDED: "e.norm(e.token(ids)) + e.position(places) + e.segment(segments)"},
        ),
        Mistake(
            "Your blocks are pre-norm. BERT's are post-norm: the sums are normalised.",
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
            "The residual connection around attention is missing.",
            {"x + b.attention": "b.attention"},
        ),
        Mistake(
            "The residual connection around the feed-forward network is missing.",
            {"x + b.feed_forward": "b.feed_forward"},
        ),
        Mistake("The blocks have no attention half.", {f"x = {FIRST}": "pass"}),
        Mistake("The blocks have no feed-forward half.", {f"x = {SECOND}": "pass"}),
        Mistake(
            "In your blocks the two norms have changed places.",
            {
                FIRST: FIRST.replace("attention_norm", "feed_forward_norm"),
                SECOND: SECOND.replace("feed_forward_norm", "attention_norm"),
            },
        ),
        Mistake(
            "Only the first block was used. Go through all of model.encoder.blocks.",
            {"model.encoder.blocks": "model.encoder.blocks[:1]"},
        ),
        Mistake(
            "Only the last block counts: each block has read the embeddings. It reads what the block "
            "before returned.",
            {
                FIRST: "b.attention_norm(embedded + b.attention(embedded, mask))",
            },
        ),
        Mistake(
            "The head has no GELU, between dense and norm.",
            {"F.gelu(model.dense(x))": "model.dense(x)"},
        ),
        Mistake("The head's norm is missing, after GELU.", {"model.norm(": "("}),
        Mistake("The head's dense layer is missing.", {"model.dense(x)": "x"}),
        Mistake(
            "In the head norm and GELU have changed places: dense, GELU, norm.",
            {HEAD: "F.gelu(model.norm(model.dense(x)))"},
        ),
        Mistake(
            "The vectors went straight to the decoder. Before it come dense, GELU and norm.",
            {HEAD: "x"},
        ),
        Mistake("The decoder's bias is missing.", {" + model.decoder_bias": ""}),
        Mistake(
            "These are probabilities, or their logarithms. Return the logits.",
            {LOGITS: f"({LOGITS}).softmax(-1)"},
            {LOGITS: f"({LOGITS}).log_softmax(-1)"},
        ),
        Mistake(
            "This is what the encoder returns. The head is still to come: dense, GELU, norm, and the "
            "transposed token table.",
            {LOGITS: "x"},
        ),
        Mistake(
            "These vectors still have D numbers. The decoder is to come: the transposed token table and "
            "a bias.",
            {LOGITS: "vectors"},
        ),
    ),
)
