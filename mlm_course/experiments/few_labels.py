"""What pretraining is worth with few labels: packages, tags, errors against warnings. Lesson 8.

Rivals learn from the same labels: an encoder that is pretrained, has random weights, or was published
by others (all-MiniLM-L6-v2), each frozen under a logistic regression, fine-tuned, or with LoRA; and a
regression on words without any network. Ten draws of the labels; messages are drawn in equal numbers
of each kind, sentences as they come. A draw also seeds random weights, heads and batches. Each rival
has one setting (C, or the learning rate), chosen for each number of labels among three on the valid
side after one other draw. Networks are fine-tuned with the two numbers of labels in STEPS alone. The
test side stays the same: intervals are over draws of labels.

Each score is written down when it is there; after an interruption the same command goes on.
"""

from __future__ import annotations

import pickle
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer
from torch import Tensor

from mlm_course.experiments import _label_rivals as rivals
from mlm_course.experiments._label_tasks import (
    PACKAGES,
    SIDES,
    LabelTask,
    label_tasks,
    telling_words,
)
from mlm_course.experiments._scores import ScoreFile
from mlm_course.models.encoder import Encoder, seeded_init
from mlm_course.models.minilm import load_minilm
from mlm_course.models.pretrained import CHECKPOINTS, load_pretrained
from mlm_course.results.comparison import compare
from mlm_course.results.efficiency import label_efficiency

DRAWS = 10
TUNING = 100  # the draw on which settings are chosen
RANK = 8
# Of fine-tuning and LoRA, by number of labels: with others that takes long.
STEPS = {20: 40, 180: 120}
FOLDER = Path("runs/few_labels")


class Rival(NamedTuple):
    """Weights to start from ("" for no network), a way to learn, and three settings to choose from."""

    start: str
    way: str
    settings: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.start}, {self.way}" if self.start else self.way


WORDS = Rival("", "words", (1, 10, 100))
FROZEN = {start: Rival(start, "frozen", (0.001, 0.01, 0.1)) for start in
          ("pretrained", "random", "published")}  # fmt: skip
TUNED = [
    Rival(start, way, rates)
    for way, rates in (("fine-tuned", (3e-4, 1e-3, 3e-3)), ("LoRA", (1e-3, 3e-3, 1e-2)))
    for start in ("pretrained", "random")
]
RIVALS = {  # by task
    "packages": [WORDS, *FROZEN.values(), *TUNED],
    "tags": [WORDS, *FROZEN.values(), *TUNED],
    "errors": [WORDS, *FROZEN.values(), TUNED[0]],
    "errors without telling words": [WORDS, FROZEN["pretrained"]],
    "errors without other words": [WORDS, FROZEN["pretrained"]],
}
ONLY = {"random, LoRA": {180}}  # which shows what pretraining adds to LoRA
EFFICIENCY_OF = ("pretrained, frozen", "pretrained, fine-tuned")


class Run(NamedTuple):
    """One thing to do: a rival learns a task from n labels of a draw, with a setting."""

    task: str
    labels: int
    draw: int
    rival: str
    setting: float

    @property
    def key(self) -> str:
        return " | ".join(map(str, self))


class Laboratory:
    """Encoders with their tokenizers, tasks, and what was done already."""

    def __init__(
        self,
        encoders: dict[str, tuple[Encoder, Tokenizer]],
        tasks: Iterable[LabelTask],
        done: ScoreFile,
    ) -> None:
        self.encoders, self.tasks, self.done = encoders, {task.name: task for task in tasks}, done
        self._features: dict[str, tuple[Any, rivals.Features]] = {}  # the last ones of each start

    def start(self, name: str, draw: int) -> tuple[Encoder, Tokenizer]:
        """An encoder; the random one is new for each draw of labels, in the pretrained one's sizes."""
        if name != "random":
            return self.encoders[name]
        encoder, tokenizer = self.encoders["pretrained"]
        return seeded_init(Encoder, encoder.config, draw), tokenizer

    def features(self, task: LabelTask, name: str, draw: int) -> rivals.Features:
        """What a regression reads: vectors of an encoder, or words; worked out once for all runs."""
        wanted = task.name, draw if name == "random" else None
        if name not in self._features or self._features[name][0] != wanted:
            new = rivals.vectors(task, *self.start(name, draw)) if name else rivals.words(task)
            self._features[name] = wanted, new
        return self._features[name][1]


def run(folder: str | Path = FOLDER) -> dict[str, Any]:
    """The whole experiment, or what of it is left to do, on the shipped checkpoint; its record."""
    folder = Path(folder)
    model, tokenizer = load_pretrained("python_docs")
    done = scores_in(folder, fingerprint())  # raises before anything has taken time
    encoders = {"pretrained": (model.encoder, tokenizer), "published": load_minilm()}
    lab = Laboratory(encoders, stored_tasks(folder, tokenizer), done)
    measure(lab)
    return record(lab)


def scores_in(folder: Path, of: str) -> ScoreFile:
    """What is done already in a folder. Errors: ValueError if it is of another fingerprint."""
    return ScoreFile(folder, of, "another checkpoint or other settings")


def fingerprint() -> str:
    """What scores in a folder depend on: the checkpoint and the settings above."""
    weights = zlib.crc32((CHECKPOINTS / "python_docs" / "model.safetensors").read_bytes())
    return f"{weights} {RIVALS} {STEPS} {RANK} {TUNING}"


def stored_tasks(folder: Path, tokenizer: Tokenizer) -> list[LabelTask]:
    """The tasks, read from the packages once: that takes minutes."""
    path = folder / "tasks.pickle"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(pickle.dumps(label_tasks(tokenizer)))
        unfinished.replace(path)
    return pickle.loads(path.read_bytes())


def measure(lab: Laboratory, draws: Sequence[int] = range(DRAWS)) -> None:
    """All runs that are not done yet: settings are chosen first, then come the draws."""
    for task in lab.tasks.values():
        for draw in (TUNING, *draws):
            for each in plan(lab, task, draw):
                if each.key not in lab.done.scores:
                    began = time.perf_counter()
                    scores = outcome(lab, each)
                    lab.done.add(each.key, scores, time.perf_counter() - began)
                    print(each.key, {k: round(v, 3) for k, v in scores.items()}, flush=True)


def plan(lab: Laboratory, task: LabelTask, draw: int) -> Iterator[Run]:
    """What there is to do with one draw of a task's labels."""
    for n in task.counts:
        for rival in RIVALS[task.name]:
            if n in counts(task, rival):
                settings = rival.settings if draw == TUNING else [best_setting(lab, task, rival, n)]
                yield from (Run(task.name, n, draw, rival.name, setting) for setting in settings)


def counts(task: LabelTask, rival: Rival) -> list[int]:
    """With how many labels a rival learns a task."""
    if rival.way in ("words", "frozen"):
        return list(task.counts)
    return [n for n in task.counts if n in ONLY.get(rival.name, set(STEPS))]


def best_setting(lab: Laboratory, task: LabelTask, rival: Rival, n: int) -> float:
    """The setting that did best on the valid side; of equals the middle one, or the first."""
    by_distance = sorted(rival.settings, key=lambda s: s != rival.settings[1])
    keys = {s: Run(task.name, n, TUNING, rival.name, s).key for s in by_distance}
    return max(by_distance, key=lambda s: lab.done.scores[keys[s]]["valid"])


def outcome(lab: Laboratory, each: Run) -> dict[str, Any]:
    """What a run comes to: on the valid side if settings are being chosen, else on the test side."""
    task = lab.tasks[each.task]
    logits = answers(lab, each)
    return {"valid": task.valid_score(logits)} if each.draw == TUNING else task.scores(logits)


def answers(lab: Laboratory, each: Run) -> dict[str, Tensor]:
    """Logits for the units of valid and test."""
    task = lab.tasks[each.task]
    rival = next(r for r in RIVALS[task.name] if r.name == each.rival)
    chosen = task.draw(each.labels, each.draw)
    if rival.way in ("words", "frozen"):
        features = lab.features(task, rival.start, each.draw)
        return rivals.regression(task, features, chosen, each.setting)
    encoder, tokenizer = lab.start(rival.start, each.draw)
    steps = STEPS[each.labels]
    rank = RANK if rival.way == "LoRA" else 0
    return rivals.tuned(task, encoder, tokenizer, chosen, each.setting, steps, each.draw, rank)


def record(lab: Laboratory, draws: Sequence[int] = range(DRAWS)) -> dict[str, Any]:
    """Everything that was found, by task, rival and number of labels; lists are by draw."""
    tasks = lab.tasks.values()
    unread = {module for task in tasks for module in task.unread}
    scores = {task.name: scores_of(lab, task, draws) for task in tasks}
    return {
        "minutes": lab.done.minutes,
        "draws": len(draws),
        "steps": {str(n): steps for n, steps in STEPS.items()},
        "rank": RANK,
        "unread_modules": sorted(m for m in unread if m.split(".")[0] in PACKAGES),
        "tasks": {task.name: about(task) for task in tasks},
        "settings": {task.name: settings(lab, task) for task in tasks},
        "scores": scores,
        "ahead": {task.name: ahead(task, scores[task.name]) for task in tasks},
        "worth": {task.name: worth(task, scores[task.name]) for task in tasks},
        "falls": falls(scores),
        "words": words_about(lab),
    }


def about(task: LabelTask) -> dict[str, Any]:
    """Sizes of a task, and the modules its test side comes from."""
    sizes = {side: len(task.items[side]) for side in SIDES}
    modules = sorted({item.module for item in task.items["test"]})
    unread = sum(item.module in task.unread for item in task.items["test"])
    words = sum(len(item.text.split()) for item in task.items["test"]) / sizes["test"]
    return {
        "metric": task.metric,
        **sizes,
        "test unread": unread,
        "words of a test text": round(words, 2),
        "test_modules": modules,
    }


def settings(lab: Laboratory, task: LabelTask) -> dict[str, dict[str, float]]:
    """The setting of each rival, by number of labels."""
    return {
        rival.name: {str(n): best_setting(lab, task, rival, n) for n in counts(task, rival)}
        for rival in RIVALS[task.name]
    }


def scores_of(lab: Laboratory, task: LabelTask, draws: Sequence[int]) -> dict[str, Any]:
    """{rival: {number of labels: {metric: [a value for each draw]}}}."""

    def row(rival: Rival, n: int) -> dict[str, list[float]]:
        setting = best_setting(lab, task, rival, n)
        rows = [lab.done.scores[Run(task.name, n, d, rival.name, setting).key] for d in draws]
        names = [name for name in rows[0] if name not in ("key", "seconds")]
        return {name: [round(each[name], 4) for each in rows] for name in names}

    return {
        rival.name: {str(n): row(rival, n) for n in counts(task, rival)}
        for rival in RIVALS[task.name]
    }


def ahead(task: LabelTask, scores: dict[str, Any]) -> dict[str, dict[str, str]]:
    """How far the pretrained encoder is ahead of the others: frozen of frozen, tuned of tuned."""
    pairs = {
        f"{ours} against {theirs}": (ours, theirs)
        for ours in scores if ours.startswith("pretrained")
        for theirs in scores if ours != theirs
        and (theirs in ("words", "pretrained, frozen") or theirs.split(", ")[1] == ours.split(", ")[1])
    }  # fmt: skip
    return {
        name: {
            n: str(compare(scores[ours][n][task.metric], scores[theirs][n][task.metric]))
            for n in scores[ours]
            if n in scores[theirs]
        }
        for name, (ours, theirs) in pairs.items()
    }


def worth(task: LabelTask, scores: dict[str, Any]) -> dict[str, dict[str, str]]:
    """How many labels the others need for what the pretrained encoder does with fewer."""
    curves = {
        name: {int(n): row[task.metric] for n, row in rows.items()} for name, rows in scores.items()
    }
    if len(task.counts) == 1:
        return {}
    return {
        f"{ours} against {theirs}": {
            str(n): str(label_efficiency(curves[ours], curve, n)) for n in curves[ours]
        }
        for ours in EFFICIENCY_OF
        if ours in curves
        for theirs, curve in curves.items()
        if theirs != ours
    }


def falls(scores: dict[str, Any]) -> dict[str, str]:
    """What telling words are worth: accuracy without other words against without them."""
    ours, theirs = "errors without other words", "errors without telling words"
    if ours not in scores:
        return {}
    return {
        rival: str(compare(*(row["accuracy"] for task in (ours, theirs)
                             for row in scores[task][rival].values())))
        for rival in scores[ours]
    }  # fmt: skip


def words_about(lab: Laboratory) -> dict[str, dict[str, float]]:
    """The words that were taken out of errors and warnings, with their weights."""
    if "errors" not in lab.tasks:
        return {}
    telling, others = telling_words(lab.tasks["errors"].items["pool"], 20)
    return {
        name: {word: round(weight, 2) for word, weight in words.items()}
        for name, words in (("telling", telling), ("others", others))
    }
