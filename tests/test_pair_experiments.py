"""The recorded experiments of lesson 11 on cheques, and the models that come with them."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch

from mlm_course.corpora import pairs
from mlm_course.cost import take_turns
from mlm_course.decoding import autoregressive, mask_predict
from mlm_course.evaluation import repeat_share
from mlm_course.experiments import pairs as experiment
from mlm_course.experiments import pairs_speed as speed
from mlm_course.models import load_pretrained
from mlm_course.results import recorded
from mlm_course.tokenization import PAD_ID


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The experiment with few cheques and two steps."""
    monkeypatch.setattr(import_module("mlm_course.models.pretrained"), "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(experiment, "TRAIN", 120)
    monkeypatch.setattr(experiment, "TEST", 8)
    monkeypatch.setattr(experiment, "STEPS", (1, 2))
    monkeypatch.setattr(experiment, "LENGTHS", (1, 2))
    recipe = replace(experiment.RECIPE, steps=2, batch_size=8)
    monkeypatch.setattr(experiment, "RECIPE", recipe)
    experiment.corpus.cache_clear()
    yield tmp_path
    experiment.corpus.cache_clear()


@pytest.mark.slow
@pytest.mark.long
def test_the_experiment_ships_three_models_and_returns_its_record(small):
    record = experiment.run(folder=str(small / "runs"))
    for name in ("autoregressive", "raw", "distilled"):
        model, tokenizer = load_pretrained(f"cheques_{name}")
        assert model.config.causal == (name == "autoregressive")
        assert tokenizer.get_vocab_size() == model.config.vocab_size
        assert record["training"][name]["result"]["step"] == 2
    assert set(record["steps"]["raw"]) == set(experiment.STEPS)
    assert set(record["samplers"]) == set(experiment.SAMPLERS)


@pytest.mark.slow
def test_what_is_distilled_is_what_the_twin_answers(small):
    data = experiment.corpus()
    twin = experiment.build(True, data.tokenizer.get_vocab_size()).eval()
    answers = experiment.twin_answers(twin, data.source[:10], batch_size=4)
    expected = autoregressive(twin, data.source[:10]).tokens
    assert torch.equal(answers[:, : expected.shape[1]], expected)


def test_repeats_are_counted_among_real_tokens():
    tokens = torch.tensor([[7, 7, 8, 8, 8, PAD_ID], [5, 6, PAD_ID, PAD_ID, PAD_ID, PAD_ID]])
    assert repeat_share(tokens) == pytest.approx(3 / 7, abs=1e-5)


def test_the_shipped_models_answer_as_recorded():
    record = recorded("pairs")
    twin, tokenizer = load_pretrained("cheques_autoregressive")
    distilled, _ = load_pretrained("cheques_distilled")
    asked = pairs.cheques(100, seed=9)
    source, _ = pairs.encode_pairs(tokenizer, asked)

    def right(answers):
        return pairs.correct(tokenizer, answers.tokens, asked).float().mean().item()

    by_word = record["autoregressive"]["greedy"]["right"]
    at_once = record["steps"]["distilled"]["4"]["right"]
    assert right(autoregressive(twin, source)) == pytest.approx(by_word, abs=0.06)
    answers = mask_predict(distilled, source, 4, experiment.N_LENGTHS)
    assert right(answers) == pytest.approx(at_once, abs=0.06)
    assert at_once >= 0.95 * by_word


def test_contestants_take_turns_and_are_compared_with_the_slowest():
    order = []
    contestants = {name: lambda batch, name=name: order.append(name) for name in ("a", "b")}
    seconds = take_turns(speed.answering(contestants, [torch.zeros(1)] * 6), 4, 2)
    assert order == ["a", "b", "b", "a"] * 3 and {len(each) for each in seconds.values()} == {4}
    summary = speed.summarize({"word by word": [4.0, 4.0, 8.0], "T=1": [1.0, 2.0, 2.0]})
    assert summary["T=1"]["times_as_fast"] == 2.0
    assert summary["word by word"]["times_as_fast"] == 1.0


def test_speed_is_measured_on_long_answers():
    lengths = []
    tokenizer = load_pretrained("cheques_autoregressive")[1]
    for pair in pairs.cheques(2 * max(speed.BATCHES), seed=2):
        lengths.append(len(tokenizer.encode(pair.target, add_special_tokens=False).ids))
    assert len(speed.sources()) == sum(n >= 25 for n in lengths) >= max(speed.BATCHES)
