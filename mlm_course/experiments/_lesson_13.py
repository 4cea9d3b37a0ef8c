"""What the measurements of lesson 13 share: batches, small models, held-out docstrings, ratios.

Times are ratios of calls that took turns, so that what else the machine does slows both. Trained
models are compared on the same held-out rows with the same masks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mlm_course import tokenization
from mlm_course.corpora import python_docs, tinyworld
from mlm_course.corruption import Corrupted, standard_masker
from mlm_course.cost import take_turns, times_as_fast
from mlm_course.evaluation import score_masked
from mlm_course.experiments import python_docs as docs
from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.results.comparison import AGAINST, compare
from mlm_course.training import Recipe, masked_lm_loss

ROUNDS = 7
STUDENT = Recipe(steps=150, batch_size=64, adamw_lr=4e-3, weight_decay=0.0, betas=(0.9, 0.95))


def seeded(seed: int) -> torch.Generator:
    """A generator."""
    return torch.Generator().manual_seed(seed)


def step_of(
    model: nn.Module, batch: Corrupted, precision: torch.dtype | None = None
) -> Callable[[], None]:
    """One forward and backward pass on a batch, as a call without arguments."""

    def step() -> None:
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            summed, _ = masked_lm_loss(model, batch)
        summed.backward()
        model.zero_grad()

    return step


def some_batch(
    vocab_size: int, rows: int = 16, length: int = 128, ratio: float = 0.25
) -> Corrupted:
    """Random ids, a share of them hidden: for times, not for learning."""
    ids = torch.randint(5, vocab_size, (rows, length), generator=seeded(0))
    return standard_masker(vocab_size, ratio)(ids, seeded(1))


def rounded_ratios(ways: dict[str, Callable[[], Any]], base: str) -> dict[str, float]:
    """How many times as fast as `base`, two decimals."""
    ratios = times_as_fast(take_turns(ways, ROUNDS), base)
    return {name: round(value, 2) for name, value in ratios.items()}


def small(n_layers: int, seed: int = 0) -> MaskedLM:
    """A small model of tinyworld."""
    size = len(tinyworld.vocabulary())
    return seeded_init(
        MaskedLM, EncoderConfig(size, 26, d_model=64, n_layers=n_layers, embedding_std=0.1), seed
    )


def docs_rows(n_train: int = 2000, n_test: int = 96) -> tuple[Tensor, Corrupted]:
    """Docstrings to train on, and held-out ones with 15 % hidden, by the shipped tokenizer."""
    tokenizer = load_pretrained("python_docs")[1]
    items = python_docs.docstrings(docs.PACKAGES)
    sides = python_docs.split_by_module(items, docs.HELD_OUT_SHARE, seed=0)
    rows = []
    for side, n in zip(sides, (n_train, n_test), strict=True):
        order = torch.randperm(len(side), generator=seeded(3)).tolist()[: 3 * n]
        ids = tokenization.encode(tokenizer, [side[i].text for i in order], special_tokens=False)
        rows.append(torch.tensor(tokenization.pack(ids, docs.LENGTH)[:-1][:n]))
    return rows[0], standard_masker(docs.VOCAB_SIZE, docs.TEST_RATIO)(rows[1], seeded(7))


def accuracy(model: nn.Module, test: Corrupted) -> float:
    """Share of hidden tokens restored, four decimals."""
    return round(score_masked(model, test, batch_size=64).accuracy, 4)


def against(
    ways: dict[str, nn.Module], name: str, base: nn.Module, test: Corrupted
) -> dict[str, dict[str, float]]:
    """How far each way is ahead of the named model in accuracy, over the rows of the test, which are the n."""
    usual = row_accuracies(base, test)
    return {
        f"{way} {AGAINST} {name}": compare(row_accuracies(model, test), usual)._asdict()
        for way, model in ways.items()
    }


@torch.no_grad()
def row_accuracies(model: nn.Module, test: Corrupted) -> list[float]:
    """The share of hidden tokens restored, row by row."""
    ids, labels, masked = test
    right = torch.zeros_like(masked)
    right[masked] = model(ids, None, masked).argmax(-1) == labels[masked]
    return (right.sum(1) / masked.sum(1)).tolist()


def answering(
    model: nn.Module, smaller: nn.Module, test: Corrupted, rows: int = 32
) -> dict[str, Callable[[], Any]]:
    """The same questions to both models."""
    ids, _, masked = (part[:rows] for part in test)

    @torch.no_grad()
    def ask(one: nn.Module) -> Tensor:
        return one(ids, None, masked)

    return {"whole": partial(ask, model), "smaller": partial(ask, smaller)}
