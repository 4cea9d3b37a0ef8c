"""Models on disk: one safetensors file that holds the weights and the sizes to build them into."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save, save_file
from torch import Tensor, nn

from mlm_course.models.encoder import (
    BlockStack,
    Encoder,
    EncoderConfig,
    StackConfig,
    check_own_names,
)
from mlm_course.models.heads import SequenceClassifier, SpanExtractor, TokenClassifier
from mlm_course.models.image_mae import ImageMAE, ImageMAEConfig
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.modern import ModernConfig, ModernEncoder, ModernMaskedLM
from mlm_course.models.seq2seq import Seq2Seq, Seq2SeqConfig
from mlm_course.models.text_mae import RetroMAE, TextMAE, TextMAEConfig
from mlm_course.text_files import checked_path

_KINDS: Mapping[str, tuple[type[nn.Module], type[Any]]] = {
    "BlockStack": (BlockStack, StackConfig),
    "Encoder": (Encoder, EncoderConfig),
    "MaskedLM": (MaskedLM, EncoderConfig),
    "ModernEncoder": (ModernEncoder, ModernConfig),
    "ModernMaskedLM": (ModernMaskedLM, ModernConfig),
    "ImageMAE": (ImageMAE, ImageMAEConfig),
    "TextMAE": (TextMAE, TextMAEConfig),
    "RetroMAE": (RetroMAE, EncoderConfig),
    "Seq2Seq": (Seq2Seq, Seq2SeqConfig),
}
_HEADS: Mapping[str, Callable[..., nn.Module]] = {
    "SequenceClassifier": SequenceClassifier,
    "TokenClassifier": TokenClassifier,
    "SpanExtractor": SpanExtractor,
}


def save_model(model: nn.Module, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """A model of this course as a safetensors file; torch.float16 halves its size.

    What torch.compile or DataParallel wrapped is unwrapped, a missing folder made. The file is
    written beside its place and then moved there: an interrupted save leaves the old file as it was.
    Errors: TypeError for another model, or a dtype without fractions; ValueError for weights that
    `load_model` could not read; OSError if the file cannot be written, or is a folder, device or pipe.
    """
    path = checked_path(path, "model.safetensors")
    weights, about = _contents(model, dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        save_file(weights, unfinished, metadata=about)
        unfinished.chmod(0o644)  # safetensors lets nobody else read it
        unfinished.replace(path)
    except SafetensorError as error:
        raise _as_os_error(error, path) from None
    finally:
        unfinished.unlink(missing_ok=True)


def model_bytes(model: nn.Module, dtype: torch.dtype = torch.float32) -> bytes:
    """What `save_model` writes, in memory. Errors: TypeError and ValueError as there."""
    weights, about = _contents(model, dtype)
    return save(weights, metadata=about)


def _contents(model: nn.Module, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights by name in a dtype, and what `load_model` needs to know of them."""
    model = _unwrapped(model)
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype must be one of fractions, such as torch.float16, not {dtype!r}.")
    sizes = _sizes(model)
    weights = {k: _stored(k, value, dtype) for k, value in model.state_dict().items()}
    name = type(model).__name__
    check_own_names(weights, _built(name, sizes))
    return weights, {"model": name, "config": json.dumps(sizes)}


def _as_os_error(error: SafetensorError, path: Path) -> OSError:
    """What safetensors says of the system, "... (os error 28)", with Python's number."""
    number = re.search(r"os error (\d+)", str(error))
    problem = OSError(f"{path} could not be written: {error}.")
    problem.errno = int(number[1]) if number else None
    return problem


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, out of torch.compile, DataParallel and DistributedDataParallel."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(inside := getattr(model, "_orig_mod", None), nn.Module):
            model = inside
        else:
            return model


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy of a weight in another dtype. Errors: ValueError if it is too large for that."""
    stored = value.detach().to("cpu", dtype, copy=True).contiguous()
    if stored.isinf().any() and not value.isinf().any():
        raise ValueError(
            f"{name} holds numbers that are too large for {dtype}: save it in float32."
        )
    return stored


def _sizes(model: Any) -> dict[str, Any]:
    """What `_built` needs to build such a model. Errors: TypeError."""
    name = type(model).__name__
    if type(model) is _HEADS.get(name):
        sizes = {"encoder": asdict(model.encoder.config), "frozen": model.frozen}
        more = {} if name == "SpanExtractor" else {"n_outputs": model.output.out_features}
        return {**sizes, **more}
    kind, config = _KINDS.get(name, (None, None))
    if config is None or type(model) is not kind or not isinstance(model.config, config):
        raise TypeError(f"Only {', '.join([*_KINDS, *_HEADS])} can be saved, not {name}.")
    return asdict(model.config)


def _built(name: str, sizes: Mapping[str, Any]) -> nn.Module:
    """A fresh model of such sizes; torch's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):  # a meta device would import torch's compiler, 2 s
        if name in _HEADS:
            encoder = Encoder(EncoderConfig(**sizes["encoder"]))
            return _HEADS[name](encoder, **{k: v for k, v in sizes.items() if k != "encoder"})
        kind, config = _KINDS[name]
        return kind(config(**sizes))


def load_model(path: str | Path) -> nn.Module:
    """The model that `save_model` wrote, in float32, in evaluation mode.

    Errors: FileNotFoundError, or OSError for a folder, device or pipe; ValueError if the file is
    damaged or was written by something else.
    """
    path = checked_path(path, "model.safetensors")
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {path}.")
    path.open("rb").close()  # a file that may not be read is not damaged
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is damaged or no model file: {error}.") from None
    return _filled(path, about, weights)


def _filled(path: Path, about: Mapping[str, str], weights: Mapping[str, Tensor]) -> nn.Module:
    name = about.get("model", "")
    if name not in _KINDS and name not in _HEADS:
        raise ValueError(
            f"{path} was not written by this course's save_model. "
            "(Published weights: bert_from_hub, bert_encoder_from_hub, modernbert_from_hub, "
            "vit_mae_from_hub.)"
        )
    try:
        model = _built(name, json.loads(about["config"]))
        model.load_state_dict(weights, assign=True)
    except RuntimeError:  # PyTorch lists every weight, a line each
        raise ValueError(
            f"{path} does not fit this version of the course: its weights have other names or sizes."
        ) from None
    except Exception as error:  # sizes from a file may be anything
        raise ValueError(
            f"{path} does not fit this version of the course: {type(error).__name__}, {error}."
        ) from None
    return model.eval()
