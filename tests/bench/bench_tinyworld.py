"""How close to tinyworld's exact floor a minute of training gets.

The recipe of `experiments/tinyworld.py`, on all cores, nothing stored; the clock runs for training
only, the validation loss is taken at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from reporting import main

from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments import tinyworld as world
from mlm_course.results.benchmarks import Measurement
from mlm_course.training import fit, masked_lm_loss

SECONDS, GAP = 60, 0.02


def measure(small: bool) -> Iterator[Measurement]:
    masked, floor = world.masked_test_set()
    model, recipe = world.build(), replace(world.RECIPE, steps=3) if small else world.RECIPE
    data = DynamicMasking(world.masker(), world.sentences(world.SENTENCES, 0), seed=0)
    seconds = fit(model, data, masked_lm_loss, recipe).seconds[-1]
    gap = score_masked(model, masked).loss - floor
    what = f"{recipe.steps} training steps"
    yield Measurement(what=f"{what}: time", ours=seconds, unit="s", at_most=SECONDS)
    yield Measurement(
        what=f"{what}: validation loss above the exact floor of {floor:.3f}",
        ours=gap, unit="nats", at_most=GAP,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(measure))
