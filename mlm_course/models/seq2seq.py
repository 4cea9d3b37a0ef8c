"""An encoder and a decoder that looks at it: word by word, or all gaps at once. Lesson 11.

One class for both. With causal=True the decoder sees what stands to the left and predicts what
comes next; with causal=False it sees the whole canvas and predicts what is hidden (a conditional
masked language model, CMLM), and the number of words is predicted first. Everything else is shared.

Shapes everywhere: B pairs, S source tokens, T target tokens, D = d_model, H heads, V tokens known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import (
    KeyValues,
    MultiHeadAttention,
    causal_mask,
    fused_attention,
    join_heads,
    split_heads,
)
from mlm_course.contracts import check_flag, check_ids, check_mask, check_tensor
from mlm_course.models.encoder import (
    Encoder,
    EncoderConfig,
    FeedForward,
    StackConfig,
    check_config,
    initialise,
    layer_norm,
)
from mlm_course.tokenization import PAD_ID


@dataclass(frozen=True)
class Seq2SeqConfig(EncoderConfig):
    """The sizes of the encoder, and what the decoder adds.

    vocab_size: of source and target together. max_length: most source tokens, [CLS] included;
    max_target: most target tokens. causal: see the module.
    """

    decoder_layers: int = 2
    max_target: int = 64
    causal: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("decoder_layers", "max_target")
        check_flag("causal", self.causal)


class Memory(NamedTuple):
    """What the encoder makes of the source: vectors (B, S, D), and which are no padding (B, S)."""

    vectors: Tensor
    visible: Tensor

    def rows(self, index: Tensor) -> Memory:
        """The memory of some rows, in that order; a row may be asked for several times."""
        return Memory(self.vectors[index], self.visible[index])


def _check_memory(memory: Memory) -> None:
    if not isinstance(memory, Memory):
        raise TypeError(f"memory is what `encode` returns, a Memory, not {type(memory).__name__}.")


class DecoderBlock(nn.Module):
    """Self-attention, attention to the source, feed-forward network: (B, T, D) -> (B, T, D).

    Pre-norm. Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020 (pre-norm).
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, config.bias)
        self.attention_norm = layer_norm(config)
        self.cross_attention = MultiHeadAttention(config.d_model, config.n_heads, config.bias)
        self.cross_attention_norm = layer_norm(config)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.bias)
        self.feed_forward_norm = layer_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, source: KeyValues, source_mask: Tensor, target_mask: Tensor | None
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), target_mask))
        return self._rest(x, source, source_mask)

    def step(
        self, x: Tensor, source: KeyValues, source_mask: Tensor, past: KeyValues | None
    ) -> tuple[Tensor, KeyValues]:
        """One more place (B, 1, D), given the keys and values of those before; and theirs with its own."""
        mixed, kept = self.attention.step(self.attention_norm(x), past)
        return self._rest(x + mixed, source, source_mask), kept

    def source_keys(self, memory: Tensor) -> KeyValues:
        """The source's keys and values in this block, which are the same for every place and pass."""
        attention = self.cross_attention
        parts = attention.keys_and_values(memory)
        return KeyValues(*(split_heads(part, attention.n_heads) for part in parts))

    def _rest(self, x: Tensor, source: KeyValues, source_mask: Tensor) -> Tensor:
        attention = self.cross_attention
        q = split_heads(attention.queries(self.cross_attention_norm(x)), attention.n_heads)
        heads = fused_attention(q, source.keys, source.values, source_mask)
        x = x + self.dropout(attention.output(join_heads(heads)))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class Seq2Seq(nn.Module):
    """An encoder-decoder over one vocabulary, embeddings and output layer tied.

    source (B, S) int64 begins with [CLS], whose vector predicts the length of the target; target
    (B, T) int64; asked (B, T) bool: where answers are wanted, None for everywhere. Returns their
    logits (n, V), of what comes next (causal) or of what stands there (CMLM), and the
    log-probabilities of all lengths (B, max_target + 1). Padding is [PAD] in both.
    Source: Vaswani et al. 2017; Ghazvininejad et al. 2019, section 2 (CMLM, LENGTH token).
    """

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        check_config(config, Seq2SeqConfig)
        self.config = config
        self.encoder = Encoder(config)
        self.target_positions = nn.Embedding(config.max_target, config.d_model)
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.decoder_layers))
        self.final_norm = layer_norm(config)
        self.output_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.length_head = nn.Linear(config.d_model, config.max_target + 1)
        for part in (self.target_positions, self.blocks, self.length_head):
            part.apply(initialise)

    def forward(self, source: Tensor, target: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        check_tensor("source", source, "B S")
        self._check_target(target, asked, len(source))
        memory = self.encode(source)
        return self.decode(memory, target, asked), self.log_lengths(memory)

    def encode(self, source: Tensor) -> Memory:
        """The source's vectors and which of them are no padding."""
        check_ids(source, self.config.vocab_size, name="source", shape="B S")
        if not source.shape[1]:
            raise ValueError(
                "source has no tokens: it begins with [CLS], which predicts the length."
            )
        visible = source != PAD_ID
        return Memory(self.encoder(source, visible[:, None, None]), visible)

    def decode(
        self,
        memory: Memory,
        target: Tensor,
        asked: Tensor | None = None,
        source: list[KeyValues] | None = None,
    ) -> Tensor:
        """Logits (B, T, V), or (n, V) of the n places asked for, (B, T) bool, in reading order.

        source: what `start` returned for this memory, for a target that is decoded several times.
        """
        _check_memory(memory)
        self._check_target(target, asked, len(memory.vectors))
        x = self._embedded(target, 0)
        mask = self._target_mask(target)
        source_mask = memory.visible[:, None, None, :]  # (B, 1, 1, S)
        source = self.start(memory) if source is None else source
        for block, kept in zip(self._stack(), source, strict=True):
            x = block(x, kept, source_mask, mask)
        return self.logits(x if asked is None else x[asked])

    def start(self, memory: Memory) -> list[KeyValues]:
        """The source's keys and values in every block, computed once for all places."""
        return [block.source_keys(memory.vectors) for block in self._stack()]

    def step(
        self,
        token: Tensor,
        place: int,
        memory: Memory,
        source: list[KeyValues],
        past: list[KeyValues] | None,
    ) -> tuple[Tensor, list[KeyValues]]:
        """Logits (B, V) of what follows the token (B,) at this place; keys and values up to here."""
        x, now = self._embedded(token[:, None], place), []
        mask = memory.visible[:, None, None, :]
        for i, block in enumerate(self._stack()):
            x, kept = block.step(x, source[i], mask, None if past is None else past[i])
            now.append(kept)
        return self.logits(x[:, 0]), now

    def log_lengths(self, memory: Memory) -> Tensor:
        """Log-probabilities (B, max_target + 1) of the target's length; a length of 0 is impossible."""
        _check_memory(memory)
        scores = self.length_head(memory.vectors[:, 0]).float()
        is_zero = torch.arange(scores.shape[1], device=scores.device) == 0
        return scores.masked_fill(is_zero, -torch.inf).log_softmax(-1)

    def logits(self, x: Tensor) -> Tensor:
        """Scores of every token: x (..., D) -> (..., V)."""
        weight = self.encoder.embeddings.token.weight
        return F.linear(self.final_norm(x), weight, self.output_bias)

    def _stack(self) -> list[DecoderBlock]:
        return cast("list[DecoderBlock]", list(self.blocks))

    def _check_target(self, target: Tensor, asked: Tensor | None, rows: int) -> None:
        check_ids(target, self.config.vocab_size, name="target")
        if asked is not None:
            check_mask("asked", asked, target, of="target")
        if len(target) != rows:
            raise ValueError(f"There are {rows} sources, but {len(target)} targets.")

    def _embedded(self, target: Tensor, first: int) -> Tensor:
        end = first + target.shape[1]
        if end > self.config.max_target:
            raise ValueError(
                f"The target has {end} tokens, but the model knows {self.config.max_target} places."
            )
        places = torch.arange(first, end, device=target.device)
        return self.encoder.embeddings.token(target.long()) + self.target_positions(places)

    def _target_mask(self, target: Tensor) -> Tensor | None:
        visible = (target != PAD_ID)[:, None, None, :]  # (B, 1, 1, T)
        if self.config.causal:  # padding stands on the right, where no token looks
            return causal_mask(target.shape[1], target.device)
        return None if visible.all() else visible
