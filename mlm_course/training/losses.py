"""What a training step makes small: a sum over what was asked, and how much was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import causal_mask, visible_mask
from mlm_course.contracts import (
    check_answers,
    check_bools,
    check_callable,
    check_floats,
    check_ids,
    check_integers,
    check_masked_batch,
    check_number,
    check_shapes_agree,
)
from mlm_course.corruption import Corrupted, maskable
from mlm_course.corruption.masking import IGNORED
from mlm_course.diffusion import row_bounds, token_nll
from mlm_course.models.heads import text_vectors
from mlm_course.models.image_mae import patch_loss
from mlm_course.tokenization import PAD_ID, SPECIAL_IDS
from mlm_course.training.datasets import ImageBatch, PairBatch, RetroBatch, TextPairBatch

# loss(model, batch) -> (sum of the losses, how many there are). `fit` adds both up over all pieces
# of a step and all processes and divides once. The model must be called as model(...), as several
# devices need; the batch lies on the model's device.
Loss = Callable[[nn.Module, Any], tuple[Tensor, Tensor | int]]


def masked_lm_loss(
    model: nn.Module, batch: Corrupted, label_smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """Cross-entropy of the masked tokens, summed, and their number.

    batch: input_ids, labels and masked (B, T). Nothing masked: 0 and 0, and zero gradients.
    With label_smoothing e, from 0 to below 1, the target is 1 - e on the right word and e spread over
    all words; use `functools.partial(masked_lm_loss, label_smoothing=.1)` with `fit`.
    Source: Devlin et al. 2019, section 3.1; Szegedy et al. 2016, section 7 (label smoothing).
    """
    check_callable("model", model)
    ids, labels, masked = check_masked_batch(batch)
    logits = model(ids, visible_mask(ids), masked)  # (n, V)
    target = labels[masked]  # (n,)
    return _summed(logits, target, label_smoothing), len(target)


def masked_pixel_loss(
    model: nn.Module, batch: ImageBatch, ratio: float = 0.75
) -> tuple[Tensor, Tensor]:
    """Mean squared error of the removed patches, summed over patches, and their number.

    With `fit` use `functools.partial(masked_pixel_loss, ratio=...)`. Source: He et al. 2022.
    """
    check_callable("model", model)
    batch = _fields(batch, ImageBatch)
    check_floats("images", batch.images, "B C H W")
    check_floats("noise", batch.noise, "B L")
    reconstruction = model(batch.images.float(), ratio, batch.noise)
    error = patch_loss(reconstruction.patches.float(), reconstruction.target, reconstruction.mask)
    count = reconstruction.mask.sum()
    return error * count, count


def next_word_loss(
    model: nn.Module, batch: PairBatch, label_smoothing: float = 0.1
) -> tuple[Tensor, int]:
    """Cross-entropy of every next word, summed, and their number. Source: Vaswani et al. 2017."""
    batch = _checked_pairs(model, batch, causal=True)
    asked = batch.labels != IGNORED
    logits, _ = model(batch.source, batch.shown, asked)
    return _summed(logits, batch.labels[asked], label_smoothing), len(logits)


def gap_loss(
    model: nn.Module, batch: PairBatch, label_smoothing: float = 0.1, length_weight: float = 0.1
) -> tuple[Tensor, int]:
    """Cross-entropy of the masked words, summed, and their number; with it the length's.

    A row's length counts length_weight times for each of its masked words, as if every word asked for
    it: so the sum stays the same however rows are shared among pieces and processes.
    Source: Ghazvininejad et al. 2019, section 2. Their code gives a row's length the weight of one
    word; 0.1 beside the mean over words is the later default of fairseq's scripts.
    """
    batch = _checked_pairs(model, batch, causal=False)
    check_number("length_weight", length_weight, 0)
    asked = batch.labels != IGNORED
    logits, log_lengths = model(batch.source, batch.shown, asked)
    lengths = (batch.shown != PAD_ID).sum(1)
    of_rows = F.nll_loss(log_lengths, lengths, reduction="none")  # (B,), infinite for no words
    n_asked = asked.sum(1)
    length_loss = length_weight * (of_rows * n_asked).where(n_asked > 0, 0.0).sum()
    return _summed(logits, batch.labels[asked], label_smoothing) + length_loss, len(logits)


def _summed(logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    check_answers(logits, target)
    check_number("label_smoothing", label_smoothing, 0, 1, below=True)
    target = target.long()
    return F.cross_entropy(logits.float(), target, reduction="sum", label_smoothing=label_smoothing)


def retro_mae_loss(model: nn.Module, batch: RetroBatch) -> tuple[Tensor, int]:
    """Cross-entropy of the encoder's masked tokens plus that of all ordinary ones in the decoder.

    Both are means, 0 where nothing is asked; their sum is given back times the number of rows, by
    which it is to be divided.
    Source: Xiao et al. 2022, section 3.
    """
    check_callable("model", model)
    ids, labels, masked, seen = _checked_retro(batch)
    true_ids = torch.where(masked, labels, ids)
    special = torch.tensor(SPECIAL_IDS, device=ids.device)
    ordinary = ~torch.isin(true_ids, special)  # (B, T)
    visible = visible_mask(ids)
    seen = seen if visible is None else seen & visible[:, None]
    guesses, restored = model(ids, visible, masked, true_ids, seen)
    encoder_loss = _mean_loss(guesses, labels[masked])
    decoder_loss = _mean_loss(restored[ordinary], true_ids[ordinary])
    return (encoder_loss + decoder_loss) * len(ids), len(ids)


def _checked_retro(batch: RetroBatch) -> RetroBatch:
    batch = _fields(batch, RetroBatch)
    ids, labels, masked = check_masked_batch(batch)
    check_bools("seen", batch.seen, "B T T")
    if batch.seen.shape != (*ids.shape, ids.shape[1]):
        raise ValueError(
            f"seen must have shape (B, T, T) for ids {tuple(ids.shape)}, not "
            f"{tuple(batch.seen.shape)}."
        )
    return RetroBatch(ids, labels, masked, batch.seen)


def _mean_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy: logits (n, V), target (n,); 0 if there is nothing to predict."""
    check_answers(logits, target)
    return F.cross_entropy(logits.float(), target, reduction="sum") / max(1, len(target))


def contrastive_loss(
    model: nn.Module, batch: TextPairBatch, temperature: float = 0.05
) -> tuple[Tensor, int]:
    """Cross-entropy of each query's own passage among those of the batch, summed, and their number.

    model: an encoder, ids (B, T) and visible (B, T) -> (B, T, D). Scores are cosines of the means over
    tokens, divided by temperature. The other passages of a piece of a step are the wrong answers, so
    more pieces or processes make the task easier. Only queries ask, as in Karpukhin et al. 2020.
    The same rows as queries and as passages, in an encoder with dropout: SimCSE.
    Source: van den Oord et al. 2018 (InfoNCE); Karpukhin et al. 2020 (in-batch negatives); Gao et al.
    2021 (cosines, temperature .05, SimCSE).
    """
    check_callable("model", model)
    check_number("temperature", temperature, 0, above=True)
    queries, passages = _fields(batch, TextPairBatch)
    check_ids(queries, name="queries", shape="B S")
    check_ids(passages, name="passages", shape="B T")
    if len(queries) != len(passages):
        raise ValueError(
            f"queries and passages are pairs, but there are {len(queries)} and {len(passages)}."
        )
    x, y = (F.normalize(text_vectors(model, ids).float()) for ids in (queries, passages))  # (B, D)
    scores = x @ y.T / temperature  # (B, B): queries, passages
    own = torch.arange(len(scores), device=scores.device)
    return F.cross_entropy(scores, own, reduction="sum"), len(scores)


def diffusion_loss(model: nn.Module, batch: Corrupted) -> tuple[Tensor, Tensor]:
    """The bound on -log p of all rows, summed, and the number of their words: nats a word.

    batch: as `GapRows` gives it. For `fit`.
    """
    surprise = token_nll(model, batch)
    n_words = (maskable(batch.input_ids.long(), SPECIAL_IDS) | batch.masked).sum(1)
    return row_bounds(surprise, batch.masked, n_words).sum(), n_words.sum()


def next_token_loss(model: nn.Module, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every token behind the first, summed, and their number; padding is not asked.

    ids (B, T): as a batch of `Rows`. The model sees what stands to the left: it is asked under a causal
    mask. Source: Radford et al. 2018, section 3.1.
    """
    return next_token_nll(model, ids).sum(), (ids[:, 1:] != PAD_ID).sum()


def next_token_nll(model: nn.Module, ids: Tensor) -> Tensor:
    """-log p of each token given those to its left, 0 for padding: (B, T) -> (B, T - 1), in nats.

    Padding stands at the end, so a causal mask alone keeps it out of sight.
    """
    check_callable("model", model)
    check_ids(ids)
    shown, target = ids[:, :-1].long(), ids[:, 1:].long()
    asked = target != PAD_ID
    logits = model(shown, causal_mask(shown.shape[1], ids.device)[None, None], asked)  # (n, V)
    check_answers(logits, target[asked])
    each = F.cross_entropy(logits.float(), target[asked], reduction="none")
    return each.new_zeros(target.shape).masked_scatter(asked, each)


def _fields(batch: Any, kind: Any) -> Any:
    """The batch with its fields named. TypeError unless it is of the kind that the loss works on."""
    if isinstance(batch, kind):
        return batch
    if type(batch) not in (tuple, list) or len(batch) != len(kind._fields):
        raise TypeError(
            f"This loss works on a batch of kind {kind.__name__}, not {type(batch).__name__}: "
            "data and loss belong together."
        )
    return kind(*batch)


def _checked_pairs(model: nn.Module, batch: PairBatch, causal: bool) -> PairBatch:
    """The batch with its fields named. ValueError for a model that would see the answers, or too little."""
    check_callable("model", model)
    config = getattr(getattr(model, "module", model), "config", None)  # of a wrapped model, too
    if getattr(config, "causal", causal) != causal:
        right, other = ("next_word_loss", "gap_loss") if causal else ("gap_loss", "next_word_loss")
        raise ValueError(
            f"{right} needs a model built with causal={causal}: this one goes with {other}."
        )
    batch = _fields(batch, PairBatch)
    check_ids(batch.source, name="source", shape="B S")
    check_ids(batch.shown, name="shown")
    check_integers("labels", batch.labels)
    check_shapes_agree(shown=batch.shown, labels=batch.labels)
    return batch
