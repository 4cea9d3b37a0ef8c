"""What leaving the removed patches out of the encoder saves, and our training step beside transformers'.

Run `python tests/bench/bench_image_mae.py`. Images of 224 x 224, patches of 16 x 16, so 196 patches;
75 % removed. "Everything" is the same model with mask tokens in its encoder, which then works on all
196 patches and [CLS]; the decoder is the same.
FLOPs: forward and backward of one image, counted by torch.utils.flop_counter: 2 for each multiply-add
in a matrix product (linear layers, attention, their gradients) and nothing else. On the meta device,
where attention is two plain products that are counted as such (`check_attention`).
Times: one training step, fp32, no dropout, the same AdamW, contestants take turns within one run.
Exits with 1 if a ratio lies below its bar.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import transformers
from side_by_side import milliseconds, ratio, stepper, take_turns
from torch.utils.flop_counter import FlopCounterMode
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from mlm_course.models import ImageMAE, ImageMAEConfig, StackConfig, fresh
from mlm_course.models.image_mae import patch_loss

ROUNDS = 20
REMOVED = 0.75
FLOPS, TOLERANCE = 3.2, 0.1  # ViT-L, decoder of 8 blocks
TIME_BAR, TRANSFORMERS_BAR = 3.0, 1.05


class Sizes(NamedTuple):
    encoder: StackConfig
    decoder: StackConfig

    def config(self, everything: bool = False) -> ImageMAEConfig:
        return ImageMAEConfig(
            224,
            224,
            16,
            3,
            encoder=self.encoder,
            decoder=self.decoder,
            mask_tokens_in_encoder=everything,
        )


def stack(d_model: int, n_layers: int, n_heads: int) -> StackConfig:
    return StackConfig(d_model=d_model, n_layers=n_layers, n_heads=n_heads)


VIT_L = Sizes(stack(1024, 24, 16), stack(512, 8, 16))
VIT_L_LIGHT = Sizes(stack(1024, 24, 16), stack(512, 1, 16))
SMALL = Sizes(stack(192, 8, 3), stack(96, 1, 3))
BESIDE_TRANSFORMERS = {  # sizes, images a step
    "8 x 192, decoder 1 x 96": (SMALL, 16),
    "4 x 128, decoder 2 x 64": (Sizes(stack(128, 4, 4), stack(64, 2, 4)), 16),
}


# FLOPs


class Count(NamedTuple):
    """FLOPs of one image: all, those of both stacks' blocks, and those of attention's products."""

    total: int
    stacks: int
    attention: int


def count(sizes: Sizes, everything: bool, backward: bool = True) -> Count:
    with torch.device("meta"):
        model, images = ImageMAE(sizes.config(everything)), torch.rand(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter:
            found = model(images, REMOVED)
            loss = patch_loss(found.patches, found.target, found.mask)
            if backward:
                loss.backward()
    parts = counter.get_flop_counts()
    stacks = sum(sum(parts[f"ImageMAE.{name}"].values()) for name in ("encoder", "decoder"))
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


def report_flops() -> bool:
    passed = True
    for name, sizes in (("8-block", VIT_L), ("1-block", VIT_L_LIGHT)):
        full, light = count(sizes, everything=True), count(sizes, everything=False)
        for everything in (True, False):
            check_attention(sizes, everything)
        forward = count(sizes, True, False).total / count(sizes, False, False).total
        found = full.total / light.total
        print(
            f"FLOPs, ViT-L, {name} decoder: {full.total / 1e9:.1f} G with everything in the encoder, "
            f"{light.total / 1e9:.1f} G without the removed patches: {found:.2f} times fewer "
            f"(forward alone {forward:.2f}, both stacks alone {full.stacks / light.stacks:.2f}); "
            f"attention is {full.attention / full.total:.1%} and {light.attention / light.total:.1%}"
        )
        if sizes is VIT_L:
            passed = abs(found - FLOPS) <= TOLERANCE
            print(f"  wanted: {FLOPS} +- {TOLERANCE}{'' if passed else ': MISSED'}")
    return passed


# Time


def our_step(sizes: Sizes, images: torch.Tensor, everything: bool = False) -> Callable[[], None]:
    model, draws = fresh(ImageMAE, sizes.config(everything)), torch.Generator().manual_seed(0)

    def loss() -> torch.Tensor:
        found = model(images, REMOVED, torch.rand(len(images), 196, generator=draws))
        return patch_loss(found.patches, found.target, found.mask)

    return stepper(model, loss)


def their_step(sizes: Sizes, images: torch.Tensor) -> Callable[[], None]:
    encoder, decoder = sizes
    config = ViTMAEConfig(
        hidden_size=encoder.d_model,
        num_hidden_layers=encoder.n_layers,
        num_attention_heads=encoder.n_heads,
        intermediate_size=encoder.d_ff,
        decoder_hidden_size=decoder.d_model,
        decoder_num_hidden_layers=decoder.n_layers,
        decoder_num_attention_heads=decoder.n_heads,
        decoder_intermediate_size=decoder.d_ff,
        mask_ratio=REMOVED,
    )
    model, draws = ViTMAEForPreTraining(config), torch.Generator().manual_seed(0)
    return stepper(
        model, lambda: model(images, noise=torch.rand(len(images), 196, generator=draws)).loss
    )


def some_images(n: int) -> torch.Tensor:
    return torch.rand(n, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def report_time(rounds: int) -> bool:
    images = some_images(16)
    steps = {
        "everything": our_step(SMALL, images, everything=True),
        "visible": our_step(SMALL, images),
    }
    times = take_turns(steps, rounds)
    found = ratio(times, "everything", "visible")
    print(
        f"Step time, 196 patches, 16 images, encoder 8 x 192, decoder 1 x 96: everything "
        f"{milliseconds(times, 'everything')}, visible only {milliseconds(times, 'visible')} = "
        f"{found} times as fast; bar {TIME_BAR}{'' if found.median >= TIME_BAR else ': MISSED'}"
    )
    return found.median >= TIME_BAR


def report_transformers(rounds: int) -> bool:
    passed = True
    for name, (sizes, n_images) in BESIDE_TRANSFORMERS.items():
        images = some_images(n_images)
        steps = {"ours": our_step(sizes, images), "transformers": their_step(sizes, images)}
        times = take_turns(steps, rounds)
        found = ratio(times, "transformers", "ours")
        passed &= found.median >= TRANSFORMERS_BAR
        print(
            f"Beside transformers' ViTMAEForPreTraining, encoder {name}, {n_images} images: ours "
            f"{milliseconds(times, 'ours')}, theirs {milliseconds(times, 'transformers')} = {found} "
            f"times as fast; bar {TRANSFORMERS_BAR}"
            f"{'' if found.median >= TRANSFORMERS_BAR else ': MISSED'}"
        )
    return passed


def main(arguments: Sequence[str]) -> int:
    rounds = int(arguments[0]) if arguments else ROUNDS
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__}, "
        f"{torch.get_num_threads()} threads, median of {rounds} (quartiles of single rounds)"
    )
    passed = [report_flops(), report_time(rounds), report_transformers(rounds)]
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
