"""The modern encoder, in one piece."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: F401 (the answer uses it)

from mlm_course.attention import (  # noqa: F401 (the answer uses them)
    join_heads,
    split_heads,
    window_mask,
)
from mlm_course.exercises.lesson_05.parts import only_parts, randomised
from mlm_course.models.modern import (
    GatedFeedForward,
    ModernAttention,
    ModernBlock,
    ModernConfig,
    ModernEncoder,
)
from mlm_course.positions import rotate, rotations  # noqa: F401 (the answer uses them)
from mlm_course.practice.exercise import Exercise, Mistake

PARTS: dict[type, str] = {
    ModernEncoder: "token, embedding_norm, blocks and final_norm",
    ModernBlock: "attention, attention_norm, feed_forward and feed_forward_norm",
    ModernAttention: "attention.qkv and attention.output",
    GatedFeedForward: "feed_forward.expand and feed_forward.contract",
}


def inputs(g: torch.Generator) -> tuple[Tensor, Tensor, ModernEncoder]:
    """ids and visible (3, 9) with at most three places of padding, and the parts of five blocks."""
    visible = torch.arange(9) < torch.tensor([[9], [6], [8]])
    ids = torch.randint(5, 23, (3, 9), generator=g).masked_fill(~visible, 0)
    config = ModernConfig(
        23, d_model=12, n_layers=5, n_heads=3, d_ff=10, window=6, global_base=60.0, local_base=4.0
    )
    encoder = randomised(ModernEncoder(config), g)
    for module in encoder.modules():
        if type(module) in PARTS:
            only_parts(module, PARTS[type(module)])
    return ids, visible, encoder


LOCAL = "layer % c.global_every != 0"
BASE = "c.local_base if local else c.global_base"
MASK = "visible[:, None, None] & near if local else visible[:, None, None]"
GATED = "F.gelu(content) * gate"

EXERCISE = Exercise(
    hard=True,
    minutes=25,
    inputs=inputs,
    stages={
        "embedded": "the embeddings with their norm",
        "heard": "what the heads of the last block have heard, before `attention.output`",
        "x": "what the last block returns",
        "final": "the vectors after the last norm",
    },
    hints=(
        "Begin with the loop of exercise 5.6 and change one thing after the other: no position table, "
        "norms before the sublayers, the gate, the rotation, the window. The message says how far the "
        "names in your function are right.",
        "What depends on the block's number: the base of its rotations and its mask. `qkv(h).chunk(3, -1)` "
        "gives queries, keys and values; `split_heads` makes (B, H, T, .) of each. Only queries and keys "
        "are rotated.",
        "The mask of a global block is visible[:, None, None] (B, 1, 1, T); that of a local block is open "
        "where it *and* `window_mask(T, c.window // 2)` are.",
        "c, e, T = encoder.config, encoder, ids.shape[1]\n"
        "x = e.embedding_norm(e.token(ids))\n"
        "for layer, b in enumerate(e.blocks):\n"
        "    base, mask = c.global_base, visible[:, None, None]\n"
        "    if layer % c.global_every:\n"
        "        base, mask = c.local_base, mask & window_mask(T, c.window // 2)\n"
        "    turn = rotations(torch.arange(T), c.d_model // c.n_heads, base)\n"
        "    parts = b.attention.qkv(b.attention_norm(x)).chunk(3, -1)\n"
        "    q, k, v = (split_heads(part, c.n_heads) for part in parts)\n"
        "    heard = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, mask)\n"
        "    x = x + b.attention.output(join_heads(heard))\n"
        "    content, gate = b.feed_forward.expand(b.feed_forward_norm(x)).chunk(2, -1)\n"
        "    x = x + b.feed_forward.contract(F.gelu(content) * gate)\n"
        "return e.final_norm(x) * visible[..., None]",
    ),
    mistakes=(
        Mistake("The norm after the embeddings is missing.", {"e.embedding_norm(": "("}),
        Mistake("The last norm is missing.", {"e.final_norm(x)": "x"}),
        Mistake(
            "Right but for padding: its vectors should be 0 in the end.",
            {"final * visible[..., None]": "final"},
        ),
        Mistake(
            "The padding is heard. Every block's mask closes its keys.",
            {MASK: "near if local else None"},
        ),
        Mistake(
            "The padding is heard in local blocks. Their mask closes its keys, too.",
            {MASK: "near if local else visible[:, None, None]"},
        ),
        Mistake(
            "All blocks are global in your attention: the window is missing.",
            {MASK: "visible[:, None, None]"},
        ),
        Mistake(
            "All blocks look through the window. Every `global_every`-th, from the first, looks at all.",
            {MASK: "visible[:, None, None] & near"},
        ),
        Mistake(
            "Your window is twice as wide: `window` tokens are both sides together, so it reaches half "
            "as far to each.",
            {"c.window // 2": "c.window"},
        ),
        Mistake(
            "Your window reaches one token less far than it should: `window // 2` places away is heard.",
            {"c.window // 2": "c.window // 2 - 1"},
        ),
        Mistake(
            "Local and global blocks have changed places: the first block is global.",
            {LOCAL: "layer % c.global_every == 0"},
        ),
        Mistake(
            "Your first global block is the `global_every`-th. It is the first: count blocks from 0.",
            {LOCAL: "(layer + 1) % c.global_every != 0"},
        ),
        Mistake(
            "The two bases have changed places.",
            {BASE: "c.global_base if local else c.local_base"},
        ),
        Mistake(
            "All your blocks turn by the global base. Local blocks have one of their own.",
            {BASE: "c.global_base"},
        ),
        Mistake(
            "All your blocks turn by the local base. Global blocks have one of their own.",
            {BASE: "c.local_base"},
        ),
        Mistake(
            "The keys are not rotated. Only the difference of two rotations tells the distance.",
            {"rotate(k, turn)": "k"},
        ),
        Mistake("The queries are not rotated.", {"rotate(q, turn)": "q"}),
        Mistake(
            "Nothing is rotated: but for the windows, this encoder knows no order.",
            {"rotate(q, turn)": "q", "rotate(k, turn)": "k"},
        ),
        Mistake(
            "The values are rotated, too. Only queries and keys are: they decide who is heard, not what.",
            {"rotate(k, turn), v": "rotate(k, turn), rotate(v, turn)"},
        ),
        Mistake(
            "Attention reads the stream without a norm. This encoder is pre-norm.",
            {"b.attention_norm(x)": "x"},
        ),
        Mistake(
            "The feed-forward network reads the stream without a norm.",
            {"b.feed_forward_norm(x)": "x"},
        ),
        Mistake(
            "The residual connection around attention is missing.",
            {"x = x + b.attention.output": "x = b.attention.output"},
        ),
        Mistake(
            "The residual connection around the feed-forward network is missing.",
            {"x = x + b.feed_forward.contract": "x = b.feed_forward.contract"},
        ),
        Mistake(
            "Content and gate have changed places: GELU goes over the first half of the numbers.",
            {"content, gate =": "gate, content ="},
        ),
        Mistake(
            "GELU goes over the product. It goes over the content alone, which is multiplied by the gate.",
            {GATED: "F.gelu(content * gate)"},
        ),
        Mistake("GELU is missing.", {GATED: "content * gate"}),
        Mistake(
            "Only the first block was used. Go through all of encoder.blocks.",
            {"enumerate(e.blocks)": "enumerate(e.blocks[:1])"},
        ),
    ),
)
