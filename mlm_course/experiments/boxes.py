"""What query, key and value matrices, and a second head, buy on the puzzle of the boxes. Lesson 1.

Fresh shelves in every batch; each way has the learning rate that was best for it on two seeds of its
own. right: the share of right answers on 2,000 new shelves, one number a seed. by step: the step at
which the last 20 batches had 97 % right on average, null where that never came.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention, scaled_dot_product_attention
from mlm_course.corpora.boxes import LABELS, N_DIGITS, Boxes, sample_boxes
from mlm_course.results.comparison import compared_rivals

BATCH, BOXES, D = 64, 6, 32
STEPS = {1: 200, 2: 300}  # by the number of pointers
RATES = (0.0025, 0.005, 0.01, 0.02)
TUNING, SEEDS = (100, 101), (0, 1, 2, 3, 4)


class QueryAndKey(nn.Module):
    """Attention of one head whose values are the vectors themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(D, D), nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        return scaled_dot_product_attention(self.query(x), self.key(x), x)[0]


class Mirror(nn.Module):
    """Attention of one head without matrices: a vector is query, key and value."""

    def forward(self, x: Tensor) -> Tensor:
        return scaled_dot_product_attention(x, x, x)[0]


class Shelf(nn.Module):
    """Boxes look at each other once, through some attention, and say a digit for each pointer."""

    def __init__(self, attention: nn.Module, pointers: int, deep: bool = False) -> None:
        super().__init__()
        self.label, self.digit = nn.Embedding(len(LABELS), D), nn.Embedding(N_DIGITS, D)
        self.pointers = nn.ModuleList(nn.Embedding(len(LABELS), D) for _ in range(pointers))
        self.attention = attention
        out = pointers * N_DIGITS
        network = [nn.Linear(D, 4 * D), nn.ReLU(), nn.Linear(4 * D, out)]
        self.guess = nn.Sequential(*network) if deep else nn.Linear(D, out)

    def forward(self, boxes: Boxes) -> Tensor:
        x = self.label(boxes.labels) + self.digit(boxes.digits)  # (B, S, D)
        for i, table in enumerate(self.pointers):
            x = x + table(boxes.points_to[..., i])
        return self.guess(self.attention(x)).unflatten(-1, (len(self.pointers), N_DIGITS))


WAYS: dict[int, dict[str, Callable[[], Shelf]]] = {
    1: {
        "no matrices": lambda: Shelf(Mirror(), 1),
        "query and key": lambda: Shelf(QueryAndKey(), 1),
        "query, key, value, output": lambda: Shelf(MultiHeadAttention(D, 1), 1),
    },
    2: {
        "one head": lambda: Shelf(MultiHeadAttention(D, 1), 2),
        "two heads": lambda: Shelf(MultiHeadAttention(D, 2), 2),
        "one head, then a network": lambda: Shelf(MultiHeadAttention(D, 1), 2, deep=True),
    },
}


PAIRS = {
    1: [("query and key", "no matrices"), ("query, key, value, output", "query and key")],
    2: [("two heads", "one head"), ("two heads", "one head, then a network")],
}


def share_right(logits: Tensor, boxes: Boxes) -> float:
    """The share of the digits that are right."""
    return (logits.argmax(-1) == boxes.answers).float().mean().item()


def one_run(
    build: Callable[[], Shelf], pointers: int, lr: float, seed: int, steps: int | None = None
) -> dict[str, Any]:
    """Trains one model and scores it on new shelves; the same seed means the same shelves."""
    torch.manual_seed(seed)
    g, model = torch.Generator().manual_seed(seed), build()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    shares: list[float] = []
    for _ in range(steps or STEPS[pointers]):
        boxes = sample_boxes(BATCH, BOXES, g, pointers)
        logits = model(boxes)  # (B, S, P, 10)
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 2), boxes.answers.flatten()).backward()
        optimizer.step()
        shares.append(share_right(logits, boxes))
    new = sample_boxes(2000, BOXES, torch.Generator().manual_seed(10_000 + seed), pointers)
    with torch.no_grad():
        right = share_right(model(new), new)
    by = (i for i in range(20, len(shares) + 1) if fmean(shares[i - 20 : i]) >= 0.97)
    return {"right": round(right, 4), "by step": next(by, None)}


def one_way(build: Callable[[], Shelf], pointers: int) -> dict[str, Any]:
    """The best learning rate of one way on the tuning seeds, and what comes of it on the others."""
    tuning = {
        lr: fmean(one_run(build, pointers, lr, seed)["right"] for seed in TUNING) for lr in RATES
    }
    best = max(tuning, key=tuning.__getitem__)
    runs = [one_run(build, pointers, best, seed) for seed in SEEDS]
    return {
        "parameters": sum(p.numel() for p in build().parameters()),
        "chosen": best,
        **{key: [run[key] for run in runs] for key in runs[0]},
    }


def part(ways: dict[str, dict[str, Any]], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A part of the record: the share of right answers compared, and what else is known of each way."""
    values = {name: way["right"] for name, way in ways.items()}
    others = {
        key: {name: way[key] for name, way in ways.items()}
        for key in ("parameters", "chosen", "by step")
    }
    return {**others, **compared_rivals(values, dict.fromkeys(ways, RATES), pairs)}


def run() -> dict[str, Any]:
    """All ways, paired by seed, and one head with three times the steps."""
    torch.set_num_threads(1)
    one, two = (
        {name: one_way(build, pointers) for name, build in WAYS[pointers].items()}
        for pointers in (1, 2)
    )
    longer = [
        one_run(WAYS[2]["one head"], 2, two["one head"]["chosen"], seed, 3 * STEPS[2])["right"]
        for seed in SEEDS
    ]
    return {
        "batch_size": BATCH,
        "steps": {"one pointer": STEPS[1], "two pointers": STEPS[2]},
        "one pointer": part(one, PAIRS[1]),
        "two pointers": part(two, PAIRS[2]),
        "one head for 900 steps": longer,
    }
