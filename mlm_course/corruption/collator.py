"""From a list of rows to a padded, corrupted batch."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from mlm_course.contracts import check_callable, check_count
from mlm_course.corruption.masking import Masker, one_thread
from mlm_course.corruption.noise import CounterRNG

INT64 = -(1 << 63), (1 << 63) - 1
NO_EPOCH = -1


class MaskedBatch(NamedTuple):
    """A padded, corrupted batch."""

    input_ids: Tensor  # (B, T) int64
    attention_mask: Tensor  # (B, T) bool: True = may attend, False = padding
    labels: Tensor  # (B, T) int64, -100 where not hidden
    masked: Tensor  # (B, T) bool


class IndexedRow(NamedTuple):
    """A row of token ids with what its masks follow from: its place in the data set, and the epoch."""

    place: int
    epoch: int
    ids: Sequence[int]


class IndexedRows(Dataset[IndexedRow]):
    """Rows of token ids for torch's DataLoader, each with its index and the epoch.

    With a `MaskingCollator` the masks follow from (seed, epoch, index), whatever the number and
    kind of workers, their order and their share of the rows. Call `set_epoch` before each epoch,
    as with a DistributedSampler. The epoch is one number in shared memory, so that workers
    that live on (persistent_workers=True) learn of it too.
    """

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        _check_rows(rows)
        self.rows = rows
        self._epoch = torch.full((), NO_EPOCH, dtype=torch.int64, device="cpu").share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """What follows belongs to this epoch, counted from 0: to be called between two loops."""
        check_count("epoch", epoch, most=INT64[1])
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> IndexedRow:
        try:
            place, epoch = operator.index(index), int(self._epoch)
        except TypeError:
            raise TypeError(f"index must be an integer, not {type(index).__name__}.") from None
        if not 0 <= place < len(self.rows):
            raise IndexError(f"There is no row {place}: the {len(self)} rows are numbered from 0.")
        if epoch == NO_EPOCH:
            raise RuntimeError("Call set_epoch(epoch) before each epoch: the masks follow from it.")
        return IndexedRow(place, epoch, self.rows[place])

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._epoch.share_memory_()  # nothing happens if it already is, as in a worker


class MaskingCollator:
    """Rows of token ids of differing length -> one padded and corrupted batch.

    A `collate_fn` for torch's DataLoader. Called with `IndexedRow`s, as `IndexedRows` deals them
    out, or with rows, their index in the data set and the epoch, it draws from (seed, epoch,
    index). Called with rows alone it draws from its generator, made from `seed`: not in a worker,
    whose copy of the generator would deal out the same numbers again. word_ids_of and scores_of
    compute from the padded ids (B, T) what the strategy needs, for example
    `partial(word_ids, starts=word_starts(tokenizer))`.

    attention_mask is boolean, True = may attend; `.long()` makes it the 0/1 mask of transformers.
    """

    def __init__(
        self,
        masker: Masker,
        pad_id: int = 0,
        *,
        seed: int = 0,
        word_ids_of: Callable[[Tensor], Tensor] | None = None,
        scores_of: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        _check_collator(masker, pad_id, seed, word_ids_of=word_ids_of, scores_of=scores_of)
        self.masker, self.pad_id, self.seed = masker, pad_id, seed
        self.generator = torch.Generator("cpu").manual_seed(int(seed))
        self.word_ids_of, self.scores_of = word_ids_of, scores_of

    def __call__(
        self,
        rows: Sequence[Any],
        index: Tensor | Sequence[int] | None = None,
        epoch: int = 0,
    ) -> MaskedBatch:
        """The batch of these rows; T is the length of the longest."""
        _check_rows(rows)
        if index is None and len(rows) and isinstance(rows[0], IndexedRow):
            rows, index, epoch = _taken_apart(rows)
        noise = self._own_generator() if index is None else CounterRNG(self.seed, epoch, index)
        with one_thread():
            ids, attention_mask = pad_rows(rows, self.pad_id)
            input_ids, labels, masked = self.masker(
                ids,
                noise,
                word_ids=self.word_ids_of and self.word_ids_of(ids),
                scores=self.scores_of and self.scores_of(ids),
            )
        return MaskedBatch(input_ids, attention_mask, labels, masked)

    def _own_generator(self) -> torch.Generator:
        if get_worker_info() is not None:
            raise RuntimeError(
                "In a worker this collator would deal out the same masks again and again: pass "
                "the DataLoader IndexedRows(rows) instead of rows, and call its set_epoch(epoch) "
                "before each epoch."
            )
        return self.generator

    def __getstate__(self) -> dict[str, Any]:
        """The generator's state as bytes: a Generator itself does not reach a spawned worker."""
        return {**self.__dict__, "generator": self.generator.get_state().numpy().tobytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        numbers = torch.frombuffer(bytearray(state["generator"]), dtype=torch.uint8)
        self.__dict__.update(state, generator=torch.Generator("cpu"))
        self.generator.set_state(numbers)


def _check_collator(masker: Masker, pad_id: int, seed: int, **needs: Any) -> None:
    if not isinstance(masker, Masker):
        raise TypeError(f"masker must be a Masker, not {type(masker).__name__}.")
    check_count("pad_id", pad_id)
    if pad_id not in masker.special_ids:
        raise ValueError(f"pad_id {pad_id} is not among the special ids {masker.special_ids}.")
    check_count("seed", seed, *INT64)
    for name, compute in needs.items():
        if compute is not None:
            check_callable(name, compute)


def _taken_apart(rows: Sequence[Any]) -> tuple[list[Sequence[int]], list[int], int]:
    """The ids of indexed rows, their index, and the one epoch they belong to."""
    if not all(isinstance(row, IndexedRow) for row in rows):
        raise TypeError("Some rows are IndexedRows and some are not: pass one kind.")
    epochs = sorted({row.epoch for row in rows})
    if len(epochs) > 1:
        raise RuntimeError(
            f"One batch has rows of epochs {epochs}: call set_epoch between two loops over the "
            "DataLoader, not inside one."
        )
    return [row.ids for row in rows], [row.place for row in rows], epochs[0]


def pad_rows(rows: Sequence[Sequence[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of differing length as one tensor, filled up with pad_id on the right.

    A row is a list, a tuple, an array or a tensor (T,). Returns ids (B, T) int64 and
    attention_mask (B, T) bool, True where a row has a token.
    Errors: no rows, or a row that holds anything but integers from 0 on (1.5 is not cut to 1).
    """
    _check_rows(rows)
    check_count("pad_id", pad_id, *INT64)
    if not len(rows):
        raise ValueError("There are no rows to collate.")
    lists = [row if type(row) is list else _as_list(row) for row in rows]
    lengths = list(map(len, lists))
    shape = len(lists), max(lengths)
    flat = _flatten(lists)
    if len(flat) == shape[0] * shape[1]:  # all equally long
        return flat.view(shape), torch.ones(shape, dtype=torch.bool, device="cpu")
    ends = torch.tensor(lengths, device="cpu").unsqueeze(1)  # (B, 1)
    attention_mask = torch.arange(shape[1], device="cpu") < ends  # (B, T)
    padded = torch.full(shape, pad_id, device="cpu")
    return padded.masked_scatter_(attention_mask, flat), attention_mask


def _check_rows(rows: Any) -> None:
    if isinstance(rows, str | bytes | dict | set) or not hasattr(rows, "__getitem__"):
        raise TypeError(f"rows must be a list of rows of token ids, not {type(rows).__name__}.")


def _as_list(row: Any) -> Sequence[int]:
    """One row as a list or tuple of what it holds."""
    kept = row.tolist() if hasattr(row, "tolist") else row  # numpy, tensors
    if not isinstance(kept, list | tuple | range):
        advice = ': pass its row["input_ids"]' if isinstance(row, dict) else ""
        raise TypeError(f"A row must be a list of token ids, not {type(row).__name__}{advice}.")
    return kept


def _flatten(rows: list[Sequence[int]]) -> Tensor:
    """All ids behind one another (N,) int64; by an `array`, 20 times as fast as torch.tensor."""
    joined: list[int] = []
    for row in rows:
        joined += row
    try:
        numbers = array("Q", joined)  # Q: 8 bytes each, from 0 on
    except (TypeError, OverflowError) as error:
        raise TypeError(f"Rows must be lists of token ids, numbers from 0 on: {error}.") from None
    if not joined:
        return torch.empty(0, dtype=torch.int64, device="cpu")
    flat = torch.frombuffer(numbers, dtype=torch.int64)
    least, most = flat.aminmax()
    if least < 0:  # 2^63 and more, read as signed numbers
        raise TypeError(f"Rows must be lists of token ids, not as large as {max(joined)}.")
    if most <= 1 and any(isinstance(number, bool) for number in joined):
        raise TypeError("Rows must be lists of token ids, not of True and False.")
    return flat
