"""Parallel text that needs no network: numbers, dates and cheques."""

import datetime

import pytest
import torch

from mlm_course.corpora import pairs
from mlm_course.tokenization import CLS_ID, PAD_ID, UNK_ID


@pytest.fixture(scope="module")
def some():
    return pairs.cheques(60, seed=3)


@pytest.fixture(scope="module")
def tokenizer(some):
    return pairs.vocabulary(some, 300)


@pytest.mark.parametrize(
    ("language", "words"),
    [("fr", "quatre-vingt-onze"), ("de", "einundneunzig"), ("ja", "九十一"), ("en", "ninety-one")],
)
def test_numbers_in_the_words_of_a_language(language, words):
    assert pairs.in_words(91, language) == words


def test_a_number_has_one_right_translation():
    for pair in pairs.numbers(20, seed=0, language="de"):
        assert pair.right == {pair.target}


@pytest.mark.parametrize("language", ["fr", "de", "ja", "zh"])
def test_a_date_has_several_right_translations_of_one_day(language):
    for pair in pairs.dates(30, seed=0, language=language):
        assert pair.target in pair.right and 3 <= len(pair.right) <= 4
        words = {frozenset(text.replace(",", "").split()) for text in pair.right}
        same = frozenset.intersection(*words)
        assert len(same) >= 3 and all(len(w - same) <= 1 for w in words)  # "05" beside "5"


def test_the_renderings_of_english_speaking_countries():
    assert pairs.english_dates(datetime.date(2024, 3, 5)) == [
        "Tuesday, March 5, 2024",
        "Tuesday, 5 March 2024",
        "Tuesday 5 March 2024",
        "Tuesday, 05 March 2024",
    ]
    assert len(pairs.english_dates(datetime.date(2024, 3, 15))) == 3


def test_all_renderings_are_drawn_about_equally_often():
    drawn = [p.target for p in pairs.dates(600, seed=1)]
    american = sum(text.count(",") == 2 for text in drawn) / len(drawn)
    irish = sum("," not in text for text in drawn) / len(drawn)
    assert american == pytest.approx(0.32, abs=0.06)
    assert irish == pytest.approx(0.32, abs=0.06)


def test_a_cheque_says_the_same_amount_in_all_its_translations(some):
    for pair in some:
        amounts = {text.split(": ")[1] for text in pair.right}
        assert len(amounts) == 1 and amounts.pop().endswith(" cents")
        assert pair.target in pair.right


def test_the_same_seed_draws_the_same_and_no_source_twice():
    assert pairs.cheques(50, seed=4) == pairs.cheques(50, seed=4) != pairs.cheques(50, seed=5)
    assert len({pair.source for pair in pairs.numbers(90, seed=0, below=100)}) == 90


def test_more_than_there_is_and_unknown_languages_are_refused():
    with pytest.raises(ValueError, match="There are not 11 different pairs"):
        pairs.numbers(11, seed=0, below=10)
    with pytest.raises(ValueError, match="num2words does not write numbers in 'xx'"):
        pairs.numbers(1, seed=0, language="xx")
    with pytest.raises(ValueError, match="Dates are there in fr, de, ja, zh, en, not in 'it'"):
        pairs.dates(1, seed=0, language="it")


def test_encoded_pairs_read_as_they_were(some, tokenizer):
    source, target = pairs.encode_pairs(tokenizer, some)
    assert (source[:, 0] == CLS_ID).all() and not (target == UNK_ID).any()
    for row, pair in zip(target, some, strict=True):
        assert pairs.read(tokenizer, row).replace(" ", "") == pair.target.replace(" ", "")


def test_every_right_answer_is_correct_and_nothing_else(some, tokenizer):
    rows = [some[0]._replace(target=text) for text in sorted(some[0].right)]
    answers = pairs.encode_pairs(tokenizer, rows)[1]
    assert pairs.correct(tokenizer, answers, rows).all()
    broken = answers.clone()
    broken[:, 2] = broken[:, 3]
    assert not pairs.correct(tokenizer, broken, rows).any()
    mixed = torch.where(torch.arange(answers.shape[1]) < 4, answers[0], answers[-1])
    assert not pairs.correct(tokenizer, mixed[None], rows[:1]).any()


def test_rows_of_several_lengths_are_padded_behind():
    assert pairs.padded([[7], [8, 9]]).tolist() == [[7, PAD_ID], [8, 9]]
