"""BERTs with faults in their code, for the exercise that asks what is wrong."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention
from mlm_course.exercises.lesson_05.parts import randomised
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.models.encoder import EncoderBlock

FAULTS = ("positions", "segments", "heads", "mask", "gelu", "eps", "pre-norm", "bias")
Layer = Callable[..., Tensor]


@dataclass
class SuspectBlock:
    """A block from four parts, perhaps with a fault in a part or in how they are put together."""

    attention: Layer
    attention_norm: Layer
    feed_forward: Layer
    feed_forward_norm: Layer
    faults: set[str] = field(repr=False)

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (B, T, D) after both halves."""
        mask = None if "mask" in self.faults else mask
        if "pre-norm" in self.faults:
            x = x + self.attention(self.attention_norm(x), mask)
            return x + self.feed_forward(self.feed_forward_norm(x))
        x = self.attention_norm(x + self.attention(x, mask))
        return self.feed_forward_norm(x + self.feed_forward(x))


class Suspect:
    """A BERT with a model's weights and with faults, some of them in one block only."""

    def __init__(self, model: MaskedLM, faults: set[str], g: torch.Generator) -> None:
        encoder = model.encoder
        self._model, self._faults = model, faults
        places = {
            name: int(torch.randint(len(encoder.blocks), (1,), generator=g)) for name in FAULTS
        }
        self.blocks = []
        for n, block in enumerate(encoder.blocks):
            own = {name for name in faults if places[name] == n}
            self.blocks.append(suspect_block(cast("EncoderBlock", block), own))

    def embed(self, ids: Tensor, segments: Tensor) -> Tensor:
        """(B, T) and (B, T) -> (B, T, D)."""
        e: Any = self._model.encoder.embeddings
        first = int("positions" in self._faults)
        x = e.token(ids) + e.position(torch.arange(first, ids.shape[1] + first))
        return e.norm(x if "segments" in self._faults else x + e.segment(segments))

    def head(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, V)."""
        logits = self._model.logits(x)
        return logits - self._model.decoder_bias if "bias" in self._faults else logits


def suspect_block(block: EncoderBlock, faults: set[str]) -> SuspectBlock:
    """A block with these faults; epsilon is wrong in both of its norms."""
    norms = [block.attention_norm, block.feed_forward_norm]
    if "eps" in faults:
        norms = [with_default_eps(norm) for norm in norms]
    attention = one_head(block.attention) if "heads" in faults else block.attention
    ff = block.feed_forward
    feed_forward = with_tanh(ff.expand, ff.contract) if "gelu" in faults else ff
    return SuspectBlock(attention, norms[0], feed_forward, norms[1], faults)


def with_default_eps(norm: nn.LayerNorm) -> nn.LayerNorm:
    """The same norm with epsilon 1e-5."""
    copy = nn.LayerNorm(norm.normalized_shape).double()
    copy.load_state_dict(norm.state_dict())
    return copy.requires_grad_(False)


def one_head(attention: MultiHeadAttention) -> MultiHeadAttention:
    """The same weights, not split over heads."""
    copy = MultiHeadAttention(attention.d_model, 1).double()
    copy.load_state_dict(attention.state_dict())
    return copy.requires_grad_(False)


def with_tanh(expand: nn.Linear, contract: nn.Linear) -> Layer:
    """A feed-forward network with the tanh approximation."""

    def feed_forward(x: Tensor) -> Tensor:
        return contract(F.gelu(expand(x), approximate="tanh"))

    return feed_forward


@cache
def blank() -> MaskedLM:
    """A small BERT, to be copied: building one takes longer."""
    config = EncoderConfig(
        23, 9, d_model=12, n_layers=2, n_heads=3, d_ff=20, n_segments=2, pre_norm=False,
        norm_eps=1e-12,
    )  # fmt: skip
    model = MaskedLM(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5 if parameter.ndim == 1 else 0.0)
    return model


def case(g: torch.Generator) -> tuple[Suspect, MaskedLM, Tensor, Tensor, Tensor]:
    """A suspect with one to four faults, the model, and ids, visible and segments (3, 5)."""
    model = randomised(deepcopy(blank()), g)
    visible = torch.arange(5) < torch.tensor([[5], [3], [4]])
    ids = torch.randint(5, 23, (3, 5), generator=g).masked_fill(~visible, 0)
    segments = (torch.arange(5) >= 2).long().expand(3, 5).clone()
    count = 1 + int(torch.randint(4, (1,), generator=g))
    order = torch.randperm(len(FAULTS), generator=g)[:count].tolist()
    return Suspect(model, {FAULTS[i] for i in order}, g), model, ids, visible, segments
