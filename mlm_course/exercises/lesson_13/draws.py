"""Drawing an integer, which several exercises of the lesson do."""

import torch


def whole(g: torch.Generator, low: int, high: int) -> int:
    """An integer from low to high - 1."""
    return int(torch.randint(low, high, (1,), generator=g))
