"""How good is it? Losses, accuracies and other scores. Lessons 6, 8, 10 and 11."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corpora.tinyworld_oracle import exact_nll
from mlm_course.corruption import Corrupted
from mlm_course.tokenization import PAD_ID, SPECIAL_IDS


class MaskedScores(NamedTuple):
    """Scores over hidden tokens: mean loss in nats, share of right first answers, and how many."""

    loss: float
    accuracy: float
    n_masked: int

    @property
    def perplexity(self) -> float:
        """exp(loss): among how many equally likely words the model hesitates, so to speak."""
        return math.exp(self.loss)


@torch.no_grad()
def score_masked(
    model: nn.Module, corrupted: Corrupted, *, batch_size: int = 256, only: Tensor | None = None
) -> MaskedScores:
    """Scores of a masked language model on rows whose masks are fixed: the same at every call.

    corrupted: ids, labels and masked (N, T). Sums over all hidden tokens and divides once; the mean of
    batch means would weigh a token by how many share its batch. only bool (N, T) restricts the
    scores, for example to whole words. Dropout is off; the model's mode is put back. Without any
    hidden token the loss and the accuracy are NaN, the count 0.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    loss = right = count = 0.0
    for start in range(0, len(corrupted.masked), batch_size):
        ids, labels, masked = (part[start : start + batch_size].to(device) for part in corrupted)
        if only is not None:
            masked = masked & only[start : start + batch_size].to(device)
        logits = model(ids, visible_mask(ids), masked).float()  # (n, V)
        target = labels[masked]  # (n,)
        loss += F.cross_entropy(logits, target, reduction="sum").item()
        right += (logits.argmax(-1) == target).sum().item()
        count += len(target)
    model.train(was_training)
    n = count or math.nan
    return MaskedScores(loss / n, right / n, int(count))


class Scores(NamedTuple):
    """Scores of a classifier; macro: each class counts the same, however rare it is."""

    accuracy: float
    precision: float
    recall: float
    f1: float


class EntityScores(NamedTuple):
    """Scores of found entities: an entity is right if kind, beginning and end all are."""

    precision: float
    recall: float
    f1: float


def confusion(predicted: Tensor, actual: Tensor, n_classes: int) -> Tensor:
    """How often each class was taken for which: (C, C) int64, actual class in rows.

    predicted and actual int64 of one shape; places where actual is -100 do not count.
    """
    asked = actual != -100
    pairs = actual[asked] * n_classes + predicted[asked]
    return torch.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def classification_scores(counts: Tensor) -> Scores:
    """Accuracy and macro precision, recall and F1 from a confusion matrix (C, C).

    0 / 0 counts as 0: the precision of a class that was never predicted, the recall of one that
    never occurred, and the F1 of one with neither. Source: Sokolova and Lapalme 2009.
    """
    right = counts.diagonal().double()  # (C,)
    predicted, actual = counts.sum(0), counts.sum(1)
    each = (right / predicted.clamp(min=1), right / actual.clamp(min=1))
    f1 = 2 * right / (predicted + actual).clamp(min=1)
    precision, recall, f1_mean = (values.mean().item() for values in (*each, f1))
    return Scores((right.sum() / counts.sum().clamp(min=1)).item(), precision, recall, f1_mean)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities that BIO tags spell: (kind, first word, word behind the last).

    B-X begins an entity of kind X and I-X goes on with it. An I-X that follows nothing of its kind
    begins one, as in the scorer of the shared task. Source: Tjong Kim Sang and De Meulder 2003.
    """
    spans, kind, start = set(), "", 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind and (mark != "I" or here != kind):
            spans.add((kind, start, place))
            kind = ""
        if mark != "O" and not kind:
            kind, start = here, place
    return spans


def entity_scores(
    predicted: Iterable[Sequence[str]], actual: Iterable[Sequence[str]]
) -> EntityScores:
    """Precision, recall and F1 over all entities of all sentences; 0 / 0 counts as 0.

    Spans are compared, not tokens: a span that is one word too long is one wrong entity and one
    missing one. Source: Tjong Kim Sang and De Meulder 2003, section 4.
    """
    right = n_predicted = n_actual = 0
    for ours, theirs in zip(predicted, actual, strict=True):
        guessed, wanted = entities(ours), entities(theirs)
        right += len(guessed & wanted)
        n_predicted += len(guessed)
        n_actual += len(wanted)
    precision, recall = right / max(n_predicted, 1), right / max(n_actual, 1)
    return EntityScores(precision, recall, 2 * right / max(n_predicted + n_actual, 1))


def answer_scores(predicted: Tensor, actual: Tensor) -> tuple[float, float]:
    """Exact match and token F1 of spans (N, 2), first and last token, both within the answer.

    Exact match: the share of answers with both ends right. Token F1: the mean over questions of
    2 * common / (predicted + actual) tokens. Source: Rajpurkar et al. 2016, section 6.1 (on words
    of text there; on token places here, so a right word at a wrong place is wrong).
    """
    exact = (predicted == actual).all(1).double().mean().item()
    first = torch.maximum(predicted[:, 0], actual[:, 0])
    last = torch.minimum(predicted[:, 1], actual[:, 1])
    common = (last - first + 1).clamp(min=0)  # (N,)
    sizes = sum((span[:, 1] - span[:, 0] + 1).clamp(min=0) for span in (predicted, actual))
    return exact, (2 * common / sizes).double().mean().item()


def repeat_share(tokens: Tensor, counted: Tensor | None = None) -> float:
    """The share of tokens (B, N) that say what their left neighbour says.

    counted (B, N) bool: the tokens that matter, by default all but [PAD].
    """
    counted = tokens != PAD_ID if counted is None else counted
    again = (tokens[:, 1:] == tokens[:, :-1]) & counted[:, 1:]
    return (again.sum() / counted.sum()).item()


def judge_sentences(ids: Tensor) -> dict[str, float | None]:
    """How good texts (B, T) are: shares of valid ones and of different ones, repeats, surprise.

    repeats: words that stand right behind themselves. surprise: of the valid ones, in nats, given
    their lengths, None if there are none; the language's own texts have its entropy.
    """
    surprise = exact_nll(ids)
    valid = surprise.isfinite()
    different = len({tuple(row) for row in ids.tolist()})
    return {
        "valid": round(valid.double().mean().item(), 4),
        "different": round(different / len(ids), 4),
        "repeats": round(repeat_share(ids, ids > max(SPECIAL_IDS)), 4),
        "surprise": round(surprise[valid].mean().item(), 3) if valid.any() else None,
    }
