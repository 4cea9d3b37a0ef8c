"""Models on disk: one safetensors file that holds the weights and the sizes to build them into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from mlm_course.models.encoder import EncoderConfig
from mlm_course.models.image_mae import ImageMAE, ImageMAEConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.seq2seq import Seq2Seq, Seq2SeqConfig
from mlm_course.models.text_mae import TextMAE, TextMAEConfig

_KINDS: Mapping[str, tuple[type[nn.Module], type[Any]]] = {
    "MaskedLM": (MaskedLM, EncoderConfig),
    "ImageMAE": (ImageMAE, ImageMAEConfig),
    "TextMAE": (TextMAE, TextMAEConfig),
    "Seq2Seq": (Seq2Seq, Seq2SeqConfig),
}


def save_model(model: nn.Module, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """A model of this course as a safetensors file; torch.float16 halves its size.

    The file is written beside its place and then moved there: an interrupted save leaves the old
    file as it was.
    """
    path = Path(path)
    name, config = type(model).__name__, getattr(model, "config", None)
    if name not in _KINDS or not isinstance(config, _KINDS[name][1]):
        raise TypeError(f"Only {', '.join(_KINDS)} can be saved, not {name}.")
    weights = {k: v.detach().to("cpu", dtype).contiguous() for k, v in model.state_dict().items()}
    about = {"model": name, "config": json.dumps(asdict(config))}
    unfinished = path.with_name(path.name + ".unfinished")
    save_file(weights, unfinished, metadata=about)
    unfinished.chmod(0o644)  # safetensors lets nobody else read it
    unfinished.replace(path)


def load_model(path: str | Path) -> nn.Module:
    """The model that `save_model` wrote, in float32, in evaluation mode.

    Errors: FileNotFoundError; ValueError if the file is damaged or was written by something else.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}.")
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no model file: {error}.") from None
    return _build(path, about, weights)


def _build(path: Path, about: dict[str, str], weights: dict[str, torch.Tensor]) -> nn.Module:
    if about.get("model") not in _KINDS:
        raise ValueError(f"{path} was not written by this course's save_model.")
    kind, config = _KINDS[about["model"]]
    try:
        sizes: dict[str, Any] = json.loads(about["config"])
        with torch.random.fork_rng(devices=[]):  # a meta device would import torch's compiler, 2 s
            model = kind(config(**sizes))
        model.load_state_dict(weights, assign=True)
    except RuntimeError:  # PyTorch lists every weight, a line each
        raise ValueError(
            f"{path} does not fit this version of the course: its weights have other names or sizes."
        ) from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not fit this version of the course: {error}.") from None
    return model.eval()
