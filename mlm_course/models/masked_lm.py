"""The masked language model: an encoder and a head that names the hidden tokens. Lessons 5 and 6."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention_checks import check_vectors
from mlm_course.contracts import check_mask
from mlm_course.models.encoder import (
    Encoder,
    EncoderConfig,
    check_config,
    initialise,
    layer_norm,
)


class MaskedLM(nn.Module):
    """BERT without next-sentence prediction; the output layer is the token embedding, transposed.

    ids (B, T) int64; attention_mask and errors as in `Encoder`; masked bool (B, T): where an answer
    is wanted.
    Returns logits (n, V) for the n hidden tokens in reading order, or (B, T, V) without `masked`.
    Most tokens are not asked about: leaving them out saves most of the head's work.
    Source: Devlin et al. 2019, section 3.1 (head as in its code: dense, GELU, LayerNorm, tied
    decoder with a bias); Press and Wolf 2017 (tied weights).
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        check_config(config, EncoderConfig)
        self.config = config
        self.encoder = Encoder(config)
        self.dense = nn.Linear(config.d_model, config.d_model)
        self.norm = layer_norm(config)
        self.decoder_bias = nn.Parameter(torch.zeros(config.vocab_size))
        initialise(self.dense)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        masked: Tensor | None = None,
        *,
        segments: Tensor | None = None,
    ) -> Tensor:
        if masked is not None:
            check_mask("masked", masked, ids)
        x = self.encoder(ids, attention_mask, segments=segments)  # (B, T, D)
        return self.logits(x if masked is None else x[masked])

    def logits(self, x: Tensor) -> Tensor:
        """Scores of every token of the vocabulary: x (..., D) -> (..., V)."""
        check_vectors("x", x, self.config.d_model, self.decoder_bias, "... D")
        x = self.norm(F.gelu(self.dense(x)))
        return F.linear(x, self.encoder.embeddings.token.weight, self.decoder_bias)
