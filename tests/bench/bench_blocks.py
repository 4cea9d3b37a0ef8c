"""Block diffusion with keys and values of finished blocks kept, against the same model without.

256 places in blocks of 32, four steps each, weights as drawn; both write the same tokens, or nothing is
measured. The rival looks at the whole row again in every step, as a model without a cache does; "up to the
block" reads no more than what the present block may look at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import torch
from reporting import NotMeasured, main
from side_by_side import times_as_fast
from torch import Tensor

from mlm_course.attention import block_causal_mask
from mlm_course.cost import take_turns
from mlm_course.decoding import LLADA, Predict, refine
from mlm_course.diffusion import block_predictor
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.results.benchmarks import Measurement
from mlm_course.tokenization import MASK_ID

ROUNDS, AT_LEAST = 5, 2.0
LENGTH, BLOCK, STEPS = 256, 32, 4
SIZES = EncoderConfig(1000, LENGTH, d_model=256, n_layers=4, n_heads=4, embedding_std=0.5)
TINY = EncoderConfig(50, LENGTH, d_model=16, n_layers=1, n_heads=2, embedding_std=0.5)


def anew(model: MaskedLM, whole: bool) -> Predict:
    """The same model without a cache: it reads the whole row, or all up to the present block, anew."""

    @torch.no_grad()
    def predict(canvas: Tensor) -> Tensor:
        N = canvas.shape[1]
        first = int((canvas == MASK_ID).any(0).nonzero()[0])
        end = N if whole else (first // BLOCK + 1) * BLOCK
        x = model.encoder(canvas[:, :end], block_causal_mask(end, BLOCK)[None, None])
        logits = torch.full((*canvas.shape, model.config.vocab_size), torch.nan)
        logits[:, :end] = model.logits(x)
        return logits.index_fill(-1, torch.arange(5), -torch.inf)

    return predict


def measure(small: bool) -> Iterator[Measurement]:
    model = seeded_init(MaskedLM, TINY if small else SIZES).eval()
    sampler = replace(LLADA, block_length=BLOCK)
    canvas = torch.full((1, LENGTH), MASK_ID)
    masked = canvas == MASK_ID

    def written(predict: Predict) -> Tensor:
        return refine(predict, canvas, masked, MASK_ID, STEPS, sampler)[-1].tokens

    ways = {
        "ours": lambda: written(block_predictor(model, BLOCK)),
        "whole row": lambda: written(anew(model, whole=True)),
        "up to the block": lambda: written(anew(model, whole=False)),
    }
    texts = [way() for way in ways.values()]
    if not all(torch.equal(texts[0], text) for text in texts):
        raise NotMeasured("the ways write different texts.")
    times = take_turns(ways, 2 if small else ROUNDS, warm_up=0)  # each has run once
    yield times_as_fast(f"{LENGTH} places", times, "whole row", at_least=AT_LEAST)
    yield times_as_fast(f"{LENGTH} places", times, "up to the block")


if __name__ == "__main__":
    sys.exit(main(measure))
