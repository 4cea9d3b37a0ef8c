"""How close to tinyworld's exact floor a minute of training gets. Run `python tests/bench/bench_tinyworld.py`.

The recipe of `experiments/tinyworld.py`, on all cores, nothing stored; the clock runs for training
only, the validation loss is taken at the end. Exits with 1 if it took more than 60 s or ended more
than .02 nats above the floor.
"""

from __future__ import annotations

import sys

import torch

from mlm_course.evaluation import score_hidden
from mlm_course.experiments import tinyworld as world
from mlm_course.training import MaskedRows, fit, masked_lm_loss

SECONDS, GAP = 60, 0.02


def main() -> int:
    masked, floor = world.masked_test_set()
    model = world.build()
    data = MaskedRows(world.sentences(world.SENTENCES, 0), world.masker(), seed=0)
    seconds = fit(model, data, masked_lm_loss, world.RECIPE).seconds[-1]
    gap = score_hidden(model, masked).loss - floor
    missed = seconds > SECONDS or gap > GAP
    print(
        f"{torch.get_num_threads()} threads: {gap:.4f} nats above the floor of {floor:.3f} after "
        f"{world.RECIPE.steps} steps, {seconds:.0f} s; bar {GAP} in {SECONDS} s"
        f"{': MISSED' if missed else ''}"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
