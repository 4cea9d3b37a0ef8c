"""The experiment on gaps of real sentences: which gaps, two ways to fill them, and what is counted."""

import pytest
import torch

from mlm_course import tokenization
from mlm_course.experiments import infilling as experiment
from mlm_course.experiments.infilling import AT_ONCE, ONE_BY_ONE, doubled, filled, gaps_of, scores
from mlm_course.results import recorded
from mlm_course.tokenization import MASK_ID, PAD_ID, UNK_ID

ROWS = torch.tensor([[5, 6, 7, 8, PAD_ID, PAD_ID], [9, 9, 6, 7, 8, 5]])
V = 10


def sees_the_left(canvas):
    """Says the number after its left neighbour's, or 5 where that is masked; surest at the left."""
    left = torch.cat([torch.full((len(canvas), 1), 4), canvas[:, :-1]], 1)
    said = torch.where(left == MASK_ID, 5, left + 1).clamp(max=V - 1)
    sure = 5 - torch.arange(canvas.shape[1])[:, None] / 5.0
    return torch.nn.functional.one_hot(said, V) * sure


def test_a_share_of_each_row_becomes_gaps_and_padding_never_does():
    gaps = gaps_of(ROWS, 0.5)
    assert gaps.sum(1).tolist() == [2, 3]
    assert not (gaps & (ROWS == PAD_ID)).any()
    assert torch.equal(gaps, gaps_of(ROWS, 0.5)) and gaps_of(ROWS, 1.0).sum() == 10


def test_one_by_one_reads_what_it_has_filled_and_at_once_does_not():
    row, gaps = ROWS[:1], torch.tensor([[False, True, True, True, False, False]])
    assert filled(sees_the_left, row, gaps, ONE_BY_ONE)[0, :4].tolist() == [5, 6, 7, 8]
    assert filled(sees_the_left, row, gaps, AT_ONCE)[0, :4].tolist() == [5, 6, 5, 5]


def test_rows_with_few_gaps_are_finished_sooner_and_stay(monkeypatch):
    monkeypatch.setattr(experiment, "ROWS", 1)  # batches of one row: the same words
    gaps = torch.tensor([[False, True] + [False] * 4, [False, True, True, True, True, True]])
    apart = filled(sees_the_left, ROWS, gaps, ONE_BY_ONE)
    monkeypatch.setattr(experiment, "ROWS", 64)
    assert torch.equal(apart, filled(sees_the_left, ROWS, gaps, ONE_BY_ONE))
    assert torch.equal(apart[~gaps], ROWS[~gaps])


def test_doubled_pieces_count_where_one_of_them_was_filled_in():
    none, last = torch.zeros(2, 6, dtype=torch.bool), torch.zeros(2, 6, dtype=torch.bool)
    last[1, 1] = last[0, 5] = True
    assert doubled(ROWS, none).tolist() == [False, False]
    assert doubled(ROWS, last).tolist() == [False, True]  # padding is no word


def test_scores_are_of_each_sentence():
    gaps = torch.tensor([[True, True, False, False, False, False], [False] * 4 + [True, True]])
    filling = ROWS.clone()
    filling[0, 0] = 6
    each = scores(filling, ROWS, gaps)
    assert each == {"right": [0.5, 1.0], "all right": [0.0, 1.0], "doubled": [1.0, 0.0]}


def test_sentences_of_fitting_length_are_drawn_and_padded():
    texts = [" ".join("abcdefgh"[i % 8] for i in range(n)) for n in (5, 12, 20, 30, 31)]
    tokenizer = tokenization.train_wordpiece(texts, 60, min_frequency=1)
    rows = experiment.drawn_rows(tokenizer, [*texts, "a ☃ " * 6])
    assert (rows != PAD_ID).sum(1).tolist() == [12, 20, 30] and UNK_ID not in rows


@pytest.mark.parametrize("share", ["0.15", "0.3", "0.5", "0.75"])
def test_the_record_holds_what_the_lesson_shows(share):
    part = recorded("infilling")["by share"][share]
    for score in ("right", "all right", "doubled"):
        difference = part[score]["differences"][f"{ONE_BY_ONE} against {AT_ONCE}"]
        sign = -1 if score == "doubled" else 1
        ahead = sign * (part[score][ONE_BY_ONE] - part[score][AT_ONCE])
        assert difference["mean"] == pytest.approx(ahead, abs=1e-4) and difference["n"] == 500
