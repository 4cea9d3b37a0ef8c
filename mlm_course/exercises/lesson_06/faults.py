"""The seven runs of exercise 6.7: `python -m mlm_course.exercises.lesson_06.faults` prints them."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from mlm_course.attention import visible_mask
from mlm_course.corpora import tinyworld
from mlm_course.evaluation import score_masked
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init

MOMENTS = (0, 10, 25, 50, 100, 200, 300)
FEW = 160  # sentences of the run with static masks
V = len(tinyworld.vocabulary())
CAUSES = ("nothing", "leak", "all tokens", "other model", "shuffled", "static", "large steps")


def seeded(seed: int) -> torch.Generator:
    """A generator with this seed."""
    return torch.Generator().manual_seed(seed)


def small_model() -> MaskedLM:
    """The lesson's small model."""
    config = EncoderConfig(V, max_length=26, d_model=64, n_layers=2, embedding_std=0.1)
    return seeded_init(MaskedLM, config)


def losses(cause: str, model: MaskedLM) -> Iterator[Tensor]:
    """The loss that a program with this fault minimises, batch after batch."""
    masker = tinyworld.masker(0.15)
    sentences, g = tinyworld.sample_ids(20_000, seeded(10)), seeded(11)
    fixed = masker(sentences[:FEW], seeded(5))
    while True:
        rows = torch.randint(len(sentences), (64,), generator=g)
        ids = sentences[rows]
        shown, labels, masked = masker(ids, g)
        if cause == "static":
            shown, labels, masked = (part[rows % FEW] for part in fixed)
        if cause == "leak":
            shown = ids
        if cause == "all tokens":
            labels, masked = ids, ids != 0
        targets = labels[masked]
        if cause == "shuffled":
            targets = targets[torch.randperm(len(targets), generator=g)]
        yield F.cross_entropy(model(shown, visible_mask(shown), masked), targets)


def run(cause: str) -> tuple[list[float], list[float]]:
    """Training and validation losses at some moments of a run with this fault."""
    model, validation_ids = small_model(), tinyworld.sample_ids(500, seeded(30))
    validation = tinyworld.masker(0.15)(validation_ids, seeded(31))
    trained = small_model() if cause == "other model" else model
    lr = 0.2 if cause == "large steps" else 2e-3
    optimizer = torch.optim.AdamW(trained.parameters(), lr=lr)
    training, held_out = [], []
    for step, loss in enumerate(losses(cause, model)):
        if step in MOMENTS:
            training.append(round(loss.item(), 2))
            held_out.append(round(score_masked(model, validation).loss, 2))
            model.train()
        if step == MOMENTS[-1]:
            return training, held_out
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    raise AssertionError("the batches never end")


if __name__ == "__main__":
    for cause in CAUSES:
        print(cause, *run(cause))
