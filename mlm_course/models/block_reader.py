"""A masked language model that reads blocks from left to right and keeps what it has read. Lesson 12.

No block looks ahead (`attention.block_causal_mask`). So the keys and values of a finished block are
those that the whole row would give, whatever follows: they are computed once.

Shapes everywhere: B rows of N places, V tokens in the vocabulary, H heads.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.attention import KeyValues, block_causal_mask
from mlm_course.contracts import check_count, check_ids, check_kind
from mlm_course.models.encoder import EncoderBlock, check_length
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.tokenization import MASK_ID, PAD_ID


class BlockReader:
    """Logits of the block that is being filled, as `decoding.refine` asks for them.

    model: one with a mask over blocks of block_length places, counted from the left. Called with a
    canvas (B, N) int64 it answers with logits (B, N, V) for the first block in which [MASK] stands
    in any row, and NaN elsewhere: nothing else is computed but finished blocks that are new to it.
    What is given holds no [MASK]. Make a new reader when the model's weights have changed.
    Errors: TypeError or ValueError for what does not fit. Source: Arriola et al. 2025, section 3.2.
    """

    def __init__(self, model: MaskedLM, block_length: int) -> None:
        check_kind("model", model, MaskedLM)
        check_count("block_length", block_length, 1)
        self.model, self.block_length = model, int(block_length)
        self._forget()

    def _forget(self) -> None:
        self._read: Tensor | None = None  # (B, S) int64, the finished blocks
        self._kept: list[KeyValues | None] = [None] * len(self.model.encoder.blocks)  # of these

    @torch.no_grad()
    def __call__(self, canvas: Tensor) -> Tensor:
        check_ids(canvas, self.model.config.vocab_size, name="canvas", shape="B N")
        check_length(canvas, self.model.config.max_length)
        start, end = self._present(canvas)
        if self._read is None or not torch.equal(self._read, canvas[:, : self._read.shape[1]]):
            self._forget()  # another canvas
        first = 0 if self._read is None else self._read.shape[1]
        x = self._vectors(canvas[:, :end], first, start)[:, start - first :]  # (B, end - start, D)
        logits = self.model.logits(x)
        return F.pad(logits, (0, 0, start, canvas.shape[1] - end), value=torch.nan)

    def _present(self, canvas: Tensor) -> tuple[int, int]:
        """Where the first block with a masked place begins and ends; without any the last block."""
        N = canvas.shape[1]
        open_places = (canvas == MASK_ID).any(0).nonzero()
        place = int(open_places[0]) if len(open_places) else max(N - 1, 0)
        start = place // self.block_length * self.block_length
        return start, min(start + self.block_length, N)

    def _vectors(self, ids: Tensor, first: int, finished: int) -> Tensor:
        """Vectors (B, T, D) of the ids from the place `first` on; what is before `finished` is kept."""
        encoder, T = self.model.encoder, ids.shape[1]
        x = encoder.embeddings(ids[:, first:], torch.arange(first, T, device=ids.device))
        pairs = block_causal_mask(T, self.block_length, ids.device)[first:]  # (T - first, T)
        visible = pairs & (ids != PAD_ID)[:, None, None]  # (B, 1, T - first, T)
        mask = None if visible.all() else visible  # attention runs faster without
        for i, block in enumerate(cast("list[EncoderBlock]", list(encoder.blocks))):
            x, both = block.step(x, self._kept[i], mask)
            self._kept[i] = KeyValues(*(part[:, :, :finished] for part in both))
        self._read = ids[:, :finished].clone()
        return x if encoder.final_norm is None else encoder.final_norm(x)
