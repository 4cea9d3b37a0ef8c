"""Published weights: what our parts are called in other people's files, and where to get the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

Config = TypeVar("Config")
Model = TypeVar("Model", bound=nn.Module)


class Translation(NamedTuple):
    """What our parts are called in the files of a published model.

    publisher: the model's name, for sentences. names: our names and theirs; # is a block's number,
    and weight or bias follows where a part has both.
    """

    publisher: str
    names: Mapping[str, str]

    def ours(self, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Copies of their weights under our names, in float32. Errors: ValueError, unknown names."""
        unknown = sorted(name for name in theirs if self.our_name(name) == name)
        if unknown:
            raise ValueError(f"{self.publisher} has no weights called {few(unknown)}.")
        return {
            self.our_name(name): value.detach().float().clone() for name, value in theirs.items()
        }

    def our_name(self, theirs: str) -> str:
        """Our name of one of their weights, or the name itself if it is none."""
        for ours, published in self.names.items():
            pattern = re.escape(published).replace(r"\#", r"(\d+)") + r"(\.weight|\.bias)?"
            found = re.fullmatch(pattern, theirs)
            if found:
                *number, ending = found.groups()
                return ours.replace("#", "".join(number)) + (ending or "")
        return theirs

    def their_name(self, ours: str) -> str:
        """Their name of one of our weights."""
        number = "".join(re.findall(r"\.(\d+)\.", ours))
        general = re.sub(r"\.\d+\.", ".#.", ours)
        part, dot, ending = general.rpartition(".")
        name = self.names.get(general) or self.names.get(part, part) + dot + ending
        return name.replace("#", number)

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
        return few([self.their_name(name) for name in ours])


def few(names: Sequence[str]) -> str:
    """The first three names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def number_of_blocks(ours: Mapping[str, Tensor], stack: str) -> int:
    """How many blocks a stack ("encoder", "decoder") has, at least 1, by our names of its weights."""
    found = {name.split(".")[2] for name in ours if name.startswith(f"{stack}.blocks.")}
    return max((int(number) for number in found), default=0) + 1


def check_heads(n_heads: int, d_model: int, name: str = "n_heads") -> None:
    """ValueError unless each head gets equally many numbers of a vector."""
    if n_heads < 1 or d_model % n_heads:
        raise ValueError(f"{n_heads} heads cannot share {d_model} numbers evenly: check {name}.")
