"""What a training step makes small: a sum over what was asked, and how much was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corruption import Corrupted, maskable
from mlm_course.corruption.masking import IGNORED
from mlm_course.diffusion import row_bounds, token_nll
from mlm_course.models.image_mae import patch_loss
from mlm_course.tokenization import PAD_ID, SPECIAL_IDS
from mlm_course.training.datasets import ImageBatch, PairBatch, RetroBatch

# loss(model, batch) -> (sum of the losses, how many there are). `fit` adds both up over all pieces
# of a step and all processes and divides once. The model must be called as model(...), as several
# devices need; the batch lies on the model's device.
Loss = Callable[[nn.Module, Any], tuple[Tensor, Tensor | int]]


def masked_lm_loss(
    model: nn.Module, batch: Corrupted, label_smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """Cross-entropy of the hidden tokens, summed, and their number.

    batch: input_ids, labels and masked (B, T). Nothing hidden: 0 and 0, and zero gradients.
    With label_smoothing e the target is 1 - e on the right word and e spread over all words; use
    `functools.partial(masked_lm_loss, label_smoothing=.1)` with `fit`.
    Source: Devlin et al. 2019, section 3.1; Szegedy et al. 2016, section 7 (label smoothing).
    """
    ids, labels, masked = batch
    logits = model(ids, visible_mask(ids), masked)  # (n, V)
    target = labels[masked]  # (n,)
    summed = F.cross_entropy(
        logits.float(), target, reduction="sum", label_smoothing=label_smoothing
    )
    return summed, len(target)


def masked_pixel_loss(
    model: nn.Module, batch: ImageBatch, ratio: float = 0.75
) -> tuple[Tensor, Tensor]:
    """Mean squared error of the removed patches, summed over patches, and their number.

    With `fit` use `functools.partial(masked_pixel_loss, ratio=...)`. Source: He et al. 2022.
    """
    reconstruction = model(batch.images, ratio, batch.noise)
    error = patch_loss(reconstruction.patches.float(), reconstruction.target, reconstruction.mask)
    count = reconstruction.mask.sum()
    return error * count, count


def next_word_loss(
    model: nn.Module, batch: PairBatch, label_smoothing: float = 0.1
) -> tuple[Tensor, int]:
    """Cross-entropy of every next word, summed, and their number. Source: Vaswani et al. 2017."""
    asked = batch.labels != IGNORED
    logits, _ = model(batch.source, batch.shown, asked)
    return _summed(logits, batch.labels[asked], label_smoothing), len(logits)


def gap_loss(
    model: nn.Module, batch: PairBatch, label_smoothing: float = 0.1, length_weight: float = 0.1
) -> tuple[Tensor, int]:
    """Cross-entropy of the hidden words, summed, and their number; with it the length's.

    A row's length counts length_weight times for each of its hidden words, as if every word asked for
    it: so the sum stays the same however rows are shared among pieces and processes.
    Source: Ghazvininejad et al. 2019, section 2 (and code for the weight).
    """
    asked = batch.labels != IGNORED
    logits, log_lengths = model(batch.source, batch.shown, asked)
    lengths = (batch.shown != PAD_ID).sum(1)
    of_rows = F.nll_loss(log_lengths, lengths, reduction="none")  # (B,)
    length_loss = length_weight * (of_rows * asked.sum(1)).sum()
    return _summed(logits, batch.labels[asked], label_smoothing) + length_loss, len(logits)


def _summed(logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    return F.cross_entropy(logits.float(), target, reduction="sum", label_smoothing=label_smoothing)


def retro_mae_loss(model: nn.Module, batch: RetroBatch) -> tuple[Tensor, int]:
    """Cross-entropy of the encoder's hidden tokens plus that of all ordinary ones in the decoder.

    Both are means, 0 where nothing is asked; their sum is given back times the number of rows, by
    which it is to be divided.
    Source: Xiao et al. 2022, section 3.
    """
    ids, labels, masked, seen = batch
    true_ids = torch.where(masked, labels, ids)
    special = torch.tensor(SPECIAL_IDS, device=ids.device)
    ordinary = ~torch.isin(true_ids, special)  # (B, T)
    visible = visible_mask(ids)
    seen = seen if visible is None else seen & visible[:, None]
    guesses, restored = model(ids, visible, masked, true_ids, seen)
    encoder_loss = _mean_loss(guesses, labels[masked])
    decoder_loss = _mean_loss(restored[ordinary], true_ids[ordinary])
    return (encoder_loss + decoder_loss) * len(ids), len(ids)


def _mean_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy: logits (n, V), target (n,); 0 if there is nothing to predict."""
    return F.cross_entropy(logits.float(), target, reduction="sum") / max(1, len(target))


def diffusion_loss(model: nn.Module, batch: Corrupted) -> tuple[Tensor, Tensor]:
    """The bound on -log p of all rows, summed, and the number of their words: nats a word.

    batch: as `GapRows` gives it. For `fit`.
    """
    words = maskable(batch.input_ids, SPECIAL_IDS) | batch.masked
    n_words = words.sum(1)
    return row_bounds(token_nll(model, batch), batch.masked, n_words).sum(), n_words.sum()
