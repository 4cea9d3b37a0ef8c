"""Small heads on a pretrained encoder: a class for a text, for each token, or a span. Lesson 8.

Each head works on its own copy of the encoder, so that several tasks can start from one checkpoint.
frozen=True leaves the copy as it is and trains the head alone: what the head finds was there before
("linear probe"). frozen=False trains both ("fine-tuning").
Source: Devlin et al. 2019, section 4; Alain and Bengio 2016 (linear probes).
"""

from __future__ import annotations

import copy
import math
from typing import Self

import torch
from torch import Tensor, nn

from mlm_course.attention_checks import token_mask
from mlm_course.contracts import (
    check_bools,
    check_callable,
    check_count,
    check_flag,
    check_floats,
    check_ids,
    check_kind,
    check_mask,
    check_tensor,
    may_look_at,
)
from mlm_course.models.encoder import NO_ENCODER, Encoder, initialise
from mlm_course.models.lora import has_lora
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.tokenization import PAD_ID


class _Head(nn.Module):
    """A copy of an encoder, and a linear layer behind it."""

    def __init__(self, encoder: Encoder, n_outputs: int, frozen: bool = False) -> None:
        super().__init__()
        check_kind("encoder", encoder, Encoder, advice=NO_ENCODER)
        check_count("n_outputs", n_outputs, 1)
        check_flag("frozen", frozen)
        if has_lora(encoder):
            raise ValueError(
                "This encoder has LoRA, which a head would train together with all else: make the "
                "head first, then add_lora(head.encoder)."
            )
        self.encoder, self.frozen = copy.deepcopy(encoder), frozen
        self.encoder.requires_grad_(not frozen)
        self.output = nn.Linear(encoder.config.d_model, n_outputs)
        initialise(self.output)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Training mode; a frozen encoder stays in evaluation mode, without dropout."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def vectors(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        """The encoder's vectors: (B, T) -> (B, T, D); without gradients if it is frozen.

        Errors: ValueError where gradients are asked of a frozen one, as add_lora does.
        """
        check_tensor("ids", ids, "B T")
        visible = token_mask(ids, visible, "visible")
        visible = None if visible is None else visible[:, None, None]
        if self.frozen and torch.is_grad_enabled() and _is_trained(self.encoder):
            raise ValueError(
                "This head is frozen, but its encoder has weights that require gradients: make the "
                "head with frozen=False, for LoRA too, or call head.encoder.requires_grad_(False)."
            )
        return self.encoder(ids, visible)


def _is_trained(model: nn.Module) -> bool:
    return any(weight.requires_grad for weight in model.parameters())


class SequenceClassifier(_Head):
    """One class for each text, from the mean of its tokens' vectors.

    ids (B, T) int64, visible (B, T) or (B, 1, 1, T) bool, True = token -> logits (B, n_outputs).
    Source: mean pooling as in Reimers and Gurevych 2019, section 3. (BERT takes the vector of [CLS]
    instead. That needs a model whose pretraining used it.)
    """

    def forward(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        x = self.vectors(ids, visible)
        return self.output(mean_over_tokens(x, token_mask(ids, visible, "visible")))


class TokenClassifier(_Head):
    """One class for each token: ids (B, T), visible (B, T) -> logits (B, T, n_outputs)."""

    def forward(self, ids: Tensor, visible: Tensor | None = None) -> Tensor:
        return self.output(self.vectors(ids, visible))


class SpanExtractor(_Head):
    """Where an answer begins and ends: two scores a token.

    ids (B, T), visible (B, T), context (B, T) bool, True where an answer may stand -> logits
    (B, 2, T): row 0 for the first token of the answer, row 1 for the last; minus infinity outside
    the context. Source: Devlin et al. 2019, section 4.2.
    """

    def __init__(self, encoder: Encoder, frozen: bool = False) -> None:
        super().__init__(encoder, 2, frozen)

    def forward(
        self, ids: Tensor, visible: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        if context is not None:
            check_mask("context", context, ids)
        logits = self.output(self.vectors(ids, visible)).transpose(1, 2)  # (B, 2, T)
        return logits if context is None else logits.masked_fill(~context[:, None], -math.inf)


def mean_over_tokens(x: Tensor, visible: Tensor | None = None) -> Tensor:
    """Mean of each row's vectors, padding left out: x (B, T, D), visible (B, T) bool -> (B, D).

    A row without any token gets zeros.
    """
    _check_vectors(x, visible)
    if visible is None:
        return x.mean(1)
    weights = visible[..., None].to(x.dtype)  # (B, T, 1)
    return (x * weights).sum(1) / weights.sum(1).clamp(min=1)


def text_vectors(encoder: nn.Module, ids: Tensor, batch_size: int = 16) -> Tensor:
    """One vector for each text, the mean of its tokens' vectors: ids (N, T) -> (N, D).

    Texts of like length are worked out together, so that little is padding. Gradients flow, and dropout
    acts if the encoder is in training mode. A text without tokens gets zeros.
    Source: mean pooling as in Reimers and Gurevych 2019, section 3.
    """
    check_callable("encoder", encoder)
    if isinstance(encoder, MaskedLM | _Head):
        raise TypeError(
            f"encoder must answer vectors, but a {type(encoder).__name__} answers logits: pass its "
            ".encoder."
        )
    check_ids(ids, shape="N T")
    check_count("batch_size", batch_size, 1)
    if not ids.numel():
        raise ValueError(f"There are no texts to encode: ids has shape {tuple(ids.shape)}.")
    visible = ids != PAD_ID  # (N, T)
    lengths = (visible * torch.arange(1, ids.shape[1] + 1, device=ids.device)).amax(1)
    order = lengths.argsort()
    vectors = []
    for rows in order.split(int(batch_size)):
        size = max(1, int(lengths[rows].max()))  # no more padding than these rows need
        batch, seen = ids[rows, :size], visible[rows, :size]
        vectors.append(mean_over_tokens(encoder(batch, seen), seen))
    return torch.cat(vectors)[order.argsort()]


def _check_vectors(x: Tensor, visible: Tensor | None) -> None:
    check_floats("x", x, "B T D")
    if not x.shape[1]:
        raise ValueError("x has no tokens (T = 0): there is nothing to take the mean of.")
    if visible is None:
        return
    check_bools("visible", visible)
    if visible.shape != x.shape[:2]:
        raise ValueError(
            f"visible must have shape (B, T) = {tuple(x.shape[:2])}, not {tuple(visible.shape)}."
        )


def best_spans(logits: Tensor, longest: int) -> Tensor:
    """The best answer in each row: logits (B, 2, T) -> first and last token (B, 2) int64.

    Best is the largest start score plus end score among all spans of at most `longest` tokens that
    do not end before they begin. Tokens with minus infinity are never part of an end of it; (0, 0)
    in a row without any other. Errors: ValueError for NaN, another shape, or longest below 1.
    Source: Devlin et al. 2019, section 4.2.
    """
    _check_spans(logits, longest)
    start, end = logits.unbind(1)  # (B, T) each
    total = start[:, :, None] + end[:, None, :]  # (B, T, T): first token, last token
    size = logits.shape[-1]
    allowed = torch.ones(size, size, dtype=torch.bool, device=logits.device)
    allowed = allowed.triu().tril(longest - 1)
    best = total.masked_fill(~allowed, -math.inf).flatten(1).argmax(1)  # (B,)
    return torch.stack([best // size, best % size], 1)


def _check_spans(logits: Tensor, longest: int) -> None:
    check_floats("logits", logits, "B 2 T")
    check_count("longest", longest, 1)
    if logits.shape[1] != 2 or not logits.shape[2]:
        raise ValueError(f"logits must have shape (B, 2, T), not {tuple(logits.shape)}.")
    if may_look_at(logits) and (logits.isnan() | logits.isposinf()).any():
        raise ValueError("logits contain NaN or inf: mend the computation before it.")
