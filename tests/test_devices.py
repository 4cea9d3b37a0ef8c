"""What a lesson's larger training is told: the device, what suits it, and where checkpoints go."""

import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mlm_course.training import Recipe, find_device, fit, masked_lm_loss, run_folder
from mlm_course.training import checkpoints as folders
from mlm_course.training import reporting as devices

COURSE = Path(__file__).resolve().parents[1] / "course"


def stand_in(monkeypatch, kind: str, bf16: bool = True, capability: tuple[int, int] = (8, 0)):
    """A machine with such a device, as far as `find_device` asks."""
    state = SimpleNamespace(device=torch.device(kind))
    monkeypatch.setattr(devices, "PartialState", lambda cpu: state)
    cuda = {
        "is_bf16_supported": lambda including_emulation: bf16,
        "get_device_capability": lambda: capability,
        "get_device_name": lambda: "Card 9",
    }
    for name, function in cuda.items():
        monkeypatch.setattr(torch.cuda, name, function)


def test_without_a_gpu_the_twin_runs(monkeypatch):
    stand_in(monkeypatch, "cpu")
    device = find_device()
    assert (device.kind, device.is_gpu) == ("cpu", False)
    assert (device.precision, device.compile) == ("no", False)
    assert str(device) == "No GPU here: the same lines run on the CPU, small."


@pytest.mark.parametrize(
    ("bf16", "capability", "wanted", "words"),
    [
        (True, (9, 0), ("bf16", True), "Card 9, bf16."),
        (False, (7, 5), ("fp16", True), "Card 9, fp16."),  # Colab's T4
        (False, (6, 0), ("fp16", False), "Card 9, fp16."),
    ],
)
def test_a_cuda_gpu_gets_what_it_can_do(monkeypatch, bf16, capability, wanted, words):
    stand_in(monkeypatch, "cuda", bf16, capability)
    device = find_device()
    assert device.kind == "cuda" and device.is_gpu and str(device) == words
    assert (device.precision, device.compile) == wanted
    Recipe(steps=1, precision=device.precision, compile=device.compile)


def test_apples_gpu_comes_with_a_warning(monkeypatch):
    stand_in(monkeypatch, "mps")
    with pytest.warns(UserWarning, match="results differ"):
        device = find_device()
    assert device.is_gpu and (device.precision, device.compile) == ("no", False)
    assert str(device) == "Apple's GPU (MPS), fp32."


def test_only_apples_gpu_warns(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("cpu", "cuda", "xpu"):
            stand_in(monkeypatch, kind)
            assert find_device().kind == kind


@pytest.mark.parametrize("word", ["1", "0"])
def test_the_cpu_can_be_asked_for_as_fit_can(monkeypatch, word):
    asked = []
    state = SimpleNamespace(device=torch.device("cpu"))
    monkeypatch.setattr(devices, "PartialState", lambda cpu: asked.append(cpu) or state)
    monkeypatch.setenv("ACCELERATE_USE_CPU", word)
    find_device()
    assert asked == [word == "1"]


def test_the_device_is_the_one_that_fit_uses():
    """The real question, asked here; `fit` takes its device from the same place."""
    from mlm_course.training.reporting import start_accelerator

    recipe = Recipe(steps=1)
    assert find_device().kind == start_accelerator(recipe, None, "runs").device.type


def test_checkpoints_go_beside_the_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = run_folder("lesson_05")
    assert folder.resolve() == tmp_path / "runs/lesson_05" and not any(tmp_path.iterdir())
    assert capsys.readouterr().out == (
        f"Checkpoints go to {folder}. A run that is cut short goes on from there.\n"
    )


def test_on_colab_they_go_to_drive_if_it_is_mounted(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    monkeypatch.setattr(folders, "DRIVE", tmp_path / "MyDrive")
    run_folder("a")
    assert 'drive.mount("/content/drive")' in capsys.readouterr().out
    (tmp_path / "MyDrive").mkdir()
    assert run_folder("a") == tmp_path / "MyDrive/mlm_course/runs/a"
    assert "outlive this runtime" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", "../up", "/root", "a b", "a/b", ".hidden"])
def test_a_name_that_would_lead_elsewhere_is_refused(name):
    with pytest.raises(ValueError, match="letters, digits"):
        run_folder(name)


@pytest.mark.slow
def test_the_same_cell_again_goes_on_where_a_lost_runtime_stopped(tmp_path, monkeypatch):
    """A lesson's cell twice, the first time cut short, ends like one that was left alone."""
    from mlm_course.corpora import tinyworld
    from mlm_course.corpora.tinyworld import masker, sentences
    from mlm_course.corruption import DynamicMasking
    from mlm_course.models import EncoderConfig, MaskedLM, seeded_init

    monkeypatch.chdir(tmp_path)
    names = tinyworld.vocabulary()
    config = EncoderConfig(len(names), 26, d_model=16, n_layers=1, n_heads=2)

    def cell(**options):
        data = DynamicMasking(masker(0.15), sentences(64, 0), seed=0)
        return fit(
            seeded_init(MaskedLM, config), data, masked_lm_loss, Recipe(6, 8), **options
        ).losses

    def lost(model):
        raise ConnectionError("the runtime is gone")

    whole = cell()
    folder = {"folder": run_folder("lesson_05"), "save_every": 2}
    with pytest.raises(ConnectionError):
        cell(**folder, evaluate=lost, evaluate_every=5)
    assert [file.name for file in sorted(folder["folder"].glob("step-*"))][-1] == "step-00000004.pt"
    assert cell(**folder) == whole


@pytest.mark.parametrize("number", ["06", "09", "10", "11", "12"])
def test_a_lessons_larger_training_asks_for_its_device_and_can_go_on(number):
    """One way to ask, and checkpoints on a GPU only: the twin leaves no file behind."""
    (path,) = COURSE.glob(f"{number}_*.py")
    before, section = path.read_text(encoding="utf-8").split("# ## On a GPU\n")
    assert "cuda.is_available" not in before + section
    for words in ("machine = find_device()", "precision=machine.precision", "save_every="):
        assert words in section
    for part in section.split("run_folder(")[1:]:
        assert " if GPU else None" in part[:40] or number == "09"
    assert "run_folder(" not in before and "nbval-skip" not in section.split("fit(")[0]
