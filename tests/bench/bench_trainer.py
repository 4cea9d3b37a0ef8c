"""How long our training takes to .1 nats above tinyworld's exact floor, and transformers' Trainer.

The same sentences, sizes, batches of 128 rows, 40 % of the words replaced by [MASK], share of warm-up,
linear decay over as many steps, fp32, no dropout. Ours: `fit` with its own optimiser, Muon with AdamW
beside it, on the model of experiment `tinyworld`. Trainer: BertForMaskedLM as transformers draws it,
its collator, AdamW. Each has the AdamW learning rate of the same grid with which one run, seed 0, comes
closest soonest. Then both train five times, with other seeds, in turns; looking at the loss of 500
new sentences stops the clock. A run that does not get there counts with all its time, and is named.
"""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from reporting import main
from theirs import bert
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor, nn
from transformers import (
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.utils import logging

from mlm_course.corpora.tinyworld import MASK_RATIO, masker, sentences, vocabulary
from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments import tinyworld as world
from mlm_course.models import MaskedLM, seeded_init
from mlm_course.results.benchmarks import Measurement
from mlm_course.results.comparison import mean_interval
from mlm_course.tokenization import PAD_ID, SPECIAL_TOKENS
from mlm_course.training import Recipe, fit, masked_lm_loss

GAP = 0.1  # nats above the floor
LEARNING_RATES = (1e-3, 2e-3, 4e-3)  # AdamW's, for both
REPEATS, BAR = 5, 2.5  # times as fast
LOOK_EVERY = 10  # steps
WARM_UP = 0.05  # share of the steps
RECIPE = Recipe(steps=800, batch_size=128, weight_decay=0.01, warmup=WARM_UP)


class Ended(NamedTuple):
    """How a run ended: after so many seconds of training and steps, so many nats above the floor."""

    seconds: float
    steps: int
    gap: float

    @property
    def rank(self) -> tuple[float, float]:
        """Smaller is better: the gap where it was not closed, then the time."""
        return max(self.gap, GAP), self.seconds


class Reached(Exception):
    """Ends a training by `fit`."""


class Watch:
    """Looks at a model while its clock stands still."""

    def __init__(self) -> None:
        self.test, self.floor = world.masked_test_set(500)
        self.began, self.paused = time.perf_counter(), 0.0
        self.ended = Ended(0.0, 0, math.inf)

    def look(self, model: nn.Module, step: int) -> bool:
        """Whether the model is there."""
        now = time.perf_counter()
        gap = score_masked(model, self.test).loss - self.floor
        self.ended = Ended(now - self.began - self.paused, step, gap)
        self.paused += time.perf_counter() - now
        return gap <= GAP


def our_run(recipe: Recipe, lr: float, seed: int) -> Ended:
    """A run of `fit`."""
    data = DynamicMasking(masker(), sentences(world.SENTENCES, 0), seed=seed)
    model = seeded_init(MaskedLM, world.build().config, seed)
    watch, step = Watch(), 0

    def evaluate(model: nn.Module) -> dict[str, float]:
        nonlocal step
        step = min(step + LOOK_EVERY, recipe.steps)
        if watch.look(model, step):
            raise Reached
        return {"gap": watch.ended.gap}

    recipe = replace(recipe, adamw_lr=lr, seed=seed)
    with contextlib.suppress(Reached):
        fit(model, data, masked_lm_loss, recipe, evaluate=evaluate, evaluate_every=LOOK_EVERY)
    return watch.ended


class OurCall(nn.Module):
    """BertForMaskedLM behind the call that `score_masked` makes."""

    def __init__(self, bert: BertForMaskedLM) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor, attention_mask: Tensor | None, masked: Tensor) -> Tensor:
        return self.bert(input_ids=ids, attention_mask=attention_mask).logits[masked]


class Looking(TrainerCallback):
    """Ends a training by Trainer."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_step_end(self, args, state, control, model=None, **kwargs):  # type: ignore[no-untyped-def]
        step = state.global_step
        is_due = step % LOOK_EVERY == 0 or step == state.max_steps
        if is_due and self.watch.look(OurCall(model), step):
            control.should_training_stop = True
        return control


def their_collator() -> DataCollatorForLanguageModeling:
    """The collator, hiding as many words as ours, behind [MASK] alone."""
    words = {word: number for number, word in enumerate(vocabulary())}
    names = [f"{name}_token" for name in ("pad", "unk", "cls", "sep", "mask")]
    special = dict(zip(names, SPECIAL_TOKENS, strict=True))
    made = Tokenizer(WordLevel(words, unk_token=special["unk_token"]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **special)
    return DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=MASK_RATIO, mask_replace_prob=1.0, random_replace_prob=0.0
    )


def their_run(recipe: Recipe, lr: float, seed: int) -> Ended:
    """A run of Trainer."""
    rows = sentences(world.SENTENCES, 0)
    texts = [{"input_ids": row[row != PAD_ID].tolist()} for row in rows]
    torch.manual_seed(seed)
    model = bert(world.build().config)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, max_steps=recipe.steps, per_device_train_batch_size=recipe.batch_size,
            learning_rate=lr, warmup_steps=round(WARM_UP * recipe.steps), lr_scheduler_type="linear",
            weight_decay=recipe.weight_decay, save_strategy="no", logging_strategy="no",
            report_to="none", disable_tqdm=True, seed=seed, use_cpu=True,
        )  # fmt: skip
        trainer = Trainer(model, settings, train_dataset=texts, data_collator=their_collator())
        trainer.remove_callback(PrinterCallback)
        watch = Watch()
        trainer.add_callback(Looking(watch))
        trainer.train()
    return watch.ended


RUNS: dict[str, Callable[[Recipe, float, int], Ended]] = {"ours": our_run, "Trainer": their_run}


def told(name: str, recipe: Recipe, lr: float, seed: int) -> Ended:
    """A run, with a line on the screen."""
    ended = RUNS[name](recipe, lr, seed)
    print(
        f"{name}, learning rate {lr:g}, seed {seed}: {ended.gap:.3f} nats above the floor after "
        f"{ended.steps} steps, {ended.seconds:.0f} s",
        flush=True,
    )
    return ended


def best_rates(recipe: Recipe) -> dict[str, float]:
    """For each its learning rate of the grid."""
    return {
        name: min(LEARNING_RATES, key=lambda lr: told(name, recipe, lr, 0).rank) for name in RUNS
    }


def in_turns(recipe: Recipe, rates: dict[str, float], repeats: int) -> dict[str, list[Ended]]:
    """So many runs of each, every other pair the other way round."""
    ends: dict[str, list[Ended]] = {name: [] for name in RUNS}
    for repeat in range(repeats):
        for name in reversed(RUNS) if repeat % 2 else RUNS:
            ends[name].append(told(name, recipe, rates[name], repeat + 1))
    return ends


def measure(small: bool) -> Iterator[Measurement]:
    logging.set_verbosity_error()
    os.environ["ACCELERATE_USE_CPU"] = "1"
    recipe = replace(RECIPE, steps=4, batch_size=8) if small else RECIPE
    rates = best_rates(recipe)
    ends = in_turns(recipe, rates, REPEATS)
    yield comparison(ends, rates, recipe)


def comparison(
    ends: dict[str, list[Ended]], rates: dict[str, float], recipe: Recipe
) -> Measurement:
    """How many times as fast ours is, with the 95 % interval of the mean over the repeats."""
    ours, theirs = ([end.seconds for end in ends[name]] for name in ("ours", "Trainer"))
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    late = {name: sum(end.gap > GAP for end in runs) for name, runs in ends.items()}
    missed = "".join(
        f"; {name} not there after {recipe.steps} steps in {n} of {len(ours)}"
        for name, n in late.items()
        if n
    )
    what = (
        f"time to {GAP:g} nats above the floor, times as fast; learning rates "
        f"{rates['ours']:g} and {rates['Trainer']:g}, mean {mean_interval(ratios)} at 95 %{missed}"
    )
    return Measurement(
        what=what, ours=statistics.median(ours), unit="s", peer="Trainer",
        theirs=statistics.median(theirs), low=low, high=high, at_least=BAR,
        ratio=None if late["ours"] else statistics.median(ratios),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(measure))
