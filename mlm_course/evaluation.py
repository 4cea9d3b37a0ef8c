"""How good is it? Losses, accuracies and other scores. Lessons 6, 8, 10 and 11."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.contracts import (
    check_answers,
    check_count,
    check_counts,
    check_floats,
    check_ids,
    check_mask,
    check_masked_batch,
    check_module,
    check_places,
    check_shapes_agree,
    check_tensor,
    may_look_at,
)
from mlm_course.corpora.tinyworld import vocabulary
from mlm_course.corpora.tinyworld_oracle import exact_nll
from mlm_course.corruption import Corrupted
from mlm_course.tokenization import PAD_ID, SPECIAL_IDS


class MaskedScores(NamedTuple):
    """Scores over masked tokens: mean loss in nats, share of right first answers, and how many."""

    loss: float
    accuracy: float
    n_masked: int

    @property
    def perplexity(self) -> float:
        """exp(loss): as uncertain as among so many equally likely words."""
        return math.inf if self.loss > 700 else math.exp(self.loss)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """A stretch of code without dropout; behind it, errors included, every part is as it was."""
    check_module("model", model)
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, was_training in modes:
            part.training = was_training


@torch.no_grad()
def score_masked(
    model: nn.Module, corrupted: Corrupted, *, batch_size: int = 256, only: Tensor | None = None
) -> MaskedScores:
    """Scores of a masked language model on rows whose masks are fixed: the same at every call.

    corrupted: ids, labels and masked (N, T). Sums over all masked tokens and divides once; the mean of
    batch means would weigh a token by how many share its batch. only bool (N, T) restricts the
    scores, for example to whole words. Dropout is off; the model's mode is put back. Without any
    masked token the loss and the accuracy are NaN, the count 0.
    Errors: ValueError for a model that answers NaN, or a label it has no token for.
    """
    ids, labels, masked = check_masked_batch(corrupted)
    check_count("batch_size", batch_size, 1)
    if only is not None:
        check_mask("only", only, masked, of="masked")
        masked = masked & only.to(masked.device)
    loss = right = count = 0.0
    with evaluation_mode(model):
        device = next((p.device for p in model.parameters()), ids.device)
        pieces = (part.split(int(batch_size)) for part in (ids, labels, masked))
        for rows in zip(*pieces, strict=True):
            shown, answers, asked = (part.to(device) for part in rows)
            logits = model(shown, visible_mask(shown), asked).float()  # (n, V)
            target = answers[asked]  # (n,)
            check_answers(logits, target.cpu())
            loss += F.cross_entropy(logits, target, reduction="sum").item()
            right += (logits.argmax(-1) == target).sum().item()
            count += len(target)
    if math.isnan(loss):
        raise ValueError("The model answers NaN or inf, which has no score: look at its weights.")
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
    Errors: ValueError for a class outside 0 to C - 1.
    """
    check_count("n_classes", n_classes, 1, 10_000)
    check_tensor("predicted", predicted)
    check_tensor("actual", actual)
    check_shapes_agree(predicted=predicted, actual=actual)
    asked = actual != -100
    predicted, actual = predicted[asked], actual[asked]
    _check_classes("predicted", predicted, n_classes)
    _check_classes("actual", actual, n_classes)
    pairs = actual.long() * n_classes + predicted.long()
    return torch.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def _check_classes(name: str, classes: Tensor, n: int) -> None:
    check_counts(name, classes, "N")
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < n:
        values = sorted(set(classes.tolist()) - set(range(n)))
        raise ValueError(f"{name} names class {values[0]}, but n_classes={n} ends at {n - 1}.")


def classification_scores(counts: Tensor) -> Scores:
    """Accuracy and macro precision, recall and F1 from a confusion matrix (C, C).

    0 / 0 counts as 0: the precision of a class that was never predicted, the recall of one that
    never occurred, and the F1 of one with neither. Source: Sokolova and Lapalme 2009.
    """
    check_counts("counts", counts, "C C")
    if counts.shape[0] != counts.shape[1] or not len(counts):
        raise ValueError(f"counts must be square, (C, C), not {tuple(counts.shape)}.")
    counts = counts.cpu()
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
    Errors: TypeError or ValueError for a tag that is not O, B-X or I-X.
    """
    _check_tags(tags)
    spans, kind, start = set(), "", 0
    for place, tag in enumerate([*tags, "O"]):
        mark, _, here = tag.partition("-")
        if kind and (mark != "I" or here != kind):
            spans.add((kind, start, place))
            kind = ""
        if mark != "O" and not kind:
            kind, start = here, place
    return spans


def _check_tags(tags: Any) -> None:
    if isinstance(tags, str) or not isinstance(tags, Sequence):
        raise TypeError(f'tags must be a list such as ["O", "B-PER"], not {tags!r}.')
    for place, tag in enumerate(tags):
        if not isinstance(tag, str):
            raise TypeError(f"tags must be strings, but tag {place} is {tag!r}.")
        if tag != "O" and not (tag[:2] in ("B-", "I-") and tag[2:]):
            raise ValueError(f"Tag {place} is {tag!r}: a BIO tag is O, B-X or I-X, X a kind.")


def entity_scores(
    predicted: Iterable[Sequence[str]], actual: Iterable[Sequence[str]]
) -> EntityScores:
    """Precision, recall and F1 over all entities of all sentences; 0 / 0 counts as 0.

    Spans are compared, not tokens: a span that is one word too long is one wrong entity and one
    missing one. Source: Tjong Kim Sang and De Meulder 2003, section 4.
    """
    right = n_predicted = n_actual = 0
    for ours, theirs in _sentence_pairs(predicted, actual):
        guessed, wanted = entities(ours), entities(theirs)
        right += len(guessed & wanted)
        n_predicted += len(guessed)
        n_actual += len(wanted)
    precision, recall = right / max(n_predicted, 1), right / max(n_actual, 1)
    return EntityScores(precision, recall, 2 * right / max(n_predicted + n_actual, 1))


def _sentence_pairs(predicted: Any, actual: Any) -> list[tuple[Sequence[str], Sequence[str]]]:
    for name, sentences in (("predicted", predicted), ("actual", actual)):
        if isinstance(sentences, str) or not isinstance(sentences, Iterable):
            raise TypeError(
                f"{name} must be a list of sentences, lists of tags, not {sentences!r}."
            )
    predicted, actual = list(predicted), list(actual)
    if len(predicted) != len(actual):
        raise ValueError(f"{len(predicted)} sentences are predicted, {len(actual)} are actual.")
    for i, (ours, theirs) in enumerate(zip(predicted, actual, strict=True)):
        _check_tags(ours)
        _check_tags(theirs)
        if len(ours) != len(theirs):
            raise ValueError(
                f"Sentence {i} has {len(ours)} predicted tags, but {len(theirs)} actual ones."
            )
    return list(zip(predicted, actual, strict=True))


def answer_scores(predicted: Tensor, actual: Tensor) -> tuple[float, float]:
    """Exact match and token F1 of spans (N, 2), first and last token, both within the answer.

    Exact match: the share of answers with both ends right. Token F1: the mean over questions of
    2 * common / (predicted + actual) tokens. Source: Rajpurkar et al. 2016, section 6.1 (on words
    of text there; on token places here, so a right word at a wrong place is wrong). A predicted span
    that ends before it starts holds no token: it is wrong, and its F1 is 0.
    """
    _check_spans(predicted, actual)
    predicted, actual = predicted.cpu(), actual.cpu()
    exact = (predicted == actual).all(1).double().mean().item()
    first = torch.maximum(predicted[:, 0], actual[:, 0])
    last = torch.minimum(predicted[:, 1], actual[:, 1])
    common = (last - first + 1).clamp(min=0)  # (N,)
    sizes = sum((span[:, 1] - span[:, 0] + 1).clamp(min=0) for span in (predicted, actual))
    return exact, (2 * common / sizes).double().mean().item()


def _check_spans(predicted: Tensor, actual: Tensor) -> None:
    check_counts("predicted", predicted, "N 2")
    check_counts("actual", actual, "N 2")
    check_shapes_agree(predicted=predicted, actual=actual)
    if predicted.shape[1] != 2 or not len(predicted):
        raise ValueError(f"Spans have shape (N, 2), N at least 1, not {tuple(predicted.shape)}.")
    backwards = actual[actual[:, 1] < actual[:, 0]]
    if len(backwards):
        first = backwards[0].tolist()
        raise ValueError(f"An actual answer ends before it starts: {first} (first, last).")


def answer_ranks(scores: Tensor, answers: Tensor) -> Tensor:
    """At which place a search puts each query's answer: scores (Q, N), answers (Q,) -> (Q,) int64.

    scores: of all N passages for each query, larger is better. answers: the number of the right one.
    The best place is 1; passages with the same score stand before the answer.
    Errors: ValueError for NaN, or an answer that is no passage.
    """
    check_floats("scores", scores, "Q N", finite=True)
    check_counts("answers", answers, "Q")
    if len(scores) != len(answers) or not scores.numel():
        raise ValueError(
            f"There must be one answer for each row of scores, not {len(answers)} for a table of "
            f"{tuple(scores.shape)}."
        )
    check_places("answers", answers, scores.shape[1])
    own = scores.gather(1, answers.long()[:, None])  # (Q, 1)
    return (scores >= own).sum(1)


def mean_reciprocal_rank(ranks: Tensor) -> float:
    """The mean of 1 / rank; ranks (Q,) int64 from 1. Source: Voorhees 1999."""
    _check_ranks(ranks)
    return (1 / ranks.cpu().double()).mean().item()


def recall_at(ranks: Tensor, k: int) -> float:
    """The share of queries whose answer is among the first k; ranks (Q,) int64 from 1."""
    _check_ranks(ranks)
    check_count("k", k, 1)
    return (ranks <= k).cpu().double().mean().item()


def _check_ranks(ranks: Tensor) -> None:
    check_counts("ranks", ranks, "Q")
    if not len(ranks) or ranks.min() < 1:
        raise ValueError(
            "ranks must hold the place of at least one answer, and places count from 1."
        )


class ReliabilityBin(NamedTuple):
    """Answers of like confidence: its mean, the share of them that is right, and how many."""

    confidence: float
    accuracy: float
    n: int


def reliability(probabilities: Tensor, labels: Tensor, n_bins: int = 15) -> list[ReliabilityBin]:
    """The bins of a reliability diagram, equally wide from confidence 0 to 1; empty ones left out.

    probabilities (N, C), labels (N,) int64. Confidence is the probability of the answer given, the
    largest one. Source: Guo et al. 2017, section 2.
    """
    _check_predictions("probabilities", probabilities, labels)
    check_count("n_bins", n_bins, 1, 1000)
    if may_look_at(probabilities) and not _are_probabilities(probabilities):
        raise ValueError("probabilities must lie between 0 and 1 and add up to 1: take a softmax.")
    confidence, answer = probabilities.cpu().double().max(-1)  # (N,)
    right = (answer == labels.cpu()).double()
    place = (confidence * n_bins).ceil().clamp(1, n_bins)  # in (0, 1/n], (1/n, 2/n], ...
    inside = [place == i for i in range(1, int(n_bins) + 1)]
    return [
        ReliabilityBin(confidence[i].mean().item(), right[i].mean().item(), int(i.sum()))
        for i in inside
        if i.any()
    ]


def calibration_error(probabilities: Tensor, labels: Tensor, n_bins: int = 15) -> float:
    """Expected calibration error: how far confidence and accuracy are apart, bin by bin.

    As in `reliability`; the mean over all answers. With few answers in a bin it comes out too large:
    above 0 even for perfectly calibrated ones. Source: Guo et al. 2017, equation 3.
    """
    bins = reliability(probabilities, labels, n_bins)
    apart = sum(abs(each.confidence - each.accuracy) * each.n for each in bins)
    return apart / len(labels)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T for which softmax(logits / T) has the lowest loss on held-out answers.

    logits (N, C), labels (N,) int64; between .05 and 20. Answers stay the same, confidence changes.
    1.0 where all answers are right (or no class is ahead): the loss then only falls, or stays, as
    they get surer, and nothing says how sure they should be. A result of 20 means the opposite: the
    less sure the better, without an end.
    Source: Guo et al. 2017, section 4.2.
    """
    _check_predictions("logits", logits, labels)
    from scipy.optimize import minimize_scalar

    logits, labels = logits.detach().cpu().double(), labels.cpu().long()
    if bool((logits.gather(1, labels[:, None])[:, 0] == logits.amax(1)).all()):
        return 1.0

    def loss(log_temperature: float) -> float:
        return F.cross_entropy(logits / math.exp(log_temperature), labels).item()

    bounds = math.log(0.05), math.log(20)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def _are_probabilities(values: Tensor) -> bool:
    sums = values.cpu().double().sum(-1)
    rounding = max(1e-3, torch.finfo(values.dtype).eps)  # bfloat16's is .008
    return bool((values >= 0).all() and (sums - 1).abs().max() < rounding)


def _check_predictions(name: str, values: Tensor, labels: Tensor) -> None:
    check_floats(name, values, "N C", finite=True)
    check_counts("labels", labels, "N")
    if not values.numel() or len(values) != len(labels):
        raise ValueError(
            f"{name} must have shape (N, C), N = {len(labels)} labels and at least 1, not "
            f"{tuple(values.shape)}."
        )
    if may_look_at(labels) and labels.max() >= values.shape[1]:
        raise ValueError(
            f"labels contain {int(labels.max())}, but there are {values.shape[1]} classes only."
        )


def repeat_share(tokens: Tensor, counted: Tensor | None = None) -> float:
    """The share of tokens (B, N) that say what their left neighbour says.

    counted (B, N) bool: the tokens that matter, by default all but [PAD]. 0 / 0 counts as 0.
    """
    check_ids(tokens, name="tokens", shape="B N")
    counted = tokens != PAD_ID if counted is None else counted
    check_mask("counted", counted, tokens, of="tokens")
    again = (tokens[:, 1:] == tokens[:, :-1]) & counted[:, 1:]
    return (again.sum() / counted.sum().clamp(min=1)).item()


def judge_sentences(ids: Tensor) -> dict[str, float | None]:
    """How good texts (B, T) are: shares of valid ones and of different ones, repeats, surprise.

    repeats: words that stand right behind themselves. surprise: of the valid ones, in nats, given
    their lengths, None if there are none; the language's own texts have its entropy.
    """
    check_ids(ids, len(vocabulary()))
    if not len(ids):
        raise ValueError("There are no sentences to judge.")
    surprise = exact_nll(ids)
    valid = surprise.isfinite()
    different = len({tuple(row) for row in ids.tolist()})
    return {
        "valid": round(valid.double().mean().item(), 4),
        "different": round(different / len(ids), 4),
        "repeats": round(repeat_share(ids, ids > max(SPECIAL_IDS)), 4),
        "surprise": round(surprise[valid].mean().item(), 3) if valid.any() else None,
    }
