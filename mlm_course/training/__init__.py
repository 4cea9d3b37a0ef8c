"""Training: the loop that lesson 6 writes by hand, plus what long runs need."""

from mlm_course.training.data import Data, ImageBatch, MaskedImages, MaskedRows
from mlm_course.training.devices import Device, find_device
from mlm_course.training.folders import run_folder
from mlm_course.training.history import History
from mlm_course.training.loop import fit
from mlm_course.training.losses import Loss, masked_lm_loss, masked_pixel_loss
from mlm_course.training.optimizers import make_optimizer, optimizer_groups
from mlm_course.training.pairs import (
    GapPairs,
    NextWordPairs,
    PairBatch,
    gap_loss,
    next_word_loss,
)
from mlm_course.training.recipe import Recipe
from mlm_course.training.retro import RetroRows, retro_mae_loss
from mlm_course.training.schedules import SCHEDULES

__all__ = [
    "SCHEDULES",
    "Data",
    "Device",
    "GapPairs",
    "History",
    "ImageBatch",
    "Loss",
    "MaskedImages",
    "MaskedRows",
    "NextWordPairs",
    "PairBatch",
    "Recipe",
    "RetroRows",
    "find_device",
    "fit",
    "gap_loss",
    "make_optimizer",
    "masked_lm_loss",
    "masked_pixel_loss",
    "next_word_loss",
    "optimizer_groups",
    "retro_mae_loss",
    "run_folder",
]
