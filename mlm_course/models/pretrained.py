"""The trained models that come with the course."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from torch import nn

from mlm_course import tokenization
from mlm_course.models.storage import load_model, save_model
from mlm_course.text_files import read_json, write_text

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"


def save_pretrained(
    name: str, model: nn.Module, tokenizer: Tokenizer | Sequence[str] | None = None
) -> None:
    """A trained model, in half precision, and its tokenizer put among those that come with the course.

    name: letters, digits and underscores. model: any that `save_model` takes. tokenizer: or, for a
    language that is made of words, the list of these by id; None for a model of images.
    """
    if not re.fullmatch(r"\w+", name):
        raise ValueError(f"A name is made of letters, digits and underscores, not {name!r}.")
    if isinstance(tokenizer, str):
        raise TypeError("tokenizer must be a Tokenizer or the list of words, not one text.")
    place = CHECKPOINTS / name
    save_model(model, place / "model.safetensors", torch.float16)
    _save_vocabulary(tokenizer, place / "tokenizer.json", place / "words.json")


def _save_vocabulary(
    tokenizer: Tokenizer | Sequence[str] | None, tokenizer_file: Path, words_file: Path
) -> None:
    """One of the two files, or none; what an earlier model left of the other goes."""
    if isinstance(tokenizer, Tokenizer):
        tokenization.save(tokenizer, tokenizer_file)
    elif tokenizer is not None:
        write_text(words_file, json.dumps(list(tokenizer), ensure_ascii=False) + "\n")
    if not isinstance(tokenizer, Tokenizer):
        tokenizer_file.unlink(missing_ok=True)
    if isinstance(tokenizer, Tokenizer) or tokenizer is None:
        words_file.unlink(missing_ok=True)


def load_pretrained(name: str) -> tuple[Any, Any]:
    """A trained model, in evaluation mode, and its tokenizer; or its words, a tuple (tinyworld).

    name: a folder of mlm_course/checkpoints, such as "python_docs", "tinyworld", "diffusion",
    "docs_diffusion" (masked language models), "cheques_distilled", "payments" (Seq2Seq), "mnist_mae"
    (ImageMAE). How each was trained is recorded in mlm_course/results; `python -m mlm_course experiment
    NAME` trains it again. Raises ValueError for an unknown name.
    """
    known = sorted(path.parent.name for path in CHECKPOINTS.glob("*/model.safetensors"))
    name = str(name)
    if name not in known:
        raise ValueError(f'There is no trained model "{name}"; there are {", ".join(known)}.')
    place = CHECKPOINTS / name
    model = load_model(place / "model.safetensors")
    if (place / "tokenizer.json").exists():
        return model, tokenization.load(place / "tokenizer.json")
    words = place / "words.json"
    return model, tuple(read_json(words)) if words.exists() else ()


def checkpoint_of(model: nn.Module) -> str:
    """Name of the trained model of the course that has a model's weights; "" if none has them."""
    weights = model.state_dict()
    for path in sorted(CHECKPOINTS.glob("*/model.safetensors")):
        with safe_open(path, "pt") as file:
            alike = set(file.keys()) == set(weights) and all(
                torch.equal(file.get_tensor(name).float(), weights[name].cpu().float())
                for name in weights
            )
        if alike:
            return path.parent.name
    return ""
