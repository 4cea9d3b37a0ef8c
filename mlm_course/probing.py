"""What a model's vectors know: linear probes, and in how many directions vectors lie. Lessons 8 to 10."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import NamedTuple

import torch
from torch import Tensor

from mlm_course.attention import visible_mask
from mlm_course.contracts import check_count, check_floats, check_number
from mlm_course.corpora import tinyworld as language


def effective_rank(x: Tensor, share: float = 0.9) -> int:
    """In how many directions, the largest first, `share` of the vectors' squared lengths lies.

    x (n, D), not centred. A rank that does not count what is negligible.
    Source: Meng et al. 2023, section 2 (effective rank).
    """
    check_floats("x", x, "n D", finite=True)
    check_number("share", share, 0, 1, above=True)
    if not x.any():
        raise ValueError("x holds no vector other than zeros: those lie in no direction.")
    lengths = torch.linalg.svdvals(x.float())
    energy = (lengths / lengths[0]).square()
    reached = energy.cumsum(0) / energy.sum()
    return min(int((reached < share).sum()) + 1, len(energy))


READINGS = 4_000  # texts that probes are trained and tested on, half and half

Vectors = Callable[[Tensor, Tensor | None], Tensor]  # ids and attention mask (B, T) -> (B, T, D)


class Probe(NamedTuple):
    """A question to a vector: read at the last word of this role, what is this field?

    role "" stands for the mean of all tokens. labels: how many the probe is trained on.
    """

    role: str
    table: str
    field: str
    labels: int


class Baseline(NamedTuple):
    """The mark for a probe: how many texts test it, and the share that one answer gets right."""

    texts: int
    accuracy: float


PROBES = {
    "one person: whose name is he or she": Probe("person.subject", "person", "name", 500),
    "two people: which one is he or she": Probe("pair.second_subject", "pair", "second", 250),
    "two people: which one is him or her": Probe("pair.first_object", "pair", "first", 250),
    "the mood of the text": Probe("", "mood", "kind", 12),
    "the topic of the text": Probe("", "scene", "topic", 60),
}


@torch.no_grad()
def probe_accuracies(encoder: Vectors) -> dict[str, float]:
    """Accuracy of a linear probe for each question, on vectors of texts with nothing hidden.

    The first half of the texts is for training, from which each of four draws takes some labels.
    """
    readings = texts_to_read()
    ids = language.encode([r.words for r in readings])  # (N, T)
    x = torch.cat([encoder(rows, visible_mask(rows)) for rows in ids.split(256)])  # (N, T, D)
    return {
        name: probe_accuracy(*probe_rows(x, readings, p), p.labels) for name, p in PROBES.items()
    }


def texts_to_read() -> list[language.Reading]:
    """The texts that the probes ask about."""
    return language.sample_readings(READINGS, torch.Generator().manual_seed(50))


def majority_baselines() -> dict[str, Baseline]:
    """For each question of PROBES what one answer for all texts scores, on those of the test."""
    readings, baselines = texts_to_read(), {}
    longest = max(len(r.words) for r in readings) + 2
    nothing = torch.zeros(len(readings), longest, 1)
    for name, probe in PROBES.items():
        answers = probe_rows(nothing, readings, probe)[1]
        train, test = answers[: len(answers) // 2], answers[len(answers) // 2 :]
        common = max(sorted(set(train)), key=train.count)
        baselines[name] = Baseline(len(test), test.count(common) / len(test))
    return baselines


def probe_rows(
    x: Tensor, readings: list[language.Reading], probe: Probe
) -> tuple[Tensor, list[str]]:
    """What a probe reads in vectors (N, T, D) of texts: (m, D), and its answers."""
    vectors, answers = [], []
    for row, reading in zip(x, readings, strict=True):
        places = [i for i, role in enumerate(reading.roles) if role == probe.role]
        if probe.table in reading.latents and (places or not probe.role):
            text = row[: len(reading.words) + 2]  # [CLS] and [SEP] around the words
            vectors.append(text[places[-1] + 1] if probe.role else text.mean(0))
            answers.append(reading.latents[probe.table][probe.field])
    return torch.stack(vectors), answers


def probe_accuracy(x: Tensor, answers: list[str], labels: int, draws: int = 4) -> float:
    """Accuracy of a linear classifier on the second half of the vectors x (m, D)."""
    from sklearn.linear_model import LogisticRegression

    check_floats("x", x, "m D", finite=True)
    check_count("labels", labels, 1)
    if len(answers) != len(x):
        raise ValueError(f"There are {len(x)} vectors, but {len(answers)} answers.")
    half, right, x = len(answers) // 2, [], x.detach()
    x = (x - x[:half].mean(0)) / (x[:half].std(0) + 1e-6)
    for draw in range(draws):
        order = torch.randperm(half, generator=torch.Generator().manual_seed(draw))
        chosen = order[:labels].tolist()
        model = LogisticRegression(C=0.1, max_iter=300)
        model.fit(x[chosen].numpy(), [answers[i] for i in chosen])
        right.append(model.score(x[half:].numpy(), answers[half:]))
    return round(float(mean(right)), 4)
