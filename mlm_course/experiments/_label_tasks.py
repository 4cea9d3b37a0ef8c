"""Three tasks with labels, and what came of an answer: the data of experiment `few_labels`.

Each has three sides of whole modules. test: modules that the pretraining held out come first, and
others only until there is enough. valid: what settings are chosen on and temperatures fitted to.
pool: what a draw takes its labels from.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from mlm_course import evaluation
from mlm_course.corpora import labelled, labelled_rows
from mlm_course.corpora.labelled import Message, Tagged
from mlm_course.corpora.labelled_rows import Encoded
from mlm_course.experiments import python_docs as pretraining

PACKAGES = ("numpy", "scipy", "sklearn", "matplotlib", "torch")
TAGGED = ("numpy", "scipy", "sklearn")
SIDES = ("pool", "valid", "test")
LENGTH = 128  # tokens
BINS = 10  # of confidence


@dataclass(frozen=True)
class LabelTask:
    """A classification of messages, or of the words of sentences (tagging).

    items: by side. counts: with how many labelled items rivals learn. unread: modules that the
    pretraining has not read. A unit is what gets an answer: a message, or a word.
    """

    name: str
    kinds: tuple[str, ...]
    items: Mapping[str, Sequence[Any]]
    counts: tuple[int, ...]
    unread: frozenset[str]

    @property
    def is_tagging(self) -> bool:
        return self.kinds == labelled.TAGS

    @property
    def metric(self) -> str:
        return "f1" if self.is_tagging else "accuracy"

    def labels(self, side: str) -> Tensor:
        """The class of each unit, (n_units,)."""
        kinds = [k for i in self.items[side] for k in (i.tags if self.is_tagging else [i.kind])]
        return torch.tensor([self.kinds.index(kind) for kind in kinds])

    def sizes(self, side: str) -> list[int]:
        """How many units each item has."""
        return [len(item.tags) if self.is_tagging else 1 for item in self.items[side]]

    def units(self, chosen: Sequence[int]) -> Tensor:
        """The units of some items of the pool."""
        sizes = self.sizes("pool")
        first = np.cumsum([0, *sizes])
        return torch.cat([torch.arange(first[i], first[i] + sizes[i]) for i in chosen])

    def draw(self, n: int, seed: int) -> list[int]:
        """n items of the pool in random order; of messages as many of each kind."""
        pool = self.items["pool"]
        if self.is_tagging:
            return random.Random(seed).sample(range(len(pool)), min(n, len(pool)))
        return labelled.draw_balanced(pool, n, seed)

    def encode(self, tokenizer: Tokenizer, side: str, length: int = LENGTH) -> Encoded:
        """Rows of ids (N, T), T at most length, and labels, (N,) or (N, T)."""
        if self.is_tagging:
            return labelled_rows.encode_tagged(tokenizer, self.items[side], length)
        return labelled_rows.encode_messages(tokenizer, self.items[side], length, self.kinds)

    def scores(self, logits: Mapping[str, Tensor]) -> dict[str, Any]:
        """What came of answers (n_units, C) to the units of both "valid" and "test"."""
        labels = self.labels("test")
        if self.is_tagging:
            spelled = [self._spelled(classes) for classes in (logits["test"].argmax(-1), labels)]
            return {"f1": evaluation.entity_scores(*spelled).f1}
        right = logits["test"].argmax(-1) == labels
        scores = {"accuracy": right.double().mean().item(), "unread": self._unread(right)}
        return scores | self._calibration(logits)

    def valid_score(self, logits: Mapping[str, Tensor]) -> float:
        """By what settings are chosen: the task's own metric on the valid side."""
        labels, guesses = self.labels("valid"), logits["valid"].argmax(-1)
        if self.is_tagging:
            spelled = (self._spelled(classes, "valid") for classes in (guesses, labels))
            return evaluation.entity_scores(*spelled).f1
        return (guesses == labels).double().mean().item()

    def _spelled(self, classes: Tensor, side: str = "test") -> list[list[str]]:
        rows = classes.split(self.sizes(side))
        return [[self.kinds[i] for i in row.tolist()] for row in rows]

    def _unread(self, right: Tensor) -> float:
        """The mean over kinds of the share right, in modules that the pretraining has not read."""
        shares = []
        for kind in self.kinds:
            rows = [m.kind == kind and m.module in self.unread for m in self.items["test"]]
            if any(rows):
                shares.append(right[torch.tensor(rows)].double().mean().item())
        return sum(shares) / max(len(shares), 1)

    def _calibration(self, logits: Mapping[str, Tensor]) -> dict[str, Any]:
        """Mean confidence and calibration error, before and after temperature scaling."""
        temperature = evaluation.fit_temperature(logits["valid"], self.labels("valid"))
        labels, scores = self.labels("test"), {"temperature": temperature}
        for name, divided in (("", logits["test"]), (" scaled", logits["test"] / temperature)):
            probabilities = divided.softmax(-1)
            scores[f"confidence{name}"] = probabilities.amax(-1).mean().item()
            scores[f"ece{name}"] = evaluation.calibration_error(probabilities, labels, BINS)
            scores[f"ece by chance{name}"] = ece_by_chance(probabilities)
        return scores


def ece_by_chance(probabilities: Tensor, times: int = 20) -> float:
    """The calibration error of perfectly calibrated answers that are as sure as these (N, C).

    Above 0, because few answers fall into a bin: labels drawn from the answers themselves.
    """
    g = torch.Generator().manual_seed(0)
    labels = torch.multinomial(probabilities, times, replacement=True, generator=g)  # (N, times)
    errors = [evaluation.calibration_error(probabilities, column, BINS) for column in labels.T]
    return sum(errors) / times


def label_tasks(tokenizer: Tokenizer) -> list[LabelTask]:
    """All tasks, from the packages that are installed here."""
    unread = frozenset(pretraining.unread_modules())
    packages = labelled.package_messages(PACKAGES, unread)
    return [
        package_task(packages, unread, {"test": 100, "valid": 60, "pool": 400}),
        tag_task(labelled.tagged_sentences(TAGGED), unread, tokenizer, 300, 2500),
        *error_tasks(labelled.messages(PACKAGES), unread, {"test": 250, "valid": 120, "pool": 600}),
    ]


def package_task(
    messages: Sequence[Message], unread: frozenset[str], sizes: Mapping[str, int]
) -> LabelTask:
    """Which package does a message come from? sizes: items of each kind on each side."""
    kinds = tuple(dict.fromkeys(m.kind for m in messages))
    items = by_module(messages, unread, kinds, sizes)
    return LabelTask("packages", kinds, items, (20, 60, 180, 1500), unread)


def tag_task(
    sentences: Sequence[Tagged], unread: frozenset[str], tokenizer: Tokenizer, valid: int, pool: int
) -> LabelTask:
    """Which words are parameters, values, other code? Tested on unread modules alone."""
    texts = [item.words for item in sentences]
    encodings = tokenizer.encode_batch(texts, is_pretokenized=True)
    fits = [
        item
        for item, encoding in zip(sentences, encodings, strict=True)
        if len(encoding.ids) <= LENGTH and item.text.isascii()  # other signs may have no token
    ]
    others, held_out = labelled.split_by_held_out(fits, unread)
    test = labelled.not_said_elsewhere(held_out, TAGGED, own=unread)
    train, for_settings = labelled.split_by_held_out(others, 0.1)
    items = {"test": test, "valid": some(for_settings, valid), "pool": some(train, pool)}
    return LabelTask("tags", labelled.TAGS, items, (20, 60, 180, 1000), unread)


def error_tasks(
    messages: Sequence[Message], unread: frozenset[str], sizes: Mapping[str, int], n_words: int = 20
) -> list[LabelTask]:
    """Error or warning? And twice again, with some words taken out of all texts.

    First the words with the largest weights in a bag of words that learnt from the whole pool; then
    as many others that are as common, and have small weights.
    """
    items = by_module(messages, unread, labelled.KINDS, sizes)
    task = LabelTask("errors", labelled.KINDS, items, (20, 60, 180, 1200), unread)
    telling, others = (list(words) for words in telling_words(task.items["pool"], n_words))
    return [
        task,
        without_words(task, "errors without telling words", telling),
        without_words(task, "errors without other words", others),
    ]


def by_module(
    items: Sequence[Message],
    unread: Collection[str],
    kinds: Sequence[str],
    sizes: Mapping[str, int],
) -> dict[str, list[Message]]:
    """Sides of whole modules with `sizes` items of each kind, or as many as there are.

    Modules come in the order of a checksum, unread ones first. Each goes to the first of test, valid
    and pool that still needs one of its kinds. What is over is left out.
    """
    of_module: dict[str, list[Message]] = {}
    for item in items:
        of_module.setdefault(item.module, []).append(item)
    order = sorted(of_module, key=lambda m: (m not in unread, zlib.crc32(m.encode())))
    sides: dict[str, list[Message]] = {"test": [], "valid": [], "pool": []}
    count = {side: Counter(dict.fromkeys(kinds, 0)) for side in sides}
    for module in order:
        here = {item.kind for item in of_module[module]}
        side = next((s for s in sides if any(count[s][k] < sizes[s] for k in here)), "pool")
        sides[side] += of_module[module]
        count[side].update(item.kind for item in of_module[module])
    return {side: _capped(rows, kinds, sizes[side]) for side, rows in sides.items()}


def _capped(items: Sequence[Message], kinds: Sequence[str], most: int) -> list[Message]:
    return [m for kind in kinds for m in some([i for i in items if i.kind == kind], most)]


def some(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, always the same ones."""
    return random.Random(0).sample(list(items), min(most, len(items)))


def telling_words(pool: Sequence[Message], n: int) -> tuple[dict[str, float], dict[str, float]]:
    """Words with their weights (above 0: a warning): the n largest, and n small ones as common.

    The weights of single words in a bag of words; a word as common is one that occurs in as many
    messages, as nearly as possible, and whose weight is among the smaller half.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    bag = TfidfVectorizer(sublinear_tf=True, min_df=2)
    x = bag.fit_transform([m.text for m in pool])
    model = LogisticRegression(C=10, max_iter=1000).fit(x, [m.kind == "warning" for m in pool])
    weights = dict(zip(bag.get_feature_names_out(), model.coef_[0].tolist(), strict=True))
    count = dict(zip(weights, (x > 0).sum(0).tolist()[0], strict=True))
    order = sorted(weights, key=lambda w: -abs(weights[w]))
    telling, small = order[:n], order[len(order) // 2 :]
    others: list[str] = []
    for word in telling:
        others.append(min(set(small) - set(others), key=lambda w: (abs(count[w] - count[word]), w)))
    return {w: weights[w] for w in telling}, {w: weights[w] for w in others}


def without_words(task: LabelTask, name: str, words: Iterable[str]) -> LabelTask:
    """The same messages with some words taken out, for the largest number of labels alone."""
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.I)
    items = {
        side: [m._replace(text=" ".join(pattern.sub(" ", m.text).split()) or ".") for m in rows]
        for side, rows in task.items.items()
    }
    return replace(task, name=name, items=items, counts=task.counts[-1:])
