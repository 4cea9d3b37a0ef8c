"""Which parameter of a list is a switch, a whole number, a function: who finds it? Lesson 8.

Readers are fine-tuned on the same questions under a SpanExtractor: the shipped encoder, one of the same
sizes with random weights, a published one (all-MiniLM-L6-v2). Each has the learning rate, of three, that
does best on questions from training modules after fewer steps, and five seeds. The shipped one is also
trained without the question, once. Beside them rules and simple models; these choose among four
parameters, so where a name stands they need not learn.

Tested on modules that pretraining held out and on packages that it never read. No module, no description
and no name that is an answer is on both sides, and no description that is asked for stands in any module
that was read. A score is written down when it is there: after an interruption the same command goes on.
"""

from __future__ import annotations

import hashlib
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course import evaluation
from mlm_course.attention import visible_mask
from mlm_course.corpora import labelled, python_docs
from mlm_course.corpora.labelled import SpanQuestion
from mlm_course.corpora.labelled_rows import EncodedQuestions, encode_in_one_text
from mlm_course.corpora.questions import choices, parameter_questions, split_by_answer
from mlm_course.experiments import _fine_tuning
from mlm_course.experiments import python_docs as pretraining
from mlm_course.experiments._scores import ScoreFile
from mlm_course.models.encoder import Encoder, seeded_init
from mlm_course.models.heads import SpanExtractor, best_spans
from mlm_course.models.minilm import load_minilm
from mlm_course.models.pretrained import load_pretrained
from mlm_course.results.comparison import FEWEST, compare, mean_interval

PACKAGES = ("numpy", "scipy", "sklearn", "matplotlib", "torch")
MORE = ("pandas", "networkx")  # to train on only
NEW_PACKAGES = (
    "rich",
    "tqdm",
    "jupyter_client",
    "psygnal",
    "contourpy",
)  # no pretraining read them
VALID_SHARE = 0.15  # of the training modules, to choose learning rates on
SEEDS = 5
STEPS, TUNING_STEPS, BATCH_SIZE, LENGTH = 220, 140, 16, 128
LONGEST = 8  # tokens of an answer
FACTORS = (0.5, 1.0, 2.0)  # of a reader's usual learning rate
FOLDER = Path("runs/answering")

Picks = list[int]  # which parameter of each text


class Reader(NamedTuple):
    """Weights to start from, by seed, with their tokenizer and usual learning rate."""

    encoder: Callable[[int], Encoder]
    tokenizer: Tokenizer
    lr: float
    sees_question: bool = True


class Questions(NamedTuple):
    """Questions to train on, to choose a learning rate on (with what to train on then), to test on."""

    train: list[SpanQuestion]
    tuning: list[SpanQuestion]
    valid: list[SpanQuestion]
    test: list[SpanQuestion]


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """The whole experiment with the shipped checkpoint: a record that goes into JSON."""
    return measure(readers(), read_questions(), Path(folder))


def readers() -> dict[str, Reader]:
    """The four that are fine-tuned."""
    model, tokenizer = load_pretrained("python_docs")
    published, their_tokenizer = load_minilm()
    config = model.encoder.config
    return {
        "pretrained": Reader(lambda seed: model.encoder, tokenizer, 1e-3),
        "random": Reader(lambda seed: seeded_init(Encoder, config, seed), tokenizer, 1e-3),
        "published": Reader(lambda seed: published, their_tokenizer, 2e-4),
        "no question": Reader(lambda seed: model.encoder, tokenizer, 1e-3, sees_question=False),
    }


def read_questions(
    packages: Sequence[str] = (*PACKAGES, *MORE), new_packages: Sequence[str] = NEW_PACKAGES
) -> Questions:
    """Questions of all packages, split by module."""
    items, new = parameter_questions(packages), parameter_questions(new_packages)
    held_out = pretraining.unread_modules() | {item.module for item in new}
    train, test = split_by_answer(items + new, held_out)
    answers = [python_docs.Docstring(i.module, "", choices(i)[i.answer]) for i in test]
    unread = set(labelled.not_said_elsewhere(answers, packages, own=held_out))
    test = [item for item, text in zip(test, answers, strict=True) if text in unread]
    modules = {item.module for item in train}
    chosen = {m for m in modules if zlib.crc32(m.encode()) < VALID_SHARE * 2**32}
    return Questions(train, *split_by_answer(train, chosen), test)


def measure(
    by_name: dict[str, Reader],
    questions: Questions,
    folder: Path,
    steps: int = STEPS,
    tuning_steps: int = TUNING_STEPS,
    seeds: int = SEEDS,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Scores of all readers and of the rivals, and how far readers are apart.

    The reader without question is trained once, with the learning rate of "pretrained".
    """
    others = "other weights, questions or settings"
    done = ScoreFile(folder, _fingerprint(by_name, questions, steps, tuning_steps), others)

    def score(name: str, label: str, *setting: Any) -> dict[str, Any]:
        key = f"{name}, {label}"
        if key not in done.scores:
            began = time.perf_counter()
            done.add(key, _score(by_name[name], *setting), time.perf_counter() - began)
            say(f"{key}: exact match {done.scores[key]['exact']:.3f}")
        return done.scores[key]

    rates: dict[str, float] = {}
    scores: dict[str, list[dict[str, Any]]] = {}
    for name, reader in by_name.items():
        grid = [factor * reader.lr for factor in FACTORS if reader.sees_question]
        exact = {
            lr: score(name, f"lr {lr:g}", questions.tuning, questions.valid, tuning_steps, lr, 100)
            for lr in grid
        }
        rates[name] = max(grid, key=lambda lr: exact[lr]["exact"]) if grid else rates["pretrained"]
        scores[name] = [
            score(name, f"seed {s}", questions.train, questions.test, steps, rates[name], s)
            for s in range(seeds if reader.sees_question else 1)
        ]
    return {
        "questions": {side: len(items) for side, items in questions._asdict().items()},
        "test_modules": sorted({item.module for item in questions.test}),
        "minutes": done.minutes,
        "packages": [*PACKAGES, *MORE, *NEW_PACKAGES],
        "steps": steps,
        "tuning_steps": tuning_steps,
        "batch_size": BATCH_SIZE,
        "learning_rates": {
            name: {"tried": [f * r.lr for f in FACTORS if r.sees_question], "chosen": rates[name]}
            for name, r in by_name.items()
        },
        "scores": scores,
        "rivals": {
            name: _share_right(picks, questions.test)
            for name, picks in simple_rivals(questions).items()
        },
        "differences": list(_differences(scores)),
    }


def _fingerprint(by_name: dict[str, Reader], questions: Questions, *steps: int) -> str:
    """What scores depend on: weights, questions, settings."""
    digest = hashlib.sha256(repr((questions, steps, BATCH_SIZE, LENGTH)).encode())
    for name, reader in by_name.items():
        encoder = reader.encoder(0)
        total = sum(p.detach().double().abs().sum().item() for p in encoder.parameters())
        digest.update(repr((name, asdict(encoder.config), total, reader.lr)).encode())
    return digest.hexdigest()[:16]


def _score(
    reader: Reader,
    train: Sequence[SpanQuestion],
    test: Sequence[SpanQuestion],
    steps: int,
    lr: float,
    seed: int,
) -> dict[str, Any]:
    """Exact match and token F1 on the test side after fine-tuning, and which answers were right.

    A question that does not fit into LENGTH tokens counts as answered wrongly: "0" in `right`.
    """
    rows, test_rows = (encode_in_one_text(reader.tokenizer, _seen(reader, side), LENGTH)
                       for side in (train, test))  # fmt: skip
    torch.manual_seed(seed)  # of head and dropout
    head = SpanExtractor(reader.encoder(seed))
    fine_tune(head, rows, steps, lr, seed)
    spans = answer(head, test_rows)
    exact = (spans == test_rows.spans).all(1).tolist()
    fits = len(exact) / len(test)
    f1 = evaluation.answer_scores(spans, test_rows.spans)[1] * fits
    right = {(item.context, item.start): int(e)
             for item, e in zip(test_rows.items, exact, strict=True)}  # fmt: skip
    marks = [right.get((item.context, item.start), 0) for item in test]
    return {"exact": sum(marks) / len(marks), "f1": f1, "right": "".join(map(str, marks))}


def _seen(reader: Reader, items: Sequence[SpanQuestion]) -> list[SpanQuestion]:
    """The questions as a reader sees them."""
    if reader.sees_question:
        return list(items)
    return [item._replace(question="Which one is it?") for item in items]


def fine_tune(
    head: SpanExtractor, rows: EncodedQuestions, steps: int, lr: float, seed: int
) -> None:
    """Training of a head with its encoder, in place, on batches of rows of like length."""
    by_length = (rows.ids != 0).sum(1).argsort(stable=True)
    generator = torch.Generator().manual_seed(seed)
    last = max(1, len(by_length) - BATCH_SIZE + 1)

    def next_loss() -> Tensor:
        first = int(torch.randint(last, (), generator=generator))
        batch = by_length[first : first + BATCH_SIZE]
        return span_loss(head, rows.ids[batch], rows.context[batch], rows.spans[batch])

    _fine_tuning.fine_tune(head, next_loss, steps, lr, warmup=50)


def span_loss(head: nn.Module, ids: Tensor, context: Tensor, spans: Tensor) -> Tensor:
    """Cross-entropy of first and last token: ids and context (B, T), spans (B, 2)."""
    width = int((ids != 0).sum(1).max())  # no more padding than this batch needs
    logits = head(ids[:, :width], visible_mask(ids[:, :width]), context[:, :width])  # (B, 2, T)
    return F.cross_entropy(logits.flatten(0, 1), spans.flatten())


@torch.no_grad()
def answer(head: nn.Module, rows: EncodedQuestions) -> Tensor:
    """First and last token of each answer, (N, 2)."""
    parts = zip(rows.ids.split(64), rows.context.split(64), strict=True)
    return torch.cat([
        best_spans(head(ids, visible_mask(ids), context), LONGEST) for ids, context in parts
    ])  # fmt: skip


def simple_rivals(questions: Questions) -> dict[str, Picks]:
    """The parameters that rules and simple models choose in the test texts.

    At random; the first and the last; the one whose entry has most groups of letters in common with
    the question; a list of the training names, each with how often it was of that kind; regressions
    on the groups of letters of a name, and on the words of name and description; and one on these
    words without the question.
    """
    rng = random.Random(0)
    items = questions.test
    names = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return {
        "at random": [rng.randrange(len(choices(item))) for item in items],
        "first": [0 for _ in items],
        "last": [len(choices(item)) - 1 for item in items],
        "shared letters": _shared_letters(questions),
        "list of names": _known_names(questions),
        "letters of the name": _by_kind(questions, names, lambda name, _: name),
        "words of the entry": _by_kind(questions, words, _entry),
        "words without question": _asked_for(questions),
    }


def _entry(name: str, description: str) -> str:
    """A parameter as words."""
    return f"{name.replace('_', ' ')} {description}"


def _shared_letters(questions: Questions) -> Picks:
    """The entry most like the question in groups of three to five letters, weighted by rarity."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    entries = [[_entry(*entry) for entry in choices(item).items()] for item in questions.test]
    asked = [item.question for item in questions.test]
    vectorizer.fit([*asked, *(entry for text in entries for entry in text)])
    vectors = vectorizer.transform(asked)
    return [
        int((vectorizer.transform(text) @ vector.T).toarray().argmax())
        for text, vector in zip(entries, vectors, strict=True)
    ]


def _known_names(questions: Questions) -> Picks:
    """The name that was most often the answer to the same question and seldom to others."""
    right = Counter((item.answer.lower(), item.question) for item in questions.train)
    all_times = Counter(item.answer.lower() for item in questions.train)
    rng = random.Random(0)  # among names that are not on the list

    def score(name: str, question: str) -> tuple[float, float]:
        own = right[name.lower(), question]
        return own - (all_times[name.lower()] - own), rng.random()

    return [
        _best([score(name, item.question) for name in choices(item)]) for item in questions.test
    ]


def _by_kind(
    questions: Questions, vectorizer: TfidfVectorizer, text_of: Callable[[str, str], str]
) -> Picks:
    """The parameter most probably of the kind that is asked for, by a regression on its text."""
    texts = [text_of(item.answer, choices(item)[item.answer]) for item in questions.train]
    model = make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=500))
    model.fit(texts, [item.question for item in questions.train])
    columns = {question: i for i, question in enumerate(model.classes_)}
    return [
        int(
            model.predict_proba([text_of(*entry) for entry in choices(item).items()])[
                :, columns[item.question]
            ].argmax()
        )
        for item in questions.test
    ]


def _asked_for(questions: Questions) -> Picks:
    """The parameter most like those that are asked for, whatever the question."""
    pairs = [
        (_entry(*entry), entry[0] == item.answer)
        for item in questions.train
        for entry in choices(item).items()
    ]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=500))
    model.fit(*zip(*pairs, strict=True))
    return [
        int(model.decision_function([_entry(*entry) for entry in choices(item).items()]).argmax())
        for item in questions.test
    ]


def _best(scores: Sequence[Any]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def _share_right(picks: Picks, items: Sequence[SpanQuestion]) -> float:
    right = [
        list(choices(item))[pick] == item.answer for pick, item in zip(picks, items, strict=True)
    ]
    return sum(right) / len(right)


def _differences(scores: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """How far the pretrained reader is ahead: over seeds, and over questions for the first seed."""
    enough = {name for name, rows in scores.items() if len(rows) >= FEWEST}
    for other in sorted(enough - {"pretrained"}):
        sides = scores["pretrained"], scores[other]
        for metric in ("exact", "f1"):
            ours, theirs = ([row[metric] for row in side] for side in sides)
            yield {"metric": metric, "other": other, **compare(ours, theirs)._asdict()}
        ours, theirs = ([int(mark) for mark in side[0]["right"]] for side in sides)
        over_questions = mean_interval([a - b for a, b in zip(ours, theirs, strict=True)])
        yield {"metric": "exact, by question", "other": other, **over_questions._asdict()}
