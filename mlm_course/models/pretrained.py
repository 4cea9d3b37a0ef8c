"""The trained models that come with the course."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from mlm_course import tokenization
from mlm_course.corpora import tinyworld
from mlm_course.models.storage import load_model, save_model

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def ship(name: str, model: nn.Module, tokenizer: Tokenizer | None = None) -> None:
    """Puts a trained model, in half precision, and its tokenizer among those that come with the course."""
    place = CHECKPOINTS / name
    place.mkdir(parents=True, exist_ok=True)
    save_model(model, place / "model.safetensors", torch.float16)
    if tokenizer is not None:
        tokenization.save(tokenizer, place / "tokenizer.json")


def pretrained(name: str) -> tuple[Any, Any]:
    """A trained model, in evaluation mode, and its tokenizer; for tinyworld its words, a tuple.

    name: a folder of mlm_course/checkpoints, such as "python_docs", "tinyworld", "diffusion" (masked language
    models), "cheques_distilled" (Seq2Seq). How each was trained is recorded in mlm_course/results;
    `python -m mlm_course experiment NAME` trains it again. Raises ValueError for an unknown name.
    """
    known = sorted(path.parent.name for path in CHECKPOINTS.glob("*/model.safetensors"))
    if name not in known:
        raise ValueError(f'There is no trained model "{name}"; there are {", ".join(known)}.')
    model = load_model(CHECKPOINTS / name / "model.safetensors")
    file = CHECKPOINTS / name / "tokenizer.json"
    return model, tokenization.load(file) if file.exists() else tinyworld.vocabulary()
