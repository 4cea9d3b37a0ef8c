"""What pretraining is worth on three tasks, by number of labels. Lesson 8.

Four models for each task and number of labels: pretrained or random weights, frozen or fine-tuned,
all of one architecture; beside them a simple model that has no network at all. No module is on both
sides. Sentences and questions are tested on modules that the pretraining has not seen either.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import evaluation
from mlm_course.attention import visible_mask
from mlm_course.corpora import labelled, labelled_rows
from mlm_course.experiments import _fine_tuning
from mlm_course.experiments import python_docs as pretraining
from mlm_course.models.encoder import Encoder, seeded_init
from mlm_course.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier, best_spans
from mlm_course.models.pretrained import load_pretrained

PACKAGES = ("numpy", "scipy", "sklearn")
LABELS = (50, 400)
SEEDS = {50: 2}  # the fewer labels, the more it matters which
LEARNING_RATES = (1e-3, 2e-3)  # of which each start gets what suits it, for each task
LENGTH = 96
LONGEST_ANSWER = 24

Rows = tuple[Tensor, ...]  # of one first axis: examples


@dataclass(frozen=True)
class DownstreamTask:
    """A task: rows to train and to test on, a head for an encoder, a loss, scores, a rival."""

    name: str
    train: Rows
    test: Rows
    head: Callable[[Encoder, bool], Any]
    loss: Callable[[nn.Module, Rows], Tensor]
    scores: Callable[[nn.Module], dict[str, float]]
    baseline: Callable[[list[int]], dict[str, float]]


def run() -> dict[str, Any]:
    """The whole experiment on the shipped checkpoint: a record that goes into JSON."""
    model, tokenizer = load_pretrained("python_docs")
    return measure(model.encoder, tokenizer, pretraining.unread_modules())


def measure(
    encoder: Encoder,
    tokenizer: Any,
    test_modules: Iterable[str],
    labels: Sequence[int] = LABELS,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Scores of all models on all tasks with all numbers of labels."""
    test_modules = sorted(test_modules)
    scores: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    for task in (messages(tokenizer), tags(tokenizer, test_modules),
                 questions(tokenizer, test_modules)):  # fmt: skip
        size = len(task.train[0])
        rates = {start: best_lr(task, body) for start, body in _starts(encoder, 0).items()}
        about[task.name] = {"train": size, "test": len(task.test[0]), "lr": rates}
        say(f"{task.name}: {about[task.name]}")
        for n in sorted({min(n, size) for n in labels}):
            for seed in range(SEEDS.get(n, 1)):
                for row in _measured(task, encoder, n, seed, rates):
                    scores.append({"task": task.name, "labels": n, "seed": seed, **row})
                    say(str(scores[-1]))
    return {"scores": scores, "tasks": about, "packages": PACKAGES, "test_modules": test_modules}


def untrained(encoder: Encoder, seed: int) -> Encoder:
    """An encoder of the same sizes with random weights."""
    return seeded_init(Encoder, encoder.config, seed)


def _starts(encoder: Encoder, seed: int) -> dict[str, Encoder]:
    return {"pretrained": encoder, "random": untrained(encoder, seed)}


def _measured(
    task: DownstreamTask, encoder: Encoder, n: int, seed: int, rates: dict[str, float]
) -> Iterable[dict[str, Any]]:
    """Scores of the rival and of the four networks, all on the same n labels."""
    chosen = _some(len(task.train[0]), n, seed)
    rows = tuple(part[chosen] for part in task.train)
    yield {"start": "no network", "frozen": False, **task.baseline(chosen)}
    for (start, body), frozen in itertools.product(_starts(encoder, seed).items(), (True, False)):
        head = task.head(body, frozen)
        steps = 150 if frozen else min(600, max(100, 3 * n // 16))
        fine_tune(head, task.loss, rows, steps, 1e-2 if frozen else rates[start], seed)
        yield {"start": start, "frozen": frozen, **task.scores(head)}


def best_lr(task: DownstreamTask, body: Encoder) -> float:
    """The learning rate with the lowest loss on 200 examples of the training side."""
    chosen = _some(len(task.train[0]), 600, seed=100)
    rows, held = (tuple(part[some] for part in task.train) for some in (chosen[:400], chosen[400:]))

    def loss_after(lr: float) -> float:
        head = task.head(body, False)
        fine_tune(head, task.loss, rows, 100, lr, seed=0)
        with torch.no_grad():
            return task.loss(head, held).item()

    return min(LEARNING_RATES, key=loss_after)


def _some(size: int, n: int, seed: int) -> list[int]:
    """n of the numbers below size, or all of them, in random order."""
    return random.Random(seed).sample(range(size), min(n, size))


def fine_tune(
    head: Any,
    loss: Callable[[nn.Module, Rows], Tensor],
    rows: Rows,
    steps: int,
    lr: float,
    seed: int,
    batch_size: int = 16,
) -> None:
    """Training of a head, in place: AdamW, a learning rate that falls to 0."""
    generator = torch.Generator().manual_seed(seed)

    def next_loss() -> Tensor:
        batch = torch.randint(len(rows[0]), (batch_size,), generator=generator)
        return loss(head, short(tuple(part[batch] for part in rows)))

    _fine_tuning.fine_tune(head, next_loss, steps, lr, warmup=10)


def short(rows: Rows) -> Rows:
    """The rows without the columns in which all of them are padding."""
    width = int((rows[0] != 0).sum(1).max())
    return tuple(
        part[:, :width] if part.ndim == 2 and part.shape == rows[0].shape else part for part in rows
    )


def messages(tokenizer: Any) -> DownstreamTask:
    """Error or warning? As many of the one as of the other, on either side."""
    all_messages = labelled.messages(PACKAGES)
    train, test = (_balanced(part) for part in labelled.split_by_held_out(all_messages, 0.25))
    rows, test_rows = (labelled_rows.encode_messages(tokenizer, x, LENGTH) for x in (train, test))

    def scores(model: nn.Module) -> dict[str, float]:
        guesses = predict(model, test_rows.ids).argmax(-1)
        counts = evaluation.confusion(guesses, test_rows.labels, len(labelled.KINDS))
        return evaluation.classification_scores(counts)._asdict()

    def baseline(chosen: list[int]) -> dict[str, float]:
        return bag_of_words([train[i] for i in chosen], test)

    return DownstreamTask(
        "messages", rows, test_rows, lambda e, f: SequenceClassifier(e, 2, f),
        lambda m, r: F.cross_entropy(m(r[0], visible_mask(r[0])), r[1]), scores, baseline,
    )  # fmt: skip


def tags(tokenizer: Any, test_modules: Iterable[str]) -> DownstreamTask:
    """Which words are parameters, values, other code?"""
    sentences = labelled.tagged_sentences(PACKAGES)
    train, test = labelled.split_by_held_out(sentences, set(test_modules))
    rows, test_rows = (labelled_rows.encode_tagged(tokenizer, x, LENGTH) for x in (train, test))

    def scores(model: nn.Module) -> dict[str, float]:
        return tag_scores(predict(model, test_rows.ids).argmax(-1), test_rows.labels)

    def baseline(chosen: list[int]) -> dict[str, float]:
        return words_nearby([train[i] for i in chosen], test)

    return DownstreamTask(
        "tags", rows, test_rows, lambda e, f: TokenClassifier(e, len(labelled.TAGS), f),
        lambda m, r: F.cross_entropy(m(r[0], visible_mask(r[0])).flatten(0, 1), r[1].flatten()),
        scores, baseline,
    )  # fmt: skip


def questions(tokenizer: Any, test_modules: Iterable[str]) -> DownstreamTask:
    """What type is ...?"""
    all_questions = labelled.type_questions(PACKAGES)
    sides = labelled.split_by_held_out(all_questions, set(test_modules))
    train, test = (labelled_rows.encode_questions(tokenizer, x, LENGTH) for x in sides)

    def scores(model: nn.Module) -> dict[str, float]:
        guesses = best_spans(predict(model, test.ids, test.context), LONGEST_ANSWER)
        exact, f1 = evaluation.answer_scores(guesses, test.spans)
        return {"exact": exact, "f1": f1}

    def baseline(chosen: list[int]) -> dict[str, float]:
        return known_types([train.items[i] for i in chosen], test.items)

    def loss(model: nn.Module, rows: Rows) -> Tensor:
        ids, context, spans = rows
        logits = model(ids, visible_mask(ids), context)  # (B, 2, T)
        return F.cross_entropy(logits.flatten(0, 1), spans.flatten())

    return DownstreamTask(
        "questions", train[:3], test[:3], lambda e, f: SpanExtractor(e, f), loss, scores, baseline
    )


@torch.no_grad()
def predict(model: nn.Module, ids: Tensor, *more: Tensor, batch_size: int = 64) -> Tensor:
    """A model's logits for all rows, in batches, without dropout."""
    model.eval()
    parts = [part.split(batch_size) for part in (ids, *more)]
    return torch.cat([model(b[0], visible_mask(b[0]), *b[1:]) for b in zip(*parts, strict=True)])


def tag_scores(guesses: Tensor, labels: Tensor) -> dict[str, float]:
    """Entity scores, and the share of right tags, from guesses and labels (N, T)."""
    asked = labels != -100
    spelled = [
        [
            [labelled.TAGS[i] for i in row[where].tolist()]
            for row, where in zip(x, asked, strict=True)
        ]
        for x in (guesses, labels)
    ]
    right = (guesses == labels)[asked].double().mean().item()
    return {"accuracy": right, **evaluation.entity_scores(*spelled)._asdict()}


def bag_of_words(
    train: Sequence[labelled.Message], test: Sequence[labelled.Message]
) -> dict[str, float]:
    """Logistic regression on words and pairs of neighbouring words, weighted by rarity."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=1000),
    )
    model.fit([item.text for item in train], [labelled.KINDS.index(item.kind) for item in train])
    guesses = torch.tensor(model.predict([item.text for item in test]))
    actual = torch.tensor([labelled.KINDS.index(item.kind) for item in test])
    return evaluation.classification_scores(evaluation.confusion(guesses, actual, 2))._asdict()


def words_nearby(
    train: Sequence[labelled.Tagged], test: Sequence[labelled.Tagged]
) -> dict[str, float]:
    """Logistic regression on a word and the two on either side, in lower case."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(DictVectorizer(), LogisticRegression(C=10, max_iter=300))
    model.fit([x for item in train for x in _features(item)], [t for i in train for t in i.tags])
    spelled = [list(model.predict(_features(item))) for item in test]
    right = sum(a == b for x, i in zip(spelled, test, strict=True)
                for a, b in zip(x, i.tags, strict=True))  # fmt: skip
    entity = evaluation.entity_scores(spelled, [item.tags for item in test])
    return {"accuracy": right / sum(len(item.tags) for item in test), **entity._asdict()}


def _features(item: labelled.Tagged) -> list[dict[str, int]]:
    words = ["<", "<", *(word.lower() for word in item.words), ">", ">"]
    return [{f"{k} {words[i + k]}": 1 for k in range(5)} for i in range(len(item.words))]


def known_types(
    train: Sequence[labelled.SpanQuestion], test: Sequence[labelled.SpanQuestion]
) -> dict[str, float]:
    """The longest type known from the labels that follows a mention of the parameter's name."""
    known = Counter(item.answer for item in train)
    guesses = torch.tensor([_known_type(item, known) for item in test])  # (N, 2) characters
    actual = torch.tensor([(item.start, item.end) for item in test])
    to_last = torch.tensor([0, -1])  # from the place behind the last to the last
    exact, f1 = evaluation.answer_scores(guesses + to_last, actual + to_last)
    return {"exact": exact, "f1": f1}


def _known_type(item: labelled.SpanQuestion, known: Iterable[str]) -> tuple[int, int]:
    """Where it stands; else the one word behind the first mention."""
    name = item.question.removeprefix("What type is ").removesuffix("?")
    text = f" {item.context} "
    places = [i for i in range(len(text)) if text.startswith(f" {name} ", i)]
    matches = [
        (len(kind), at + len(name) + 1)
        for at in places
        for kind in known
        if text.startswith(f"{kind} ", at + len(name) + 2)
    ]
    if matches:
        size, start = max(matches)
        return start, start + size
    start = places[0] + len(name) + 1 if places else 0
    return start, start + len(text[start + 1 :].split()[0])


def _balanced(items: Sequence[labelled.Message]) -> list[labelled.Message]:
    """As many errors as warnings, in an order that depends on the items alone."""
    shuffled = random.Random(0).sample(sorted(items), len(items))
    kinds = [[item for item in shuffled if item.kind == kind] for kind in labelled.KINDS]
    return [item for pair in zip(*kinds) for item in pair]  # noqa: B905
