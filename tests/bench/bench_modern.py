"""What the modern encoder's parts save: padding left out, and windows instead of whole texts.

Steps are forward and backward pass and AdamW, 30 % of the batch being padding; attention layers run
with their projections. Contestants of one line have the same weights, which is asserted to give the
same logits; all take turns within one run. Printed are medians of five rounds and ratios, with the
quartiles of the ratios of single rounds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from reporting import main
from side_by_side import stepper, times_as_fast
from theirs import modernbert
from torch import Tensor
from torch.nn import functional as F

from mlm_course.cost import take_turns
from mlm_course.models import ModernConfig, ModernMaskedLM
from mlm_course.models.modern import ModernAttention, padded_layout
from mlm_course.models.modernbert import from_modernbert
from mlm_course.positions import rotations
from mlm_course.results.benchmarks import Measurement

ROUNDS, PADDING, HIDDEN = 5, 0.3, 0.3
UNPADDING_BAR, LOCAL_BAR = 1.25, 2.0
SIZES = ((16, 256), (64, 64))  # rows and length
LENGTH = 2048
CONFIG = ModernConfig(2000, d_model=128, n_layers=6, n_heads=4, d_ff=344)


def batch_of(rows: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """ids, visible and masked (B, T): rows of many lengths, one of them full, with 30 % padding."""
    g = torch.Generator().manual_seed(0)
    lengths = torch.linspace(1 - 2 * PADDING, 1, rows).mul(length).round()[:, None]
    visible = torch.arange(length) < lengths
    ids = torch.randint(5, CONFIG.vocab_size, visible.shape, generator=g).masked_fill(~visible, 0)
    return ids, visible, visible & (torch.rand(ids.shape, generator=g) < HIDDEN)


def steps(rows: int, length: int) -> dict[str, Callable[[], None]]:
    """Training steps of one model with and without its padding, and of transformers'."""
    ids, visible, masked = batch_of(rows, length)
    theirs = modernbert(CONFIG)
    ours = from_modernbert(theirs.state_dict(), CONFIG.n_heads)
    kept = ModernMaskedLM(replace(ours.config, unpad=False))
    kept.load_state_dict(ours.state_dict())
    labels, ones = ids.masked_fill(~masked, -100), visible.long()
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=ones).logits[masked]
        for model in (ours, kept):
            assert (model(ids, visible, masked) - expected).abs().max() < 1e-5
    return {
        "ours": stepper(ours, lambda: F.cross_entropy(ours(ids, visible, masked), ids[masked])),
        "with padding": stepper(
            kept, lambda: F.cross_entropy(kept(ids, visible, masked), ids[masked])
        ),
        "transformers": stepper(
            theirs, lambda: theirs(input_ids=ids, attention_mask=ones, labels=labels).loss
        ),
    }


def layers(length: int, backward: bool) -> dict[str, Callable[[], None]]:
    """One attention layer over a window, and over the whole row, with the same weights."""
    config = ModernConfig(9, d_model=256, n_heads=4)
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, length, 256, generator=g, requires_grad=backward)
    layout = padded_layout(torch.ones(1, length, dtype=torch.bool))
    turn = rotations(layout.positions, 64)
    everywhere = ModernAttention(config, 0).requires_grad_(backward)
    local = ModernAttention(config, 1).requires_grad_(backward)
    local.load_state_dict(everywhere.state_dict())
    wide = ModernAttention(ModernConfig(9, d_model=256, n_heads=4, window=2 * length), 1)
    wide.load_state_dict(everywhere.state_dict())
    assert (wide(x, layout, turn) - everywhere(x, layout, turn)).abs().max() < 1e-5

    def runner(layer: ModernAttention) -> Callable[[], None]:
        def go() -> None:
            y = layer(x, layout, turn)
            if backward:
                y.sum().backward()

        return go

    return {"ours": runner(local), "global": runner(everywhere)}


def measure(small: bool) -> Iterator[Measurement]:
    rounds = 2 if small else ROUNDS
    for rows, length in ((4, 32),) if small else SIZES:
        times = take_turns(steps(rows, length), rounds)
        what = (
            f"training step, V={CONFIG.vocab_size}, d={CONFIG.d_model}, batch {rows} x {length}, "
            f"{PADDING:.0%} padding"
        ).replace("%", " %")
        yield times_as_fast(f"{what} left out", times, "with padding", at_least=UNPADDING_BAR)
        yield times_as_fast(what, times, "transformers")
    length = 256 if small else LENGTH
    for backward, how in ((False, "forward"), (True, "forward and backward")):
        times = take_turns(layers(length, backward), rounds)
        what = f"a local attention layer, {length} tokens, d=256, window 128, {how}"
        yield times_as_fast(what, times, "global", at_least=LOCAL_BAR)


if __name__ == "__main__":
    sys.exit(main(measure))
