"""The experiment on when copying is learned: which hidden word is of which kind, and when a curve is down."""

from dataclasses import replace

import pytest
import torch

from mlm_course.corpora import tinyworld
from mlm_course.experiments import copying
from mlm_course.experiments.copying import KINDS, below_for_good


@pytest.fixture(scope="module")
def asked():
    return copying.questions(150, 1)


def of_kind(asked, kind):
    return asked.kind == KINDS.index(kind)


def test_certain_words_have_no_floor_and_open_ones_do(asked):
    is_open = of_kind(asked, "open")
    assert (asked.floor[~is_open] < 0.011).all() and (asked.floor[is_open] > 0.01).all()
    assert all(of_kind(asked, kind).sum() > 20 for kind in KINDS)


def test_a_copied_word_stands_elsewhere_in_view_and_an_agreeing_one_hangs_on_another(asked):
    shown, labels, masked = asked.corrupted
    rows, _ = masked.nonzero(as_tuple=True)
    in_view = (shown[rows] == labels[masked][:, None]).any(1)
    assert in_view[of_kind(asked, "copied")].all()
    names = tinyworld.vocabulary()
    agreeing = {names[i] for i in labels[masked][of_kind(asked, "agreeing")].tolist()}
    fixed = {names[i] for i in labels[masked][of_kind(asked, "fixed")].tolist()}
    assert {"he", "she"} & agreeing and {"the", ","} <= fixed
    assert not {"he", "she", "red", "white"} & fixed


def test_the_level_is_what_is_lost_without_the_other_word(asked):
    for kind in ("agreeing", "copied"):
        assert (asked.level[of_kind(asked, kind)] > asked.floor[of_kind(asked, kind)]).all()
    exact = tinyworld.masked_posterior(asked.corrupted.input_ids, asked.corrupted.masked)
    truth = exact[asked.corrupted.masked].gather(
        1, asked.corrupted.labels[asked.corrupted.masked][:, None]
    )[:, 0]
    torch.testing.assert_close(asked.floor, -truth.log())


def test_a_curve_is_below_for_good_after_its_last_point_above():
    assert below_for_good([4.0, 2.0, 0.0], 1.0) == 15.0
    assert below_for_good([4.0, 0.5, 1.5, 0.5], 1.0) == 25.0
    assert below_for_good([4.0, 3.0, 2.0], 1.0) == 20.0
    assert below_for_good([0.5, 0.4], 1.0) == 0.0


@pytest.mark.slow
def test_a_small_run_has_every_part(monkeypatch, tmp_path):
    few = {
        way: (replace(config, d_model=16, n_heads=2), replace(recipe, steps=3, batch_size=4))
        for way, (config, recipe) in copying.WAYS.items()
    }
    monkeypatch.setattr(copying, "WAYS", few)
    monkeypatch.setattr(copying, "RECIPE", replace(copying.RECIPE, steps=3))
    monkeypatch.setattr(copying, "EVERY", 1)
    monkeypatch.setattr(copying, "TEST_SENTENCES", 60)
    record = copying.run(tmp_path)
    shares = [curve[-1] for curve in record["course"]["as it is"]["shares"].values()]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert [sum(v) for v in zip(*record["left"]["step 3"]["values"].values(), strict=True)] == (
        pytest.approx([1.0] * copying.SEEDS, abs=1e-3)
    )
    assert set(record["at the end"]) == set(record["words"]) == set(KINDS)
    assert record["learned"]["differences"]["copied against agreeing"]["n"] == copying.SEEDS
    assert copying.run(tmp_path) == record  # from the file
