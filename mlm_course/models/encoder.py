"""The transformer encoder: from token ids to one vector a token that knows its surroundings. Lesson 5.

Shapes everywhere: B rows of a batch, T tokens, D = d_model numbers a vector, H heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention

Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)
STD = 0.02  # of freshly drawn weights


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The sizes of a stack of blocks, and the few choices on which such stacks differ.

    d_ff, the width inside the feed-forward network, is 4 * d_model unless given. pre_norm: True
    normalises what enters a sublayer (Xiong et al. 2020), False what leaves its residual sum (BERT).
    bias=False leaves the biases of all linear layers out.
    """

    d_model: int = 128
    n_layers: int = 4
    n_heads: int = 4
    d_ff: int = 0
    pre_norm: bool = True
    bias: bool = True
    dropout: float = 0.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if not self.d_ff:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        self._at_least_one("d_model", "n_layers", "n_heads")

    def _at_least_one(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")


@dataclass(frozen=True)
class EncoderConfig(StackConfig):
    """The sizes of a stack of blocks, and of the embeddings under it.

    n_segments: 0 without segment embeddings, 2 in BERT. embedding_std: how large token embeddings
    start; BERT's .02 is small beside what the blocks add. On tinyworld .1 lets a model learn to copy
    much sooner, on real text it does not help (lesson 6, section 11).
    """

    vocab_size: int
    max_length: int = 128
    n_segments: int = 0
    embedding_std: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least_one("vocab_size", "max_length")


class Embeddings(nn.Module):
    """A vector for each token: what it is, where it stands, and which segment it belongs to.

    ids (B, T) int64; positions and segments (B, T) or (T,) int64, by default 0..T-1 and 0.
    Returns (B, T, D), the sum. With post-norm it is normalised, as in BERT.
    Source: Devlin et al. 2019, section 3.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.max_length, config.d_model)
        segments = config.n_segments
        self.segment = nn.Embedding(segments, config.d_model) if segments else None
        self.norm = None if config.pre_norm else layer_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, ids: Tensor, positions: Tensor | None = None, segments: Tensor | None = None
    ) -> Tensor:
        if positions is None:
            positions = torch.arange(self._length_of(ids), device=ids.device)  # (T,)
        x = self.token(ids) + self.position(positions)  # (B, T, D)
        if self.segment is not None:
            x = x + self.segment(torch.zeros_like(ids) if segments is None else segments)
        return self.dropout(x if self.norm is None else self.norm(x))

    def _length_of(self, ids: Tensor) -> int:
        length, most = ids.shape[-1], self.position.num_embeddings
        if length > most:
            raise ValueError(
                f"The rows have {length} tokens, but the model knows positions for {most} only: "
                "cut them (tokenization.chunk) or build it with a larger max_length."
            )
        return length


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them, the same for every token: (B, T, D) -> (B, T, D).

    Source: Vaswani et al. 2017, section 3.3; GELU with erf as in BERT, Hendrycks and Gimpel 2016.
    """

    def __init__(self, d_model: int, d_ff: int, bias: bool = True) -> None:
        super().__init__()
        self.expand = nn.Linear(d_model, d_ff, bias=bias)
        self.contract = nn.Linear(d_ff, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.contract(F.gelu(self.expand(x)))


class EncoderBlock(nn.Module):
    """Attention, then the feed-forward network, each added to what came in: (B, T, D) -> (B, T, D).

    attention_mask bool, broadcasts to (B, H, T, T), True where a query may attend. With
    return_weights=True also the attention weights (B, H, T, T).
    Source: Vaswani et al. 2017, section 3.1 (post-norm); Xiong et al. 2020 (pre-norm).
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.pre_norm = config.pre_norm
        self.attention = MultiHeadAttention(config.d_model, config.n_heads, config.bias)
        self.attention_norm = layer_norm(config)
        self.feed_forward = FeedForward(config.d_model, config.d_ff, config.bias)
        self.feed_forward_norm = layer_norm(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, attention_mask: Tensor | None = None, return_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        attended = self.attention_norm(x) if self.pre_norm else x
        answer = self.attention(attended, attention_mask, return_weights=return_weights)
        mixed, weights = answer if return_weights else (answer, None)
        x = x + self.dropout(mixed)
        if self.pre_norm:
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x))), weights
        x = self.attention_norm(x)
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x))), weights


class Encoder(nn.Module):
    """Embeddings and a stack of blocks.

    ids (B, T) int64; attention_mask as in `run_blocks`. Returns x (B, T, D); with
    return_weights=True also the list of each block's attention weights (B, H, T, T).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.final_norm = layer_norm(config) if config.pre_norm else None
        self.apply(initialise)
        with torch.no_grad():
            self.embeddings.token.weight *= config.embedding_std / STD

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        positions: Tensor | None = None,
        segments: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        x = self.embeddings(ids, positions, segments)  # (B, T, D)
        x, all_weights = run_blocks(self, x, attention_mask, return_weights)
        return (x, all_weights) if return_weights else x


class BlockStack(nn.Module):
    """A stack of blocks alone, for vectors that come from elsewhere: (B, T, D) -> (B, T, D)."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.final_norm = layer_norm(config) if config.pre_norm else None
        self.apply(initialise)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return run_blocks(self, x, attention_mask)[0]


def run_blocks(
    stack: Encoder | BlockStack,
    x: Tensor,
    attention_mask: Tensor | None = None,
    return_weights: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """x (B, T, D) after all blocks, and with return_weights each block's weights (B, H, T, T).

    attention_mask bool: (B, T) with True = token and False = padding, or any shape that broadcasts
    to (B, H, T, T).
    """
    if attention_mask is not None and attention_mask.ndim == 2:
        attention_mask = attention_mask[:, None, None, :]  # (B, 1, 1, T): one line of keys
    all_weights = []
    for block in stack.blocks:
        x, weights = block(x, attention_mask, return_weights)
        all_weights.append(weights)
    return (x if stack.final_norm is None else stack.final_norm(x)), all_weights


def seeded_init(kind: Callable[[Config], Model], config: Config, seed: int = 0) -> Model:
    """A model with weights that follow from the seed; torch's own random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


def layer_norm(config: StackConfig) -> nn.LayerNorm:
    """LayerNorm over a token's D numbers. Source: Ba et al. 2016."""
    return nn.LayerNorm(config.d_model, config.norm_eps)


def initialise(module: nn.Module) -> None:
    """Weights drawn with a standard deviation of .02, biases at 0.

    Small embeddings matter: with tied weights and a standard deviation of 1 the first softmax over
    the vocabulary is so sharp that its gradients are mostly zero. Source: Devlin et al. 2019 (code).
    """
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
