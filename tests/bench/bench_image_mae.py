"""What leaving the removed patches out of the encoder saves, and our training step beside transformers'.

Images of 224 x 224, patches of 16 x 16, so 196 patches;
75 % removed. "Everything" is the same model with mask tokens in its encoder, which then works on all
196 patches and [CLS]; the decoder is the same.
FLOPs: forward and backward of one image, counted by torch.utils.flop_counter: 2 for each multiply-add
in a matrix product (linear layers, attention, their gradients) and nothing else. On the meta device,
where attention is two plain products that are counted as such (`check_attention`).
Times: one training step, fp32, no dropout, the same AdamW, contestants take turns within one run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from reporting import main
from side_by_side import WARM_UP, stepper, times_as_fast
from theirs import vit_mae
from torch.utils.flop_counter import FlopCounterMode

from mlm_course.cost import take_turns
from mlm_course.experiments.image_mae import MaskTokensInEncoder
from mlm_course.models import ImageMAE, ImageMAEConfig, StackConfig, seeded_init
from mlm_course.models.image_mae import patch_loss
from mlm_course.results.benchmarks import Measurement

ROUNDS = 20
REMOVED = 0.75
FLOPS, TOLERANCE = 3.2, 0.1  # ViT-L, decoder of 8 blocks
TIME_BAR, TRANSFORMERS_BAR = 3.0, 1.05


class Sizes(NamedTuple):
    encoder: StackConfig
    decoder: StackConfig

    def config(self) -> ImageMAEConfig:
        return ImageMAEConfig(224, 224, 16, 3, encoder=self.encoder, decoder=self.decoder)


def stack(d_model: int, n_layers: int, n_heads: int) -> StackConfig:
    return StackConfig(d_model=d_model, n_layers=n_layers, n_heads=n_heads)


VIT_L = Sizes(stack(1024, 24, 16), stack(512, 8, 16))
VIT_L_LIGHT = Sizes(stack(1024, 24, 16), stack(512, 1, 16))
SMALL = Sizes(stack(192, 8, 3), stack(96, 1, 3))
BESIDE_TRANSFORMERS = {
    "8 x 192, decoder 1 x 96": SMALL,
    "4 x 128, decoder 2 x 64": Sizes(stack(128, 4, 4), stack(64, 2, 4)),
}
EVERYTHING = "everything in the encoder"


def kind(everything: bool) -> type[ImageMAE]:
    return MaskTokensInEncoder if everything else ImageMAE


# FLOPs


class Count(NamedTuple):
    """FLOPs of one image: all, those of both stacks' blocks, and those of attention's products."""

    total: int
    stacks: int
    attention: int


def count(sizes: Sizes, everything: bool, backward: bool = True) -> Count:
    with torch.device("meta"):
        model, images = kind(everything)(sizes.config()), torch.rand(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter:
            reconstruction = model(images, REMOVED)
            loss = patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask)
            if backward:
                loss.backward()
    parts = counter.get_flop_counts()
    name = type(model).__name__
    stacks = sum(sum(parts[f"{name}.{part}"].values()) for part in ("encoder", "decoder"))
    return Count(counter.get_total_flops(), stacks, parts["Global"][torch.ops.aten.bmm])


def expected_attention(sizes: Sizes, everything: bool) -> int:
    """FLOPs of q @ k^T and weights @ v in all blocks: 2 * T * T * D each."""
    seen = 196 if everything else int(196 * (1 - REMOVED))
    return sum(
        config.n_layers * 2 * 2 * (1 + patches) ** 2 * config.d_model
        for config, patches in ((sizes.encoder, seen), (sizes.decoder, 196))
    )


def check_attention(sizes: Sizes, everything: bool) -> None:
    """AssertionError unless the counter sees attention: forward, and twice as much backward."""
    expected = expected_attention(sizes, everything)
    assert count(sizes, everything, backward=False).attention == expected
    assert count(sizes, everything).attention == 3 * expected


def flops() -> Iterator[Measurement]:
    for blocks, sizes in ((8, VIT_L), (1, VIT_L_LIGHT)):
        for everything in (True, False):
            check_attention(sizes, everything)
        full, light = count(sizes, everything=True), count(sizes, everything=False)
        is_bar = sizes is VIT_L
        what = f"ViT-L, decoder of {blocks} block{'s' * (blocks > 1)}, FLOPs"
        yield Measurement(
            what=f"{what} forward and backward, times fewer",
            ours=light.total / 1e9, unit="G", peer=EVERYTHING, theirs=full.total / 1e9,
            ratio=full.total / light.total,
            at_least=FLOPS - TOLERANCE if is_bar else None,
            at_most=FLOPS + TOLERANCE if is_bar else None,
        )  # fmt: skip
        yield Measurement(
            what=f"{what} of both stacks alone, times fewer",
            ours=light.stacks / 1e9, unit="G", peer=EVERYTHING, theirs=full.stacks / 1e9,
            ratio=full.stacks / light.stacks,
        )  # fmt: skip


# Time


def our_step(sizes: Sizes, images: torch.Tensor, everything: bool = False) -> Callable[[], None]:
    model, draws = seeded_init(kind(everything), sizes.config()), torch.Generator().manual_seed(0)

    def loss() -> torch.Tensor:
        reconstruction = model(images, REMOVED, torch.rand(len(images), 196, generator=draws))
        return patch_loss(reconstruction.patches, reconstruction.target, reconstruction.mask)

    return stepper(model, loss)


def their_step(sizes: Sizes, images: torch.Tensor) -> Callable[[], None]:
    model, draws = vit_mae(sizes.config(), REMOVED), torch.Generator().manual_seed(0)
    return stepper(
        model, lambda: model(images, noise=torch.rand(len(images), 196, generator=draws)).loss
    )


def some_images(n: int) -> torch.Tensor:
    return torch.rand(n, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def measure(small: bool) -> Iterator[Measurement]:
    yield from flops()
    rounds, warm_up = (2, 0) if small else (ROUNDS, WARM_UP)
    images = some_images(2 if small else 16)
    steps = {EVERYTHING: our_step(SMALL, images, everything=True), "ours": our_step(SMALL, images)}
    what = f"training step, {len(images)} images, encoder 8 x 192, decoder 1 x 96"
    yield times_as_fast(what, take_turns(steps, rounds, warm_up), EVERYTHING, at_least=TIME_BAR)
    for name, sizes in BESIDE_TRANSFORMERS.items():
        steps = {"transformers": their_step(sizes, images), "ours": our_step(sizes, images)}
        what = f"training step, {len(images)} images, encoder {name}"
        times = take_turns(steps, rounds, warm_up)
        yield times_as_fast(what, times, "transformers", at_least=TRANSFORMERS_BAR)


if __name__ == "__main__":
    sys.exit(main(measure))
