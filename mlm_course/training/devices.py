"""What a lesson's larger training runs on: the device that `fit` will find, and what suits it."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


class Device(NamedTuple):
    """A device and what suits it.

    kind: "cuda", "mps", "cpu" or what else torch calls it; precision, compile: for a `Recipe`.
    """

    kind: str
    name: str
    precision: str = "no"
    compile: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether it is faster than a CPU."""
        return self.kind != "cpu"

    def __str__(self) -> str:
        if not self.is_gpu:
            return "No GPU here: the same lines run on the CPU, small."
        return f"{self.name}, {'fp32' if self.precision == 'no' else self.precision}."


def find_device() -> Device:
    """The device on which `fit` trains here (ACCELERATE_USE_CPU=1 forbids a GPU).

    On CUDA bf16 where the GPU computes it, else fp16, both compiled where torch's compiler knows
    the GPU. Apple's GPU gets neither, and a warning: results differ there.
    """
    kind = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device.type
    if kind == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        knows = torch.cuda.get_device_capability() >= (7, 0)  # what Triton asks for
        precision = "bf16" if has_bf16 else "fp16"
        return Device("cuda", torch.cuda.get_device_name(), precision, knows)
    if kind == "mps":
        warnings.warn(
            "Training on Apple's GPU (MPS): results differ from those of a CPU or of CUDA, and this "
            "was never tried there. ACCELERATE_USE_CPU=1, set before the kernel starts, keeps to "
            "the CPU.",
            stacklevel=2,
        )
        return Device("mps", "Apple's GPU (MPS)")
    return Device(kind, "CPU" if kind == "cpu" else kind)
