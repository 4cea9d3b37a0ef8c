"""One training step of our masked language model against transformers' and plain PyTorch's.

Same sizes, same batch, dropout off, fp32, the same AdamW; all three take turns within one run.
Printed are medians of 20 and ratios, with the quartiles of the 20 ratios of one round each.
PyTorch's encoder also projects the hidden rows only; transformers' projects all, as it does.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from reporting import main
from side_by_side import WARM_UP, stepper, times_as_fast
from theirs import bert
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.cost import take_turns
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.results.benchmarks import Measurement

ROUNDS, LAYERS, HEADS = 20, 4, 4
BARS = {"transformers": 1.65, "nn.TransformerEncoder": 1.1}


class Size(NamedTuple):
    vocab: int
    d: int
    rows: int
    length: int


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


def contestants(size: Size) -> dict[str, Callable[[], None]]:
    """For each, a function that does one training step on the same batch."""
    torch.manual_seed(0)
    ids = torch.randint(5, size.vocab, (size.rows, size.length))
    masked = torch.rand(ids.shape) < 0.15
    shown, labels = ids.masked_fill(masked, 4), ids.masked_fill(~masked, -100)
    ones = torch.ones_like(ids)
    config = EncoderConfig(size.vocab, size.length, d_model=size.d, n_layers=LAYERS, n_heads=HEADS)
    ours, theirs, plain = MaskedLM(config), bert(config), PlainTorch(size)
    return {
        "ours": stepper(ours, lambda: F.cross_entropy(ours(shown, None, masked), ids[masked])),
        "transformers": stepper(
            theirs, lambda: theirs(input_ids=shown, attention_mask=ones, labels=labels).loss
        ),
        "nn.TransformerEncoder": stepper(
            plain, lambda: F.cross_entropy(plain(shown, masked), ids[masked])
        ),
    }


def measure(small: bool) -> Iterator[Measurement]:
    warnings.filterwarnings("ignore", message="enable_nested_tensor")
    rounds, warm_up = (2, 0) if small else (ROUNDS, WARM_UP)
    for size in SIZES[:1] if small else SIZES:
        times = take_turns(contestants(size), rounds, warm_up)
        for name, bar in BARS.items():
            what = f"training step, V={size.vocab}, d={size.d}, batch {size.rows} x {size.length}"
            yield times_as_fast(what, times, name, at_least=bar)


if __name__ == "__main__":
    sys.exit(main(measure))
