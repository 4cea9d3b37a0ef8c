"""Payments to be written out: a record in, and any one of some two hundred texts out.

A record says how much is paid, when and to whom; nothing in it says in which order or in which way a
text names the three. So each record has many right texts, of several lengths, and all are known.
Texts are made of words with spaces between them. Lesson 11.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from functools import cache, lru_cache
from itertools import permutations, product
from typing import NamedTuple

import torch
from num2words import num2words
from torch import Tensor

from mlm_course.contracts import check_count
from mlm_course.corpora.pairs import padded
from mlm_course.tokenization import CLS_ID, PAD_ID, SPECIAL_IDS, SPECIAL_TOKENS

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
CURRENCIES = {"EUR": "euros", "USD": "dollars", "GBP": "pounds"}
PAYEES = (
    "Ada", "Amir", "Bao", "Carla", "Dana", "Elif", "Femi", "Grace", "Hugo", "Ines",
    "Jun", "Kofi", "Lena", "Maya", "Noor", "Omar", "Petra", "Rosa", "Sven", "Tara",
)  # fmt: skip
AMOUNTS = range(2, 100)
FIRST_DAY, LAST_DAY = datetime.date(2000, 1, 1), datetime.date(2049, 12, 31)


class Payment(NamedTuple):
    """So many of a currency (a key of CURRENCIES), on a day, to somebody."""

    amount: int
    currency: str
    day: datetime.date
    payee: str

    @property
    def fields(self) -> list[str]:
        """The record as a model reads it, six words, such as 47 EUR 2031 04 17 Ada."""
        year, month = f"{self.day:%Y}", f"{self.day:%m}"
        return [str(self.amount), self.currency, year, month, str(self.day.day), self.payee]


def draw(n: int, generator: torch.Generator, other_than: Collection[Payment] = ()) -> list[Payment]:
    """n payments that all differ, and differ from others, each field drawn evenly.

    Errors: ValueError for an n that is not from 0 to 100,000.
    """
    check_count("n", n, 0, 100_000)
    drawn: dict[Payment, None] = {}
    while len(drawn) < n:
        payment = _one(generator)
        if payment not in other_than:
            drawn[payment] = None
    return list(drawn)


def _one(generator: torch.Generator) -> Payment:
    days = LAST_DAY.toordinal() - FIRST_DAY.toordinal() + 1
    day = datetime.date.fromordinal(FIRST_DAY.toordinal() + _below(days, generator))
    currency = list(CURRENCIES)[_below(len(CURRENCIES), generator)]
    payee = PAYEES[_below(len(PAYEES), generator)]
    return Payment(AMOUNTS[_below(len(AMOUNTS), generator)], currency, day, payee)


def _below(n: int, generator: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=generator))


def amount_ways(payment: Payment) -> list[str]:
    """The three ways to write the amount: in digits, with the currency's code, in words."""
    unit = CURRENCIES[payment.currency]
    in_words = num2words(payment.amount, lang="en").replace("-", " ")
    return [
        f"{payment.amount} {unit}",
        f"{payment.currency} {payment.amount}",
        f"{in_words} {unit}",
    ]


def date_ways(payment: Payment) -> list[str]:
    """The four ways to write the day, of four, seven, five and six words."""
    day, year = payment.day.day, payment.day.year
    month = MONTHS[payment.day.month - 1]
    nth = num2words(day, lang="en", to="ordinal_num")
    return [
        f"on {day} {month} {year}",
        f"on the {nth} of {month} , {year}",
        f"on {month} {day} , {year}",
        f"dated {year} - {payment.day:%m} - {day}",
    ]


def payee_ways(payment: Payment) -> list[str]:
    """The three ways to name who is paid."""
    return [f"to {payment.payee}", f"for {payment.payee}", f"payable to {payment.payee}"]


@lru_cache(maxsize=2000)
def renderings(payment: Payment) -> tuple[str, ...]:
    """All right texts of a payment, 216: six orders of three parts, each part in all its ways."""
    parts = amount_ways(payment), date_ways(payment), payee_ways(payment)
    return tuple(" ; ".join(order) for chosen in product(*parts) for order in permutations(chosen))


def drawn_texts(payments: Sequence[Payment], generator: torch.Generator) -> list[str]:
    """For each payment one of its right texts, all equally likely."""
    ways = [renderings(payment) for payment in payments]
    return [texts[_below(len(texts), generator)] for texts in ways]


@cache
def vocabulary() -> tuple[str, ...]:
    """The special tokens, then all words of records and texts, sorted, by id."""
    numbers = [str(n) for n in range(1, 100)] + [f"{n:02}" for n in range(1, 13)]
    years = [str(y) for y in range(FIRST_DAY.year, LAST_DAY.year + 1)]
    spelled = " ".join(num2words(n, lang="en").replace("-", " ") for n in AMOUNTS).split()
    nths = [num2words(n, lang="en", to="ordinal_num") for n in range(1, 32)]
    small = "on the of dated to for payable , - ;".split()
    words = {*numbers, *years, *spelled, *nths, *small, *MONTHS, *PAYEES}
    return (*SPECIAL_TOKENS, *sorted(words | CURRENCIES.keys() | {*CURRENCIES.values()}))


@cache
def _ids() -> dict[str, int]:
    return {word: i for i, word in enumerate(vocabulary())}


def encode_records(payments: Sequence[Payment]) -> Tensor:
    """Ids of the records, [CLS] in front: (N, 7) int64. Errors: as `encode_texts`."""
    rows = [[CLS_ID, *map(_id, payment.fields)] for payment in payments]
    return torch.tensor(rows, dtype=torch.int64).view(-1, 7)


def encode_texts(texts: Sequence[str]) -> Tensor:
    """Ids of texts, (N, T) int64, [PAD] behind. Errors: ValueError for a word that no text has."""
    return padded([[_id(word) for word in text.split()] for text in texts])


def _id(word: str) -> int:
    if word not in _ids():
        raise ValueError(f"No record and no text has the word {word!r}.")
    return _ids()[word]


def read(ids: Tensor) -> str:
    """The text of a row of ids (T,); special tokens are left out."""
    return " ".join(vocabulary()[i] for i in ids.tolist() if i not in SPECIAL_IDS)


def is_rendering(payments: Sequence[Payment], written: Tensor) -> Tensor:
    """Which rows of ids (N, T) are a right text of their payment, whichever: bool (N,)."""
    _check_pairs(payments, written)
    pairs = zip(payments, written, strict=True)
    return torch.tensor([read(row) in renderings(payment) for payment, row in pairs])


def possible_length(payments: Sequence[Payment], written: Tensor) -> Tensor:
    """Which rows (N, T) have as many words as some right text of their payment: bool (N,)."""
    _check_pairs(payments, written)
    lengths = (written != PAD_ID).sum(1).tolist()
    possible = [{len(text.split()) for text in renderings(payment)} for payment in payments]
    return torch.tensor([n in some for n, some in zip(lengths, possible, strict=True)])


def _check_pairs(payments: Sequence[Payment], written: Tensor) -> None:
    if len(payments) != len(written):
        raise ValueError(f"There are {len(payments)} payments, but {len(written)} texts.")
