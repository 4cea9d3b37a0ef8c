"""The masked diffusion model of docstrings that comes with the course. Lesson 12.

The rival of `docs_twins`, trained for LONGER times its steps, so with some sentences read several
times; at the learning rate that it chose there. One training, with one seed: nothing is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mlm_course.experiments.docs_twins import (
    DIFFUSION,
    RECIPE,
    bound_of,
    build,
    data_of,
    length_nll,
    n_pieces,
    nats_a_piece,
    sentences,
)
from mlm_course.models import MaskedLM, load_pretrained
from mlm_course.models.pretrained import save_pretrained
from mlm_course.results import training_record
from mlm_course.training import diffusion_loss, fit

LONGER = 4
LONG_RECIPE = replace(RECIPE, steps=LONGER * RECIPE.steps)


def evaluator() -> Callable[[nn.Module], dict[str, float]]:
    """evaluate(model) for `fit`: the bound of the sentences that learning rates are chosen by, nats a piece."""
    rows, train = sentences().choosing, sentences().train
    of_lengths = length_nll(rows, train).sum().item()

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"loss": (bound_of(model, rows, 0) + of_lengths) / n_pieces(rows).sum().item()}

    return evaluate


def run(folder: str | Path = "runs/docs_diffusion", display: Any = None) -> dict[str, Any]:
    """Trains the model, stores it with its tokenizer among the checkpoints; its record."""
    torch.set_num_threads(1)
    model, data = build(), data_of(DIFFUSION, seed=0)
    history = fit(
        model, data, diffusion_loss, LONG_RECIPE, evaluate=evaluator(), evaluate_every=1000,
        folder=folder, save_every=250, display=display,
    )  # fmt: skip
    return shipped(model, history)


def shipped(model: MaskedLM, history: Any) -> dict[str, Any]:
    """The model put among the checkpoints, and what its record says."""
    _, tokenizer = load_pretrained("python_docs")
    save_pretrained("docs_diffusion", model, tokenizer)
    training = training_record(model, LONG_RECIPE, 0.5, history)  # the mean share; n ~ U{1..N}
    return {
        "sentences": {name: len(rows) for name, rows in sentences()._asdict().items()},
        "minutes": training["training_minutes"],  # of all calls, if it was gone on with
        **training,
        "test": nats_a_piece(DIFFUSION, load_pretrained("docs_diffusion")[0], sentences().test),
    }
