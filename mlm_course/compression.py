"""Smaller models: pruning, integers of 8 and 4 bits, and learning from a larger model. Lesson 13."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from mlm_course.contracts import (
    check_count,
    check_flag,
    check_floats,
    check_ids,
    check_module,
    check_number,
    check_shapes_agree,
    check_tensor,
    may_look_at,
)


def matrices(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """The linear layers of a model by name, in order."""
    check_module("model", model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            yield name, module


# ---- pruning

_INT8 = " (those of int8_layers are none: prune first, quantise then)"


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Which weights stay when the smallest, as a share `sparsity`, go: bool, of weight's shape.

    round(sparsity * count) of them go; among equals, those that come first.
    Source: Han et al. 2015, section 3.
    """
    check_floats("weight", weight)
    check_number("sparsity", sparsity, 0, 1)
    if may_look_at(weight) and weight.isnan().any():
        raise ValueError("weight contains NaN, which is neither small nor large: mend it first.")
    gone = round(sparsity * weight.numel())
    order = weight.detach().abs().flatten().argsort(stable=True)
    keep = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    keep[order[:gone]] = False
    return keep.view_as(weight)


class SparseWeight(nn.Module):
    """A weight of which only some numbers count: the others are 0, and get no gradient."""

    keep: Tensor

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("keep", keep)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.keep


def prune(model: nn.Module, sparsity: float) -> nn.Module:
    """A copy of a model whose linear layers have lost their smallest weights, each layer the same share.

    Trained further, it keeps its zeros. Embeddings, norms and biases stay whole.
    """
    check_module("model", model)
    check_number("sparsity", sparsity, 0, 1)
    pruned = copy.deepcopy(model)
    layers = list(matrices(pruned))
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layers to prune{_INT8}.")
    for _, layer in layers:
        keep = magnitude_mask(layer.weight, sparsity)
        parametrize.register_parametrization(layer, "weight", SparseWeight(keep))
    return pruned


def _plain_copy(model: nn.Module) -> nn.Module:
    """A copy in which a pruned layer's weight is a plain one, zeros included."""
    copied = copy.deepcopy(model)
    for _, layer in matrices(copied):
        if parametrize.is_parametrized(layer, "weight"):
            weight = layer.weight.detach().clone()
            # the original has this class, too, so nothing is taken from the class
            (layer.__class__,) = type(layer).__bases__
            del layer.parametrizations
            layer.weight = nn.Parameter(weight)
    return copied


def drop_units(model: nn.Module, share: float) -> nn.Module:
    """A copy of a model whose feed-forward networks lost their weakest units, so that they are smaller.

    A unit's strength: the length of what it reads times the length of what it writes. The zeros of
    a pruned model become weights like any other.
    Source: the idea of structured pruning, Li et al. 2017.
    """
    check_module("model", model)
    check_number("share", share, 0, 1)
    if not isinstance(getattr(model, "encoder", None), nn.Module):
        raise TypeError(
            f"model must have an encoder with blocks, which {type(model).__name__} lacks."
        )
    small = _plain_copy(model)
    for block in small.encoder.blocks:  # type: ignore[union-attr]
        mlp = block.feed_forward
        if not isinstance(mlp.expand, nn.Linear):
            raise TypeError(f"The feed-forward networks have no linear layers{_INT8}.")
        strength = mlp.expand.weight.norm(dim=1) * mlp.contract.weight.norm(dim=0)  # (d_ff,)
        kept = strength.topk(round((1 - share) * len(strength))).indices.sort().values
        mlp.expand.weight = nn.Parameter(mlp.expand.weight.detach()[kept].clone())
        if mlp.expand.bias is not None:
            mlp.expand.bias = nn.Parameter(mlp.expand.bias.detach()[kept].clone())
        mlp.contract.weight = nn.Parameter(mlp.contract.weight.detach()[:, kept].clone())
    return small


# ---- quantisation


class Quantized(NamedTuple):
    """Integers from -127 to 127 (int8) and the scale by which they are to be multiplied."""

    codes: Tensor
    scale: Tensor


def quantize(weight: Tensor, per_row: bool = True) -> Quantized:
    """The nearest multiples of a scale that fits the largest weight, of each row or of all.

    weight (R, C) -> codes (R, C) int8, scale (R, 1) or (1, 1). A row of zeros gets the scale 1.
    Source: Jacob et al. 2018, section 2.1 (symmetric here).
    """
    check_floats("weight", weight, "R C", finite=True)
    check_flag("per_row", per_row)
    if not weight.numel():
        raise ValueError(f"weight of shape {tuple(weight.shape)} holds nothing to round.")
    size = weight.abs()
    most = size.amax(1, keepdim=True) if per_row else size.amax().view(1, 1)
    scale = torch.where(most > 0, most / 127, torch.ones_like(most))
    return Quantized((weight / scale).round().to(torch.int8), scale)


def dequantize(quantised: Quantized) -> Tensor:
    """The weights that the codes stand for, (R, C) float."""
    _check_quantized(quantised)
    return quantised.codes * quantised.scale


def _check_quantized(quantised: Quantized) -> None:
    if not isinstance(quantised, Quantized):
        raise TypeError(f"Only a Quantized can be turned back, not {type(quantised).__name__}.")
    codes, scale = quantised
    check_tensor("codes", codes, "R C")
    check_floats("scale", scale, "R 1")
    if codes.dtype != torch.int8 or scale.shape not in ((len(codes), 1), (1, 1)):
        raise ValueError(
            f"codes must be int8 (R, C) and scale (R, 1) or (1, 1), not {codes.dtype} "
            f"{tuple(codes.shape)} and {tuple(scale.shape)}."
        )


class Packed(NamedTuple):
    """Integers from -7 to 7, each plus 8, two in a byte (uint8), and the scale of each group of them.

    Half a group lies in the low four bits of its bytes, the other half in the high four bits: so
    both halves come out in their order, without taking pairs apart.
    """

    codes: Tensor
    scale: Tensor


def quantize_int4(weight: Tensor, group: int = 32) -> Packed:
    """The nearest multiples of a scale that fits the largest of `group` neighbours in a row.

    weight (R, C) -> codes (R, C / 2) uint8, scale (R, C / group). group is even, and C a multiple
    of it. A group of zeros gets the scale 1.
    """
    check_floats("weight", weight, "R C", finite=True)
    check_count("group", group, 2)
    if group % 2 or not weight.numel() or weight.shape[1] % group:
        raise ValueError(
            f"weight of shape {tuple(weight.shape)} cannot be cut into groups of {group} neighbours "
            "in a row: group must be even, and divide the number of columns."
        )
    groups = weight.unflatten(1, (-1, int(group)))  # (R, C / group, group)
    most = groups.abs().amax(-1, keepdim=True)
    scale = torch.where(most > 0, most / 7, torch.ones_like(most))
    first, second = ((groups / scale).round() + 8).to(torch.uint8).chunk(2, dim=-1)  # 1 to 15
    return Packed((first | second << 4).flatten(1), scale[..., 0])


def dequantize_int4(packed: Packed) -> Tensor:
    """The weights that the codes stand for, (R, C) float."""
    _check_packed(packed)
    codes, scale = packed
    halves = codes.unflatten(1, (scale.shape[1], -1))  # (R, C / group, group / 2)
    groups = torch.cat((halves & 15, halves >> 4), dim=-1).to(scale.dtype) - 8
    return (groups * scale[..., None]).flatten(1)


def _check_packed(packed: Packed) -> None:
    if not isinstance(packed, Packed):
        raise TypeError(f"Only a Packed can be turned back, not {type(packed).__name__}.")
    codes, scale = packed
    check_tensor("codes", codes, "R C")
    check_floats("scale", scale, "R G")
    sized = codes.numel() and scale.numel() and len(codes) == len(scale)
    fits = sized and codes.shape[1] % scale.shape[1] == 0
    if codes.dtype != torch.uint8 or not fits:
        raise ValueError(
            f"codes must be uint8 (R, C / 2) and scale (R, C / group), not {codes.dtype} "
            f"{tuple(codes.shape)} and {tuple(scale.shape)}."
        )


def fake_quantize(model: nn.Module, per_row: bool = True) -> tuple[nn.Module, int]:
    """A copy of a model with all matrices, embeddings too, as int8 can hold them; bytes it then takes.

    The copy computes in float: it shows what int8 does to the answers, not to the time.
    """
    check_flag("per_row", per_row)
    return _rounded(model, lambda weight: quantize(weight, per_row), dequantize)


def fake_quantize_int4(model: nn.Module, group: int = 32) -> tuple[nn.Module, int]:
    """A copy of a model with all matrices as packed int4 can hold them; bytes it then takes.

    group: see `quantize_int4`. The copy computes in float, as that of `fake_quantize` does.
    """
    return _rounded(model, lambda weight: quantize_int4(weight, group), dequantize_int4)


def _rounded(
    model: nn.Module, quantise: Callable[[Tensor], Any], turn_back: Callable[[Any], Tensor]
) -> tuple[nn.Module, int]:
    """A copy of a model whose matrices were quantised and turned back; bytes of what was stored."""
    check_module("model", model)
    copied, size = copy.deepcopy(model), 0
    with torch.no_grad():
        for parameter in copied.parameters():
            if parameter.ndim == 2:
                quantized = quantise(parameter)
                parameter.copy_(turn_back(quantized))
                size += sum(part.nbytes for part in quantized)
            else:
                size += parameter.nbytes
    return copied, size


def int8_layers(model: nn.Module) -> nn.Module:
    """A copy of a model whose linear layers multiply in int8, by PyTorch's dynamic quantisation.

    Weights are quantised once, what comes in anew at each call ("dynamic"), and the products are
    added up in 32 bits. For a CPU, without training, and no cross-attention, which cuts its layer
    up. Errors: RuntimeError where this PyTorch cannot.
    """
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError:
        raise RuntimeError("This PyTorch has no torch.ao.quantization any more.") from None
    check_module("model", model)
    copied = _plain_copy(model).float().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of the package torchao
        return quantize_dynamic(copied, {nn.Linear}, dtype=torch.qint8)


# ---- distillation


def softened_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Divergence of a student's softened answers from a teacher's, times temperature squared.

    Logits (n, V) of both; one number, the mean over n. The teacher's may be log-probabilities.
    Source: Hinton et al. 2015, section 2.
    """
    check_floats("student", student, "n V")
    check_floats("teacher", teacher, "n V")
    check_shapes_agree(student=student, teacher=teacher)
    check_number("temperature", temperature, 0, above=True)
    learnt, taught = ((x / temperature).log_softmax(-1) for x in (student, teacher))
    return temperature**2 * F.kl_div(learnt, taught, reduction="batchmean", log_target=True)


def distillation_loss(
    student: Tensor, teacher: Tensor, target: Tensor, temperature: float, share: float
) -> Tensor:
    """A mixture of two goals: `share` of the teacher's softened answers, the rest of the true words.

    student, teacher (n, V) logits; target (n,) ids. Source: Hinton et al. 2015, section 2.
    """
    check_number("share", share, 0, 1)
    check_floats("student", student, "n V")
    check_ids(target, student.shape[1], name="target", shape="n")
    if len(target) != len(student):
        raise ValueError(f"There are {len(student)} answers, but {len(target)} true words.")
    truth = F.cross_entropy(student, target)
    return share * softened_loss(student, teacher, temperature) + (1 - share) * truth
