"""Which tokens are hidden, and what stands in their place.

`masked` (B, T) bool: True = removed from view. `maskable` (B, T) bool: True = a candidate, neither
special nor padding. Everything random takes a `torch.Generator` (or `CounterRNG`, which draws from
seed, epoch and index).
"""

from __future__ import annotations

from mlm_course.corruption.catalogue import STRATEGIES, Strategy, for_one_row
from mlm_course.corruption.collator import (
    IndexedRow,
    IndexedRows,
    MaskedBatch,
    MaskingCollator,
    pad_rows,
)
from mlm_course.corruption.masking import (
    BERT_PROPORTIONS,
    IGNORED,
    MASK_ONLY,
    Corrupted,
    DynamicMasking,
    Masker,
    Proportions,
    StaticMasking,
    corrupt,
    mask_tokens,
    ordinary_ids,
    standard_masker,
)
from mlm_course.corruption.noise import CounterRNG, Noise
from mlm_course.corruption.scores import choose_by_score, pmi_scores
from mlm_course.corruption.strategies import (
    Ratio,
    adaptive_ratio,
    choose_adaptive,
    choose_bernoulli,
    choose_block,
    choose_fixed_count,
    choose_non_adjacent,
    maskable,
    masked_count,
)
from mlm_course.corruption.words import choose_spans, choose_whole_words, find_words, span_lengths

__all__ = [
    "BERT_PROPORTIONS",
    "IGNORED",
    "MASK_ONLY",
    "STRATEGIES",
    "Corrupted",
    "CounterRNG",
    "DynamicMasking",
    "IndexedRow",
    "IndexedRows",
    "MaskedBatch",
    "Masker",
    "MaskingCollator",
    "Noise",
    "Proportions",
    "Ratio",
    "StaticMasking",
    "Strategy",
    "adaptive_ratio",
    "choose_adaptive",
    "choose_bernoulli",
    "choose_block",
    "choose_by_score",
    "choose_fixed_count",
    "choose_non_adjacent",
    "choose_spans",
    "choose_whole_words",
    "corrupt",
    "find_words",
    "for_one_row",
    "mask_tokens",
    "maskable",
    "masked_count",
    "ordinary_ids",
    "pad_rows",
    "pmi_scores",
    "span_lengths",
    "standard_masker",
]
