"""Experiment `gpu`, small and on the CPU: every section's code, and what it does without a GPU."""

from dataclasses import replace

import pytest
import torch

from mlm_course import __main__ as command
from mlm_course import results
from mlm_course.corpora import pairs
from mlm_course.corpora.images import digits
from mlm_course.experiments import gpu
from mlm_course.hub import HubUnreachable
from mlm_course.models import (
    EncoderConfig,
    ImageMAEConfig,
    MaskedLM,
    StackConfig,
    TextMAE,
    TextMAEConfig,
)
from mlm_course.training import Device, Recipe

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
TINY = {"d_model": 16, "n_layers": 1, "n_heads": 2}
RECIPE = Recipe(steps=2, batch_size=4)
TEXTS = [pair.source for pair in pairs.cheques(60, seed=0)]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (MaskedLM, EncoderConfig(200, 16, **TINY)),
        (TextMAE, TextMAEConfig(200, 16, **TINY, decoder=StackConfig(**TINY))),
    ],
)
def test_a_model_that_guesses_words(kind, config):
    record = gpu.guess(kind, config, TEXTS, RECIPE)
    assert record["rows"] > 20
    assert record["result"]["step"] == 2 and 3 < record["result"]["loss"] < 6
    assert record["result"]["n_masked"] > 0 and record["mask_ratio"] == 0.3


def test_held_out_rows_are_not_trained_on():
    train, held_out = gpu.rows_of(TEXTS, EncoderConfig(200, 16))
    assert (
        train.shape[1] == held_out.shape[1] == 16
        and len(held_out) == (len(train) + len(held_out)) // 10
    )


def test_a_diffusion_model():
    record = gpu.write(EncoderConfig(200, 16, **TINY), TEXTS, RECIPE)
    assert 3 < record["result"]["bound"] < 6
    assert "mask_ratio" not in record


def test_an_image_autoencoder():
    data = digits()
    config = ImageMAEConfig(
        encoder=StackConfig(**TINY), decoder=StackConfig(**TINY), position_base=10
    )
    record = gpu.restore(config, data.train[:40], data.test[:150], replace(RECIPE, steps=5))
    assert record["images"] == 40 and record["mask_ratio"] == 0.75
    assert 0.05 < record["result"]["error"] < 0.3  # the spread of all pixels is .14
    assert [point["step"] for point in record["curve"]] == [1, 2, 3, 4, 5]


def test_both_translators():
    corpus = pairs.cheques(40, seed=0)
    record = gpu.translate(16, 1, corpus[:32], corpus[32:35], RECIPE, vocab_size=200, dropout=0.0)
    assert record["pairs"] == 32
    for name in ("left to right", "Mask-Predict"):
        assert record[name]["result"]["step"] == 2 and record[name]["result"]["right"] == 0


def test_answers_and_what_they_are_compared_with_have_the_same_spaces():
    asked = pairs.cheques(20, seed=0)
    tokenizer = pairs.vocabulary(asked)
    ids = pairs.encode_pairs(tokenizer, asked)[1].tolist()
    perfect = [pairs.read(tokenizer, row) for row in ids]
    assert gpu.quality(perfect, tokenizer, asked)["right"] == 1
    assert gpu.quality(perfect[1:] + perfect[:1], tokenizer, asked)["right"] == 0
    assert gpu.spaced(tokenizer, "Männer, draußen") == "Männer , draußen"


def test_what_is_measured_of_each_section():
    section = gpu.with_time_and_memory(lambda: {"rows": 3})
    assert section["rows"] == 3
    assert ("peak_gigabytes" in section) == torch.cuda.is_available()


@pytest.fixture
def recording(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["mlm_course", "experiment", "gpu"])
    return tmp_path


def test_without_cuda_one_sentence_and_no_record(recording):
    with pytest.raises(SystemExit, match=r"Nothing recorded: .* needs a CUDA device"):
        command.main()
    assert not list(recording.iterdir())


def test_without_a_network_one_sentence_and_no_record(recording, monkeypatch):
    def unreachable(*_, **__):
        raise HubUnreachable("the hub cannot be reached")

    monkeypatch.setattr(gpu, "gpu_now", lambda: Device("cuda", "a GPU", "bf16", True))
    monkeypatch.setattr(gpu, "pairs_from_hub", unreachable)
    monkeypatch.setattr(gpu, "texts_from_hub", lambda *_, **__: TEXTS)
    images = type("Images", (), {"images": torch.zeros(2, 1, 28, 28)})
    monkeypatch.setattr(gpu, "images_from_hub", lambda *_: images)
    with pytest.raises(SystemExit, match=r"Nothing recorded: .*the hub cannot be reached"):
        command.main()
    assert not list(recording.iterdir())


def test_every_section_is_in_the_record(recording, monkeypatch):
    data = gpu.Downloaded(TEXTS, TEXTS, (torch.zeros(2), torch.zeros(1)), ([], []))
    monkeypatch.setattr(gpu, "gpu_now", lambda: Device("cuda", "a GPU", "bf16", True))
    monkeypatch.setattr(gpu, "download", lambda: data)
    asked = []
    for name in ("guess", "restore", "translate", "write"):
        monkeypatch.setattr(
            gpu, name, lambda *given, name=name: asked.append(given) or {"is": name}
        )
    assert command.main() == 0
    record = results.recorded("gpu")
    parts = {name.split(",")[0]: part["is"] for name, part in record.items() if "lesson" in name}
    assert parts == {
        "lesson 6": "guess", "lesson 9": "restore", "lesson 10": "guess", "lesson 11": "translate",
        "lesson 12": "write",
    }  # fmt: skip
    recipes = [given[-1] for given in asked]
    assert all((recipe.precision, recipe.compile) == ("bf16", True) for recipe in recipes)
    assert record["device"] == "a GPU"
