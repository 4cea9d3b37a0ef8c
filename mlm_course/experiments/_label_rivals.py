"""How the rivals of experiment `few_labels` learn a task: regressions, fine-tuning, LoRA."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corpora.labelled import Tagged
from mlm_course.corpora.labelled_rows import Encoded
from mlm_course.experiments import _fine_tuning
from mlm_course.experiments._label_tasks import SIDES, LabelTask
from mlm_course.models.encoder import Encoder
from mlm_course.models.heads import SequenceClassifier, TokenClassifier, mean_over_tokens
from mlm_course.models.lora import add_lora

BATCH = 16
Features = Mapping[str, Any]  # by side: a matrix with a row for each unit


@torch.no_grad()
def vectors(task: LabelTask, encoder: Encoder, tokenizer: Tokenizer) -> dict[str, Any]:
    """By side a vector for each unit: the mean of a message's tokens, or a word's first piece.

    Each dimension is divided by its spread over the units of the pool, its mean subtracted; labels
    are not needed for that.
    """
    encoder.eval()
    rows = {side: task.encode(tokenizer, side, encoder.config.max_length) for side in SIDES}
    x = {side: _units(task, side, rows[side], _reader(task, encoder)) for side in SIDES}
    mean, spread = x["pool"].mean(0), x["pool"].std(0) + 1e-6
    return {side: ((value - mean) / spread).numpy() for side, value in x.items()}


def words(task: LabelTask) -> dict[str, Any]:
    """By side a sparse row for each unit, without any network.

    For a message its words and pairs of words, weighted by rarity among the texts of the pool; for
    a word itself and the two on either side, in lower case.
    """
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import TfidfVectorizer

    if task.is_tagging:
        nearby = {s: [x for item in task.items[s] for x in neighbours(item)] for s in SIDES}
        table = DictVectorizer().fit(nearby["pool"])
        return {side: table.transform(rows) for side, rows in nearby.items()}
    texts = {side: [item.text for item in task.items[side]] for side in SIDES}
    bag = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(texts["pool"])
    return {side: bag.transform(rows) for side, rows in texts.items()}


def neighbours(item: Tagged) -> list[dict[str, int]]:
    """For each word which words stand two and one before it, there, and one and two behind it."""
    padded = ["<", "<", *(word.lower() for word in item.words), ">", ">"]
    return [{f"{k} {padded[i + k]}": 1 for k in range(5)} for i in range(len(item.words))]


def regression(
    task: LabelTask, features: Features, chosen: Sequence[int], c: float
) -> dict[str, Tensor]:
    """Logits (n_units, C) for valid and test: logistic regression on the chosen items' units."""
    from sklearn.linear_model import LogisticRegression

    units = task.units(chosen)
    labels = task.labels("pool")[units].numpy()
    model = LogisticRegression(C=c, max_iter=200).fit(features["pool"][units.numpy()], labels)
    logits = {}
    for side in SIDES[1:]:
        known = torch.tensor(model.predict_log_proba(features[side])).float()
        logits[side] = known.new_full((len(known), len(task.kinds)), -30.0)  # of a class not drawn
        logits[side][:, torch.tensor(model.classes_)] = known.clamp(min=-30)
    return logits


def tuned(
    task: LabelTask,
    encoder: Encoder,
    tokenizer: Tokenizer,
    chosen: Sequence[int],
    lr: float,
    steps: int,
    seed: int,
    rank: int = 0,
) -> dict[str, Tensor]:
    """Logits (n_units, C) for valid and test: a head and its encoder fine-tuned, or LoRA's matrices.

    rank: that of LoRA; 0 for all weights.
    """
    kind = TokenClassifier if task.is_tagging else SequenceClassifier
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = kind(encoder, len(task.kinds))
    if rank:
        add_lora(head.encoder, rank, seed=seed)
    ids, labels = task.encode(tokenizer, "pool")
    rows = torch.tensor(chosen)
    fine_tune(head, ids[rows], labels[rows], steps, lr, seed)
    return {side: predict(task, head, tokenizer, side) for side in SIDES[1:]}


def fine_tune(
    head: nn.Module, ids: Tensor, labels: Tensor, steps: int, lr: float, seed: int
) -> None:
    """Training in place on batches of rows of like length: four are cut from 64 rows drawn at random."""
    g = torch.Generator().manual_seed(seed)
    lengths = (ids != 0).sum(1)
    batches: list[Tensor] = []

    def next_loss() -> Tensor:
        if not batches:
            drawn = torch.randint(len(ids), (4 * BATCH,), generator=g)
            by_length = drawn[lengths[drawn].argsort()].split(BATCH)
            batches.extend(by_length[i] for i in torch.randperm(4, generator=g))
        rows = batches.pop()
        width = int(lengths[rows].max())
        cut, target = ids[rows, :width], labels[rows]
        target = target[:, :width] if target.ndim == 2 else target
        return F.cross_entropy(head(cut, cut != 0).flatten(0, -2), target.flatten())

    _fine_tuning.fine_tune(head, next_loss, steps, lr, warmup=max(steps // 10, 1))


@torch.no_grad()
def predict(task: LabelTask, head: nn.Module, tokenizer: Tokenizer, side: str) -> Tensor:
    """A head's logits for all units of a side, (n_units, C), without dropout."""
    head.eval()
    return _units(task, side, task.encode(tokenizer, side), lambda ids: head(ids, ids != 0))


def _reader(task: LabelTask, encoder: Encoder) -> Callable[[Tensor], Tensor]:
    """ids (B, T) -> a vector for each token, (B, T, D), or for each text, (B, D)."""

    def read(ids: Tensor) -> Tensor:
        x = encoder(ids, ids != 0)
        return x if task.is_tagging else mean_over_tokens(x, ids != 0)

    return read


def _units(task: LabelTask, side: str, rows: Encoded, answer: Callable[[Tensor], Tensor]) -> Tensor:
    """What answer(ids) says of each unit, (n_units, ...): worked out in batches of like lengths."""
    ids, labels = rows
    lengths = (ids != 0).sum(1)
    order = lengths.argsort(stable=True)
    answers: list[Tensor] = []
    for batch in order.split(64):
        answers += answer(ids[batch, : lengths[batch].max()])
    answers = [answers[i] for i in order.argsort().tolist()]
    if not task.is_tagging:
        return torch.stack(answers)
    asked = zip(answers, labels, strict=True)
    units = torch.cat([x[row[: len(x)] != -100] for x, row in asked])
    if len(units) != sum(task.sizes(side)):
        raise ValueError(
            f"Of {sum(task.sizes(side))} words {len(units)} have a token of their own."
        )
    return units
