"""Which tokens are hidden: one function per strategy, each for a whole batch at once.

Every function takes `maskable` (B, T) bool, True for the candidates, and returns `masked` (B, T)
bool, True where a token is removed from view; masked is never True where maskable is False.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable

import torch
from torch import Tensor

from mlm_course.contracts import check_bools, check_integers, check_number, may_look_at
from mlm_course.corruption.noise import Noise, uniform

Ratio = float | Tensor
LARGEST_VOCABULARY = 1 << 24


def maskable(ids: Tensor, special_ids: Iterable[int]) -> Tensor:
    """The tokens that may be hidden: everything but special tokens, padding among them.

    ids (B, T) int64 -> (B, T) bool. special_ids: the ids of [PAD], [CLS], [SEP] and the like. A
    negative number is no token and never maskable.
    """
    check_integers("ids", ids, "B T")
    specials = sorted_specials(special_ids)
    if specials == list(range(len(specials))):  # 0, 1, 2 ...: one comparison will do
        return ids >= len(specials)
    last = specials[-1] + 1  # every id from here on is ordinary: one entry serves them all
    table = torch.ones(last + 2, dtype=torch.bool, device="cpu")  # [i] for id i - 1
    table[[0, *(special + 1 for special in specials)]] = False
    return table.to(ids.device)[ids.long().clamp(-1, last) + 1]


def masked_count(candidates: Tensor, ratio: Ratio) -> Tensor:
    """How many tokens of a row to hide: the rounded share, but one where anything may be hidden.

    candidates (B,) int64 -> (B,) int64: min(candidates, max(1, round(ratio * candidates))), and 0
    where the ratio or the number of candidates is 0. The product is rounded in float64 with
    halves to the even number, exactly as Python's round does: of 10 tokens at .25, two. A tensor
    of ratios is taken at its own precision: make it float64 if exactness at the halves matters.
    """
    check_integers("candidates", candidates, "B")
    ratio = check_ratio(ratio, len(candidates))
    counts = candidates.cpu()  # not every device has float64
    if may_look_at(counts) and counts.min() < 0:
        raise ValueError(f"candidates contains {int(counts.min())}: no row has fewer than 0.")
    ratio = torch.as_tensor(ratio, dtype=torch.float64, device="cpu")
    wanted = (counts.double() * ratio).round().long().clamp(min=1)
    return wanted.minimum(counts).where(ratio > 0, 0).to(candidates.device)


def choose_bernoulli(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """Each candidate hidden with probability `ratio`, on its own.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). The number of hidden
    tokens varies: a short row can end up with none. Source: transformers,
    DataCollatorForLanguageModeling.
    """
    check_bools("maskable", maskable, "B T")
    ratio = check_ratio(ratio, len(maskable))
    noise = uniform(maskable, generator)  # (B, T)
    if isinstance(ratio, Tensor):
        return (noise.cpu() < ratio.unsqueeze(1)).to(maskable.device) & maskable
    return (noise < ratio) & maskable


def choose_fixed_count(maskable: Tensor, ratio: Ratio, generator: Noise) -> Tensor:
    """Exactly `masked_count` candidates of each row, all subsets equally likely.

    maskable (B, T) bool; ratio in [0, 1], a number or one per row (B,). Never an empty row unless
    the ratio is 0 or nothing may be hidden. Source: Devlin et al. 2019, create_pretraining_data
    (which counts special tokens too; here only candidates count).
    """
    check_bools("maskable", maskable, "B T")
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
    share = uniform(maskable[:, :1], generator).sum(1)  # (B,)  0 where T is 0
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
    check_bools("maskable", maskable, "B T")
    candidates = maskable.sum(1)
    count = masked_count(candidates, ratio)
    noise = uniform(maskable[:, :1], generator).sum(1)  # (B,)  0 where T is 0
    places = candidates - count + 1
    start = ((noise * 2**24).long() * places) >> 24  # noise has 24 bits: nothing is rounded
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
    check_bools("maskable", maskable, "B T")
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

    lengths (B,) -> (B,) float64 on the CPU, `ratio` itself for a row of `typical` tokens, never
    above 1. A short row has little context to lose, a long one has some to spare. A heuristic without a
    paper behind it, and not what RoBERTa calls dynamic masking.
    """
    check_integers("lengths", lengths, "B")
    check_number("typical", typical, least=1)
    ratio = check_ratio(ratio, len(lengths))
    return ((lengths.cpu().double() / typical).clamp(0.5, 1.5) * ratio).clamp(max=1.0)


def choose_adaptive(
    maskable: Tensor, ratio: Ratio, generator: Noise, *, typical: int = 64
) -> Tensor:
    """A fixed count whose share depends on the number of candidates (`adaptive_ratio`).

    maskable (B, T) bool; ratio in [0, 1] is that of a row of `typical` candidates.
    """
    check_bools("maskable", maskable, "B T")
    lengths = maskable.sum(1)
    return choose_fixed_count(maskable, adaptive_ratio(lengths, ratio, typical=typical), generator)


def check_ratio(ratio: Ratio, n_rows: int) -> Ratio:
    """The ratio as a float or as a tensor (B,) on the CPU, once it is known to make sense.

    Errors: TypeError or ValueError that says what it is and what it should be.
    """
    if isinstance(ratio, Tensor) and ratio.dim() > 0:
        if ratio.shape != (n_rows,):
            raise ValueError(
                f"ratio has shape {tuple(ratio.shape)}; give one number, or one per row: ({n_rows},)."
            )
        if ratio.dtype == torch.bool or ratio.is_complex():
            raise TypeError(f"ratio must hold numbers, not {ratio.dtype}.")
        ratio = ratio.detach().cpu()
        if not ((ratio >= 0) & (ratio <= 1)).all():  # NaN fails both comparisons
            values = f"{ratio.min():g} to {ratio.max():g}"
            raise ValueError(f"Every ratio must lie between 0 and 1, not from {values}.")
        return ratio
    number = ratio.item() if isinstance(ratio, Tensor) else ratio
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise TypeError(f"ratio must be a number, not {type(number).__name__}.")
    if not 0 <= number <= 1:
        raise ValueError(f"ratio must lie between 0 and 1, not {number}.")
    return float(number)


def sorted_specials(special_ids: Iterable[int]) -> list[int]:
    """The special ids in order, each once. Errors: one that is not an integer from 0 on."""
    try:
        specials = sorted({operator.index(i) for i in special_ids})
    except TypeError:
        raise TypeError(
            f"special_ids must be integers such as [0, 2, 3], not {special_ids!r:.60}."
        ) from None
    if specials and not (specials[0] >= 0 and specials[-1] < LARGEST_VOCABULARY):
        wrong = specials[0] if specials[0] < 0 else specials[-1]
        raise ValueError(
            f"special_ids has {wrong}: token ids start at 0, and no vocabulary is that large."
        )
    return specials
