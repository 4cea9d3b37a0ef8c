"""What stands in the place of masked tokens; strategy and replacement put together, for a data set."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlm_course.contracts import (
    check_bools,
    check_callable,
    check_count,
    check_devices_agree,
    check_ids,
    check_integers,
    check_mask,
    check_number,
    check_shapes_agree,
    check_tensor,
    may_look_at,
)
from mlm_course.corruption.noise import CounterRNG, Noise, integers_at, row_numbers, uniform_at
from mlm_course.corruption.strategies import (
    Ratio,
    check_ratio,
    choose_bernoulli,
    choose_fixed_count,
    maskable,
    sorted_specials,
)
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS

WORTH_SHARING = 1 << 18


@contextmanager
def one_thread(size: int = 0) -> Iterator[None]:
    """A stretch of code in which torch uses one thread, unless `size` numbers are worth sharing.

    Torch shares out anything from 32,768 numbers on. A batch that small takes 20 microseconds, but
    waiting for the second thread takes milliseconds whenever that core is busy with something else.
    """
    threads = torch.get_num_threads()
    if threads == 1 or size > WORTH_SHARING:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, kw_only=True)
class Proportions:
    """Of all masked tokens the shares that become [MASK], stay as they are, and turn random.

    Errors: ValueError unless they lie between 0 and 1 and add up to 1.
    """

    mask: float
    keep: float = 0.0
    random: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.mask, self.keep, self.random)
        for share in shares:
            check_number("each of the proportions", share)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"Proportions are shares between 0 and 1, not {shares}.")
        if not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise ValueError(f"Proportions must add up to 1, not {sum(shares):g}.")


BERT_PROPORTIONS = Proportions(mask=0.8, keep=0.1, random=0.1)
MASK_ONLY = Proportions(mask=1.0)
IGNORED = -100  # the label that torch's cross_entropy leaves out by default


class Corrupted(NamedTuple):
    """A corrupted batch: what the model sees, what it should say, and where."""

    input_ids: Tensor  # (B, T) int64
    labels: Tensor  # (B, T) int64: the original id where hidden, -100 elsewhere
    masked: Tensor  # (B, T) bool


def ordinary_ids(vocab_size: int, special_ids: Iterable[int]) -> Tensor:
    """The ids that a random replacement may be: the whole vocabulary but the special tokens.

    Returns (V - specials,) int64, ascending.
    """
    check_count("vocab_size", vocab_size, least=1)
    specials = sorted_specials(special_ids)
    if specials and specials[-1] >= vocab_size:
        raise ValueError(f"special_ids has {specials[-1]}, outside the vocabulary of {vocab_size}.")
    ordinary = torch.ones(vocab_size, dtype=torch.bool, device="cpu")
    ordinary[specials] = False
    return ordinary.nonzero().squeeze(1)


def corrupt(
    ids: Tensor,
    masked: Tensor,
    generator: Noise,
    *,
    mask_id: int,
    ordinary_ids: Tensor,
    proportions: Proportions = BERT_PROPORTIONS,
) -> Corrupted:
    """A corrupted copy: each hidden token turned into [MASK], left as it is, or made random.

    ids (B, T) int64, masked (B, T) bool; neither is written to. proportions: what
    becomes of them, drawn for each token on its own. ordinary_ids (K,) int64:
    what a random token may be, all equally likely, the hidden token itself included. Every hidden
    token has a label, also one left unchanged: the model cannot know which tokens it will be asked
    about. Source: Devlin et al. 2019, section 3.1.
    """
    _check_replacement(ids, masked, mask_id, ordinary_ids, proportions)
    return _replaced(ids.long(), masked, generator, mask_id, ordinary_ids.long(), proportions)


def _replaced(
    ids: Tensor,
    masked: Tensor,
    generator: Noise,
    mask_id: int,
    ordinary_ids: Tensor,
    proportions: Proportions,
) -> Corrupted:
    flat = ids.flatten()  # (B * T,)
    place = masked.flatten().nonzero().squeeze(1)  # (n,)  in reading order
    original = flat.gather(0, place)
    fate = uniform_at(place, ids, generator)  # (n,)
    new = original.masked_fill(fate < proportions.mask, mask_id)
    if proportions.random > 0:
        last = (fate >= max(proportions.mask, 1 - proportions.random)).nonzero().squeeze(1)
        drawn = integers_at(place.gather(0, last), ids, len(ordinary_ids), generator)
        new = new.scatter(0, last, ordinary_ids.to(ids.device).gather(0, drawn))
    input_ids = flat.scatter(0, place, new)
    labels = torch.full_like(flat, IGNORED).scatter_(0, place, original)
    return Corrupted(input_ids.view_as(ids), labels.view_as(ids), masked)


def _check_replacement(
    ids: Tensor, masked: Tensor, mask_id: int, ordinary_ids: Tensor, proportions: Proportions
) -> None:
    check_ids(ids)
    check_mask("masked", masked, ids)
    check_devices_agree(ids=ids, masked=masked)
    check_count("mask_id", mask_id)
    check_ids(ordinary_ids, name="ordinary_ids", shape="K")
    _check_proportions(proportions, ordinary_ids)


def _check_proportions(proportions: Proportions, ordinary_ids: Tensor) -> None:
    if not isinstance(proportions, Proportions):
        kind = type(proportions).__name__
        raise TypeError(
            f"proportions must be Proportions(mask=..., keep=..., random=...), not {kind}."
        )
    if proportions.random > 0 and not len(ordinary_ids):
        raise ValueError("ordinary_ids is empty: there is nothing to put in at random.")


def mask_tokens(ids: Tensor, masked: Tensor) -> Corrupted:
    """The rows with [MASK] at the hidden places, and what stood there: both (B, T)."""
    check_integers("ids", ids)
    check_mask("masked", masked, ids)
    check_devices_agree(ids=ids, masked=masked)
    return Corrupted(ids.masked_fill(masked, MASK_ID), ids.masked_fill(~masked, IGNORED), masked)


class Masker:
    """A corruption of token ids, ready to be applied: which tokens, how many, replaced by what.

    vocab_size and special_ids say which ids may be hidden and put in at random; mask_id must be
    one of the special ids. choose: a strategy; ratio and proportions as there.
    """

    def __init__(
        self,
        vocab_size: int,
        special_ids: Iterable[int],
        mask_id: int,
        *,
        choose: Callable[..., Tensor] = choose_bernoulli,
        ratio: Ratio = 0.15,
        proportions: Proportions = BERT_PROPORTIONS,
    ) -> None:
        self.special_ids = tuple(sorted_specials(special_ids))
        check_count("mask_id", mask_id)
        if mask_id not in self.special_ids:
            raise ValueError(
                f"mask_id {mask_id} is not among special_ids {list(self.special_ids)}: [MASK] is a "
                "special token, or it would be hidden and drawn at random itself."
            )
        self.vocab_size, self.mask_id = vocab_size, mask_id
        self.ordinary_ids = ordinary_ids(vocab_size, self.special_ids)
        check_callable("choose", choose)
        check_ratio(ratio, len(ratio) if isinstance(ratio, Tensor) and ratio.dim() else 1)
        _check_proportions(proportions, self.ordinary_ids)
        self.choose, self.ratio, self.proportions = choose, ratio, proportions

    def __call__(
        self,
        ids: Tensor,
        generator: Noise,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> Corrupted:
        """The corrupted ids (B, T); word_ids and scores (B, T) reach a strategy that needs them."""
        check_ids(ids, self.vocab_size)
        given = {"word_ids": word_ids, "scores": scores}
        needs = {name: value for name, value in given.items() if value is not None}
        what = self.mask_id, self.ordinary_ids, self.proportions
        with one_thread(ids.numel()):
            masked = self._chosen(maskable(ids, self.special_ids), generator, needs)
            return _replaced(ids.long(), masked, generator, *what)

    def _chosen(self, candidates: Tensor, generator: Noise, needs: dict[str, Tensor]) -> Tensor:
        """What the strategy hides, which may be anyone's: held to what a strategy may return."""
        try:
            masked = self.choose(candidates, self.ratio, generator, **needs)
        except TypeError as error:
            _check_arguments(self.choose, candidates, self.ratio, generator, **needs)
            if isinstance(generator, CounterRNG) and "CounterRNG" in str(error):
                raise TypeError(
                    f"The strategy {_name(self.choose)} draws from a torch.Generator only, but here the "
                    "numbers follow from (seed, epoch, index): draw with "
                    "mlm_course.corruption.noise.uniform(maskable, generator)."
                ) from None
            raise
        check_bools("masked, as the strategy returned it,", masked)
        check_shapes_agree(maskable=candidates, masked=masked)
        check_devices_agree(maskable=candidates, masked=masked)
        wrong = (masked > candidates).view(torch.uint8)  # bytes: their max is sooner found
        if may_look_at(wrong) and wrong.max():
            raise ValueError(
                "The strategy hides special tokens or padding: it must return masked & maskable."
            )
        return masked


class StaticMasking:
    """A data set corrupted `copies` times before training; epoch e shows copy e % copies.

    ids (N, T) int64; word_ids and scores (N, T) for strategies that need them. Call it with the
    index (B,) of the rows wanted and the epoch. BERT made 10 copies and trained 40 epochs, so
    that each was seen 4 times (Liu et al. 2019, RoBERTa, section 4.1). Takes 17 bytes per token
    and copy.
    """

    def __init__(
        self,
        masker: Masker,
        ids: Tensor,
        copies: int,
        generator: Noise,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        _check_data(masker, ids)
        check_count("copies", copies, least=1)
        needs = {"word_ids": word_ids, "scores": scores}
        self.copies = [masker(ids, generator, **needs) for _ in range(copies)]

    def __len__(self) -> int:
        return len(self.copies[0].input_ids)

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        """The rows `index` (B,) of this epoch's copy."""
        check_count("epoch", epoch)
        copy, rows = self.copies[epoch % len(self.copies)], _rows_at(index, len(self))
        return Corrupted(*(part[rows] for part in copy))


class DynamicMasking:
    """A data set corrupted anew whenever a row is shown, from (seed, epoch, index) alone.

    ids (N, T) int64; word_ids and scores (N, T) for strategies that need them. Call it with the
    index (B,) of the rows wanted and the epoch. The same row in the same epoch is always corrupted
    the same way, whoever sits beside it: an interrupted run can go on, a result can be had again.
    Source: Liu et al. 2019 (RoBERTa), section 4.1.
    """

    def __init__(
        self,
        masker: Masker,
        ids: Tensor,
        seed: int,
        *,
        word_ids: Tensor | None = None,
        scores: Tensor | None = None,
    ) -> None:
        _check_data(masker, ids)
        CounterRNG(seed, 0, [])  # says what is wrong with a seed that is none
        for name, values in (("word_ids", word_ids), ("scores", scores)):
            if values is not None:
                check_tensor(name, values, "N T")
                check_shapes_agree(**{"ids": ids, name: values})
        self.masker, self.ids, self.seed = masker, ids, seed
        self.word_ids, self.scores = word_ids, scores

    def __len__(self) -> int:
        return len(self.ids)

    def __call__(self, index: Tensor, epoch: int) -> Corrupted:
        """The rows `index` (B,), corrupted for this epoch."""
        rows = _rows_at(index, len(self))
        return self.masker(
            self.ids[rows],
            CounterRNG(self.seed, epoch, rows),
            word_ids=None if self.word_ids is None else self.word_ids[rows],
            scores=None if self.scores is None else self.scores[rows],
        )


def standard_masker(vocab_size: int, ratio: float) -> Masker:
    """The corruption that most of the course trains with: a fixed share of each row, all [MASK]."""
    fixed, only = choose_fixed_count, MASK_ONLY
    return Masker(vocab_size, SPECIAL_IDS, MASK_ID, choose=fixed, ratio=ratio, proportions=only)


def _check_data(masker: Callable[..., Corrupted], ids: Tensor) -> None:
    check_callable("masker", masker)
    check_ids(ids, shape="N T")


def _rows_at(index: Tensor | Sequence[int], n_rows: int) -> Tensor:
    """index as (B,) int64 on the CPU, each from 0 to n_rows - 1."""
    rows = row_numbers(index)
    if len(rows) and not (rows.min() >= 0 and rows.max() < n_rows):
        wrong = int(rows.min() if rows.min() < 0 else rows.max())
        raise IndexError(f"index contains {wrong}, but there are {n_rows} rows, numbered from 0.")
    return rows


def _check_arguments(choose: Callable[..., Tensor], *given: Any, **needs: Tensor) -> None:
    """TypeError if a strategy does not take these arguments, or needs another one."""
    try:
        inspect.signature(choose).bind(*given, **needs)
    except TypeError as error:
        takes = ", ".join(["maskable", "ratio", "generator", *needs])
        raise TypeError(f"The strategy {_name(choose)} does not take ({takes}): {error}.") from None


def _name(choose: Callable[..., Tensor]) -> str:
    return getattr(choose, "__name__", type(choose).__name__)
