"""The exercise that asks for a prediction: what the records say is the answer, whatever it is."""

from itertools import product

import pytest

from mlm_course.exercises.lesson_08 import ex4_ahead_of_words
from mlm_course.exercises.lesson_08.contests import LEADS, who
from mlm_course.results.comparison import Difference

RIGHT = [who(lead) for lead in LEADS.values()]
judge = ex4_ahead_of_words.judge


def test_one_prediction_of_all_is_right():
    every = product(ex4_ahead_of_words.NAMES, repeat=len(LEADS))
    assert [list(guess) for guess in every if judge(list(guess)) is None] == [RIGHT]
    assert set(RIGHT) == set(ex4_ahead_of_words.NAMES)


@pytest.mark.parametrize(
    ("low", "high", "name"),
    [(0.1, 0.2, "encoder"), (-0.2, -0.1, "words"), (-0.1, 0.2, "neither"), (0.0, 0.2, "neither")],
)
def test_who_is_ahead_is_what_the_interval_says(low, high, name):
    assert who(Difference((low + high) / 2, low, high, 10, True)) == name


def test_what_is_said_are_the_numbers_of_the_record(monkeypatch):
    leads = {**LEADS, "search by both": Difference(0.2, 0.1, 0.3, 5, True)}
    monkeypatch.setattr(ex4_ahead_of_words, "LEADS", leads)
    sentence = judge([*RIGHT[:5], "words", "words"])
    assert sentence.startswith(
        "6 of 7 are as in the record. The first that is not: search by both."
    )
    assert "at +0.100 to +0.300 (95 %)" in sentence


def test_only_the_first_wrong_contest_is_told():
    sentence = judge(["words"] * 7)
    assert "tags" in sentence and not any(name in sentence for name in [*LEADS][1:])


def test_every_contest_has_its_reason():
    assert ex4_ahead_of_words.EXPECTED.keys() == LEADS.keys()


@pytest.mark.parametrize(
    "wrong", ["encoder", None, 3, ["encoder"], [1] * 7, [["encoder"]] * 7, ["Encoder"] * 7]
)
def test_what_is_no_prediction_is_told_its_form(wrong):
    assert "seven" in judge(wrong) or '"neither"' in judge(wrong)
