"""Real parallel text that needs no network: numbers, dates and cheques, written out in two languages.

Numbers come from num2words, dates from Babel (Unicode's CLDR). A number has one right translation; a
date has several, because the countries that speak English order it differently. A cheque has both.
Which answers are right is known exactly. Lesson 11.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from babel.dates import format_date
from num2words import num2words
from tokenizers import Tokenizer, decoders
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mlm_course import tokenization
from mlm_course.tokenization import CLS_ID, PAD_ID, SPECIAL_IDS

REGIONS = ("en_US", "en_GB", "en_IE", "en_ZA")  # each writes a date in its own way
LOCALES = {"fr": "fr_FR", "de": "de_DE", "ja": "ja_JP", "zh": "zh_CN", "en": "en_US"}
EURO, CENT = (
    {"fr": "euros et", "de": "Euro und", "ja": "ユーロと", "en": "euros and"},
    {"fr": "centimes", "de": "Cent", "ja": "セント", "en": "cents"},
)
FIRST_DAY = datetime.date(1950, 1, 1).toordinal()
LAST_DAY = datetime.date(2049, 12, 31).toordinal()


class Pair(NamedTuple):
    """A text, one right translation of it, and all right translations."""

    source: str
    target: str
    right: frozenset[str]


def numbers(n: int, seed: int, language: str = "fr", below: int = 10**9) -> list[Pair]:
    """Numbers in words, from French ("fr"), German ("de") or Japanese ("ja") to English.

    Each has one right answer. Errors: ValueError for a language that num2words does not know.
    """

    def draw(rng: random.Random) -> Pair:
        number = rng.randrange(below)
        return _single(in_words(number, language), in_words(number, "en"))

    return _drawn(n, seed, draw)


def dates(n: int, seed: int, language: str = "fr") -> list[Pair]:
    """Dates from 1950 to 2049, from French, German, Japanese or Chinese ("zh") to English.

    The target is drawn from the right answers, see `english_dates`.
    """

    def draw(rng: random.Random) -> Pair:
        day = _day(rng)
        right = english_dates(day)
        source = format_date(day, "full", locale=_locale(language))
        return Pair(source, rng.choice(right), frozenset(right))

    return _drawn(n, seed, draw)


def cheques(n: int, seed: int, language: str = "fr") -> list[Pair]:
    """A date and an amount between a million and a thousand million, in one line, to English.

    As for a date there are several right answers; they differ in the date alone.
    """

    def draw(rng: random.Random) -> Pair:
        day, euros, cents = _day(rng), rng.randrange(10**6, 10**9), rng.randrange(2, 100)
        source = format_date(day, "full", locale=_locale(language))
        paid = _amount(euros, cents, "en")
        right = [f"{date}: {paid}" for date in english_dates(day)]
        line = f"{source} : {_amount(euros, cents, language)}"
        return Pair(line, rng.choice(right), frozenset(right))

    return _drawn(n, seed, draw)


def english_dates(day: datetime.date) -> list[str]:
    """The full date as the United States, Britain, Ireland and South Africa write it, in that order.

    Where two agree, as the last three partly do after the ninth of a month, it stands once.
    """
    return list(dict.fromkeys(format_date(day, "full", locale=region) for region in REGIONS))


def in_words(number: int, language: str) -> str:
    """An integer in the words of a language."""
    try:
        return num2words(number, lang=language)
    except NotImplementedError:
        raise ValueError(
            f'num2words does not write numbers in {language!r}: take "fr", "de" or "ja".'
        ) from None


def vocabulary(pairs: Iterable[Pair], vocab_size: int = 400) -> Tokenizer:
    """A WordPiece tokenizer over both languages of the pairs, capitals kept."""
    texts = [text for pair in pairs for text in (pair.source, pair.target)]
    tokenizer = tokenization.train_wordpiece(texts, vocab_size, lowercase=False)
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return tokenizer


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Ids of the sources (N, S), [CLS] in front, and of the targets (N, T); [PAD] behind."""
    source = tokenization.encode(tokenizer, [p.source for p in pairs], special_tokens=False)
    target = tokenization.encode(tokenizer, [p.target for p in pairs], special_tokens=False)
    return padded([[CLS_ID, *row] for row in source]), padded(target)


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids of several lengths as one tensor (N, T), [PAD] behind."""
    return pad_sequence([torch.tensor(row) for row in rows], True, PAD_ID)


def read(tokenizer: Tokenizer, ids: Iterable[int]) -> str:
    """The text of some ids; spaces stand between all words and signs, padding is left out."""
    kept = [int(i) for i in ids if int(i) not in SPECIAL_IDS]
    return str(tokenizer.decode(kept))


def correct(tokenizer: Tokenizer, answers: Tensor, pairs: Sequence[Pair]) -> Tensor:
    """Which answers (N, T) are one of the right ones, bool (N,)."""
    hits = []
    for row, pair in zip(answers.tolist(), pairs, strict=True):
        right = tokenization.encode(tokenizer, sorted(pair.right), special_tokens=False)
        hits.append([i for i in row if i != PAD_ID] in right)
    return torch.tensor(hits)


def _amount(euros: int, cents: int, language: str) -> str:
    whole, part = in_words(euros, language), in_words(cents, language)
    return f"{whole} {EURO[language]} {part} {CENT[language]}"


def _day(rng: random.Random) -> datetime.date:
    return datetime.date.fromordinal(rng.randint(FIRST_DAY, LAST_DAY))


def _single(source: str, target: str) -> Pair:
    return Pair(source, target, frozenset([target]))


def _locale(language: str) -> str:
    if language not in LOCALES:
        raise ValueError(f"Dates are there in {', '.join(LOCALES)}, not in {language!r}.")
    return LOCALES[language]


def _drawn(n: int, seed: int, draw: Callable[[random.Random], Pair]) -> list[Pair]:
    """n pairs with sources that all differ; the same for the same seed."""
    rng = random.Random(seed)
    by_source: dict[str, Pair] = {}
    for _ in range(20 * n):
        if len(by_source) == n:
            break
        pair = draw(rng)
        by_source.setdefault(pair.source, pair)
    if len(by_source) < n:
        raise ValueError(f"There are not {n} different pairs of this kind: ask for fewer.")
    return list(by_source.values())
