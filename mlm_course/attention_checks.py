"""What attention may be given: masks that can be read in one way only, and vectors that fit.

Shapes as in `attention`: B rows of a batch, H heads, T queries, S keys, D numbers a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mlm_course.contracts import check_bools, check_floats
from mlm_course.tokenization import PAD_ID


def check_attention_mask(attention_mask: Tensor, shape: tuple[int, ...]) -> None:
    """Error unless a mask is boolean and says beyond doubt which scores (..., T, S) stay.

    A 0/1 or 0/-inf mask would be read the wrong way; the axes of (B, S) or (B, T, S) would be taken
    for others where the numbers happen to agree.
    """
    check_bools("attention_mask", attention_mask)
    mask = attention_mask.shape
    axes = len(mask)
    if not (axes == 2 < len(shape) or axes == len(shape)) or not _broadcasts(mask, shape[-axes:]):
        raise ValueError(
            f"attention_mask has shape {tuple(mask)}, but the scores have {tuple(shape)}: "
            f"{_advice(tuple(mask), tuple(shape))}."
        )
    if (
        axes == 2 < len(shape)
        and mask == (shape[0], shape[-1])
        and _reads_as_padding(attention_mask)
    ):
        raise ValueError(
            f"attention_mask has shape {tuple(mask)}, which is (T, S) here, but it looks like a padding "
            f"mask (B, S): write attention_mask{_for_keys(shape)} for that, "
            f"attention_mask[{', '.join(['None'] * (len(shape) - 2))}] for pairs of tokens."
        )


def check_token_mask(ids: Tensor, mask: Tensor, name: str = "attention_mask") -> None:
    """Error unless a mask is boolean and has an entry for each of the ids (B, T), True = token.

    Where B = T, one of pairs (T, T) has that shape too. It counts as one of tokens if both would
    mean the same, or if what it closes is padding: a single id, which stands nowhere else.
    """
    check_bools(name, mask)
    rows, T = ids.shape
    if mask.shape != ids.shape:
        advice = {
            (T,): f"a single row becomes a batch with {name}[None]",
            (T, T): f"a mask of pairs (T, T), such as a causal one, is written {name}[None, None]",
            (1, T, T): f"a mask of pairs is written {name}[None]",
            (rows, T, T): f"one of pairs for each row, (B, T, T), is written {name}[:, None]",
        }.get(tuple(mask.shape), "one entry a token, True = token, is wanted")
        raise ValueError(
            f"{name} has shape {tuple(mask.shape)}, but the ids have {(rows, T)}: {advice}."
        )
    if rows == T > 1 and not _closes_padding(mask, ids):
        raise ValueError(
            f"{name} has shape {(T, T)}, and so have the ids: is it for tokens (B, T) or for pairs "
            f"(T, T)? It does not close padding alone, so say it: {name}[None, None] for pairs, "
            f"such as a causal mask, {name}[:, None, None] for tokens."
        )


def token_mask(ids: Tensor, mask: Tensor | None, name: str = "attention_mask") -> Tensor | None:
    """A mask of tokens as (B, T), also where it came as (B, 1, 1, T). Errors: see `check_token_mask`."""
    if isinstance(mask, Tensor) and mask.shape == (len(ids), 1, 1, ids.shape[1]):
        check_bools(name, mask)
        return mask[:, 0, 0]
    if mask is not None:
        check_token_mask(ids, mask, name)
    return mask


def mask_over(ids: Tensor, attention_mask: Tensor | None, n_heads: int) -> Tensor | None:
    """The mask of an encoder as its attention takes it: (B, T), True = token -> (B, 1, 1, T).

    ids (B, T); one of four axes is passed on if it broadcasts to (B, H, T, T). Errors: see
    `check_token_mask`, `check_attention_mask`.
    """
    if attention_mask is None:
        return None
    if isinstance(attention_mask, Tensor) and attention_mask.ndim == 4:
        check_attention_mask(attention_mask, (len(ids), n_heads, ids.shape[1], ids.shape[1]))
        return attention_mask
    check_token_mask(ids, attention_mask)
    return attention_mask[:, None, None, :]


def _broadcasts(mask: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether each axis of a mask has the size of the scores', or 1."""
    if mask == shape:
        return True
    for m, n in zip(mask, shape, strict=True):  # noqa: SIM110 twice as quick as all()
        if m != n and m != 1:
            return False
    return True


def _closes_padding(mask: Tensor, ids: Tensor) -> bool:
    """Whether a square mask closes padding alone; under torch.compile nobody looks."""
    if torch.compiler.is_compiling() or mask.is_meta or ids.is_meta or (mask == mask[0]).all():
        return True
    closed = ids[~mask]
    if (closed != closed[0]).any() or (ids[mask] == closed[0]).any():
        return False
    of_pairs = mask.equal(mask.T) or not mask.triu(1).any() or not mask.tril(-1).any()
    return int(closed[0]) == PAD_ID or not of_pairs


def _reads_as_padding(mask: Tensor) -> bool:
    """Whether rows (T, S) are open from one side only, in an order that no mask of pairs has.

    Under a causal mask, or one of blocks, what a query sees ends no sooner than for the one before.
    """
    if torch.compiler.is_compiling() or mask.is_meta or len(mask) < 2:
        return False
    n_open = mask.sum(1)
    more = n_open[n_open > 0].diff()
    opens, closes = (~mask[:, :-1] & mask[:, 1:]).any(), (mask[:, :-1] & ~mask[:, 1:]).any()
    return bool((not opens and (more < 0).any()) or (not closes and (more > 0).any()))


def _advice(mask: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """How a mask that does not fit the scores may have been meant."""
    if len(shape) > 2 and mask == (shape[0], shape[-1]):
        return f"a padding mask (B, S) is written attention_mask{_for_keys(shape)}"
    if len(shape) == 4 and mask in ((shape[0], *shape[2:]), (shape[0], 1, shape[3])):
        return "one mask for all heads, (B, T, S), is written attention_mask[:, None]"
    if len(shape) == 4 and len(mask) == 3:
        return "with three axes, say which is missing: attention_mask[:, None] or [None]"
    return "it must have as many axes, each of the same size or 1, or be one (T, S) for all rows"


def _for_keys(shape: tuple[int, ...]) -> str:
    return f"[:, {', '.join(['None'] * (len(shape) - 2))}]"


def holds_0_and_1(mask: Tensor) -> bool:
    """Whether a mask holds 0 and 1 alone. Float zeros alone would be an additive mask, all open."""
    if mask.is_meta or torch.compiler.is_compiling() or not mask.numel():
        return True
    only_01 = bool(((mask == 0) | (mask == 1)).all())
    return only_01 and not (mask.is_floating_point() and not mask.any())


def check_vectors(
    name: str, x: Tensor, width: int, weight: Tensor | None, shape: str = "... T D"
) -> None:
    """Error unless x (..., T, D) is as wide as a layer's input, and of its weight's dtype."""
    check_floats(name, x, shape)
    if x.shape[-1] != width:
        raise ValueError(
            f"{name} must have {width} numbers a vector, not {x.shape[-1]}: "
            f"its shape is {tuple(x.shape)}."
        )
    if weight is not None and x.dtype != weight.dtype:
        check_dtype(name, x, weight.dtype)


def check_dtype(name: str, x: Tensor, dtype: torch.dtype) -> None:
    """TypeError unless x has the dtype of the weights, or autocast sees to it."""
    if x.dtype != dtype and not (
        x.dtype != torch.float64 and torch.is_autocast_enabled(x.device.type)
    ):
        raise TypeError(
            f"{name} holds {x.dtype}, but the weights are {dtype}: write {name}.to({dtype})."
        )


def check_queries_and_keys(**vectors: tuple[Tensor, str]) -> None:
    """Error unless all are floats of one dtype and width, D > 0, and their first axes go together."""
    for name, (x, shape) in vectors.items():
        check_floats(name, x, shape)
    (first, (one, _)), (second, (other, _)) = vectors.items()
    if one.dtype != other.dtype and not torch.is_autocast_enabled(one.device.type):
        raise TypeError(f"{first} holds {one.dtype}, {second} {other.dtype}: bring both to one.")
    if one.shape[-1] != other.shape[-1] or not one.shape[-1]:
        raise ValueError(
            f"{first} and {second} must be equally wide, not {one.shape[-1]} and {other.shape[-1]}."
        )
    check_first_axes(first, one, second, other)


def check_values(v: Tensor, scores: Tensor) -> None:
    check_floats("v", v, "... S V")
    if v.dtype != scores.dtype and not torch.is_autocast_enabled(v.device.type):
        raise TypeError(
            f"v holds {v.dtype}, the scores of q and k {scores.dtype}: bring all to one."
        )
    if v.shape[-2] != scores.shape[-1]:
        raise ValueError(f"v has {v.shape[-2]} rows, but there are {scores.shape[-1]} keys in k.")
    check_first_axes("v", v, "the scores of q and k", scores)


def check_first_axes(first: str, one: Tensor, second: str, other: Tensor) -> None:
    a, b = tuple(one.shape[:-2]), tuple(other.shape[:-2])
    if a != b and any(
        x != y and 1 not in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False)
    ):
        raise ValueError(
            f"{first} has the first axes {a}, but {second} {b}: they do not go together."
        )
