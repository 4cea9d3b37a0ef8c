"""One training step of our masked language model against transformers', plain PyTorch's, and its products.

Same sizes, same batch, dropout off, fp32, the same AdamW; all take turns within one run, five times.
Printed are medians and ratios, with the quartiles of the ratios of single rounds. PyTorch's encoder
also projects the hidden rows only; transformers' projects all, as it does.

The share of a step that its matrix products take: their time alone, forward and backward, with
attention's and the head's, divided by the step's. Once it is the model's step, forward and backward, and
once the whole one of `fit`: masks drawn, everything checked, gradients clipped, AdamW. On two
threads, and on one.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from products import step_products
from reporting import main
from side_by_side import WARM_UP, Times, ratio, stepper, times_as_fast
from theirs import bert
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corruption import Corrupted, DynamicMasking, Masker, choose_fixed_count
from mlm_course.cost import take_turns
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.results.benchmarks import Measurement
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, masked_lm_loss
from mlm_course.training.reporting import start_accelerator
from mlm_course.training.step import TrainingStep

ROUNDS, LAYERS, HEADS = 5, 4, 4
BARS = {"transformers": 1.6, "nn.TransformerEncoder": 1.05}
SHARES = {"forward and backward": None, "fit's whole step": 0.85}  # and their bars


class Size(NamedTuple):
    vocab: int
    d: int
    rows: int
    length: int

    @property
    def config(self) -> EncoderConfig:
        return EncoderConfig(
            self.vocab, self.length, d_model=self.d, n_layers=LAYERS, n_heads=HEADS
        )

    def __str__(self) -> str:
        return f"V={self.vocab}, d={self.d}, batch {self.rows} x {self.length}"


SIZES = (Size(4000, 128, 64, 64), Size(8000, 256, 32, 128))


class PlainTorch(nn.Module):
    """PyTorch's own encoder with BERT's head on the hidden rows."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.token = nn.Embedding(size.vocab, size.d)
        self.position = nn.Embedding(size.length, size.d)
        layer = nn.TransformerEncoderLayer(
            size.d, HEADS, 4 * size.d, 0.0, F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(size.d))
        self.dense, self.norm = nn.Linear(size.d, size.d), nn.LayerNorm(size.d)
        self.bias = nn.Parameter(torch.zeros(size.vocab))
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, ids: Tensor, masked: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1])
        x = self.encoder(self.token(ids) + self.position(places))[masked]
        return F.linear(self.norm(F.gelu(self.dense(x))), self.token.weight, self.bias)


def masked_rows(size: Size) -> DynamicMasking:
    """One batch of ids, of which 15 % are masked in every row."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, size.vocab, (size.rows, size.length), generator=generator)
    hide = Masker(size.vocab, SPECIAL_IDS, MASK_ID, choose=choose_fixed_count, ratio=0.15)
    return DynamicMasking(hide, ids, seed=0)


def peers(size: Size, batch: Corrupted) -> dict[str, Callable[[], None]]:
    """For each, a function that does one training step on the same batch."""
    torch.manual_seed(0)
    shown, labels, masked = batch
    ones, answers = torch.ones_like(shown), labels[masked]
    ours, theirs, plain = MaskedLM(size.config), bert(size.config), PlainTorch(size)
    return {
        "ours": stepper(ours, lambda: F.cross_entropy(ours(shown, None, masked), answers)),
        "transformers": stepper(
            theirs, lambda: theirs(input_ids=shown, attention_mask=ones, labels=labels).loss
        ),
        "nn.TransformerEncoder": stepper(
            plain, lambda: F.cross_entropy(plain(shown, masked), answers)
        ),
    }


def parts(size: Size, data: DynamicMasking, batch: Corrupted) -> dict[str, Callable[[], None]]:
    """The products of a step alone, the step without what surrounds it, and all of it."""
    model = seeded_init(MaskedLM, size.config)
    recipe, steps = Recipe(steps=10**6, batch_size=size.rows, optimizer="adamw"), itertools.count()
    accelerator = start_accelerator(recipe, None, "runs")
    whole = TrainingStep(
        accelerator, seeded_init(MaskedLM, size.config), data, masked_lm_loss, recipe
    )

    def forward_and_backward() -> None:
        answers = batch.labels[batch.masked]
        F.cross_entropy(model(batch.input_ids, None, batch.masked), answers).backward()
        model.zero_grad()

    return {
        "products": step_products(size.config, size.rows, size.length, int(batch.masked.sum())),
        "forward and backward": forward_and_backward,
        "fit's whole step": lambda: whole(next(steps)) and None,
    }


def share(what: str, times: Times, name: str, at_least: float | None) -> Measurement:
    """The share of a step's time that its products take alone."""
    part = ratio(times, "products", name)
    ours, products = (1e3 * statistics.median(times[key]) for key in (name, "products"))
    return Measurement(
        what=f"{what}: {name}, share of it that its products take", ours=ours, unit="ms",
        peer="products", theirs=products,
        ratio=part.median, low=part.low, high=part.high, at_least=at_least,
    )  # fmt: skip


def shares(size: Size, times: Times, threads: int) -> Iterator[Measurement]:
    what = f"training step, {size}, {threads} thread{'s' * (threads > 1)}"
    for name, bar in SHARES.items():
        yield share(what, times, name, bar)


def measure(small: bool) -> Iterator[Measurement]:
    warnings.filterwarnings("ignore", message="enable_nested_tensor")
    rounds, warm_up = (2, 0) if small else (ROUNDS, WARM_UP)
    torch.set_num_threads(2)
    for size in SIZES[:1] if small else SIZES:
        data = masked_rows(size)
        batch = data(torch.arange(size.rows), 0)
        ours = parts(size, data, batch)
        times = take_turns(peers(size, batch) | ours, rounds, warm_up)
        for name, bar in BARS.items():
            yield times_as_fast(f"training step, {size}", times, name, at_least=bar)
        yield from shares(size, times, 2)
        torch.set_num_threads(1)
        yield from shares(size, take_turns(ours, rounds, warm_up), 1)
        torch.set_num_threads(2)


if __name__ == "__main__":
    sys.exit(main(measure))
