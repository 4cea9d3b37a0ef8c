"""What a training step makes small: a sum over what was asked, and how much was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corruption import Corrupted
from mlm_course.evaluation import visible_mask
from mlm_course.models.image_mae import patch_loss
from mlm_course.training.data import ImageBatch

# loss(model, batch) -> (sum of the losses, how many there are). `fit` adds both up over all pieces
# of a step and all processes and divides once. The model must be called as model(...), as several
# devices need; the batch lies on the model's device.
Loss = Callable[[nn.Module, Any], tuple[Tensor, Tensor | int]]


def masked_lm_loss(
    model: nn.Module, batch: Corrupted, label_smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """Cross-entropy of the hidden tokens, summed, and their number.

    batch: input_ids, labels and hidden (B, T). Nothing hidden: 0 and 0, and zero gradients.
    With label_smoothing e the target is 1 - e on the right word and e spread over all words; use
    `functools.partial(masked_lm_loss, label_smoothing=.1)` with `fit`.
    Source: Devlin et al. 2019, section 3.1; Szegedy et al. 2016, section 7 (label smoothing).
    """
    ids, labels, hidden = batch
    logits = model(ids, visible_mask(ids), hidden)  # (n, V)
    target = labels[hidden]  # (n,)
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
    found = model(batch.images, ratio, batch.noise)
    count = found.mask.sum()
    return patch_loss(found.patches.float(), found.target, found.mask) * count, count
