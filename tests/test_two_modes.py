"""The task with two right answers, what is trained on it, and pairs of sentences from the hub."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from mlm_course.corpora import hub_pairs, two_modes
from mlm_course.corpora.pairs import Pair
from mlm_course.decoding import mask_predict
from mlm_course.evaluation import repeat_share
from mlm_course.experiments import two_modes as experiment
from mlm_course.hub import HubUnreachable
from mlm_course.tokenization import CLS_ID, MASK_ID
from mlm_course.training.datasets import GapPairs, NextWordPairs

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [3, 4, 14])
def test_no_letter_stands_beside_itself_in_either_answer(length):
    letters = two_modes.sample_sources(3000, generator(), length)
    assert letters.min() == two_modes.FIRST
    assert letters.max() == len(two_modes.vocabulary()) - 1
    for mode in range(two_modes.MODES):
        assert repeat_share(two_modes.answers(letters)[:, mode]) == 0


def test_every_letter_is_about_as_frequent_at_every_place():
    letters = two_modes.sample_sources(20_000, generator(1)) - two_modes.FIRST
    counts = torch.stack([column.bincount(minlength=20) for column in letters.T])
    assert (counts / 20_000 - 1 / 20).abs().max() < 0.012


def test_both_answers_are_drawn_equally_often_and_both_are_valid():
    source, target = two_modes.sample(4000, generator(2))
    assert (source[:, 0] == CLS_ID).all() and two_modes.is_valid(source, target).all()
    as_it_stands = (source[:, 1:] == target).all(1)
    moved = (source[:, 1:].roll(-1, 1) == target).all(1)
    assert (as_it_stands ^ moved).all()
    assert as_it_stands.float().mean().item() == pytest.approx(0.5, abs=0.03)
    source, target = two_modes.sample(50, generator(3), modes=1)
    assert torch.equal(source[:, 1:], target)


def test_a_mixture_is_not_valid_and_says_a_letter_twice():
    source = two_modes.with_cls(two_modes.sample_sources(200, generator(4)))
    one, other = two_modes.answers(source[:, 1:]).unbind(1)
    mixed = torch.cat([other[:, :7], one[:, 7:]], 1)  # place 6 moved left, place 7 not
    assert not two_modes.is_valid(source, mixed).any()
    assert torch.equal(mixed[:, 6], mixed[:, 7])
    assert repeat_share(mixed) == pytest.approx(1 / two_modes.LENGTH)


def test_the_chance_that_independent_draws_are_right_by_trying_all_of_them():
    p = torch.tensor([0.5, 0.3, 0.2])
    answers = torch.tensor([[0, 1, 2], [1, 1, 0], [0, 2, 1]])
    at_place = [
        {w: float(p[answers[:, i] == w].sum()) for w in answers[:, i].tolist()} for i in range(3)
    ]
    total = 0.0
    for drawn in product(*at_place):
        if list(drawn) in answers.tolist():
            total += math.prod(at_place[i][word] for i, word in enumerate(drawn))
    assert two_modes.chance_of_right(p, answers) == pytest.approx(total, abs=1e-6)
    two = two_modes.answers(two_modes.sample_sources(1, generator()))[0]
    half = torch.tensor([0.5, 0.5])
    assert two_modes.chance_of_right(half, two) == pytest.approx(2 / 2**14)


@pytest.mark.parametrize("wrong", [{"modes": 3}, {"length": 2}])
def test_what_does_not_exist_is_said(wrong):
    with pytest.raises(ValueError, match="must be"):
        two_modes.sample(4, generator(), **wrong)


def test_a_fixed_ratio_hides_as_many_letters_in_every_row_and_other_ones_each_epoch():
    pairs = two_modes.sample(20, generator())
    data = experiment.FixedRatioPairs(*pairs, seed=0)
    one, other = data(torch.arange(20), 0), data(torch.arange(20), 1)
    masked = one.shown == MASK_ID
    assert (masked.sum(1) == 2).all() and len(data) == 20  # 15 % of 14
    assert torch.equal(one.labels[masked], pairs[1][masked])
    assert (one.labels[~masked] == -100).all()
    assert not torch.equal(masked, other.shown == MASK_ID)


@pytest.mark.slow
def test_one_answer_is_learnt_in_a_few_steps_and_written_at_once():
    """Short: with rows of 4 letters, a small model gets most of them."""
    source, target = two_modes.sample(4000, generator(), modes=1, length=4)
    recipe = replace(experiment.RECIPE, steps=80, batch_size=64)
    model, about = experiment.train(GapPairs(source, target, seed=0), recipe)
    test, _ = two_modes.sample(100, generator(9), length=4)
    written = mask_predict(model, test, 1, lengths=torch.full((100,), 4)).tokens
    assert about["loss"] < 1 and two_modes.is_valid(test, written).float().mean() > 0.8


def test_an_experiment_measures_every_number_of_steps(monkeypatch):
    pairs = two_modes.sample(16, generator())
    recipe = replace(experiment.RECIPE, steps=1, batch_size=8)
    model, _ = experiment.train(GapPairs(*pairs, seed=0), recipe)
    by_steps = experiment.by_steps(model, pairs[0])
    assert list(by_steps) == ["1", "2", "4", "6", "10", "14"]
    twin, _ = experiment.train(NextWordPairs(*pairs), recipe)
    answers = experiment.answers_from_left(twin, pairs[0])
    assert answers.shape == pairs[1].shape and 0 <= experiment.both_modes(*reversed(pairs)) <= 1


def test_pairs_from_the_hub(monkeypatch):
    rows = [{"en": " A dog. ", "de": "Ein Hund."}, {"en": "", "de": "x"}]
    monkeypatch.setattr(
        hub_pairs, "rows_from_hub", lambda known, split, n, read, timeout: list(read(rows))[:n]
    )
    assert hub_pairs.load_pairs("multi30k") == [
        Pair("A dog.", "Ein Hund.", frozenset(["Ein Hund."]))
    ]


def test_without_the_hub_there_are_cheques(monkeypatch, capsys):
    def refuse(*arguments, **options):
        raise HubUnreachable("no network")

    monkeypatch.setattr(hub_pairs, "rows_from_hub", refuse)
    cheques = hub_pairs.load_pairs("multi30k", n=3)
    assert len(cheques) == 3 and "centimes" in cheques[0].source
    assert "no network" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [{"name": "nowhere"}, {"name": "multi30k", "n": 0}])
def test_unknown_pairs_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        hub_pairs.load_pairs(**wrong)
