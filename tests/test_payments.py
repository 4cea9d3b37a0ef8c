"""Payments with many right texts, the record of what is written on them, and its speed by width."""

import datetime
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from mlm_course.corpora import payments
from mlm_course.corpora.payments import Payment
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.experiments import decoder_width as speed
from mlm_course.experiments import payments as experiment
from mlm_course.experiments._rivals import SEEDS
from mlm_course.models import load_pretrained
from mlm_course.results import recorded
from mlm_course.tokenization import CLS_ID, PAD_ID

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
ROOT = Path(__file__).resolve().parents[1]
ONE = Payment(47, "EUR", datetime.date(2031, 4, 17), "Ada")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def some():
    return payments.draw(40, seeded(0))


def test_a_record_is_six_words_and_each_part_has_its_ways():
    assert ONE.fields == ["47", "EUR", "2031", "04", "17", "Ada"]
    assert payments.amount_ways(ONE) == ["47 euros", "EUR 47", "forty seven euros"]
    assert payments.date_ways(ONE) == [
        "on 17 April 2031",
        "on the 17th of April , 2031",
        "on April 17 , 2031",
        "dated 2031 - 04 - 17",
    ]
    assert payments.payee_ways(ONE) == ["to Ada", "for Ada", "payable to Ada"]


def test_all_renderings_differ_and_hold_each_part_once(some):
    for payment in some:
        texts = payments.renderings(payment)
        assert len(set(texts)) == len(texts) == 216
        for text in texts:
            pieces = text.split(" ; ")
            assert len(pieces) == 3
            for ways in (payments.amount_ways, payments.date_ways, payments.payee_ways):
                assert sum(piece in ways(payment) for piece in pieces) == 1


def test_most_lengths_leave_many_renderings_to_choose_from(some):
    for payment in some:
        lengths = [len(text.split()) for text in payments.renderings(payment)]
        assert len(set(lengths)) >= 5 and all(lengths.count(n) >= 6 for n in lengths)


def test_payments_are_drawn_by_a_generator_differ_and_keep_away_from_others(some):
    assert payments.draw(40, seeded(0)) == some != payments.draw(40, seeded(1))
    assert payments.draw(10, seeded(0)) == some[:10]
    assert not set(payments.draw(40, seeded(0), other_than=set(some))) & set(some)
    assert len(set(payments.draw(500, seeded(2)))) == 500
    with pytest.raises(ValueError, match="n must be"):
        payments.draw(-1, seeded(0))


def test_every_field_is_drawn_about_evenly():
    drawn = payments.draw(3000, seeded(3))
    for values, kinds in (
        ([p.currency for p in drawn], 3),
        ([p.payee for p in drawn], 20),
        ([p.day.month for p in drawn], 12),
    ):
        counts = [values.count(value) for value in set(values)]
        assert len(counts) == kinds
        assert max(abs(n / 3000 - 1 / kinds) for n in counts) < 0.04
    assert {p.amount for p in drawn} == set(payments.AMOUNTS)
    assert {p.day.year for p in drawn} == set(range(2000, 2050))


def test_all_renderings_are_drawn_about_equally_often():
    index = [
        payments.renderings(ONE).index(t) for t in payments.drawn_texts([ONE] * 4320, seeded(4))
    ]
    counts = torch.tensor(index).bincount(minlength=216)
    assert counts.min() > 5 and counts.max() < 40  # 20 on average


def test_encoded_texts_read_as_they_were(some):
    texts = payments.drawn_texts(some, seeded(5))
    ids, source = payments.encode_texts(texts), payments.encode_records(some)
    assert [payments.read(row) for row in ids] == texts
    assert source.shape == (40, 7) and (source[:, 0] == CLS_ID).all()
    assert payments.read(source[3]) == " ".join(some[3].fields)
    assert payments.encode_records([]).shape == (0, 7)
    with pytest.raises(ValueError, match="No record and no text has the word 'yen'"):
        payments.encode_texts(["47 yen"])


def test_every_rendering_is_correct_and_nothing_else():
    texts = payments.renderings(ONE)
    assert payments.is_rendering([ONE] * 216, payments.encode_texts(texts)).all()
    wrong = [
        "47 euros ; on 17 April 2031",
        "47 euros ; on 17 April 2031 ; to Ada ; to Ada",
        "47 euros ; on the 17th of April 2031 ; to Ada",
        "47 euros ; on April 17 2031 ; to Ada",
        "EUR 47 euros ; on 17 April 2031 ; to Ada",
        "47 euros ; on 17 April 2031 ; to Amir",
        "48 euros ; on 17 April 2031 ; to Ada",
    ]
    written = payments.encode_texts(wrong)
    assert not payments.is_rendering([ONE] * len(wrong), written).any()
    possible = payments.possible_length([ONE] * len(wrong), written).tolist()
    lengths = {len(text.split()) for text in texts}
    assert possible == [len(text.split()) in lengths for text in wrong]
    assert not possible[0] and possible[-1]
    with pytest.raises(ValueError, match="There are 1 payments, but 7 texts"):
        payments.is_rendering([ONE], written)


# --- The experiment


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The experiment with few payments and two steps of training."""
    monkeypatch.setattr(import_module("mlm_course.models.pretrained"), "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(experiment, "TRAIN", 60)
    monkeypatch.setattr(experiment, "TEST", 6)
    monkeypatch.setattr(experiment, "RECIPE", replace(experiment.RECIPE, steps=2, batch_size=8))
    experiment.test_set.cache_clear()
    yield tmp_path
    experiment.test_set.cache_clear()


def test_training_and_test_payments_are_apart(small):
    drawn = payments.draw(60, seeded(1001), other_than=frozenset(experiment.test_set()))
    source, target = experiment.training_set(1)
    assert torch.equal(source, payments.encode_records(drawn)) and len(target) == 60
    assert payments.is_rendering(drawn, target).all()


def test_a_trained_model_lies_in_its_folder(small):
    first = experiment.trained(experiment.PARALLEL, 1.0, 1, small)
    again = experiment.trained(experiment.PARALLEL, 1.0, 1, small)
    assert torch.equal(first.output_bias, again.output_bias) and not first.training
    other = experiment.trained(experiment.PARALLEL, 1.0, 2, small)
    assert not torch.equal(first.output_bias, other.output_bias)


def test_what_a_contestant_writes_in_each_way(small):
    scores = experiment.contestant(experiment.PARALLEL, 1.0, 1, small)
    assert list(scores["ways"]) == [
        *(f"T = {t}" for t in (1, 2, 4, 10)),
        *(f"T = {t}, 5 lengths" for t in (1, 2, 4, 10)),
    ]
    assert scores["right"] == scores["ways"]["T = 10"]["right"]
    assert list(experiment.contestant(experiment.TWIN, 1.0, 1, small)["ways"]) == [experiment.TWIN]


def test_the_rivals_have_as_many_layers_and_the_plan_names_them():
    assert {sum(layers) for layers in experiment.LAYERS.values()} == {4}
    record = recorded("payments")["right"]
    assert [pair.split(" against ") for pair in record["differences"]] == [
        list(pair) for pair in experiment.PLANNED
    ]
    assert all(len(values) == len(SEEDS) for values in record["values"].values())


def test_parts_of_the_mechanism_are_taken_away_from_the_same_models(small, monkeypatch):
    def untrained(rival, factor, seed, folder):
        return experiment.build(rival, seed).eval()

    monkeypatch.setattr(experiment, "trained", untrained)
    part = experiment.mechanism(1.0, small)
    assert all(len(values) == len(SEEDS) for values in part["values"].values())
    assert len(part["differences"]) == len(experiment.MECHANISM) - 1
    record = recorded("payments")
    whole = record["mechanism"]["values"][experiment.WHOLE]
    assert whole == record["right"]["values"]["T = 10"]


def test_the_shipped_model_answers_as_recorded():
    model, words = load_pretrained("payments")
    assert words == payments.vocabulary() and not model.config.causal
    asked = payments.draw(200, seeded(0))
    source, values = payments.encode_records(asked), recorded("payments")["right"]["values"]
    for t in (1, 10):
        right = payments.is_rendering(asked, mask_predict(model, source, t).tokens).float().mean()
        assert right.item() == pytest.approx(values[f"T = {t}"][0], abs=0.1)


# --- Speed by width


def test_models_for_the_clock_write_all_their_words(monkeypatch):
    monkeypatch.setattr(speed, "WORDS", 5)
    source = speed.sources(3)
    assert source.shape == (3, 6) and (source[:, 0] == CLS_ID).all()
    for twin in (speed.TWIN, speed.SHALLOW):
        written = autoregressive(speed.build(twin, 32), source).tokens
        assert written.shape == (3, 5) and (written != PAD_ID).all()


def test_a_clock_counts_processor_time_beside_the_call():
    seconds: list[float] = []
    speed.noting(lambda: sum(range(100_000)), seconds)()
    assert len(seconds) == 1 and 0 <= seconds[0] < 1


def test_arithmetic_decides_from_where_each_doubling_takes_long_enough(monkeypatch):
    monkeypatch.setattr(speed, "WIDTHS", (64, 128, 256, 512))

    def rounds(*medians):
        return [[m, m, m] for m in medians]

    assert speed.growth(rounds(1, 2, 6, 24)) == {
        "64": [2.0, 2.0, 2.0],
        "128": [3.0, 3.0, 3.0],
        "256": [4.0, 4.0, 4.0],
    }
    assert speed.decided_from(rounds(1, 2, 6, 24)) == 128
    assert speed.decided_from(rounds(1, 3, 9, 27)) == 64
    assert speed.decided_from(rounds(1, 4, 16, 32)) is None


@pytest.mark.slow
def test_the_speed_record_in_miniature(monkeypatch):
    monkeypatch.setattr(speed, "WIDTHS", (32, 64))
    monkeypatch.setattr(speed, "BATCHES", (1,))
    monkeypatch.setattr(speed, "WORDS", 4)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "NAMES", (speed.TWIN, speed.SHALLOW, "T = 2"))
    monkeypatch.setattr(speed, "STEPS", (2,))
    table = speed.run()["batch 1"]
    assert set(table["cpu_ms"]["T = 2"]) == {"32", "64"}
    assert list(table["times as fast"]) == [speed.SHALLOW, "T = 2"]


# --- What lesson 11 says of both records


def test_the_lesson_says_what_the_records_say():
    lesson = (ROOT / "course/11_mask_predict.py").read_text("utf-8").replace("\n# ", " ")
    record, clock = recorded("payments"), recorded("decoder_width")

    def points(part: str, pair: str) -> str:
        low, high = (abs(record[part]["differences"][pair][end]) for end in ("low", "high"))
        return "{:.0f} to {:.0f} points".format(*sorted((100 * low, 100 * high)))

    told = [
        points("right", "T = 10 against T = 1"),
        points("right", "T = 10 against left to right"),
    ]
    told += [points("right", "T = 4, 5 lengths against T = 4")]
    told += [
        points("mechanism", f"{name} against {experiment.WHOLE}")
        for name in ("random words go", "twenty steps")
    ]
    assert [words for words in told if words not in lesson] == []
    assert {*clock["batch 32"]["arithmetic decides from"].values()} == {256}
    assert list(clock["batch 1"]["arithmetic decides from"].values()) == [None, None, 256, 512]
    alone, many = (clock[f"batch {n}"]["times as fast"] for n in (1, 32))
    ends = [f"{alone[f'T = {t}'][width][0]:.2g}" for t in (4, 10) for width in ("64", "1024")]
    assert ends == ["4", "1.6", "1.7", "0.75"]
    slower = [f"{1 / many[f'T = {t}'][width][0]:.1f}" for t in (4, 10) for width in ("64", "1024")]
    assert slower == ["1.1", "1.9", "2.4", "4.0"]
    twins = [ratio for by in (alone, many) for ratio, _, _ in by[speed.SHALLOW].values()]
    assert (round(min(twins), 1), round(max(twins), 1)) == (1.2, 1.7)
