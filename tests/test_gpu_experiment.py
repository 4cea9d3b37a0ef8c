"""Experiment `gpu`, small and on the CPU: every section's code, and what it does without a GPU."""

import threading
import time
from dataclasses import replace

import pytest
import torch

from mlm_course import __main__ as command
from mlm_course import results
from mlm_course.corpora import pairs
from mlm_course.corpora.images import digits
from mlm_course.experiments import _time_limit, gpu
from mlm_course.experiments._time_limit import TimeLimit
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

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread", "own_folder")
TINY = {"d_model": 16, "n_layers": 1, "n_heads": 2}
RECIPE = Recipe(steps=2, batch_size=4)
TEXTS = [pair.source for pair in pairs.cheques(60, seed=0)]


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Trainings keep nothing where the tests run."""
    monkeypatch.setattr(gpu, "RUNS", tmp_path / "runs")


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


def test_a_training_goes_on_from_its_folder(monkeypatch):
    steps = []
    whole = gpu.masked_lm_loss
    monkeypatch.setattr(gpu, "masked_lm_loss", lambda *given: steps.append(1) or whole(*given))
    arguments = MaskedLM, EncoderConfig(200, 16, **TINY), TEXTS, RECIPE
    first, again = (gpu.guess(*arguments)["result"] for _ in range(2))
    assert len(steps) == RECIPE.steps and first == again


def test_tinyworld_beside_its_floor(monkeypatch):
    monkeypatch.setattr(gpu.tinyworld, "SENTENCES", 50)
    test = gpu.tinyworld.masked_test_set(50)
    monkeypatch.setattr(gpu.tinyworld, "masked_test_set", lambda: test)
    record = gpu.close_to_the_floor(RECIPE)
    assert record["result"]["loss"] > record["floor"] > 0.1


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
    return tmp_path / "gpu.json"


@pytest.fixture
def on_a_gpu(recording, monkeypatch):
    """A machine that says that it has one."""
    device = Device("cuda", "a GPU", "bf16", True)
    monkeypatch.setattr(gpu, "gpu_now", lambda: device)
    return recording


def with_sections(monkeypatch, **sections):
    monkeypatch.setattr(gpu, "sections", lambda device: sections)


def parts(record):
    return {name: part for name, part in record.items() if name in gpu.sections(gpu.gpu_now())}


def test_without_cuda_one_sentence_and_no_record(recording):
    with pytest.raises(SystemExit, match=r"Nothing recorded: .* needs a CUDA device"):
        command.main()
    assert not recording.exists()


def test_what_is_lacking_is_said_and_tried_again(on_a_gpu, monkeypatch, capsys):
    def unreachable(*_, **__):
        raise HubUnreachable("the hub cannot be reached")

    for name in ("texts_from_hub", "images_from_hub", "pairs_from_hub"):
        monkeypatch.setattr(gpu, name, unreachable)
    monkeypatch.setattr(gpu, "close_to_the_floor", lambda recipe: {"floor": 0.3})
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    assert command.main() == 0
    first = parts(results.recorded("gpu"))
    said = {name: part.get("not measured", "") for name, part in first.items()}
    assert said.pop("tinyworld") == ""
    assert "sacrebleu" in said.pop("lesson 11, Multi30k")
    assert [*said.values()] == ["the hub cannot be reached"] * 4
    assert "Not done: lesson 9, Fashion-MNIST, lesson 6" in capsys.readouterr().out
    monkeypatch.setattr(gpu, "restore", lambda *given: {"is": "restored"})
    monkeypatch.setattr(gpu, "clothes", lambda: ())
    monkeypatch.setattr(gpu, "close_to_the_floor", lambda recipe: pytest.fail("done already"))
    assert command.main() == 0
    again = parts(results.recorded("gpu"))
    assert again["lesson 9, Fashion-MNIST"]["is"] == "restored"
    assert again["tinyworld"] == first["tinyworld"]


def test_a_run_that_is_killed_leaves_what_was_finished(on_a_gpu, monkeypatch):
    class Killed(BaseException):
        pass

    def killed():
        on_disk.update(results.recorded("gpu"))  # what a process that ends here leaves behind
        raise Killed

    on_disk, begun = {}, []
    sections = {"one": lambda: begun.append("one") or {"found": 1}, "two": killed}
    with_sections(monkeypatch, **sections)
    with pytest.raises(Killed):
        command.main()
    assert on_disk["one"]["found"] == 1 and on_disk["machine"] and "two" not in on_disk
    sections["two"] = lambda: begun.append("two") or {"found": 2}
    with_sections(monkeypatch, **sections)
    assert command.main() == 0
    assert begun == ["one", "two"]
    assert [part["found"] for part in parts(results.recorded("gpu")).values()] == [1, 2]


@pytest.mark.parametrize("other", [{"device": "another GPU"}, {"machine": "another box"}])
def test_what_another_machine_has_measured_is_not_gone_on_with(on_a_gpu, monkeypatch, other):
    with_sections(monkeypatch, one=lambda: {"found": 1})
    results.write_record("gpu", {"device": "a GPU", "one": {"found": 0}, **other}, 1.0)
    assert gpu.run()["one"]["found"] == 1


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def take(self, seconds):
        self.now += seconds
        return {"took": seconds}


def test_no_section_begins_when_the_time_is_over(on_a_gpu, monkeypatch, capsys):
    clock = Clock()
    each = {f"part {n}": lambda: clock.take(200) for n in range(5)}
    with_sections(monkeypatch, **each)
    record = gpu.run(TimeLimit(10, clock))
    assert [*parts(record)] == ["part 0", "part 1", "part 2"] and clock.now == 600
    assert parts(results.recorded("gpu")) == parts(record)
    assert "Not done: part 3, part 4. The same command goes on." in capsys.readouterr().out
    assert [*parts(gpu.run(TimeLimit(10, clock)))] == [*each]


def test_a_section_that_does_not_end_is_ended(on_a_gpu, monkeypatch):
    clock, began = Clock(), threading.Event()

    class Timer:  # of a clock that stands still until a section has begun
        def __init__(self, seconds, call):
            self.seconds, self.call, self.daemon = seconds, call, False

        def start(self):
            started.append(self)

        def cancel(self):
            started.remove(self)

    def endless():
        began.set()
        first, second = started
        assert (first.seconds, second.seconds) == (580, 600)
        clock.take(first.seconds)
        first.call()
        while True:
            time.sleep(0.001)

    started = []
    monkeypatch.setattr(_time_limit.threading, "Timer", Timer)
    with_sections(monkeypatch, one=lambda: {"found": 1}, two=endless, three=lambda: pytest.fail())
    record = gpu.run(TimeLimit(10, clock))
    assert began.is_set() and [*parts(record)] == ["one"] and not started


def test_somebodys_own_ctrl_c_ends_it(on_a_gpu, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    with_sections(monkeypatch, one=lambda: {"found": 1}, two=stopped)
    with pytest.raises(KeyboardInterrupt):
        gpu.run()
    assert results.recorded("gpu")["one"]["found"] == 1


def test_every_section_is_in_the_record(on_a_gpu, monkeypatch):
    for name in ("stories", "articles"):
        monkeypatch.setattr(gpu, name, lambda: TEXTS)
    for name in ("clothes", "captions"):
        monkeypatch.setattr(gpu, name, lambda: ([], []))
    asked = []
    for name in ("close_to_the_floor", "guess", "restore", "translate", "write"):
        monkeypatch.setattr(
            gpu, name, lambda *given, name=name: asked.append(given) or {"is": name}
        )
    assert command.main() == 0
    record = results.recorded("gpu")
    told = {name.split(",")[0]: part["is"] for name, part in parts(record).items()}
    assert told == {
        "tinyworld": "close_to_the_floor", "lesson 9": "restore", "lesson 6": "guess",
        "lesson 10": "guess", "lesson 11": "translate", "lesson 12": "write",
    }  # fmt: skip
    recipes = [given[-1] for given in asked]
    assert all((recipe.precision, recipe.compile) == ("bf16", True) for recipe in recipes)
    assert record["device"] == "a GPU"
