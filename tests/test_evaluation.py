"""Precision, recall, F1, entities and answers: against scikit-learn and by hand."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from mlm_course.evaluation import (
    answer_scores,
    classification_scores,
    confusion,
    entities,
    entity_scores,
)

CLASSES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(CLASSES)
def test_scores_agree_with_scikit_learn(pairs):
    guesses, actual = (torch.tensor(part) for part in zip(*pairs, strict=True))
    counts = confusion(guesses, actual, 4)
    guesses, actual = guesses.numpy(), actual.numpy()  # older scikit-learn takes no tensors
    assert counts.tolist() == confusion_matrix(actual, guesses, labels=range(4)).tolist()
    ours = classification_scores(counts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = precision_recall_fscore_support(
            actual, guesses, labels=range(4), average="macro", zero_division=0
        )
    assert ours.accuracy == pytest.approx(accuracy_score(actual, guesses))
    assert ours[1:] == pytest.approx(theirs[:3])


def test_places_with_minus_100_do_not_count():
    guesses, actual = torch.tensor([[0, 1, 1]]), torch.tensor([[0, -100, 1]])
    assert confusion(guesses, actual, 2).tolist() == [[1, 0], [0, 1]]


def test_nothing_at_all_scores_zero():
    assert classification_scores(torch.zeros(2, 2, dtype=torch.long)) == (0, 0, 0, 0)
    assert entity_scores([["O"]], [["O"]]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", set()),
        ("B-A I-A O", {("A", 0, 2)}),
        ("B-A B-A", {("A", 0, 1), ("A", 1, 2)}),
        ("B-A I-B", {("A", 0, 1), ("B", 1, 2)}),
        ("O I-A I-A", {("A", 1, 3)}),
        ("I-A B-A I-A", {("A", 0, 1), ("A", 1, 3)}),
        ("", set()),
    ],
)
def test_entities_that_tags_spell(tags, expected):
    assert entities(tags.split()) == expected


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("AB")), max_size=6))
def test_entities_survive_being_written_as_tags(plan):
    tags, wanted = [], set()
    for gap, kind in plan:
        tags += ["O"] * gap
        wanted.add((kind, len(tags), len(tags) + gap + 1))
        tags += [f"B-{kind}", *[f"I-{kind}"] * gap]
    assert entities(tags) == wanted


def test_entities_count_whole_not_by_token():
    actual = ["B-A", "I-A", "I-A", "O", "B-B"]
    almost = ["B-A", "I-A", "O", "O", "B-B"]  # four tags of five, one entity of two
    scores = entity_scores([almost], [actual])
    assert scores == (0.5, 0.5, 0.5)
    assert entity_scores([["O"] * 5], [actual]) == (0, 0, 0)
    assert entity_scores([actual, almost], [actual, actual]).f1 == 0.75


def test_answers_by_hand():
    predicted = torch.tensor([[2, 4], [2, 3], [7, 9], [5, 5]])
    actual = torch.tensor([[2, 4], [2, 5], [0, 1], [4, 6]])
    exact, f1 = answer_scores(predicted, actual)
    assert exact == 0.25
    assert f1 == pytest.approx((1 + 2 * 2 / 6 + 0 + 2 * 1 / 4) / 4)
