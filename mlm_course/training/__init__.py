"""Training: the loop that lesson 6 writes by hand, plus what long runs need."""

from mlm_course.training.checkpoints import run_folder
from mlm_course.training.datasets import (
    Data,
    GapPairs,
    GapRows,
    ImageBatch,
    MaskedImages,
    NextWordPairs,
    PairBatch,
    RetroRows,
    Rows,
    TextPairBatch,
    TextPairs,
)
from mlm_course.training.loop import fit
from mlm_course.training.losses import (
    Loss,
    contrastive_loss,
    diffusion_loss,
    gap_loss,
    masked_lm_loss,
    masked_pixel_loss,
    next_token_loss,
    next_word_loss,
    retro_mae_loss,
)
from mlm_course.training.optim import SCHEDULES, Recipe, make_optimizer, optimizer_groups
from mlm_course.training.reporting import Device, History, find_device
from mlm_course.training.step import recomputing

__all__ = [
    "SCHEDULES",
    "Data",
    "Device",
    "GapPairs",
    "GapRows",
    "History",
    "ImageBatch",
    "Loss",
    "MaskedImages",
    "NextWordPairs",
    "PairBatch",
    "Recipe",
    "RetroRows",
    "Rows",
    "TextPairBatch",
    "TextPairs",
    "contrastive_loss",
    "diffusion_loss",
    "find_device",
    "fit",
    "gap_loss",
    "make_optimizer",
    "masked_lm_loss",
    "masked_pixel_loss",
    "next_token_loss",
    "next_word_loss",
    "optimizer_groups",
    "recomputing",
    "retro_mae_loss",
    "run_folder",
]
