"""How long our training takes to where transformers' Trainer gets in five minutes. About 12 minutes.

Both train a model of the same sizes, on the CPU, with batches of 32 rows of the docstrings of
experiment `python_docs`, and are scored on the same held-out modules with the same 15 % hidden.
Trainer: BertForMaskedLM, its collator (15 %, 80/10/10), AdamW, linear decay after a warm-up; its
learning rate is the best of three, each tried for a fifth of the time. Ours: the package's `fit` with
the recipe of that experiment. Evaluations stop the clock. By then neither is far better than guessing
by word frequencies.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from reporting import main
from theirs import bert
from torch import Tensor
from transformers import (
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)
from transformers.utils import logging

from mlm_course.corruption import DynamicMasking
from mlm_course.evaluation import score_masked
from mlm_course.experiments import python_docs as docs
from mlm_course.results.benchmarks import Measurement
from mlm_course.training import fit, masked_lm_loss

SECONDS = 300  # Trainer's
BAR, PLANNED, BATCH = (
    0.4,
    0.36,
    32,
)  # share of Trainer's time: at most, and what ours is planned for
LEARNING_RATES = (5e-4, 1e-3, 2e-3)
TRIAL = 20  # steps that tell how many there are in a second


class OurCall(torch.nn.Module):
    """BertForMaskedLM behind the call that `score_masked` makes."""

    def __init__(self, bert: BertForMaskedLM) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, ids: Tensor, attention_mask: Tensor | None, masked: Tensor) -> Tensor:
        return self.bert(input_ids=ids).logits[masked]


def their_run(corpus: docs.Corpus, steps: int, lr: float) -> tuple[BertForMaskedLM, float]:
    """A model trained by Trainer, and the seconds it took."""
    names = [f"{name}_token" for name in ("pad", "unk", "cls", "sep", "mask")]
    special = dict(zip(names, docs.tokenization.SPECIAL_TOKENS, strict=True))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=corpus.tokenizer, **special)
    torch.manual_seed(0)
    model = bert(docs.build(len(tokenizer)).config)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, max_steps=steps, per_device_train_batch_size=BATCH,
            learning_rate=lr, warmup_steps=max(1, steps // 20), lr_scheduler_type="linear",
            weight_decay=0.01, save_strategy="no", logging_strategy="no", report_to="none",
            disable_tqdm=True, seed=0, use_cpu=True,
        )  # fmt: skip
        trainer = Trainer(
            model, settings, train_dataset=[{"input_ids": row} for row in corpus.train],
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        return model, time.perf_counter() - start


def their_best(corpus: docs.Corpus, seconds: float) -> tuple[float, float]:
    """Held-out loss of the best learning rate's full run, and its seconds."""
    corrupted = docs.held_out_masks(corpus)
    rate = TRIAL / their_run(corpus, TRIAL, LEARNING_RATES[0])[1]  # steps a second

    def run(lr: float, seconds: float) -> tuple[float, float]:
        model, taken = their_run(corpus, max(1, round(rate * seconds)), lr)
        loss = score_masked(OurCall(model), corrupted, batch_size=64).loss
        print(f"Trainer, learning rate {lr:g}, {taken:.0f} s: {loss:.3f}", flush=True)
        return loss, taken

    tried = {lr: run(lr, seconds / 5)[0] for lr in LEARNING_RATES}
    return run(min(tried, key=tried.__getitem__), seconds)


def our_run(corpus: docs.Corpus, seconds: float) -> list[tuple[float, float]]:
    """(seconds of training, held-out loss) along a run of about so many seconds."""
    vocab_size, corrupted = corpus.tokenizer.get_vocab_size(), docs.held_out_masks(corpus)
    data = DynamicMasking(docs.masker(vocab_size, docs.MASK_RATIO), corpus.train, seed=0)
    recipe = replace(docs.RECIPE, batch_size=BATCH, steps=TRIAL)
    trial = fit(docs.build(vocab_size), data, masked_lm_loss, recipe)
    steps = max(1, round(TRIAL / trial.seconds[-1] * seconds))
    paused, points, start = 0.0, [], time.perf_counter()

    def evaluate(model: torch.nn.Module) -> dict[str, float]:
        nonlocal paused
        now = time.perf_counter()
        loss = score_masked(model, corrupted, batch_size=64).loss
        points.append((now - start - paused, loss))
        print(f"ours, {points[-1][0]:.0f} s: {loss:.3f}", flush=True)
        paused += time.perf_counter() - now
        return {"loss": loss}

    fit(
        docs.build(vocab_size), data, masked_lm_loss, replace(recipe, steps=steps),
        evaluate=evaluate, evaluate_every=max(1, steps // 12),
    )  # fmt: skip
    return points


def measure(small: bool) -> Iterator[Measurement]:
    logging.set_verbosity_error()
    os.environ["ACCELERATE_USE_CPU"] = "1"
    corpus = docs.read_corpus(("nbclient", "jupytext"), 600) if small else docs.read_corpus()
    loss, taken = their_best(corpus, 5 if small else SECONDS)
    points = our_run(corpus, PLANNED * taken)
    reached = next((seconds for seconds, ours in points if ours <= loss), None)
    end = "" if reached else f" (not reached: {points[-1][1]:.3f})"
    yield Measurement(
        what=f"time to the held-out loss {loss:.3f}{end}, share of Trainer's",
        ours=reached or points[-1][0], unit="s", peer="Trainer", theirs=taken,
        ratio=reached and reached / taken, at_most=BAR,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(measure))
