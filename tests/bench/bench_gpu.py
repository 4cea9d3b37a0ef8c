"""Training steps on a GPU, up to BERT-base and ViT-B size: against its matrix products, and transformers.

First at half the width and depth, eager, without bars. All contestants take turns within one run, bf16
autocast over fp32 weights, dropout off, fused AdamW. Compiled: the model through torch.compile, as
`fit` does it. No model gets an attention mask: every row is full. MLM: 256 rows of 128 tokens, 15 %
hidden in each; transformers: BertForMaskedLM with SDPA. MAE: 256 images of 224 x 224, 75 % of 196
patches removed; transformers: ViTMAEForPreTraining with SDPA.

FLOPs of our MLM step, 2 for each multiply-add, forward once and backward twice:
  6 x parameters of the blocks' matrices x all tokens
  6 x parameters of the head's matrices (dense, vocabulary) x hidden tokens, as no others are projected
  attention: q @ k^T and weights @ v, 12 x layers x rows x T x T x d_model
and nothing else: no embeddings, biases, norms, softmax, loss, optimiser. Their rate is compared with that
of an 8192-cubed bf16 matrix product, which takes its turns in the same run.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from reporting import NotMeasured, main
from side_by_side import WARM_UP, Times, ratio, stepper, times_as_fast
from theirs import bert, vit_mae
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.corruption import choose_fixed_count
from mlm_course.cost import take_turns, training_flops
from mlm_course.models import (
    EncoderConfig,
    ImageMAE,
    ImageMAEConfig,
    MaskedLM,
    StackConfig,
    seeded_init,
)
from mlm_course.models.image_mae import patch_loss
from mlm_course.results.benchmarks import Measurement
from mlm_course.tokenization import MASK_ID

ROUNDS, HIDDEN, REMOVED = 20, 0.15, 0.75
RATE_BAR, MLM_BAR, MAE_BAR = 0.45, 1.5, 1.2
HOW = ("eager", "compiled")
PRODUCTS = 10  # matrix products a turn

Steps = dict[str, Callable[[], None]]
Loss = Callable[[nn.Module], Tensor]


class Sizes(NamedTuple):
    text: EncoderConfig
    rows: int
    image: ImageMAEConfig
    images: int
    product: int  # rows and columns of the matrices that are multiplied
    how: tuple[str, ...] = HOW

    def bar(self, at_least: float) -> float | None:
        """Bars are for what is measured both ways."""
        return at_least if self.how == HOW else None


def stack(d_model: int, n_layers: int, n_heads: int) -> StackConfig:
    return StackConfig(d_model=d_model, n_layers=n_layers, n_heads=n_heads)


HALF = Sizes(
    EncoderConfig(8000, 128, d_model=384, n_layers=6, n_heads=6), 128,
    ImageMAEConfig(224, 224, 16, 3, encoder=stack(384, 6, 6), decoder=stack(256, 4, 8)), 128,
    4096, how=("eager",),
)  # fmt: skip
BASE = Sizes(
    EncoderConfig(30522, 128, d_model=768, n_layers=12, n_heads=12), 256,
    ImageMAEConfig(224, 224, 16, 3, encoder=stack(768, 12, 12), decoder=stack(512, 8, 16)), 256,
    8192,
)  # fmt: skip
TINY = Sizes(
    EncoderConfig(90, 16, d_model=32, n_layers=2, n_heads=2), 4,
    ImageMAEConfig(64, 64, 16, 3, encoder=stack(32, 2, 2), decoder=stack(16, 1, 2)), 2,
    64,
)  # fmt: skip


class Place(NamedTuple):
    """Where models run, and what torch.compile makes of them there."""

    device: torch.device
    backend: str

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def step(self, run: Callable[[], None]) -> Callable[[], None]:
        """The same step, over only when the device is done with it."""

        def step() -> None:
            run()
            self.wait()

        return step


def each_way(
    place: Place, how: tuple[str, ...], name: str, make: Callable[[], nn.Module], loss: Loss
) -> Steps:
    """A training step eager, compiled or both, each with a model of its own."""

    def in_bf16(called: nn.Module) -> Tensor:
        with torch.autocast(place.device.type, torch.bfloat16):
            return loss(called)

    steps: Steps = {}
    for way in how:
        model = make().to(place.device)
        called = torch.compile(model, backend=place.backend) if way == "compiled" else model
        steps[f"{name}, {way}"] = place.step(stepper(model, partial(in_bf16, called)))
    return steps


def product(place: Place, n: int) -> Callable[[], None]:
    """PRODUCTS products of two n x n matrices in bf16."""
    a, b = (torch.randn(n, n, device=place.device, dtype=torch.bfloat16) for _ in range(2))
    out = torch.empty_like(a)

    def run() -> None:
        for _ in range(PRODUCTS):
            torch.mm(a, b, out=out)

    return place.step(run)


def masked_rows(sizes: Sizes, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """What the model is shown, what it is asked (-100 elsewhere) and where, each (B, T)."""
    generator = torch.Generator().manual_seed(0)
    shape = sizes.rows, sizes.text.max_length
    ids = torch.randint(5, sizes.text.vocab_size, shape, generator=generator)
    masked = choose_fixed_count(torch.ones(shape, dtype=torch.bool), HIDDEN, generator)
    parts = ids.masked_fill(masked, MASK_ID), ids.masked_fill(~masked, -100), masked
    return parts[0].to(device), parts[1].to(device), parts[2].to(device)


def mlm(place: Place, sizes: Sizes, rounds: tuple[int, int]) -> Iterator[Measurement]:
    shown, labels, masked = masked_rows(sizes, place.device)
    answers = labels[masked]

    def our_loss(model: nn.Module) -> Tensor:
        return F.cross_entropy(model(shown, None, masked).float(), answers)

    def their_loss(model: nn.Module) -> Tensor:
        return model(input_ids=shown, labels=labels).loss

    steps = each_way(place, sizes.how, "ours", lambda: seeded_init(MaskedLM, sizes.text), our_loss)
    steps |= each_way(place, sizes.how, "transformers", lambda: bert(sizes.text), their_loss)
    times = take_turns(steps | {"product": product(place, sizes.product)}, *rounds)
    config = sizes.text
    what = f"MLM step, d={config.d_model}, {config.n_layers} layers, batch {sizes.rows} x {config.max_length}"
    for how in sizes.how:
        bar = sizes.bar(RATE_BAR) if how == "compiled" else None
        work = training_flops(config, sizes.rows, config.max_length, len(answers))
        yield rate_share(f"{what}, {how}", times, f"ours, {how}", work, sizes.product, bar)
    for how in sizes.how:
        peer = f"transformers, {how}"
        yield times_as_fast(what, times, peer, f"ours, {how}", at_least=sizes.bar(MLM_BAR))


def rate_share(
    what: str, times: Times, ours: str, work: int, n: int, at_least: float | None
) -> Measurement:
    """The rate of a step of so many FLOPs, as a share of that of the matrix product."""
    products = PRODUCTS * 2 * n**3
    share = ratio(times, "product", ours)  # by time; both rates are work / time
    median, low, high = (work / products * part for part in share)
    rates = {k: w / statistics.median(times[k]) for k, w in ((ours, work), ("product", products))}
    return Measurement(
        what=f"{what}: rate, share of a {n}-cubed product's",
        ours=rates[ours] / 1e12, unit="TFLOP/s", peer="product", theirs=rates["product"] / 1e12,
        ratio=median, low=low, high=high, at_least=at_least,
    )  # fmt: skip


def mae(place: Place, sizes: Sizes, rounds: tuple[int, int]) -> Iterator[Measurement]:
    config, generator = sizes.image, torch.Generator().manual_seed(0)
    shape = sizes.images, config.channels, config.height, config.width
    images = torch.rand(shape, generator=generator).to(place.device)
    noise = torch.rand(sizes.images, config.grid[0] * config.grid[1], generator=generator)
    noise = noise.to(place.device)

    def our_loss(model: nn.Module) -> Tensor:
        patches, target, mask, _ = model(images, REMOVED, noise)
        return patch_loss(patches.float(), target, mask)

    def their_loss(model: nn.Module) -> Tensor:
        return model(images, noise=noise).loss

    steps = each_way(place, sizes.how, "ours", lambda: seeded_init(ImageMAE, config), our_loss)
    steps |= each_way(
        place, sizes.how, "transformers", lambda: vit_mae(config, REMOVED), their_loss
    )
    times = take_turns(steps, *rounds)
    what = f"MAE step, d={config.encoder.d_model}, {config.encoder.n_layers} layers, {sizes.images} images"
    for how in sizes.how:
        peer = f"transformers, {how}"
        yield times_as_fast(what, times, peer, f"ours, {how}", at_least=sizes.bar(MAE_BAR))


def measure(small: bool) -> Iterator[Measurement]:
    if small:
        place, rounds, all_sizes = Place(torch.device("cpu"), "eager"), (2, 1), [TINY]
    elif torch.cuda.is_available():
        place, rounds = Place(torch.device("cuda"), "inductor"), (ROUNDS, WARM_UP)
        all_sizes = [HALF, BASE]
    else:
        raise NotMeasured("no GPU.")
    for sizes in all_sizes:
        yield from mlm(place, sizes, rounds)
        yield from mae(place, sizes, rounds)


if __name__ == "__main__":
    sys.exit(main(measure))
