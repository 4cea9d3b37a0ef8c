"""The encoder as it is built today: ModernBERT's changes to BERT, each a setting. Lesson 14.

Shapes everywhere: B rows of T tokens, D = d_model numbers a vector, H heads. Without padding the N
tokens of all texts lie in one row: B = 1, T = N.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import (
    MultiHeadAttention,
    fused_attention,
    join_heads,
    local_attention,
    split_heads,
)
from mlm_course.attention_checks import check_vectors, token_mask
from mlm_course.contracts import check_flag, check_ids, check_mask, check_number, check_tensor
from mlm_course.models.encoder import (
    FeedForward,
    StackConfig,
    check_config,
    check_length,
    initialise,
)
from mlm_course.positions import rotate, rotations


@dataclass(frozen=True, kw_only=True)
class ModernConfig(StackConfig):
    """The sizes of a modern encoder, and what sets it apart from BERT; the defaults are ModernBERT's.

    d_ff, unless given, is 4 * d_model, or with a gate two thirds of that: as many weights. bias=False
    leaves out the biases of LayerNorms, too. gated: the feed-forward network has a gate. rotary:
    queries and keys are rotated, at any number of positions, else there is a table of max_length
    positions. window: how wide a local layer looks, window // 2 tokens to each side; 0: no layer is
    local. Every global_every-th layer, from the first, is global. *_base: the rotations' bases.
    unpad: padding is left out of all computation. Source: Warner et al. 2024, section 2.1.
    """

    vocab_size: int = field(kw_only=False)
    max_length: int = 8192
    bias: bool = False
    gated: bool = True
    rotary: bool = True
    window: int = 128
    global_every: int = 3
    global_base: float = 160_000.0
    local_base: float = 10_000.0
    unpad: bool = True

    def __post_init__(self) -> None:
        self._check_counts("d_model")
        self._check_counts("d_ff", least=0)
        if self.gated and not self.d_ff:
            object.__setattr__(self, "d_ff", 8 * max(1, round(self.d_model / 3)))
        super().__post_init__()
        self._check_counts("vocab_size", "max_length", "global_every")
        self._check_counts("window", least=0)
        for name in ("gated", "rotary", "unpad"):
            check_flag(name, getattr(self, name))
        for name in ("global_base", "local_base"):
            check_number(name, getattr(self, name), 1, above=True)
        if self.rotary and self.d_model // self.n_heads % 2:
            raise ValueError("Rotary positions need an even number of dimensions in each head.")

    def is_local(self, layer: int) -> bool:
        """Whether a layer, counted from 0, looks at its window alone."""
        return bool(self.window) and layer % self.global_every != 0

    def base(self, layer: int) -> float:
        """The base of a layer's rotations."""
        return self.local_base if self.is_local(layer) else self.global_base


class Layout(NamedTuple):
    """Where the texts lie in rows (B, T) of tokens.

    positions (T,): each token's place in its text. texts (B, T): the number of the text it
    belongs to, -1 for padding; None if each row is a text. lengths: of the texts that follow each
    other in the only row; None if each row is a text, with its padding.
    """

    positions: Tensor
    texts: Tensor | None = None
    lengths: list[int] | None = None

    @property
    def longest(self) -> int:
        """Tokens of the longest text, or of the rows."""
        if self.lengths is None:
            return self.positions.shape[-1]
        return max(self.lengths, default=0)


def padded_layout(visible: Tensor) -> Layout:
    """The layout of rows as they are: visible (B, T) bool, True = token."""
    positions = torch.arange(visible.shape[1], device=visible.device)
    return Layout(positions, None if visible.all() else visible.long() - 1)


def unpadded_layout(visible: Tensor) -> Layout:
    """The layout of all tokens in one row, text behind text: visible (B, T) bool, True = token."""
    numbers, positions = visible.nonzero().T  # (N,) each: row and place
    return Layout(positions, numbers[None], visible.sum(1).tolist())


def stands_together(visible: Tensor) -> bool:
    """Whether the tokens of each row follow each other: visible (B, T) bool, True = token."""
    begins = (visible[:, 1:] & ~visible[:, :-1]).sum(1) + visible[:, :1].sum(1)
    return not (begins > 1).any()


def attend_to_text(q: Tensor, k: Tensor, v: Tensor, layout: Layout) -> Tensor:
    """Attention of every token to all of its text: q, k, v (B, H, T, D) -> (B, H, T, D)."""
    if layout.lengths is None:
        seen = None if layout.texts is None else (layout.texts >= 0)[:, None, None]
        return fused_attention(q, k, v, seen)
    queries, keys, values = (x.split(layout.lengths, dim=-2) for x in (q, k, v))
    texts = zip(queries, keys, values, strict=True)
    return torch.cat([fused_attention(*text, None) for text in texts], dim=-2)


class ModernAttention(MultiHeadAttention):
    """Attention to a window or to the whole text, with rotated queries and keys.

    x (B, T, D); turn: the rotations of its positions, None where positions are embedded.
    """

    def __init__(self, config: ModernConfig, layer: int) -> None:
        super().__init__(config.d_model, config.n_heads, config.bias)
        self.reach = config.window // 2 if config.is_local(layer) else None

    def forward(  # type: ignore[override]
        self, x: Tensor, layout: Layout, turn: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        q, k, v = (split_heads(part, self.n_heads) for part in self.project(x))  # (B, H, T, .)
        if turn is not None:
            q, k = rotate(q, turn), rotate(k, turn)
        if self.reach is None or layout.longest <= self.reach + 1:  # no window, or all is in it
            mixed = attend_to_text(q, k, v, layout)
        else:
            mixed = local_attention(q, k, v, self.reach, layout.texts)
        return self.output(join_heads(mixed))


class GatedFeedForward(FeedForward):
    """A feed-forward network in which one half of the numbers decides how much of the other passes.

    (B, T, D) -> (B, T, D). Source: Shazeer 2020, section 2 (GEGLU).
    """

    def __init__(self, d_model: int, d_ff: int, bias: bool = False) -> None:
        super().__init__(d_model, d_ff, bias)
        self.expand = nn.Linear(d_model, 2 * d_ff, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        content, gate = self.expand(x).chunk(2, dim=-1)
        return self.contract(F.gelu(content) * gate)


class ModernBlock(nn.Module):
    """Attention, then the feed-forward network, each added to what came in: (B, T, D) -> (B, T, D)."""

    def __init__(self, config: ModernConfig, layer: int) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        kind = GatedFeedForward if config.gated else FeedForward
        self.attention = ModernAttention(config, layer)
        embedded = config.pre_norm and layer == 0  # the embeddings' norm is this layer's
        self.attention_norm = nn.Identity() if embedded else _norm(config)
        self.feed_forward = kind(config.d_model, config.d_ff, config.bias)
        self.feed_forward_norm = _norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, layout: Layout, turn: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        attended = self.attention_norm(x) if self.pre_norm else x
        x = x + self.dropout(self.attention(attended, layout, turn))
        if self.pre_norm:
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x)
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class ModernEncoder(nn.Module):
    """Embeddings and a stack of blocks, with or without each of the changes since BERT.

    ids (B, T) int64; attention_mask (B, T) bool, True = token and False = padding, before or behind
    the text. Returns x (B, T, D); vectors of padding are 0 where it is left out, else they mean
    nothing. Padding may also stand between tokens: positions and windows count it, as in
    transformers, and nothing of such a batch is left out. Errors: TypeError or ValueError for a mask
    of another kind or shape, such as one of pairs of tokens, and for rows longer than a table of
    positions. Source: Warner et al. 2024, section 2.1.
    """

    def __init__(self, config: ModernConfig) -> None:
        super().__init__()
        check_config(config, ModernConfig)
        self.config = config
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        rows, D = config.max_length, config.d_model
        self.position = None if config.rotary else nn.Embedding(rows, D)
        self.embedding_norm = _norm(config)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(ModernBlock(config, i) for i in range(config.n_layers))
        self.final_norm = _norm(config) if config.pre_norm else None
        self.apply(initialise)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        check_ids(ids, self.config.vocab_size)
        if self.position is not None:
            check_length(ids, self.config.max_length)
        visible = _visible(ids, attention_mask)
        if not self.config.unpad or visible.all() or not stands_together(visible):
            return self.run(ids.long(), padded_layout(visible))
        x = self.run(ids[visible][None].long(), unpadded_layout(visible))  # (1, N, D)
        whole = x.new_zeros(*ids.shape, x.shape[-1])
        return whole.masked_scatter(visible[..., None], x)

    def run(self, ids: Tensor, layout: Layout) -> Tensor:
        """Rows (B, T) of tokens after all blocks, (B, T, D)."""
        x = self.token(ids)
        if self.position is not None:
            x = x + self.position(layout.positions)
        x = self.dropout(self.embedding_norm(x))
        turns = self.turns(layout.positions)
        for layer, block in enumerate(self.blocks):
            x = block(x, layout, turns.get(self.config.base(layer)))
        return x if self.final_norm is None else self.final_norm(x)

    def turns(self, positions: Tensor) -> dict[float, tuple[Tensor, Tensor]]:
        """The rotations at positions (T,), for each base that occurs."""
        config = self.config
        bases = {config.base(layer) for layer in range(config.n_layers)} if config.rotary else ()
        return {
            base: rotations(positions, config.d_model // config.n_heads, base) for base in bases
        }


class ModernMaskedLM(nn.Module):
    """A modern encoder and a head that names the hidden tokens, as `MaskedLM` is called.

    ids (B, T) int64; attention_mask and errors as in `ModernEncoder`; masked (B, T) bool: where an
    answer is wanted. Returns logits (n, V) for the n hidden tokens in reading order, or (B, T, V)
    without `masked`.
    """

    def __init__(self, config: ModernConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ModernEncoder(config)
        self.dense = nn.Linear(config.d_model, config.d_model, bias=config.bias)
        self.norm = _norm(config)
        self.decoder_bias = nn.Parameter(torch.zeros(config.vocab_size))
        initialise(self.dense)

    def forward(
        self, ids: Tensor, attention_mask: Tensor | None = None, masked: Tensor | None = None
    ) -> Tensor:
        if masked is not None:
            check_mask("masked", masked, ids)
        x = self.encoder(ids, attention_mask)  # (B, T, D)
        return self.logits(x if masked is None else x[masked])

    def logits(self, x: Tensor) -> Tensor:
        """Scores of every token of the vocabulary: x (..., D) -> (..., V)."""
        check_vectors("x", x, self.config.d_model, self.decoder_bias, "... D")
        x = self.norm(F.gelu(self.dense(x)))
        return F.linear(x, self.encoder.token.weight, self.decoder_bias)


def _visible(ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Which of the ids (B, T) are tokens, (B, T) bool. Errors: for a mask of anything else."""
    if attention_mask is None:
        return torch.ones_like(ids, dtype=torch.bool)
    check_tensor("attention_mask", attention_mask)
    shape, (B, T) = tuple(attention_mask.shape), ids.shape
    if shape not in ((B, T), (B, 1, 1, T)):
        raise ValueError(
            f"attention_mask has shape {shape}, but this encoder takes one entry a token, "
            f"{(B, T)}, True = token. Masks of pairs of tokens are for `Encoder`; here the window "
            "says who sees whom."
        )
    return cast("Tensor", token_mask(ids, attention_mask))


def _norm(config: ModernConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.d_model, config.norm_eps, bias=config.bias)
