"""One task, several networks: gaps of tinyworld filled by recurrence, convolution, attention. Lesson 1.

One word in seven hidden; each network has the learning rate that was best for it on two seeds of its
own. loss: in nats, at the hidden words of 1,000 new sentences, one number a seed, the same sentences
and gaps for every network. "+ positions" adds a learned vector for the place to each word's, "+ input"
adds what went into the network to what comes out of it. The largest rate tried was the best for the
recurrent network and for attention alone.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention
from mlm_course.corpora import tinyworld
from mlm_course.results.comparison import compared_rivals

BATCH, STEPS, D = 32, 150, 32
RATES = (0.005, 0.01, 0.02)
TUNING, SEEDS = (100, 101), (0, 1, 2, 3, 4)
GAP = tinyworld.MASK


class Recurrent(nn.Module):
    """A bidirectional GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(D, D // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.gru(x)[0]


class Convolution(nn.Module):
    """A convolution over five places."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(D, D, kernel_size=5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x.mT).mT


class GapFiller(nn.Module):
    """Guesses hidden words, (B, T) ids -> logits (B, T, V), with any network in the middle."""

    def __init__(self, network: nn.Module, positions: bool = False, add: bool = False) -> None:
        super().__init__()
        n_words = len(tinyworld.vocabulary())
        self.embed, self.network, self.add = nn.Embedding(n_words, D), network, add
        self.position = nn.Embedding(64, D) if positions else None
        self.guess = nn.Linear(D, n_words)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        if self.position is not None:
            x = x + self.position.weight[: ids.shape[1]]
        heard = self.network(x)
        return self.guess(x + heard if self.add else heard)


def attention() -> nn.Module:
    return MultiHeadAttention(D, n_heads=4)


NETWORKS: dict[str, Callable[[], GapFiller]] = {
    "recurrent": lambda: GapFiller(Recurrent()),
    "convolution": lambda: GapFiller(Convolution()),
    "attention": lambda: GapFiller(attention()),
    "attention + positions": lambda: GapFiller(attention(), positions=True),
    "attention + positions + input": lambda: GapFiller(attention(), positions=True, add=True),
    "convolution + input": lambda: GapFiller(Convolution(), add=True),
}


PAIRS = [
    ("convolution", "attention"),
    ("recurrent", "attention"),
    ("attention + positions", "attention"),
    ("attention + positions + input", "attention + positions"),
    ("convolution", "attention + positions"),
    ("convolution", "attention + positions + input"),
    ("convolution + input", "attention + positions + input"),
]


def gaps(ids: Tensor, g: torch.Generator) -> Tensor:
    """Where words are hidden: one in seven, (B, T) bool."""
    return (torch.rand(ids.shape, generator=g) < 1 / 7) & (ids > GAP)


def loss_at_gaps(model: GapFiller, ids: Tensor, masked: Tensor) -> Tensor:
    """Mean cross-entropy at the hidden words."""
    return F.cross_entropy(model(ids.masked_fill(masked, GAP))[masked], ids[masked])


def one_run(build: Callable[[], GapFiller], lr: float, seed: int) -> float:
    """Trains one network and scores it on new sentences; a seed draws the same ones for all."""
    torch.manual_seed(seed)
    g, model = torch.Generator().manual_seed(seed), build()
    sentences = tinyworld.sample_ids(5000, g, specials=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(STEPS):
        ids = sentences[torch.randint(len(sentences), (BATCH,), generator=g)]
        optimizer.zero_grad()
        loss_at_gaps(model, ids, gaps(ids, g)).backward()
        optimizer.step()
    new = tinyworld.sample_ids(1000, torch.Generator().manual_seed(10_000 + seed), specials=False)
    with torch.no_grad():
        masked = gaps(new, torch.Generator().manual_seed(seed))
        return round(loss_at_gaps(model, new, masked).item(), 4)


def one_network(build: Callable[[], GapFiller]) -> tuple[float, list[float]]:
    """The best learning rate of one network on the tuning seeds, and its losses on the others."""
    tuning = {lr: fmean(one_run(build, lr, seed) for seed in TUNING) for lr in RATES}
    best = min(tuning, key=tuning.__getitem__)
    return best, [one_run(build, best, seed) for seed in SEEDS]


def run() -> dict[str, Any]:
    """All networks, and the differences that lesson 1 speaks of, paired by seed."""
    torch.set_num_threads(1)
    networks = {name: one_network(build) for name, build in NETWORKS.items()}
    values = {name: losses for name, (_, losses) in networks.items()}
    tried = dict.fromkeys(networks, RATES)
    return {
        "batch_size": BATCH,
        "steps": STEPS,
        "parameters": {n: sum(p.numel() for p in b().parameters()) for n, b in NETWORKS.items()},
        "chosen": {name: rate for name, (rate, _) in networks.items()},
        "loss": compared_rivals(values, tried, PAIRS, lower_is_better=True),
    }
