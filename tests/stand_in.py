"""A device that is not there: tensors that say they are on DEVICE, and are computed on the CPU.

Inside `stand_in()`, tensors moved to DEVICE behave as on a GPU without float64 (Apple's): float64
there is an error, and so is a step that mixes them with tensors on the CPU. Values can be read, and
`.cpu()` brings tensors back. Not covered: `torch.tensor(..., device=DEVICE)`, generators.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("lazy")  # a name that torch knows and nobody's machine has
aten = torch.ops.aten
READS = {aten._local_scalar_dense.default, aten.equal.default}
TAKE_AN_INDEX_FROM_THE_CPU = {
    aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default, aten.copy_.default,
}  # fmt: skip


class OnDevice(Tensor):
    """A tensor that says it is on DEVICE; `inner` is what it holds, on the CPU."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnDevice:
        if inner.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{DEVICE} has no {inner.dtype}.")
        like = {"strides": inner.stride(), "dtype": inner.dtype, "device": DEVICE}
        outer = Tensor._make_wrapper_subclass(cls, inner.size(), **like)
        outer.inner = inner
        return outer

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


class stand_in(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


def run(function, args, kwargs):
    """One step of torch, on DEVICE if its tensors are there or its result is wanted there."""
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    there = any(isinstance(x, OnDevice) for x in tensors)
    here = any(not isinstance(x, OnDevice) and x.dim() for x in tensors)
    if there and here and function not in TAKE_AN_INDEX_FROM_THE_CPU:
        raise RuntimeError(f"{function} mixes tensors on {DEVICE} and on the CPU.")
    wanted = kwargs.get("device")
    to_device = there if wanted is None else wanted == DEVICE
    if wanted == DEVICE:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    plain, named = tree_map(lambda x: x.inner if isinstance(x, OnDevice) else x, (args, kwargs))
    answer = function(*plain, **named)
    if function in READS or not to_device:
        return answer
    if function._schema.is_mutable:
        return args[0]
    return tree_map(lambda x: OnDevice(x) if isinstance(x, Tensor) else x, answer)
