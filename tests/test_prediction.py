"""The exercise that asks for a prediction: what a record cannot tell apart may stand in any order."""

from itertools import permutations

import pytest

from mlm_course.exercises.lesson_08 import ex4_order
from mlm_course.exercises.lesson_08.gains import GAINS

APART = {"tags": (0.2, 0.3), "questions": (0.05, 0.1), "errors": (-0.05, 0.04)}
TWO_ALIKE = {"tags": (0.2, 0.3), "questions": (-0.02, 0.1), "errors": (-0.05, 0.04)}
CHAIN = {"tags": (0.1, 0.3), "questions": (0.0, 0.15), "errors": (-0.05, 0.04)}


@pytest.mark.parametrize(("gains", "right"), [(APART, 1), (TWO_ALIKE, 2), (CHAIN, 3)])
def test_pairs_apart_must_stand_in_the_order_of_the_record(monkeypatch, gains, right):
    monkeypatch.setattr(ex4_order, "GAINS", gains)
    orders = list(permutations(gains))
    assert sum(ex4_order.judge(list(names)) is None for names in orders) == right
    assert ex4_order.judge(["tags", "questions", "errors"]) is None
    backwards = ex4_order.judge(["errors", "questions", "tags"])
    assert "'errors' before 'tags'" in backwards and "'deprecated'" in backwards
    assert ("'errors' before 'questions'" in backwards) == (gains is APART)


def test_numbers_are_those_of_the_record(monkeypatch):
    monkeypatch.setattr(ex4_order, "GAINS", TWO_ALIKE)
    sentence = ex4_order.judge(["errors", "tags", "questions"])
    assert "tags +0.20 to +0.30, errors -0.05 to +0.04" in sentence and "questions" not in sentence


def test_every_pair_that_the_record_parts_has_its_reason():
    for more, less in permutations(GAINS, 2):
        if GAINS[more][0] > GAINS[less][1]:
            assert more in ex4_order.MUCH and less in ex4_order.LITTLE


@pytest.mark.parametrize(
    "wrong", ["tags", None, 3, ["tags"], ["tags", "errors", 1], [["tags"]] * 3]
)
def test_what_is_no_order_is_told_the_names(wrong):
    assert "'tags', 'errors' and 'questions'" in ex4_order.judge(wrong)
