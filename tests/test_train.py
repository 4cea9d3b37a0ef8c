"""`python -m mlm_course train`, alone and in several processes."""

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

from mlm_course import __main__ as command
from mlm_course import train as training_runs
from mlm_course.experiments import pairs
from mlm_course.models import ImageMAE, MaskedLM, Seq2Seq
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
        "compile": True,
    }  # fmt: skip


def test_a_folder_of_another_run_is_one_sentence(tmp_path, monkeypatch, capsys):
    train_lesson("mae", tmp_path, steps=1, batch_size=16, rows=32)
    words = f"train mae --folder {tmp_path} --steps 2 --batch-size 16 --rows 32"
    monkeypatch.setattr("sys.argv", ["mlm_course", *words.split()])
    assert command.main() == 1
    error = capsys.readouterr().err
    assert "holds another training run" in error and "Traceback" not in error


def test_a_launcher_that_starts_one_process_instead_of_several_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # all that accelerate launch --cpu sets
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.warns(UserWarning, match="Only one process was started"):
        train_lesson("mae", tmp_path, steps=1, batch_size=16, rows=32)


def test_every_name_of_the_command_is_a_task():
    text = Path(command.__file__).read_text("utf-8")
    assert f"choices={tuple(TASKS)}".replace("'", '"') in text
