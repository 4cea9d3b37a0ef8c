"""The transformer encoder: from token ids to one vector a token that knows its surroundings. Lesson 5.

Shapes everywhere: B rows of a batch, T tokens, D = d_model numbers a vector, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import KeyValues, MultiHeadAttention
from mlm_course.attention_checks import mask_over
from mlm_course.contracts import (
    check_callable,
    check_count,
    check_flag,
    check_ids,
    check_kind,
    check_number,
    check_places,
    check_tensor,
)

Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)
STD = 0.02  # of freshly drawn weights
NO_ENCODER = "for a MaskedLM or a head pass its .encoder"  # where it is asked for


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
        self._check_counts("d_model", "n_layers", "n_heads")
        self._check_counts("d_ff", least=0)
        if not self.d_ff:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        if self.d_model % self.n_heads:
            raise ValueError(
                f"d_model={self.d_model} cannot be split evenly over n_heads={self.n_heads}."
            )
        check_flag("pre_norm", self.pre_norm)
        check_flag("bias", self.bias)
        check_number("dropout", self.dropout, 0, 1)
        check_number("norm_eps", self.norm_eps, 0, above=True)

    def _check_counts(self, *names: str, least: int = 1) -> None:
        for name in names:
            check_count(name, getattr(self, name), least)


@dataclass(frozen=True)
class EncoderConfig(StackConfig):
    """The sizes of a stack of blocks, and of the embeddings under it.

    n_segments: 0 without segment embeddings, 2 in BERT. embedding_std: how large token embeddings
    start; BERT's .02 is small beside what the blocks add. On tinyworld .1 lets a model learn to copy
    much sooner; on real text it was not compared (lesson 6, section 11).
    """

    vocab_size: int
    max_length: int = 128
    n_segments: int = 0
    embedding_std: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_counts("vocab_size", "max_length")
        self._check_counts("n_segments", least=0)
        check_number("embedding_std", self.embedding_std, 0, above=True)


class Embeddings(nn.Module):
    """A vector for each token: what it is, where it stands, and which segment it belongs to.

    ids (B, T) int64; positions and segments (B, T) or (T,) int64, by default 0..T-1 and 0.
    Returns (B, T, D), the sum. With post-norm it is normalised, as in BERT. Errors: TypeError or
    ValueError for ids, positions or segments without a row in their table.
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
        self._check(ids, positions, segments)
        ids = ids.long()
        if positions is None:
            positions = torch.arange(ids.shape[-1], device=ids.device)  # (T,)
        x = self.token(ids) + self.position(positions.long())  # (B, T, D)
        if self.segment is not None:
            x = x + self.segment(torch.zeros_like(ids) if segments is None else segments.long())
        return self.dropout(x if self.norm is None else self.norm(x))

    def _check(self, ids: Tensor, positions: Tensor | None, segments: Tensor | None) -> None:
        check_ids(ids, self.token.num_embeddings)
        if positions is None:
            check_length(ids, self.position.num_embeddings)
        else:
            _check_rows("positions", positions, ids, self.position.num_embeddings)
        if segments is not None and self.segment is None:
            raise ValueError("This model has no segments (n_segments=0): leave them out.")
        if segments is not None and self.segment is not None:
            _check_rows("segments", segments, ids, self.segment.num_embeddings)


def check_length(ids: Tensor, most: int) -> None:
    """ValueError unless a model has positions for all tokens of ids (B, T)."""
    if ids.shape[-1] > most:
        raise ValueError(
            f"The rows have {ids.shape[-1]} tokens, but the model knows positions for {most} only: "
            "cut them (tokenization.chunk) or build it with a larger max_length."
        )


def _check_rows(name: str, numbers: Tensor, ids: Tensor, count: int) -> None:
    """Error unless numbers (T,) or (B, T) are integers from 0 to count - 1, one for each of the ids."""
    check_tensor(name, numbers)
    if numbers.shape not in (ids.shape, ids.shape[-1:], (1, *ids.shape[-1:])):
        raise ValueError(
            f"{name} must have shape (T,) or (B, T) = {tuple(ids.shape)}, not {tuple(numbers.shape)}."
        )
    check_places(name, numbers, count)


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
        return self._rest(x, mixed), weights

    def step(
        self, x: Tensor, past: KeyValues | None, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, KeyValues]:
        """More places (B, T, D), given the keys and values of those before; and all of these together.

        attention_mask bool, broadcasts to (B, H, T, S), S counting both.
        """
        attended = self.attention_norm(x) if self.pre_norm else x
        mixed, kept = self.attention.step(attended, past, attention_mask)
        return self._rest(x, mixed), kept

    def _rest(self, x: Tensor, mixed: Tensor) -> Tensor:
        """What follows the attention, whose answer is `mixed`."""
        x = x + self.dropout(mixed)
        if self.pre_norm:
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x)
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class Encoder(nn.Module):
    """Embeddings and a stack of blocks.

    ids (B, T) int64; attention_mask bool: (B, T), True = token and False = padding, or four axes
    that broadcast to (B, H, T, T), True where a query may attend. Returns x (B, T, D); with
    return_weights=True also the list of each block's attention weights (B, H, T, T).
    Errors: TypeError or ValueError for a mask of another kind or shape, and where B = T for one
    (T, T) that may be one of pairs, such as a causal mask: write mask[None, None] (pairs) or
    mask[:, None, None] (tokens).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        check_config(config, EncoderConfig)
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
        attention_mask = mask_over(ids, attention_mask, self.config.n_heads)
        x, all_weights = run_blocks(self, x, attention_mask, return_weights)
        return (x, all_weights) if return_weights else x


class BlockStack(nn.Module):
    """A stack of blocks alone, for vectors that come from elsewhere: (B, T, D) -> (B, T, D).

    attention_mask bool, four axes that broadcast to (B, H, T, T), True where a query may attend.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        check_config(config, StackConfig)
        self.config = config
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        self.final_norm = layer_norm(config) if config.pre_norm else None
        self.apply(initialise)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        cast("EncoderBlock", self.blocks[0]).attention.check_input("x", x, "B T D")
        return run_blocks(self, x, attention_mask)[0]


def run_blocks(
    stack: Encoder | BlockStack,
    x: Tensor,
    attention_mask: Tensor | None = None,
    return_weights: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """x (B, T, D) after all blocks, and with return_weights each block's weights (B, H, T, T).

    attention_mask bool, four axes that broadcast to (B, H, T, T), True where a query may attend.
    """
    if attention_mask is not None and getattr(attention_mask, "ndim", 4) != 4:
        raise ValueError(
            f"attention_mask must have four axes here, not shape {tuple(attention_mask.shape)}: write "
            "mask[:, None, None] for padding (B, T), mask[None, None] for pairs (T, T)."
        )
    all_weights = []
    for block in stack.blocks:
        x, weights = block(x, attention_mask, return_weights)
        all_weights.append(weights)
    return (x if stack.final_norm is None else stack.final_norm(x)), all_weights


def seeded_init(kind: Callable[[Config], Model], config: Config, seed: int = 0) -> Model:
    """A model with weights that follow from the seed; torch's own random numbers stay as they are."""
    check_callable("kind", kind)
    check_count("seed", seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


def with_dropout(encoder: Encoder, dropout: float) -> Encoder:
    """A copy of an encoder with another rate of dropout, in the mode (training or not) of the first.

    Errors: ValueError for a rate outside 0 to 1, or an encoder with LoRA. Dropout acts in training
    mode alone.
    """
    check_kind("encoder", encoder, Encoder, advice=NO_ENCODER)
    copy = seeded_init(Encoder, replace(encoder.config, dropout=dropout))
    weights = encoder.state_dict()
    check_own_names(weights, copy)
    copy.load_state_dict(weights)
    return copy.to(encoder.embeddings.token.weight.device).train(encoder.training)


def check_own_names(weights: Mapping[str, Tensor], fresh: nn.Module) -> None:
    """ValueError unless a model's weights have the names that they have in a fresh one."""
    if weights.keys() != fresh.state_dict().keys():
        raise ValueError(
            "These weights have other names than the model's own: take off first what was put on "
            "them (LoRA: merge_lora of the encoder; pruning: torch.nn.utils.prune.remove; other "
            "parametrizations: remove_parametrizations)."
        )


def check_config(config: object, kind: type) -> None:
    """TypeError unless a model gets the sizes that are its own."""
    if not isinstance(config, kind):
        raise TypeError(f"config must be of type {kind.__name__}, not {type(config).__name__}.")


def read_stack(config: object, name: str) -> None:
    """A stack's sizes among those of a larger model, where a dictionary, as JSON has it, will do."""
    sizes = getattr(config, name)
    if isinstance(sizes, Mapping):
        object.__setattr__(config, name, StackConfig(**sizes))
    elif not isinstance(sizes, StackConfig):
        raise TypeError(f"{name} must be a StackConfig, not {type(sizes).__name__}.")


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
