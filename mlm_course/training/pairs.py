"""What a sequence-to-sequence model trains on: pairs, for writing word by word or for filling gaps."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corruption import RowNoise
from mlm_course.corruption.replacement import IGNORED
from mlm_course.corruption.strategies import choose_any_count
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID


class PairBatch(NamedTuple):
    """source (B, S), what the decoder is shown (B, T), and what it is asked, -100 elsewhere (B, T)."""

    source: Tensor
    shown: Tensor
    labels: Tensor


class GapPairs:
    """Pairs whose target is hidden in part, each time another part: for a conditional masked LM.

    source (N, S) and target (N, T) int64, padded. Of a target with L tokens n are hidden, n drawn
    from 1 to L, all of them included. Source: Ghazvininejad et al. 2019, section 2.1.
    """

    def __init__(self, source: Tensor, target: Tensor, seed: int) -> None:
        self.source, self.target, self.seed = _checked(source, target), target, seed

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: Tensor, epoch: int) -> PairBatch:
        target, noise = self.target[index], RowNoise(self.seed, epoch, index)
        real = target != PAD_ID
        hidden = choose_any_count(real, noise)
        shown = target.masked_fill(hidden, MASK_ID)
        return PairBatch(self.source[index], shown, target.masked_fill(~hidden, IGNORED))


class NextWordPairs:
    """Pairs for a decoder that writes word by word: shown [CLS] and the target, asked what is next.

    source (N, S) and target (N, T) int64, padded; the last word asked is [SEP].
    """

    def __init__(self, source: Tensor, target: Tensor) -> None:
        self.source = _checked(source, target)
        padded = F.pad(target, (0, 1), value=PAD_ID)  # (N, T + 1)
        ends = (target != PAD_ID).sum(1, keepdim=True)
        asked = padded.scatter(1, ends, SEP_ID)
        self.labels = asked.masked_fill(asked == PAD_ID, IGNORED)
        self.shown = F.pad(target, (1, 0), value=CLS_ID)

    def __len__(self) -> int:
        return len(self.source)

    def __call__(self, index: Tensor, epoch: int) -> PairBatch:
        return PairBatch(self.source[index], self.shown[index], self.labels[index])


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


def _checked(source: Tensor, target: Tensor) -> Tensor:
    if source.ndim != 2 or target.ndim != 2 or len(source) != len(target):
        raise ValueError(
            "source and target must be rows of ids, as many of the one as of the other, not "
            f"{tuple(source.shape)} and {tuple(target.shape)}."
        )
    return source
