"""Published weights: what our parts are called in other people's files, and where to get the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from mlm_course.contracts import check_count
from mlm_course.text_files import read_json
from mlm_course.tokenization import read_tokenizer

WRAPPERS = r"(module\.|_orig_mod\.)+"  # DistributedDataParallel and torch.compile put it in front
Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)


class Translation(NamedTuple):
    """What our parts are called in the files of a published model.

    publisher: the model's name, for sentences. names: our names and theirs; # is a block's number,
    and weight or bias follows where a part has both. One part of ours may be several of theirs,
    "a.{x,y}": then its rows are those of a.x and, below them, those of a.y.
    """

    publisher: str
    names: Mapping[str, str]

    def ours(self, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies of their weights under our names, in float32.

        Errors: ValueError for unknown names, for whole numbers (quantized weights), and for parts
        that cannot be stacked.
        """
        unknown = sorted(name for name in theirs if self.our_name(name) == name)
        if unknown:
            raise ValueError(f"{self.publisher} has no weights called {few(unknown)}.")
        names = dict.fromkeys(self.our_name(name) for name in theirs)  # each once
        return {name: self._stacked(self.their_names(name), theirs) for name in names}

    def our_name(self, theirs: str) -> str:
        """Our name of one of their weights, or the name itself if it is none."""
        for ours, published in self.names.items():
            for name in each(published):
                pattern = re.escape(name).replace(r"\#", r"(\d+)") + r"(\.weight|\.bias)?"
                match = re.fullmatch(pattern, theirs)
                if match:
                    *number, ending = match.groups()
                    return ours.replace("#", "".join(number)) + (ending or "")
        return theirs

    def their_names(self, ours: str) -> list[str]:
        """Their names of one of our weights, in the order in which they are stacked."""
        number = "".join(re.findall(r"\.(\d+)\.", ours))
        general = re.sub(r"\.\d+\.", ".#.", ours)
        if general in self.names:
            part, ending = general, ""
        else:
            part, dot, name = general.rpartition(".")
            ending = dot + name
        published = each(self.names.get(part, part))
        return [name.replace("#", number) + ending for name in published]

    def _stacked(self, names: Sequence[str], theirs: Mapping[str, Tensor]) -> Tensor:
        """Weights of theirs, equally large, on top of one another: a copy in float32."""
        missing = [name for name in names if name not in theirs]
        if missing:
            raise ValueError(f"These weights of {self.publisher} are missing: {few(missing)}.")
        whole = [name for name in names if not theirs[name].is_floating_point()]
        if whole:
            raise ValueError(
                f"{few(whole)} must hold floating-point numbers, not {theirs[whole[0]].dtype}: take "
                "the weights from before they were quantized."
            )
        parts = [theirs[name].detach().float() for name in names]
        if any(part.shape != parts[0].shape for part in parts):
            raise ValueError(f"These weights do not all have the same shape: {few(names)}.")
        return torch.cat(torch.atleast_1d(parts))

    def find(self, ours: Mapping[str, Tensor], name: str, axes: int) -> Tensor:
        """One weight, by our name. Errors: ValueError if it is missing or has other axes."""
        if name not in ours:
            raise ValueError(f"These weights of {self.publisher} are missing: {self._few([name])}.")
        if ours[name].ndim != axes:
            raise ValueError(
                f"{self._few([name])} must have {axes} axes, not shape {tuple(ours[name].shape)}."
            )
        return ours[name]

    def build(
        self, kind: Callable[[Config], Model], config: Config, ours: Mapping[str, Tensor]
    ) -> Model:
        """The model made of the weights, in evaluation mode.

        Errors: ValueError unless every weight of the model is there, in its shape, and no other.
        """
        with torch.device("meta"):
            model = kind(config)
        self._check_complete({name: v.shape for name, v in model.state_dict().items()}, ours)
        model.load_state_dict(ours, assign=True)
        return model.eval()

    def _check_complete(self, wanted: Mapping[str, torch.Size], ours: Mapping[str, Tensor]) -> None:
        missing = [name for name in wanted if name not in ours]
        if missing:
            raise ValueError(
                f"These weights of {self.publisher} are missing: {self._few(missing)}."
            )
        unknown = [name for name in ours if name not in wanted]
        if unknown:
            raise ValueError(f"{self.publisher} has no weights called {self._few(unknown)}.")
        wrong = [name for name in wanted if ours[name].shape != wanted[name]]
        if wrong:
            raise ValueError(
                f"These weights do not have the shape that the others ask for: {self._few(wrong)}."
            )

    def _few(self, ours: Sequence[str]) -> str:
        return few([name for one in ours for name in self.their_names(one)])


def each(names: str) -> list[str]:
    """The names that braces stand for: "a.{x,y}" is a.x and a.y."""
    stem, _, parts = names.partition("{")
    return [stem + part for part in parts.rstrip("}").split(",")]


def unwrapped(name: str) -> str:
    """A weight's name without what wrapped the model."""
    return re.sub(f"^{WRAPPERS}", "", name)


def few(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def number_of_blocks(ours: Mapping[str, Tensor], stack: str) -> int:
    """How many blocks a stack ("encoder", "decoder") has, at least 1, by our names of its weights."""
    numbers = {name.split(".")[2] for name in ours if name.startswith(f"{stack}.blocks.")}
    return max((int(number) for number in numbers), default=0) + 1


def check_weights(weights: Any) -> None:
    """TypeError unless these are tensors by name."""
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"The weights must be a dict of tensors, such as model.state_dict(), not "
            f"{type(weights).__name__}."
        )
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor, not {type(value).__name__}.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; nothing is ever unpickled. Errors: ValueError."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}.") from None


def read_config(
    path: Path, kind: str, plain: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """A model's config.json.

    plain: values of settings that may be left out. Errors: ValueError unless it is of such a
    model_type, with GELU, and has these values or none.
    """
    config = read_json(path)
    if not isinstance(config, dict):
        raise ValueError(f"{path} is no table of settings.")
    for name, wanted in {"model_type": kind, "hidden_act": "gelu", **plain}.items():
        value = plain.get(name) if config.get(name) is None else config[name]
        if value is None:
            raise ValueError(f"{path} lacks {name}, which has to be {wanted!r}.")
        if value != wanted:
            raise ValueError(
                f"{path} has {name} {value!r}, not {wanted!r}: it cannot be loaded here."
            )
    return config


def read_published_tokenizer(path: Path) -> Tokenizer:
    """A published tokenizer that gives every text its own ids: nothing is cut, nothing padded.

    Many files ask for both: all-MiniLM-L6-v2's makes 128 ids of any text. Errors: see
    `read_tokenizer`.
    """
    tokenizer = read_tokenizer(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def setting(
    config: Mapping[str, Any], name: str, kinds: type | tuple[type, ...], default: Any = None
) -> Any:
    """One value of a config.json. Errors: ValueError if it is missing or of another kind."""
    value = config.get(name, default)
    if value is None:
        raise ValueError(f"config.json lacks {name}.")
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise ValueError(f"{name} in config.json cannot be {value!r}.")
    return value


def check_heads(n_heads: int, d_model: int, name: str = "n_heads") -> None:
    """ValueError unless each head gets equally many numbers of a vector."""
    check_count(name, n_heads)
    if n_heads < 1 or d_model % n_heads:
        raise ValueError(f"{n_heads} heads cannot share {d_model} numbers evenly: check {name}.")
