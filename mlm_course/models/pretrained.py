"""The trained models that come with the course."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from mlm_course import tokenization
from mlm_course.models.storage import load_model, save_model

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def save_pretrained(name: str, model: nn.Module, tokenizer: Tokenizer | Sequence[str]) -> None:
    """A trained model, in half precision, and its tokenizer put among those that come with the course.

    tokenizer: or, for a language that is made of words, the list of these by id.
    """
    place = CHECKPOINTS / name
    place.mkdir(parents=True, exist_ok=True)
    save_model(model, place / "model.safetensors", torch.float16)
    if isinstance(tokenizer, Tokenizer):
        tokenization.save(tokenizer, place / "tokenizer.json")
    else:
        words = json.dumps(list(tokenizer), ensure_ascii=False)
        (place / "words.json").write_text(words + "\n", encoding="utf-8")


def load_pretrained(name: str) -> tuple[Any, Any]:
    """A trained model, in evaluation mode, and its tokenizer; for tinyworld its words, a tuple.

    name: a folder of mlm_course/checkpoints, such as "python_docs", "tinyworld", "diffusion" (masked language
    models), "cheques_distilled" (Seq2Seq). How each was trained is recorded in mlm_course/results;
    `python -m mlm_course experiment NAME` trains it again. Raises ValueError for an unknown name.
    """
    known = sorted(path.parent.name for path in CHECKPOINTS.glob("*/model.safetensors"))
    if name not in known:
        raise ValueError(f'There is no trained model "{name}"; there are {", ".join(known)}.')
    place = CHECKPOINTS / name
    model = load_model(place / "model.safetensors")
    if (place / "tokenizer.json").exists():
        return model, tokenization.load(place / "tokenizer.json")
    return model, tuple(json.loads((place / "words.json").read_text(encoding="utf-8")))
