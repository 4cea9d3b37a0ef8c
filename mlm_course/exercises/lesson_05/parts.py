"""Parts of a network, as several exercises of the lesson take them for arguments."""

from typing import Any, TypeVar

import torch
from torch import nn

Part = TypeVar("Part", bound=nn.Module)


def randomised(module: Part, g: torch.Generator) -> Part:
    """Every parameter moved, so that a bias or a norm that is left out shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    module.requires_grad_(False)
    return module.eval()


def only_parts(module: nn.Module, parts: str) -> None:
    """Lets a module refuse to be called: its parts are to be used."""

    def forward(*_: Any, **__: Any) -> None:
        raise TypeError(f"This cannot be called here: put it together from its parts, {parts}.")

    setattr(module, "forward", forward)  # noqa: B010
