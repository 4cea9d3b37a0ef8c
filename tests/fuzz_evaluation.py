"""Right arguments and oracles for what `mlm_course.evaluation` offers."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from fuzzing import Target
from sklearn import metrics

from mlm_course import evaluation
from mlm_course.corpora import tinyworld
from mlm_course.corruption import Corrupted
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID

V = 11


@cache
def masked_lm():
    """A tiny model in training mode, with dropout that must not be seen."""
    sizes = EncoderConfig(V, 8, d_model=8, n_layers=1, n_heads=2, dropout=0.5, embedding_std=1.0)
    return seeded_init(MaskedLM, sizes).train()


def draw_corrupted(rng):
    """A `Corrupted` batch with some padding."""
    B, T = rng.randint(1, 4), rng.randint(2, 7)
    ids = torch.randint(5, V, (B, T))
    ids[:, 0] = CLS_ID
    ids[-1, rng.randint(1, T) :] = PAD_ID
    masked = (torch.rand(B, T) < 0.5) & (ids > MASK_ID)
    return Corrupted(ids.masked_fill(masked, MASK_ID), ids.where(masked, -100), masked)


def draw_score(rng):
    corrupted = draw_corrupted(rng)
    only = rng.choice((None, torch.rand(corrupted.masked.shape) < 0.7))
    sizes = {"batch_size": rng.randint(1, 4), "only": only}
    return {"model": masked_lm(), "corrupted": corrupted, **sizes}


@torch.no_grad()
def is_scored(answer, model, corrupted, batch_size, only):
    """Row by row, with logits of every place."""
    assert model.training and batch_size > 0
    ids, labels, masked = corrupted
    masked = masked if only is None else masked & only
    losses, right = [], []
    with evaluation.evaluation_mode(model):
        for row, wanted, asked in zip(ids, labels, masked, strict=True):
            n = int((row != PAD_ID).nonzero().max()) + 1 if (row != PAD_ID).any() else len(row)
            visible = (row != PAD_ID)[None, :n]
            log_p = model(row[None, :n], visible)[0].double().log_softmax(-1)
            for place in asked.nonzero()[:, 0].tolist():
                losses.append(-log_p[place, wanted[place]].item())
                right.append(int(log_p[place].argmax()) == int(wanted[place]))
    assert answer.n_masked == len(losses)
    if not losses:
        assert math.isnan(answer.loss) and math.isnan(answer.accuracy)
        return
    assert math.isclose(answer.loss, np.mean(losses), rel_tol=1e-3)
    assert math.isclose(answer.accuracy, np.mean(right), abs_tol=1e-9)
    assert math.isclose(answer.perplexity, math.exp(answer.loss), rel_tol=1e-6)


def draw_classes(rng):
    C, shape = rng.randint(1, 4), rng.choice(((5,), (2, 3)))
    actual = torch.randint(C, shape)
    actual.view(-1)[rng.randrange(3)] = -100
    return {"predicted": torch.randint(C, shape), "actual": actual, "n_classes": C}


def is_confusion(answer, predicted, actual, n_classes):
    keep = actual != -100
    predicted, actual = predicted[keep].numpy(), actual[keep].numpy()
    assert all(0 <= x < n_classes for x in (*predicted, *actual))
    counts = [[sum((actual == a) & (predicted == p)) for p in range(n_classes)]
              for a in range(n_classes)]  # fmt: skip
    assert answer.tolist() == counts and predicted.dtype.kind in "iu"


def draw_counts(rng):
    C = rng.randint(1, 4)
    return {"counts": torch.randint(6, (C, C)) * (torch.rand(C, C) < 0.7)}


def are_scores(answer, counts):
    assert counts.dtype in (torch.int64, torch.int32) and counts.min() >= 0
    C = len(counts)
    if counts.sum() > 10**5:
        return  # too many to write out, and as right as few
    pairs = [(a, p) for a in range(C) for p in range(C) for _ in range(int(counts[a, p]))]
    actual, predicted = ([pair[i] for pair in pairs] for i in (0, 1))
    if not pairs:
        assert answer == (0, 0, 0, 0)
        return
    rest = metrics.precision_recall_fscore_support(
        actual, predicted, labels=range(C), average="macro", zero_division=0
    )
    expected = (metrics.accuracy_score(actual, predicted), *rest[:3])
    np.testing.assert_allclose(answer, expected, atol=1e-9)


def draw_tags(rng):
    tags = ("O", "B-A", "I-A", "B-B", "I-B")
    return [rng.choice(tags) for _ in range(rng.randint(1, 6))]


def spelled(tags):
    """Entities by looking at each place for a beginning, then for its end."""
    assert all(tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2) for tag in tags)
    assert isinstance(tags, list | tuple)
    spans = set()
    for first, tag in enumerate(tags):
        before = tags[first - 1] if first else "O"
        if tag == "O" or (tag[0] == "I" and before[1:] == tag[1:]):
            continue
        end = first + 1
        while end < len(tags) and tags[end] == f"I{tag[1:]}":
            end += 1
        spans.add((tag[2:], first, end))
    return spans


def are_entities(answer, tags):
    assert answer == spelled(tags)


def draw_tag_rows(rng):
    actual = [draw_tags(rng) for _ in range(rng.randint(1, 3))]
    predicted = [[rng.choice((tag, "O", "B-A")) for tag in row] for row in actual]
    return {"predicted": predicted, "actual": actual}


def are_entity_scores(answer, predicted, actual):
    predicted, actual = list(predicted), list(actual)
    assert list(map(len, predicted)) == list(map(len, actual))
    pairs = [(spelled(p), spelled(a)) for p, a in zip(predicted, actual, strict=True)]
    right = sum(len(p & a) for p, a in pairs)
    said, there = sum(len(p) for p, _ in pairs), sum(len(a) for _, a in pairs)
    precision, recall = right / said if said else 0.0, right / there if there else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    np.testing.assert_allclose(answer, (precision, recall, f1))


def draw_spans(rng):
    n = rng.randint(1, 4)
    first = torch.randint(6, (2, n))
    last = first + torch.randint(4, (2, n))
    last[0] -= 3 * (torch.rand(n) < 0.2)
    predicted, actual = torch.stack([first, last], -1)
    return {"predicted": predicted.clamp(min=0), "actual": actual}


def are_answer_scores(answer, predicted, actual):
    exact, f1 = [], []
    for (a, b), (c, d) in zip(predicted.tolist(), actual.tolist(), strict=True):
        assert 0 <= min(a, b, c) <= c <= d
        ours = b - a + 1 if b >= a else 0
        common = max(0, min(b, d) - max(a, c) + 1)
        exact.append((a, b) == (c, d))
        f1.append(2 * common / (ours + d - c + 1))
    np.testing.assert_allclose(answer, (np.mean(exact), np.mean(f1)), rtol=1e-6)
    assert predicted.dtype in (torch.int64, torch.int32)


def draw_tokens(rng):
    tokens = torch.randint(3, (rng.randint(1, 3), rng.randint(1, 6)))
    return {"tokens": tokens, "counted": rng.choice((None, torch.rand(tokens.shape) < 0.6))}


def is_repeat_share(answer, tokens, counted):
    tokens, counted = tokens.tolist(), (tokens != 0 if counted is None else counted).tolist()
    assert all(isinstance(x, int) and x >= 0 for row in tokens for x in row)
    again = total = 0
    for row, keep in zip(tokens, counted, strict=True):
        assert len(row) == len(keep)
        total += sum(keep)
        again += sum(keep[i] and row[i] == row[i - 1] for i in range(1, len(row)))
    assert math.isclose(answer, again / total if total else 0.0, abs_tol=1e-6)


@cache
def tinyworld_rows():
    return tinyworld.sentences(40, 3)


def draw_sentences(rng):
    rows = tinyworld_rows()[rng.sample(range(40), rng.randint(1, 4))].clone()
    if rng.random() < 0.5:
        rows[0, 2] = rows[0, 1]
    return {"ids": rows}


def is_judged(answer, ids):
    assert ids.dtype in (torch.int64, torch.int32)
    assert set(ids.unique().tolist()) <= set(range(len(tinyworld.vocabulary())))
    rows = [tuple(row) for row in ids.tolist()]
    words = [[i for i in row if i > MASK_ID] for row in rows]
    again = sum(row[i] == row[i - 1] > MASK_ID for row in rows for i in range(1, len(row)))
    total = sum(map(len, words))
    assert abs(answer["different"] - len(set(rows)) / len(rows)) < 1e-4
    assert abs(answer["repeats"] - (again / total if total else 0)) < 1e-4
    assert 0 <= answer["valid"] <= 1 and (answer["surprise"] is None) == (answer["valid"] == 0)
    for row in rows:  # no sentence has a word behind itself
        if any(a == b > MASK_ID for a, b in pairwise(row)):
            assert answer["valid"] < 1


def draw_mode(rng):
    return {"model": masked_lm()}


def keeps_modes(answer, model):
    before = [part.training for part in model.modules()]
    try:
        with evaluation.evaluation_mode(model):
            assert not any(part.training for part in model.modules())
            raise KeyError
    except KeyError:
        assert [part.training for part in model.modules()] == before


def entered(model):
    with evaluation.evaluation_mode(model):
        return model


def draw_search(rng):
    Q, N = rng.randint(1, 4), rng.randint(1, 5)
    return {"scores": torch.randint(4, (Q, N)) / 2, "answers": torch.randint(N, (Q,))}


def are_ranks(answer, scores, answers):
    for row, own, rank in zip(scores.tolist(), answers.tolist(), answer.tolist(), strict=True):
        assert 0 <= own < len(row) and all(map(math.isfinite, row))
        assert rank == sum(score >= row[own] for score in row)


def draw_ranks(rng):
    return {"ranks": torch.randint(1, 9, (rng.randint(1, 5),))}


def is_mean_reciprocal_rank(answer, ranks):
    assert min(ranks.tolist()) >= 1
    assert math.isclose(answer, np.mean([1 / rank for rank in ranks.tolist()]))


def is_recall(answer, ranks, k):
    assert min(ranks.tolist()) >= 1 <= k
    assert math.isclose(answer, np.mean([rank <= k for rank in ranks.tolist()]))


def draw_predictions(rng):
    N, C = rng.randint(1, 6), rng.randint(1, 4)
    logits = 3 * torch.randn(N, C)
    return {"logits": logits, "labels": torch.randint(C, (N,))}


def draw_probabilities(rng):
    drawn = draw_predictions(rng)
    n_bins = rng.randint(1, 6)
    return {
        "probabilities": drawn["logits"].softmax(-1),
        "labels": drawn["labels"],
        "n_bins": n_bins,
    }


def sorted_by_confidence(probabilities, labels, n_bins):
    """{bin: [(confidence, right)]}, row by row."""
    assert probabilities.is_floating_point() and labels.dtype in (torch.int64, torch.int32)
    assert probabilities.ndim == 2 and labels.ndim == 1 and n_bins >= 1
    bins = {}
    for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
        assert abs(sum(row) - 1) < 0.01 and min(row) >= 0 and 0 <= label < len(row)
        sure = max(row)
        bins.setdefault(math.ceil(sure * n_bins), []).append((sure, row.index(sure) == label))
    return [bins[place] for place in sorted(bins)]


def are_bins(answer, **given):
    pairs = sorted_by_confidence(**given)
    expected = [(*np.mean(inside, 0), len(inside)) for inside in pairs]
    np.testing.assert_allclose(answer, expected, atol=1e-6)


def is_calibration_error(answer, **given):
    pairs = sorted_by_confidence(**given)
    apart = [abs(np.sum([sure - right for sure, right in inside])) for inside in pairs]
    assert math.isclose(answer, sum(apart) / len(given["labels"]), abs_tol=1e-6)


def is_temperature(answer, logits, labels):
    """No temperature of a fine grid does better; 1 where all answers are right."""
    assert logits.is_floating_point() and logits.isfinite().all() and logits.ndim == 2
    assert labels.dtype in (torch.int64, torch.int32) and 0.05 <= answer <= 20
    if all(row[label] == max(row) for row, label in zip(logits.tolist(), labels, strict=True)):
        assert answer == 1
        return

    def loss(temperature):
        log_p = (logits.double() / temperature).log_softmax(-1)
        return -np.mean([log_p[i, label].item() for i, label in enumerate(labels.tolist())])

    best = min(loss(t) for t in np.geomspace(0.05, 20, 200))
    assert loss(answer) <= best + 1e-4 * (1 + abs(best)) and len(labels) == len(logits)


TARGETS = [
    Target(evaluation.score_masked, draw_score, is_scored),
    Target(evaluation.confusion, draw_classes, is_confusion),
    Target(evaluation.classification_scores, draw_counts, are_scores),
    Target(evaluation.entities, lambda rng: {"tags": draw_tags(rng)}, are_entities),
    Target(evaluation.entity_scores, draw_tag_rows, are_entity_scores),
    Target(evaluation.answer_scores, draw_spans, are_answer_scores),
    Target(evaluation.answer_ranks, draw_search, are_ranks),
    Target(evaluation.mean_reciprocal_rank, draw_ranks, is_mean_reciprocal_rank),
    Target(
        evaluation.recall_at, lambda rng: {**draw_ranks(rng), "k": rng.randint(1, 9)}, is_recall
    ),
    Target(evaluation.repeat_share, draw_tokens, is_repeat_share),
    Target(evaluation.judge_sentences, draw_sentences, is_judged),
    Target(evaluation.reliability, draw_probabilities, are_bins),
    Target(evaluation.calibration_error, draw_probabilities, is_calibration_error),
    Target(evaluation.fit_temperature, draw_predictions, is_temperature),
    Target(entered, draw_mode, keeps_modes, name="evaluation_mode"),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "MaskedScores": "a NamedTuple that is returned",
    "Scores": "a NamedTuple that is returned",
    "EntityScores": "a NamedTuple that is returned",
    "ReliabilityBin": "a NamedTuple that is returned",
}  # name: why (a constant type, a Protocol)
