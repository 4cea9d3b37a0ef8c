"""`python -m mlm_course train`, alone and in several processes."""

import errno
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors import SafetensorError

from mlm_course import __main__ as command
from mlm_course import train as training_runs
from mlm_course.commands import making
from mlm_course.experiments import pairs
from mlm_course.models import ImageMAE, MaskedLM, Seq2Seq, storage
from mlm_course.models.storage import load_model
from mlm_course.train import TASKS, train_lesson

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
SHORT = {"steps": 5, "batch_size": 16, "rows": 96, "optimizer": "adamw"}
KINDS = {"mlm": MaskedLM, "mae": ImageMAE, "cmlm": Seq2Seq}


def train_all(folder):
    """Each lesson's model for a few steps; its losses."""
    pairs.TEST = 20
    return {name: train_lesson(name, folder / name, **SHORT).losses for name in TASKS}


def one_of_two(rank, port, folder):
    """What torchrun starts: a process that knows its number and where the others meet."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"}
    os.environ.pop("ACCELERATE_USE_CPU", None)  # who starts torchrun does not know of it
    train_all(folder)


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_give_the_curve_of_one_with_the_same_batch(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pairs, "TEST", 20)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    start = multiprocessing.get_context("spawn").Process
    both = [start(target=one_of_two, args=(rank, port, tmp_path / "two")) for rank in range(2)]
    for process in both:
        process.start()
    alone = train_all(tmp_path / "one")
    assert capsys.readouterr().out.count("1 process on cpu") == len(TASKS)
    for process in both:
        process.join(300)
        assert process.exitcode == 0
    for name, losses in alone.items():
        together = json.loads((tmp_path / "two" / name / "history.json").read_text())
        assert together["losses"] == pytest.approx(losses, abs=1e-4), name
        assert len(losses) == SHORT["steps"] and losses[0] > losses[-1]
        assert isinstance(load_model(tmp_path / "two" / name / "model.safetensors"), KINDS[name])


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc_per_node", "2"],
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"],
}
RUN = {"steps": 60, "batch-size": 16, "rows": 96, "save-every": 5}


def workers(launcher):
    """The two processes that train, by rank."""
    by_rank = {}
    for process in psutil.Process(launcher.pid).children(recursive=True):
        rank = process.environ().get("RANK")
        if rank is not None and "train" in process.cmdline():
            by_rank[int(rank)] = process
    return by_rank


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("launcher", "victim"), [("torchrun", 1), ("accelerate", 0)])
def test_a_lost_process_ends_the_run_with_a_sentence_and_a_checkpoint(tmp_path, launcher, victim):
    options = [str(part) for name, value in RUN.items() for part in (f"--{name}", value)]
    arguments = ["-m", "mlm_course", "train", "mlm", "--folder", str(tmp_path), *options]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        where = ["--main_process_port" if launcher == "accelerate" else "--master_port"]
        where.append(str(sock.getsockname()[1]))
    whole = [sys.executable, "-m", *LAUNCHERS[launcher], *where, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("ACCELERATE_USE_CPU")
    process = subprocess.Popen(
        whole, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while not list(tmp_path.glob("step-*.pt")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    workers(process)[victim].send_signal(signal.SIGKILL)
    said = process.communicate(timeout=120)[0]
    assert process.returncode != 0
    [sentence] = re.findall(r"Another of the 2 processes is gone.*", said)
    reached = max(int(path.stem.split("-")[1]) for path in tmp_path.glob("step-*.pt"))
    assert f"the first {reached} steps: the same command goes on" in sentence
    assert 5 <= reached < RUN["steps"]
    history = train_lesson("mlm", tmp_path, steps=60, batch_size=16, rows=96, save_every=5)
    assert len(history) == RUN["steps"] and (tmp_path / "model.safetensors").exists()


def test_the_command_passes_on_what_was_asked(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(training_runs, "train_lesson", lambda **given: asked.update(given))
    words = f"train mae --folder {tmp_path} --batch-size 8 --precision bf16 --compile"
    monkeypatch.setattr("sys.argv", ["mlm_course", *words.split()])
    assert command.main() == 0
    assert asked == {
        "name": "mae", "folder": str(tmp_path), "batch_size": 8, "precision": "bf16",
        "compile": True, "recompute": False,
    }  # fmt: skip


def test_a_folder_of_another_run_is_one_sentence(tmp_path, monkeypatch, capsys):
    train_lesson("mae", tmp_path, steps=1, batch_size=16, rows=32)
    words = f"train mae --folder {tmp_path} --steps 1 --batch-size 16 --rows 33"
    monkeypatch.setattr("sys.argv", ["mlm_course", *words.split()])
    assert command.main() == 1
    error = capsys.readouterr().err
    assert "holds another training run" in error and "Traceback" not in error


def commanded(monkeypatch, capsys, *words):
    """(exit status, what was said on stderr) of the command; raises nothing."""
    monkeypatch.setattr("sys.argv", ["mlm_course", "train", *map(str, words)])
    try:
        status = command.main()
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err


USAGE = {
    ("--rows", "0"): "must be at least 1, not 0",
    ("--rows", "-5"): "must be at least 1, not -5",
    ("--rows", "many"): "invalid count value: 'many'",
    ("--rows", "2.5"): "invalid count value: '2.5'",
    ("--steps", "0"): "must be at least 1, not 0",
    ("--batch-size", "-1"): "must be at least 1, not -1",
    ("--save-every", "0"): "must be at least 1, not 0",
    ("--accumulate", "0"): "must be at least 1, not 0",
    ("--seed", "x"): "invalid int value",
    ("--lr", "0"): "must be above 0 and finite, not 0",
    ("--lr", "-1"): "must be above 0 and finite, not -1",
    ("--lr", "nan"): "must be above 0 and finite, not nan",
    ("--precision", "fp8"): "invalid choice",
    ("--folder", ""): "names no folder",
    ("--folder", " "): "names no folder",
    ("--what", "3"): "unrecognized arguments",
}


@pytest.mark.parametrize(("option", "sentence"), USAGE.items(), ids=map(" ".join, USAGE))
def test_options_that_make_no_sense_are_usage(tmp_path, monkeypatch, capsys, option, sentence):
    where = () if "--folder" in option else ("--folder", tmp_path)
    status, said = commanded(monkeypatch, capsys, "mae", *where, *option)
    assert status == 2 and sentence in said and "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "options", "sentence"),
    [
        ("file", (), "file is a file, choose another folder"),
        ("file/below", (), "file is a file, choose another folder"),
        ("new", ("--rows", 8), "has 8 rows, but one step takes batch_size=16"),
        ("new", ("--accumulate", 17), "accumulate must be at most batch_size, not 17"),
        ("new", ("--precision", "fp16"), 'precision="fp16" needs a GPU'),
        ("taken", (), "model.safetensors is a folder: move it"),
        ("mine", (), "model.safetensors is there without the checkpoints of its run"),
        ("/proc/self/runs", (), "/proc/self/runs cannot hold checkpoints"),
    ],
)
def test_what_stands_in_the_way_is_one_sentence_before_training(
    tmp_path, monkeypatch, capsys, place, options, sentence
):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "model.safetensors").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_text("mine")
    small = ("--steps", 1, "--batch-size", 16, "--rows", 32)
    status, said = commanded(
        monkeypatch, capsys, "mae", "--folder", tmp_path / place, *small, *options
    )
    assert status == 1 and sentence in said and said.count("\n") == 1
    assert not list(tmp_path.rglob("step-*"))


@pytest.mark.parametrize("name", ["model", "history"])
def test_a_disk_that_is_full_at_the_very_end_loses_nothing(tmp_path, monkeypatch, capsys, name):
    real, folder = (storage.save_file, Path.write_text), tmp_path / "run"
    said = os.strerror(errno.ENOSPC)
    of_safetensors = SafetensorError(f"Error while serializing: {said} (os error {errno.ENOSPC})")

    def full(path, error, call):
        if Path(path).parent == folder and name in Path(path).name:
            raise error
        return call()

    def save_file(weights, path, **more):
        return full(path, of_safetensors, lambda: real[0](weights, path, **more))

    def write_text(path, *rest):
        return full(path, OSError(errno.ENOSPC, said), lambda: real[1](path, *rest))

    monkeypatch.setattr(storage, "save_file", save_file)
    monkeypatch.setattr(Path, "write_text", write_text)
    monkeypatch.chdir(tmp_path)
    small = ("--steps", 2, "--batch-size", 16, "--rows", 32)
    with pytest.warns(
        UserWarning, match=r"No space left on device.*\): make room in .*/run\. It is in"
    ):
        status, _ = commanded(monkeypatch, capsys, "mae", "--folder", folder, *small)
    [place] = tmp_path.glob("rescued-run-*")
    assert status == 0
    assert isinstance(load_model(place / "model.safetensors"), ImageMAE)
    assert len(json.loads((place / "history.json").read_text())["losses"]) == 2


def test_when_it_can_be_saved_nowhere_it_is_a_sentence(tmp_path, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(training_runs, "save_model", full)
    monkeypatch.chdir(tmp_path)
    small = ("--steps", 1, "--batch-size", 16, "--rows", 32)
    status, said = commanded(monkeypatch, capsys, "mae", "--folder", tmp_path / "run", *small)
    assert status == 1 and "could be saved nowhere" in said and "Traceback" not in said
    assert "step-00000001.pt" in said  # where its weights are all the same
    assert not list(tmp_path.glob("rescued-*"))


def test_a_lesson_is_trained_on_some_rows_or_refused(tmp_path):
    for rows, kind in ((0, ValueError), (-5, ValueError), (2.5, TypeError), (True, TypeError)):
        with pytest.raises(kind, match="rows must be"):
            train_lesson("mae", tmp_path, rows=rows)
    with pytest.raises(ValueError, match="name must be one of mlm, mae, cmlm, not 'bert'"):
        train_lesson("bert", tmp_path)


def test_a_launcher_that_starts_one_process_instead_of_several_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # all that accelerate launch --cpu sets
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.warns(UserWarning, match="Only one process was started"):
        train_lesson("mae", tmp_path, steps=1, batch_size=16, rows=32)


def test_every_name_of_the_command_is_a_task():
    text = Path(making.__file__).read_text("utf-8")
    assert f"choices={(*TASKS, 'own')}".replace("'", '"') in text
