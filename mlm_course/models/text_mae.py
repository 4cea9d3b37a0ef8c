"""Masked autoencoders for text: an encoder that never sees [MASK]. Lesson 10.

TextMAE carries the image model's idea over to words (MAE-LM, Meng et al. 2023). RetroMAE (Xiao et
al. 2022) is another model in spite of its name: its encoder does see [MASK], and its decoder gets
one vector for the whole text.

Shapes everywhere: B rows of T tokens, of which at most K stay visible; D = d_model numbers a vector.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mlm_course.attention import MultiHeadAttention
from mlm_course.attention_checks import token_mask
from mlm_course.contracts import check_bools, check_ids, check_mask
from mlm_course.models.encoder import (
    STD,
    BlockStack,
    Encoder,
    EncoderConfig,
    FeedForward,
    StackConfig,
    check_config,
    check_length,
    initialise,
    layer_norm,
    read_stack,
)
from mlm_course.models.image_mae import put_back
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.tokenization import PAD_ID


class KeptTokens(NamedTuple):
    """The visible tokens of each row, closed up, and how to spread them out again.

    ids (B, K) and positions (B, K) int64: each token and where it stood; real (B, K) bool: False at
    the [PAD] of rows with fewer than K, None if none has; ids_restore (B, T) int64: where each place of
    the row stands when the visible ones are sorted to the front.
    """

    ids: Tensor
    positions: Tensor
    real: Tensor | None
    ids_restore: Tensor


def keep_visible(ids: Tensor, masked: Tensor, attention_mask: Tensor | None = None) -> KeptTokens:
    """The tokens that are neither hidden nor padding, in reading order.

    ids (B, T) int64; masked (B, T) bool; attention_mask (B, T) bool, True = token. Unlike the
    patches of an image, their number differs from row to row: K is the largest, at least 1, and a
    row with fewer is filled up with [PAD]. Which ids stand at hidden places changes nothing.
    """
    check_ids(ids)
    check_mask("masked", masked, ids)
    attention_mask = token_mask(ids, attention_mask)
    visible = ~masked if attention_mask is None else ~masked & attention_mask
    counts = visible.sum(1)  # (B,)
    # visible first, each group in reading order
    order = (~visible).int().argsort(dim=1, stable=True)
    longest = int(counts.max()) if len(counts) else 0
    positions = order[:, : max(1, longest)]  # (B, K)
    real = visible.gather(1, positions)
    kept_ids = ids.gather(1, positions).where(real, PAD_ID)
    return KeptTokens(kept_ids, positions, None if real.all() else real, order.argsort(1))


@dataclass(frozen=True)
class TextMAEConfig(EncoderConfig):
    """The sizes of the encoder and, under `decoder`, those of the decoder."""

    decoder: StackConfig = field(default_factory=lambda: StackConfig(n_layers=1))

    def __post_init__(self) -> None:
        super().__post_init__()
        read_stack(self, "decoder")


class TextMAE(MaskedLM):
    """A masked language model whose encoder works on the visible tokens alone.

    Called like `MaskedLM`, with `masked` (B, T) bool; which ids stand at hidden places
    changes nothing. The decoder gets the encoder's vectors at the places where their tokens stood, one
    learned vector at all others, and positions again. Returns logits (n, V) of the n hidden tokens.
    attention_mask (B, T) or (B, 1, 1, T) bool, True = token.
    Source: Meng et al. 2023, "Representation Deficiency in Masked Language Modeling", section 3.
    """

    config: TextMAEConfig

    def __init__(self, config: TextMAEConfig) -> None:
        check_config(config, TextMAEConfig)
        super().__init__(config)
        D, decoder_D = config.d_model, config.decoder.d_model
        self.to_decoder = nn.Linear(D, decoder_D)
        self.mask_token = nn.Parameter(STD * torch.randn(1, 1, decoder_D))
        self.decoder_positions = nn.Embedding(config.max_length, decoder_D)
        self.decoder = BlockStack(config.decoder)
        self.from_decoder = nn.Linear(decoder_D, D)
        initialise(self.decoder_positions)
        for linear in (self.to_decoder, self.from_decoder):  # vectors pass unchanged at first:
            nn.init.eye_(linear.weight)  # copying a word needs to know which word it is
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        masked: Tensor | None = None,
        *,
        segments: Tensor | None = None,
    ) -> Tensor:
        masked = self._checked(ids, masked, segments)
        kept = keep_visible(ids, masked, attention_mask)
        real = token_mask(ids, attention_mask)
        return self.logits(self.decode(self.encode(kept), kept, real)[masked])

    def _checked(self, ids: Tensor, masked: Tensor | None, segments: Tensor | None) -> Tensor:
        if masked is None:
            raise ValueError("A TextMAE needs `masked` (B, T): it encodes only what is not hidden.")
        if segments is not None:
            raise ValueError("A TextMAE has no segments.")
        check_ids(ids, self.config.vocab_size)
        check_length(ids, self.config.max_length)
        return masked

    def encode(self, kept: KeptTokens) -> Tensor:
        """A vector for every visible token, which knows where it stood: (B, K, D)."""
        real = None if kept.real is None else kept.real[:, None, None]  # (B, 1, 1, K)
        return self.encoder(kept.ids, real, positions=kept.positions)

    def decode(
        self, latent: Tensor, kept: KeptTokens, attention_mask: Tensor | None = None
    ) -> Tensor:
        """A vector for every place: latent (B, K, D) -> (B, T, D)."""
        x = self.to_decoder(latent)
        if kept.real is not None:
            x = torch.where(kept.real[..., None], x, self.mask_token.to(x.dtype))
        x = put_back(x, kept.ids_restore, self.mask_token)  # (B, T, decoder_D)
        places = torch.arange(x.shape[1], device=x.device)
        real = None if attention_mask is None else attention_mask[:, None, None]  # (B, 1, 1, T)
        return self.from_decoder(self.decoder(x + self.decoder_positions(places), real))


class RetroMAE(nn.Module):
    """A masked language model, and a weak decoder that restores the text from its first vector.

    ids (B, T) int64 start with [CLS] and hold [MASK] at hidden places, which the encoder does see;
    attention_mask and masked (B, T) bool. true_ids (B, T): the text; seen (B, T, T) bool: which of
    its tokens each place of the decoder may look at. Returns the encoder's logits (n, V) of the n
    hidden tokens and the decoder's (B, T, V) of all.
    Source: Xiao et al. 2022, "RetroMAE", section 3 (enhanced decoding).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        check_config(config, EncoderConfig)
        self.config = config
        self.masked_lm = MaskedLM(config)
        self.query_norm, self.memory_norm = layer_norm(config), layer_norm(config)
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, config.bias)
        self.feed_forward_norm, self.final_norm = layer_norm(config), layer_norm(config)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.bias)
        for part in (self.attention, self.feed_forward):
            part.apply(initialise)

    @property
    def encoder(self) -> Encoder:
        """The part that is kept after pretraining."""
        return self.masked_lm.encoder

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None,
        masked: Tensor,
        true_ids: Tensor,
        seen: Tensor,
    ) -> tuple[Tensor, Tensor]:
        check_mask("masked", masked, ids)
        x = self.encoder(ids, attention_mask)  # (B, T, D)
        restored = self.restore(x[:, 0], true_ids, seen)
        return self.masked_lm.logits(x[masked]), self.masked_lm.logits(restored)

    def restore(self, sentence: Tensor, ids: Tensor, seen: Tensor) -> Tensor:
        """A vector for each place (B, T, D) from one vector a text (B, D) and some of its tokens.

        The sentence's vector stands in the first place, and all places may look at it. A place
        asks with that vector and its position alone, so that it cannot copy its own token.
        """
        self._check(sentence, ids, seen)
        embeddings = self.encoder.embeddings
        places = embeddings.position(torch.arange(ids.shape[1], device=ids.device))  # (T, D)
        queries = sentence[:, None] + places  # (B, T, D)
        memory = torch.cat([sentence[:, None], embeddings(ids)[:, 1:]], 1)  # (B, T, D)
        is_first = torch.arange(ids.shape[1], device=ids.device) == 0
        may_attend = (seen | is_first)[:, None]  # (B, 1, T, T)
        x = queries + self.attention(self.query_norm(queries), may_attend, self.memory_norm(memory))
        return self.final_norm(x + self.feed_forward(self.feed_forward_norm(x)))

    def _check(self, sentence: Tensor, ids: Tensor, seen: Tensor) -> None:
        check_ids(ids, self.config.vocab_size, name="true_ids")
        check_bools("seen", seen)
        if seen.shape != (*ids.shape, ids.shape[1]) or len(sentence) != len(ids):
            raise ValueError(
                f"true_ids {tuple(ids.shape)}, seen {tuple(seen.shape)} and the texts "
                f"({len(sentence)}) must be (B, T), (B, T, T) and B."
            )
