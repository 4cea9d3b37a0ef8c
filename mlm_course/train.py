"""`python -m mlm_course train`: a lesson's model, on one device, on several, on several machines.

    python -m mlm_course train mlm --folder runs/one
    python -m mlm_course train own --texts ~/notes --folder runs/notes
    torchrun --nproc_per_node 2 -m mlm_course train mlm --folder runs/two
    accelerate launch --multi_gpu --num_processes 2 -m mlm_course train mlm --folder runs/two

The recipe is the lesson's. Its batch_size is the whole step's, however many processes share it, and
masks follow from seed, epoch and row: so the number of processes changes the time, not the curve.
Two machines: `torchrun --nnodes 2 --node_rank 0 --master_addr HOST ...` on one, rank 1 on the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from tokenizers import Tokenizer
from torch import nn

from mlm_course import tokenization
from mlm_course.contracts import check_count
from mlm_course.corruption import DynamicMasking
from mlm_course.models.storage import save_model
from mlm_course.training import (
    Data,
    GapPairs,
    History,
    Loss,
    MaskedImages,
    Recipe,
    fit,
    gap_loss,
    masked_lm_loss,
    masked_pixel_loss,
)
from mlm_course.training.checkpoints import reason, remedy, saved_elsewhere, usable_folder
from mlm_course.training.loop import Evaluate
from mlm_course.widgets import progress_display


class TrainingTask(NamedTuple):
    """What a lesson trains, with all that `fit` needs, and the tokenizer of a text of one's own.

    Every process loads the lesson of its task only: memory counts as often as there are processes.
    """

    model: nn.Module
    data: Data
    loss: Loss
    recipe: Recipe
    evaluate: Evaluate
    floor: float | None = None
    tokenizer: Tokenizer | None = None


def mlm(rows: int | None = None) -> TrainingTask:
    """The masked language model of tinyworld, with the exact floor. Lesson 6."""
    from mlm_course.experiments import tinyworld

    ids = tinyworld.sentences(rows or tinyworld.SENTENCES, 0)
    masked, floor = tinyworld.masked_test_set()
    data = DynamicMasking(tinyworld.masker(), ids, seed=0)
    model, evaluate = tinyworld.build(), tinyworld.tester(masked)
    return TrainingTask(model, data, masked_lm_loss, tinyworld.RECIPE, evaluate, floor)


def mae(rows: int | None = None) -> TrainingTask:
    """The masked autoencoder of digits. Lesson 9."""
    from mlm_course.experiments import image_mae

    images = image_mae.scale().standard(image_mae.data().train[:rows])
    data = MaskedImages(images, image_mae.PATCHES, seed=0)
    loss = partial(masked_pixel_loss, ratio=image_mae.RATIO)
    return TrainingTask(image_mae.build(), data, loss, image_mae.RECIPE, image_mae.errors)


def cmlm(rows: int | None = None) -> TrainingTask:
    """The conditional masked language model of cheques, on the pairs as they are. Lesson 11."""
    from mlm_course.experiments import pairs

    cheques = pairs.corpus(rows or pairs.TRAIN)
    model = pairs.build(False, cheques.tokenizer.get_vocab_size())
    data = GapPairs(cheques.source, cheques.target, seed=0)

    def evaluate(model: Any) -> Mapping[str, float]:
        return pairs.quality(pairs.answers_of(model, cheques.test_source), cheques)

    return TrainingTask(model, data, gap_loss, pairs.RECIPE, evaluate)


TASKS: Mapping[str, Callable[[int | None], TrainingTask]] = {"mlm": mlm, "mae": mae, "cmlm": cmlm}


def own(texts: str | Path | Iterable[str | Path], encoding: str | None = None) -> TrainingTask:
    """The masked language model of files or folders of one's own: course/your_own_text.md, 1 to 3.

    texts, encoding: the paths, see `texts_of`.
    """
    from mlm_course.corpora.own_text import packed_rows, split_passages, texts_of, vocab_size_for
    from mlm_course.corruption.masking import standard_masker
    from mlm_course.evaluation import score_masked
    from mlm_course.models import EncoderConfig, MaskedLM, seeded_init

    train, held_out = split_passages(texts_of(texts, encoding=encoding))
    tokenizer = tokenization.train_wordpiece(train, vocab_size_for(train))
    rows, test_rows = (packed_rows(tokenizer, side) for side in (train, held_out))
    V = tokenizer.get_vocab_size()
    some = test_rows[:: len(test_rows) // 500 + 1]  # at most 500, from all parts of the text
    masked = standard_masker(V, 0.15)(some, torch.Generator().manual_seed(0))

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        scores = score_masked(model, masked, batch_size=64)
        return {"loss": scores.loss, "accuracy": scores.accuracy}

    model = seeded_init(MaskedLM, EncoderConfig(V, 128, d_model=128, n_layers=4, n_heads=4))
    data = DynamicMasking(standard_masker(V, 0.25), rows, seed=0)
    recipe = Recipe(steps=1500, batch_size=min(16, len(rows)))
    return TrainingTask(model, data, masked_lm_loss, recipe, evaluate, tokenizer=tokenizer)


def train_own(
    texts: str | Path | Iterable[str | Path],
    folder: str | Path,
    *,
    encoding: str | None = None,
    save_every: int = 100,
    precision: str = "no",
    **changes: Any,
) -> History:
    """Training on files or folders of one's own, as `train_lesson` does it; tokenizer.json comes too.

    The weights kept are those with the lowest loss on passages held out, asked every 100 steps.
    """
    _warn_if_alone()
    folder = usable_folder(folder)
    _check_results(folder)
    try:
        task = own(texts, encoding)
    except BaseException:
        with contextlib.suppress(OSError):  # it stays unless it is empty
            folder.rmdir()
        raise
    return _train(task, folder, save_every, precision, changes, keep_best="loss")


def train_lesson(
    name: str,
    folder: str | Path,
    *,
    rows: int | None = None,
    save_every: int = 100,
    precision: str = "no",
    **changes: Any,
) -> History:
    """Training of one of `TASKS`; checkpoints, model.safetensors and history.json go into the folder.

    rows: of the training data, None for all. precision, changes: fields of its `Recipe`. The same
    call again goes on from the newest checkpoint. Errors: see `fit`. What cannot be written into the
    folder in the end is written elsewhere, and a warning says where.

    In fp32 the number of processes changes the losses by rounding only: below 1e-5 with AdamW. Muon
    rounds to bf16 within each step, which makes some 1e-3 of it in the first 40 steps of `mlm`.
    """
    _warn_if_alone()
    if name not in TASKS:
        raise ValueError(f"name must be one of {', '.join(TASKS)}, not {name!r}.")
    if rows is not None:
        check_count("rows", rows, 1)
    folder = usable_folder(folder)
    _check_results(folder)
    return _train(TASKS[name](rows), folder, save_every, precision, changes)


def _train(
    task: TrainingTask,
    folder: Path,
    save_every: int,
    precision: str,
    changes: Mapping[str, Any],
    keep_best: str | None = None,
) -> History:
    recipe = replace(task.recipe, precision=precision, **changes)
    history = fit(
        task.model, task.data, task.loss, recipe, evaluate=task.evaluate, floor=task.floor,
        folder=folder, save_every=save_every, keep_best=keep_best,
        evaluate_every=100 if keep_best else 0, display=progress_display(recipe.steps),
    )  # fmt: skip
    if PartialState().is_main_process:
        place = write_results(task.model, history, folder, task.tokenizer)
        print(f"{_devices()}: {history!r}. Written to {place}", flush=True)
    return history


RESULTS = ("model.safetensors", "history.json")


def _check_results(folder: Path) -> None:
    for name in RESULTS:
        if (folder / name).is_dir():
            raise IsADirectoryError(
                f"{folder / name} is a folder: move it, or choose another --folder."
            )
        if (folder / name).exists() and not any(folder.glob("step-*.pt*")):
            raise FileExistsError(
                f"{folder / name} is there without the checkpoints of its run, so training would "
                "overwrite it: move it, or choose another --folder."
            )


def write_results(
    model: nn.Module, history: History, folder: Path, tokenizer: Tokenizer | None = None
) -> Path:
    """The folder in which model, history and tokenizer now are: this one, or another, with a warning.

    Errors: OSError if they can be written nowhere.
    """

    def save(folder: Path) -> None:
        save_model(model, folder / RESULTS[0])
        text = json.dumps(history.to_dict(), indent=1)
        (folder / RESULTS[1]).write_text(text + "\n", "utf-8")
        if tokenizer is not None:
            tokenization.save(tokenizer, folder / "tokenizer.json")

    try:
        save(folder)
        return folder
    except OSError as error:
        said = f"({reason(error)}): {remedy(error, folder)}"
    place = saved_elsewhere(folder, save)
    if place is None:
        kept = max(folder.glob("step-*.pt"), default=None)
        raise OSError(
            f"The trained model could be saved nowhere {said}. "
            + (f"Its weights are in {kept}: the same command goes on from there." if kept else "")
        )
    warnings.warn(
        f"The trained model could not be saved in {folder} {said}. It is in {place} instead.",
        stacklevel=3,
    )
    return place


def _warn_if_alone() -> None:
    """`accelerate launch --cpu` names a meeting place for several processes, and starts one."""
    if "MASTER_ADDR" in os.environ and "WORLD_SIZE" not in os.environ:
        warnings.warn(
            "Only one process was started: accelerate launch starts several on GPUs, not on a CPU. "
            "torchrun --nproc_per_node does.",
            stacklevel=3,
        )


def _devices() -> str:
    state = PartialState()
    together = f"{state.num_processes} processes" if state.num_processes > 1 else "1 process"
    kind = state.device.type
    return f"{together} on {torch.cuda.get_device_name() if kind == 'cuda' else kind}"
