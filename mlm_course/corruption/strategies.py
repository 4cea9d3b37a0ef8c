"""Which tokens are hidden: one function per strategy, each for a whole batch at once.

Every function takes `maskable` (B, T) bool, True for the candidates, and returns `masked` (B, T)
bool, True where a token is removed from view; masked is never True where maskable is False.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from mlm_course.corruption.noise import Noise, uniform

Ratio = float | Tensor


def maskable(ids: Tensor, special_ids: Sequence[int]) -> Tensor:
    """The tokens that may be hidden: everything but special tokens, padding among them.

    ids (B, T) int64 -> (B, T) bool. special_ids: the ids of [PAD], [CLS], [SEP] and the like. A
    negative number is no token and never maskable.
    """
    check_ids_form(ids)
    specials = sorted(set(special_ids))
    if specials == list(range(len(specials))):  # 0, 1, 2 ...: one comparison will do
        return compare_quickly(ids, operator.ge, len(specials))
    last = specials[-1] + 1  # every id from here on is ordinary: one entry serves them all
    table = torch.ones(last + 2, dtype=torch.bool, device=ids.device)  # [i] for id i - 1
    table[0] = False
    table[torch.tensor(specials, device=ids.device) + 1] = False
    return table[ids.clamp(-1, last) + 1]


def masked_count(candidates: Tensor, ratio: Ratio) -> Tensor:
    """How many tokens of a row to hide: the rounded share, but one where anything may be hidden.

    candidates (B,) int64 -> (B,) int64: min(candidates, max(1, round(ratio * candidates))), and 0
    where the ratio or the number of candidates is 0. The product is rounded in float64 with
    halves to the even number, exactly as Python's round does: of 10 tokens at .25, two. A tensor
    of ratios is taken at its own precision: make it float64 if exactness at the halves matters.
    """
    ratio = torch.as_tensor(ratio, dtype=torch.float64, device=candidates.device)
    wanted = (candidates.double() * ratio).round().long().clamp(min=1)
    return wanted.minimum(candidates).where(ratio > 0, 0)


def choose_bernoulli(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """Each candidate hidden with probability `ratio`, on its own.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). The number of hidden
    tokens varies: a short row can end up with none. Source: transformers,
    DataCollatorForLanguageModeling.
    """
    ratio = check_ratio(maskable, ratio)
    noise = uniform(maskable, generator)  # (B, T)
    if isinstance(ratio, Tensor):
        return (noise < ratio.unsqueeze(1)) & maskable
    return compare_quickly(noise, operator.lt, ratio) & maskable


def compare_quickly(numbers: Tensor, relation: Callable[..., Any], bound: float) -> Tensor:
    """The truth of relation(number, bound) for every number, such as operator.lt.

    On the CPU by numpy, which compares several times as fast as torch.
    """
    if numbers.device.type == "cpu":
        return torch.from_numpy(relation(numbers.numpy(), bound))
    return relation(numbers, bound)


def choose_fixed_count(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """Exactly `masked_count` candidates of each row, all subsets equally likely.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). Never an empty row unless
    the ratio is 0 or nothing may be hidden. Source: Devlin et al. 2019, create_pretraining_data
    (which counts special tokens too; here only candidates count).
    """
    ratio = check_ratio(maskable, ratio)
    return choose_count(maskable, masked_count(maskable.sum(1), ratio), generator)


def choose_count(maskable: Tensor, count: Tensor, generator: Noise) -> Tensor:
    """`count` (B,) int64 candidates of each row, or all if there are fewer; all subsets equally likely."""
    noise = uniform(maskable, generator).masked_fill(~maskable, 2.0)
    return lowest(noise, count) & maskable


def choose_any_count(maskable: Tensor, generator: Noise) -> Tensor:
    """n candidates of each row, n drawn from 1 to all of them: maskable, result (B, T) bool.

    What a model must train on that is to fill an empty page.
    Source: Ghazvininejad et al. 2019, section 2.1.
    """
    share = uniform(maskable[:, :1], generator)[:, 0]  # (B,)
    return choose_count(maskable, 1 + (share * maskable.sum(1)).long(), generator)


def lowest(keys: Tensor, count: Tensor) -> Tensor:
    """The `count` (B,) smallest keys (B, T) of each row as a boolean (B, T); ties: leftmost first.

    Comparing with the count-th key would take too many where two keys are equal, and two float32
    noises in a row of 512 are equal in one row of 130.
    """
    order = keys.argsort(dim=1, stable=True)  # (B, T)
    taken = torch.arange(keys.shape[1], device=keys.device) < count.unsqueeze(1)
    return torch.zeros_like(keys, dtype=torch.bool).scatter(1, order, taken)


def choose_block(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """One block of neighbouring candidates, its place uniform among those where it fits.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). The block has
    `masked_count` tokens. A special token inside it stays visible. The first and last tokens of a
    row lie in fewer blocks and are hidden less often than the middle.
    """
    ratio = check_ratio(maskable, ratio)
    candidates = maskable.sum(1)
    count = masked_count(candidates, ratio)
    noise = uniform(maskable[:, :1], generator).double().sum(1)  # (B,)  0 where T is 0
    start = (noise * (candidates - count + 1)).long()
    place = maskable.cumsum(1) - 1  # (B, T)  0, 1, 2 ... along the candidates
    start, end = start.unsqueeze(1), (start + count).unsqueeze(1)
    return maskable & (place >= start) & (place < end)


def choose_non_adjacent(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """Candidates of which no two are neighbours, all such sets of that size equally likely.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). Candidates with nothing
    but special tokens between them count as neighbours. Hides `masked_count` tokens, but at most
    every second candidate, (candidates + 1) // 2: ratios above one half change nothing.

    n separated places among m correspond to any n places among m - n + 1: draw those freely, then
    move the i-th (from 0) by i places to the right, which puts a gap between each two.
    """
    ratio = check_ratio(maskable, ratio)
    candidates = maskable.sum(1)
    count = masked_count(candidates, ratio).minimum((candidates + 1) // 2)
    slots = torch.arange(maskable.shape[1], device=maskable.device)  # (T,)
    free = slots < (candidates - count + 1).unsqueeze(1)
    drawn = choose_count(free & (count > 0).unsqueeze(1), count, generator)  # (B, T)
    moved = (slots + drawn.cumsum(1) - 1).clamp(0, max(len(slots) - 1, 0))  # meant where drawn
    separated = torch.zeros_like(slots.expand_as(drawn)).scatter_add(1, moved, drawn.long())
    place = (maskable.cumsum(1) - 1).clamp(min=0)
    return maskable & separated.bool().gather(1, place)


def adaptive_ratio(lengths: Tensor, ratio: Ratio, *, typical: int = 64) -> Tensor:
    """A ratio that grows with the row: in proportion to its length, from half to one and a half.

    lengths (B,) -> (B,) float64, `ratio` itself for a row of `typical` tokens, never above 1. A
    short row has little context to lose, a long one has some to spare. A heuristic without a
    paper behind it, and not what RoBERTa calls dynamic masking.
    """
    if typical < 1:
        raise ValueError(f"typical must be at least 1 token, not {typical}.")
    return ((lengths.double() / typical).clamp(0.5, 1.5) * ratio).clamp(max=1.0)


def choose_adaptive(
    maskable: Tensor, ratio: Ratio, generator: Noise, *, typical: int = 64
) -> Tensor:
    """A fixed count whose share depends on the number of candidates (`adaptive_ratio`).

    maskable (B, T) bool; ratio in [0, 1] is that of a row of `typical` candidates.
    """
    ratio = check_ratio(maskable, ratio)
    lengths = maskable.sum(1)
    return choose_fixed_count(maskable, adaptive_ratio(lengths, ratio, typical=typical), generator)


def check_ratio(maskable: Tensor, ratio: Ratio) -> Ratio:
    """The ratio as a float or a (B,) tensor, once it and maskable are known to make sense.

    Errors: TypeError or ValueError that says which argument is wrong and what it should be.
    """
    check_bool("maskable", maskable)
    if isinstance(ratio, Tensor) and ratio.dim() > 0:
        if ratio.shape != maskable.shape[:1]:
            raise ValueError(
                f"ratio has shape {tuple(ratio.shape)}; give one number, or one per row: "
                f"({len(maskable)},)."
            )
        if not ((ratio >= 0) & (ratio <= 1)).all():  # NaN fails both comparisons
            raise ValueError("Every ratio must lie between 0 and 1.")
        return ratio.to(maskable.device)
    try:
        ratio = float(ratio)
    except (TypeError, ValueError):
        raise TypeError(f"ratio must be a number, not {type(ratio).__name__}.") from None
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must lie between 0 and 1, not {ratio}.")
    return ratio


def check_bool(name: str, mask: Tensor) -> None:
    """Nothing, or an error unless mask is a boolean tensor (B, T)."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise TypeError(f"{name} must be a tensor of dtype torch.bool, not {kind}.")
    if mask.dim() != 2:
        raise ValueError(
            f"{name} must have shape (B, T), not {tuple(mask.shape)}: "
            "a single row becomes a batch with unsqueeze(0)."
        )


def check_ids_form(ids: Tensor) -> None:
    """Nothing, or an error unless ids is an int64 tensor (B, T)."""
    if not isinstance(ids, Tensor) or ids.dtype != torch.int64:
        kind = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise TypeError(f"ids must be a tensor of dtype torch.int64, not {kind}.")
    if ids.dim() != 2:
        raise ValueError(
            f"ids must have shape (B, T), not {tuple(ids.shape)}: "
            "a single row becomes a batch with unsqueeze(0)."
        )


def check_ids(ids: Tensor) -> None:
    """Nothing, or an error unless ids is an int64 tensor (B, T) without negative numbers."""
    check_ids_form(ids)
    if ids.numel() and ids.min() < 0:
        raise ValueError(
            f"ids contains {int(ids.min())}: token ids start at 0, and -100 belongs in labels."
        )


def check_same_shape(name: str, given: Tensor, maskable: Tensor) -> None:
    """Nothing, or an error unless `given` is a tensor of maskable's shape."""
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor, not {type(given).__name__}.")
    if given.shape != maskable.shape:
        raise ValueError(
            f"{name} has shape {tuple(given.shape)}, the tokens have {tuple(maskable.shape)}."
        )
