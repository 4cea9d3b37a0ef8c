"""The training of a head on labels, as the experiments of lesson 8 do it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def fine_tune(
    head: nn.Module, loss: Callable[[], Tensor], steps: int, lr: float, warmup: int
) -> None:
    """Training in place: AdamW, with a rate that climbs for `warmup` steps and then falls to 0.

    loss: that of the next batch, worked out anew at each call.
    """
    weights = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * (1 - step / steps)
    )
    head.train()
    for _ in range(steps):
        loss().backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    head.eval()
