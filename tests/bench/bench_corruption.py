"""Our corruption against transformers' collator for language modelling: how many times as fast.

256 rows of 128 ids, 15 % hidden, 80/10/10. All contestants take turns within one run; printed are
medians of 20 and, since times depend on the machine, ratios: of the medians, and the quartiles of
the 20 ratios of one round each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from reporting import main
from side_by_side import WARM_UP, Times, times_as_fast
from tokenizers import Tokenizer, models
from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

from mlm_course.corruption import Masker, MaskingCollator
from mlm_course.results.benchmarks import Measurement

ROUNDS = 20
ROWS, LENGTH, VOCAB = 256, 128, 8000
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Duel(NamedTuple):
    name: str
    theirs: Callable[[Any], object]
    ours: Callable[[Any], object]
    their_input: Callable[[], Any]
    our_input: Callable[[], Any]
    bar: float


def their_collator() -> DataCollatorForLanguageModeling:
    words = SPECIALS + [f"w{i}" for i in range(VOCAB - len(SPECIALS))]
    model = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    names = dict(zip(["pad", "unk", "cls", "sep", "mask"], SPECIALS, strict=True))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(model), **{f"{n}_token": token for n, token in names.items()}
    )
    assert len(tokenizer) == VOCAB
    return DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)


def make_rows(generator: torch.Generator, shortest: int) -> list[list[int]]:
    """[CLS] words [SEP], of `shortest` to LENGTH ids, the first of LENGTH."""
    lengths = torch.randint(shortest, LENGTH + 1, (ROWS,), generator=generator).tolist()
    words = torch.randint(len(SPECIALS), VOCAB, (ROWS, LENGTH - 2), generator=generator).tolist()
    lengths[0] = LENGTH
    return [[2, *row[: n - 2], 3] for row, n in zip(words, lengths, strict=True)]


def duels() -> list[Duel]:
    generator = torch.Generator().manual_seed(0)
    theirs, masker = their_collator(), Masker(VOCAB, range(5), 4, ratio=0.15)
    ours = MaskingCollator(masker)
    full, ragged = make_rows(generator, LENGTH), make_rows(generator, LENGTH // 4)
    all_duels = []
    for name, rows in [("full rows", full), ("rows of 32 to 128", ragged)]:
        specials = [[int(i < 5) for i in row] for row in rows]
        dicts = [{"input_ids": row} for row in rows]
        flagged = [
            {"input_ids": row, "special_tokens_mask": s}
            for row, s in zip(rows, specials, strict=True)
        ]
        for form, given in [("lists", rows), ("dicts", dicts), ("dicts with flags", flagged)]:
            label = f"collate {name}, theirs from {form}"
            all_duels.append(Duel(label, theirs, ours, lambda g=given: g, lambda r=rows: r, 10))
    ids, their_step = torch.tensor(full), theirs.torch_mask_tokens
    special = ids < len(SPECIALS)
    for label, step in [
        ("mask a tensor, theirs told the special tokens", lambda x: their_step(x, special)),
        ("mask a tensor, theirs finding the special tokens", lambda x: their_step(x)),
    ]:  # theirs writes into its input and so needs a fresh copy, made off the clock
        all_duels.append(
            Duel(label, step, lambda x: masker(x, generator), ids.clone, lambda: ids, 1.5)
        )
    return all_duels


def timed(run: Callable[[Any], object], make_input: Callable[[], Any]) -> float:
    given = make_input()
    start = time.perf_counter()
    run(given)
    return time.perf_counter() - start


def measure(small: bool) -> Iterator[Measurement]:
    pairs, (rounds, warm_up) = duels(), (2, 1) if small else (ROUNDS, WARM_UP)
    times: list[Times] = [{"transformers": [], "ours": []} for _ in pairs]
    for lap in range(warm_up + rounds):
        for duel, taken in zip(pairs, times, strict=True):
            one = timed(duel.theirs, duel.their_input), timed(duel.ours, duel.our_input)
            if lap >= warm_up:
                taken["transformers"].append(one[0])
                taken["ours"].append(one[1])
    for duel, taken in zip(pairs, times, strict=True):
        yield times_as_fast(duel.name, taken, "transformers", at_least=duel.bar)


if __name__ == "__main__":
    sys.exit(main(measure))
