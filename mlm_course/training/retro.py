"""What RetroMAE trains on: a text hidden lightly for its encoder, heavily for its decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corruption import RowNoise
from mlm_course.evaluation import visible_mask
from mlm_course.tokenization import SPECIAL_IDS
from mlm_course.training.data import MaskedRows, stirred


class RetroBatch(NamedTuple):
    """Rows hidden for the encoder, each (B, T), and what each place sees in the decoder (B, T, T)."""

    input_ids: Tensor
    labels: Tensor
    hidden: Tensor
    seen: Tensor


class RetroRows:
    """Rows of token ids hidden twice: by `rows` for the encoder, and for each place of the decoder.

    ratio: the share of the row that a place of the decoder does not see; itself it never does.
    Source: Xiao et al. 2022, section 3.3.
    """

    def __init__(self, rows: MaskedRows, seed: int, ratio: float = 0.5) -> None:
        self.rows, self.seed, self.ratio = rows, seed, ratio

    def __len__(self) -> int:
        return len(self.rows)

    def __call__(self, index: Tensor, epoch: int) -> RetroBatch:
        ids, labels, hidden = self.rows(index, epoch)
        B, T = ids.shape
        noise = RowNoise(stirred(self.seed, 1), epoch, index).uniform(T * T).view(B, T, T)
        is_self = torch.eye(T, dtype=torch.bool)
        return RetroBatch(ids, labels, hidden, (noise >= self.ratio) & ~is_self)


def retro_mae_loss(model: nn.Module, batch: RetroBatch) -> tuple[Tensor, int]:
    """Cross-entropy of the encoder's hidden tokens plus that of all ordinary ones in the decoder.

    Both are means, 0 where nothing is asked; their sum is given back times the number of rows, by
    which it is to be divided.
    Source: Xiao et al. 2022, section 3.
    """
    ids, labels, hidden, seen = batch
    true_ids = torch.where(hidden, labels, ids)
    special = torch.tensor(SPECIAL_IDS, device=ids.device)
    ordinary = ~torch.isin(true_ids, special)  # (B, T)
    visible = visible_mask(ids)
    seen = seen if visible is None else seen & visible[:, None]
    guesses, restored = model(ids, visible, hidden, true_ids, seen)
    encoder_loss = _mean_loss(guesses, labels[hidden])
    decoder_loss = _mean_loss(restored[ordinary], true_ids[ordinary])
    return (encoder_loss + decoder_loss) * len(ids), len(ids)


def _mean_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy: logits (n, V), target (n,); 0 if there is nothing to predict."""
    return F.cross_entropy(logits.float(), target, reduction="sum") / max(1, len(target))
