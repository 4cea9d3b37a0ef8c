"""Saving and resuming: after whatever happened, the same bits, or one clear sentence."""

import contextlib
import errno
import multiprocessing
import os
import random
import signal
import socket
import time
import warnings
from dataclasses import replace

import kills
import pytest
import torch
from torch import nn

import mlm_course.training.checkpoints as checkpoints
from mlm_course.corruption import DynamicMasking, Masker
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, fit, masked_lm_loss
from mlm_course.training.checkpoints import read
from mlm_course.training.loop import Interruption

N, T, V = 48, 10, 30
RECIPE = Recipe(steps=12, batch_size=8, lr=0.01, warmup=2)
TWO_EACH = {"evaluate_every": 3, "keep_best": "loss", "save_every": 4}
pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")


def rows(seed=7):
    ids = torch.randint(5, V, (N, T), generator=torch.Generator().manual_seed(seed))
    return DynamicMasking(Masker(V, SPECIAL_IDS, MASK_ID, ratio=0.3), ids, seed=1)


def small_model(dropout=0.2, n_heads=2):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return MaskedLM(
            EncoderConfig(V, T, d_model=16, n_layers=2, n_heads=n_heads, dropout=dropout)
        )


def evaluate(model):
    """A loss that depends on the weights and goes up and down."""
    first = next(model.parameters())
    return {"loss": float(first[0].sum().mul(300).sin())}


class Killed(Exception):
    pass


def train(
    folder, recipe=RECIPE, stop_at=None, data=None, model=None, loss=masked_lm_loss, **options
):
    """(weights, history) of a training that is torn out of its step `stop_at`, if given."""
    model = model or small_model()
    calls = []

    def count(module, inputs):
        calls.append(1)
        if len(calls) == stop_at:
            raise Killed

    model.register_forward_pre_hook(count)
    options = {"evaluate": evaluate, **TWO_EACH, **options}
    history = fit(model, data or rows(), loss, recipe, folder=folder, **options)
    return nn.utils.parameters_to_vector(model.parameters()).detach(), history


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """What an uninterrupted training ends with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "1")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        result = train(None)
        torch.set_num_threads(threads)
    return result


def stopped(folder, at, **options):
    with pytest.raises(Killed):
        train(folder, stop_at=at, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("at", [2, 5, 11])
def test_a_stopped_training_ends_with_the_same_bits(tmp_path, optimizer, at, untouched):
    recipe = replace(RECIPE, optimizer=optimizer)
    whole = untouched if optimizer == "muon" else train(None, recipe)
    stopped(tmp_path, at, recipe=recipe)
    weights, history = train(tmp_path, recipe)
    assert torch.equal(weights, whole[0]) and history == whole[1]
    assert history.best_step != 12  # or the best weights would be nothing but the last


def test_the_last_two_are_kept_and_a_finished_run_is_only_loaded(tmp_path, untouched):
    train(tmp_path)
    assert names(tmp_path) == ["step-00000008.pt", "step-00000012.pt"]

    def never(*inputs):
        raise AssertionError("trained again")

    model = small_model()
    model.register_forward_pre_hook(never)
    history = fit(
        model, rows(), masked_lm_loss, RECIPE, folder=tmp_path, evaluate=evaluate, keep_best="loss"
    )
    assert history == untouched[1] and not model.training
    assert torch.equal(nn.utils.parameters_to_vector(model.parameters()), untouched[0])


def test_a_run_may_go_on_in_other_pieces(tmp_path, untouched):
    stopped(tmp_path, 6)
    _, history = train(tmp_path, replace(RECIPE, accumulate=2))
    assert history.losses[:4] == untouched[1].losses[:4] and len(history) == 12


def damage(path, how):
    raw = bytearray(path.read_bytes())
    if how == "truncated":
        raw = raw[: len(raw) // 2]
    elif how == "empty":
        raw = b""
    else:
        raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("how", ["truncated", "empty", "one bit"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, how, untouched):
    stopped(tmp_path, 10)
    damage(tmp_path / "step-00000008.pt", how)
    with pytest.warns(UserWarning, match=r"step-00000008.pt is damaged, so the one before"):
        weights, history = train(tmp_path)
    assert torch.equal(weights, untouched[0]) and history == untouched[1]
    assert read(tmp_path / "step-00000008.pt")  # written anew, and whole


def test_when_all_are_damaged_nothing_is_overwritten(tmp_path):
    stopped(tmp_path, 10)
    for path in tmp_path.iterdir():
        damage(path, "one bit")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="No checkpoint in"):
        train(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": lambda: small_model(n_heads=4)}, "model: n_heads is 2 there, 4 here"),
        ({"model": lambda: nn.Linear(3, 3)}, "model: class is MaskedLM there, Linear here"),
        ({"recipe": lambda: replace(RECIPE, lr=0.02)}, "recipe: lr is 0.01 there, 0.02 here"),
        ({"recipe": lambda: replace(RECIPE, steps=13)}, "recipe: steps is 12 there, 13 here"),
        ({"data": lambda: rows(seed=8)}, r"data: other rows \(ids\)"),
    ],
)
def test_a_foreign_checkpoint_is_refused_and_left_alone(tmp_path, changes, sentence):
    stopped(tmp_path, 6)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=sentence) as caught:
        train(tmp_path, **{name: make() for name, make in changes.items()})
    assert "nothing was overwritten" in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_costs_no_training_and_no_older_checkpoint(tmp_path, untouched, monkeypatch):
    real = os.fsync
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) > 2:  # a file and its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.warns(UserWarning, match="after step 8 could not be saved .No space left"):
        weights, history = train(tmp_path)
    assert torch.equal(weights, untouched[0]) and history == untouched[1]
    assert names(tmp_path) == ["step-00000004.pt"] and read(tmp_path / "step-00000004.pt")


def test_ctrl_c_is_answered_between_two_steps_and_saved(tmp_path, untouched):
    steps = []

    def ask(*inputs):
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    before, model = signal.getsignal(signal.SIGINT), small_model()
    model.register_forward_pre_hook(ask)
    with pytest.raises(KeyboardInterrupt, match=r"after step 6.*goes on from there"):
        fit(model, rows(), masked_lm_loss, RECIPE, folder=tmp_path, evaluate=evaluate, **TWO_EACH)
    assert signal.getsignal(signal.SIGINT) is before
    state = read(tmp_path / "step-00000006.pt")["training"]["weights"]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    weights, history = train(tmp_path)
    assert torch.equal(weights, untouched[0]) and history == untouched[1]


def test_a_handler_that_python_does_not_know_ends_no_training():
    before, stop = signal.getsignal(signal.SIGINT), Interruption(is_alone=True)
    try:
        with stop:
            stop.before = {signal.SIGINT: None}  # as signal.signal says of one that C installed
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    def poison(model):
        next(model.parameters()).data[0] = torch.nan
        return {"loss": 1.0}

    with pytest.raises(FloatingPointError, match="not saved"):
        train(tmp_path, evaluate=poison, evaluate_every=4)
    assert names(tmp_path) == []


# --- made longer


STEADY = replace(RECIPE, schedule="constant")


def is_as_if_never_stopped(result, whole):
    assert torch.equal(result[0], whole[0]) and result[1] == whole[1]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "inverse_square_root"])
def test_a_finished_run_made_longer_is_one_that_was_to_be_long(tmp_path, optimizer, schedule):
    recipe = replace(RECIPE, optimizer=optimizer, schedule=schedule)
    longer = replace(recipe, steps=19)
    train(tmp_path, recipe)
    is_as_if_never_stopped(train(tmp_path, longer), train(None, longer))
    assert names(tmp_path) == ["step-00000016.pt", "step-00000019.pt"]


@pytest.mark.parametrize("finished", [True, False])
def test_a_schedule_that_cools_down_is_taken_up_before_it_did(tmp_path, finished):
    recipe, longer = (replace(RECIPE, schedule="trapezoid", steps=n) for n in (12, 20))
    train(tmp_path, recipe) if finished else stopped(tmp_path, 10, recipe=recipe)
    is_as_if_never_stopped(train(tmp_path, longer), train(None, longer))


def test_an_evaluation_at_the_former_end_is_not_one_of_the_longer_run(tmp_path):
    options = {"evaluate_every": 5, "keep_best": None}
    train(tmp_path, STEADY, **options)
    longer = replace(STEADY, steps=14)
    is_as_if_never_stopped(train(tmp_path, longer, **options), train(None, longer, **options))


@pytest.mark.parametrize(
    ("recipe", "changes", "sentence"),
    [
        (RECIPE, {"steps": 13}, r"steps is 12 there, 13 here, so that the linear schedule would"),
        (
            replace(RECIPE, schedule="cosine"),
            {"steps": 24},
            "0.00994911 in step 4, which had 0.00975528",
        ),
        (replace(STEADY, warmup=0.25), {"steps": 24}, "the constant schedule would have had other"),
        (STEADY, {"schedule": "linear"}, "schedule is constant there, linear here, so that"),
        (STEADY, {"steps": 3}, "steps is 12 there, 3 here, and 8 steps are done"),
        (STEADY, {"steps": 24, "lr": 0.02}, "recipe: lr is 0.01 there, 0.02 here"),
        (STEADY, {"steps": 24, "seed": 1}, "recipe: seed is 0 there, 1 here"),
    ],
)
def test_what_would_have_trained_otherwise_is_not_made_longer(tmp_path, recipe, changes, sentence):
    stopped(tmp_path, 10, recipe=recipe)
    with pytest.raises(ValueError, match=sentence):
        train(tmp_path, replace(recipe, **changes))
    assert names(tmp_path) == ["step-00000004.pt", "step-00000008.pt"]


def test_a_finished_run_has_no_best_weights_of_another_name(tmp_path):
    train(tmp_path)
    with pytest.raises(ValueError, match=r"keep_best='accuracy', .* kept those with the best loss"):
        train(tmp_path, keep_best="accuracy")


# --- folders and files that will not do


def denied(*arguments, **options):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def trains_not(folder, kind, sentence, **options):
    """That fit refuses the folder in one sentence, before the model is asked anything."""
    with pytest.raises(kind, match=sentence) as caught:
        train(folder, stop_at=1, **options)
    assert "\n" not in str(caught.value) and "Errno" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_a_folder_that_is_a_file_is_refused_at_once(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    trains_not(tmp_path / place, OSError, "file is a file, choose another folder")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("folder", ["", " ", "a\0b"])
def test_a_folder_without_a_name_is_refused(folder):
    trains_not(folder, ValueError, "names no folder")


def test_a_folder_is_a_path():
    trains_not(3, TypeError, "folder must be a path, not int")
    trains_not(True, TypeError, "folder must be a path, not bool")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux")
def test_a_folder_that_cannot_be_made_is_refused_at_once():
    trains_not("/proc/self/runs", OSError, "/proc/self/runs cannot hold checkpoints")


@pytest.mark.parametrize(
    ("where", "how", "sentence"),
    [
        ("os.listdir", denied, "no permission to read and write in"),
        ("tempfile.TemporaryFile", denied, "no permission to read and write in"),
        ("tempfile.TemporaryFile", full, "make room in"),
        ("Path.mkdir", denied, "no permission to read and write in"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_at_once(
    tmp_path, monkeypatch, where, how, sentence
):
    monkeypatch.setattr(f"mlm_course.training.checkpoints.{where}", how)
    trains_not(tmp_path, OSError, sentence)


def test_a_disk_without_room_for_checkpoints_is_refused_at_once(tmp_path, monkeypatch):
    weights = sum(value.nbytes for value in small_model().state_dict().values())
    needed = (
        3 * 4 * weights + weights
    )  # three checkpoints: weights, the best ones, AdamW's two; model
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: (10**9, 0, needed - 1))
    trains_not(
        tmp_path, OSError, r"3 checkpoints .* take 0.\d MB, but 0.\d MB are free in .*: make room"
    )
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: (10**9, 0, needed))
    train(tmp_path)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: (0, 0, 0))  # does not know
    train(tmp_path)


def refuse_in(folder, monkeypatch, after=0, error=full):
    """Lets no file take its name in a folder any more, after so many that did."""
    real, calls = os.replace, []

    def replace_elsewhere(source, target):
        calls.append(1)
        if len(calls) > after and target.parent == folder:
            error()
        real(source, target)

    monkeypatch.setattr(checkpoints.os, "replace", replace_elsewhere)


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("beside", ["the working folder", "the system's"])
def test_the_last_checkpoint_is_saved_elsewhere(tmp_path, untouched, monkeypatch, writes, beside):
    """Nothing is lost, whichever write is the first to fail: the other folder is as good."""
    full_folder, other = tmp_path / "full", tmp_path / "other"
    other.mkdir()
    if beside == "the working folder":
        monkeypatch.chdir(other)
    else:
        monkeypatch.setattr(checkpoints.os, "getcwd", denied)
        monkeypatch.setattr(checkpoints.tempfile, "gettempdir", lambda: str(other))
    refuse_in(full_folder, monkeypatch, writes)
    with pytest.warns(UserWarning) as caught:
        weights, history = train(full_folder)
    assert torch.equal(weights, untouched[0]) and history == untouched[1]
    assert names(full_folder) == [f"step-{step:08d}.pt" for step in (4, 8)[:writes]]
    [place] = other.iterdir()
    last = str(caught[-1].message)
    assert f"make room in {full_folder}. It is in {place} instead" in last
    is_as_if_never_stopped(train(place), untouched)


def test_without_permission_nobody_is_told_to_make_room(tmp_path, untouched, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_in(tmp_path / "mine", monkeypatch, 1, denied)
    with pytest.warns(UserWarning) as caught:
        weights, _ = train(tmp_path / "mine")
    said = " ".join(str(warning.message) for warning in caught)
    assert "no permission" in said and "make room" not in said
    assert torch.equal(weights, untouched[0])


def test_an_interrupted_training_says_where_its_checkpoint_really_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_in(tmp_path / "mine", monkeypatch)
    model = small_model()
    model.register_forward_pre_hook(lambda *inputs: os.kill(os.getpid(), signal.SIGINT))
    with (
        pytest.warns(UserWarning),
        pytest.raises(KeyboardInterrupt, match=r"saved in .*rescued-mine"),
    ):
        train(tmp_path / "mine", model=model)


# --- checkpoints that cannot be read


def make_folder(path):
    path.unlink()
    path.mkdir()
    (path / "kept").write_text("mine")


def of_somebody_else(path, digest):
    torch.save({"epoch": 3, "weights": torch.ones(2)}, path)
    if digest:
        checkpoints.write(path, {"epoch": 3})


def dangling(path):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


SPOILT = {
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "truncated": (lambda path: damage(path, "truncated"), "is damaged"),
    "a text": (lambda path: path.write_text("no checkpoint" * 99), "is damaged"),
    "a folder": (make_folder, r"cannot be read \(Is a directory\)"),
    "a link to nowhere": (dangling, r"cannot be read \(No such file"),
    "torch's": (lambda path: of_somebody_else(path, False), "is damaged"),
    "a dictionary": (lambda path: of_somebody_else(path, True), "was written by something else"),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
def test_what_cannot_be_read_gives_way_to_the_one_before(tmp_path, spoil, reason, untouched):
    stopped(tmp_path, 11)
    spoil(tmp_path / "step-00000008.pt")
    with pytest.warns(
        UserWarning, match=f"step-00000008.pt {reason}.*so the one before it is used"
    ):
        result = train(tmp_path)
    is_as_if_never_stopped(result, untouched)
    assert read(tmp_path / "step-00000012.pt")


def test_a_checkpoint_without_permission_gives_way_too(tmp_path, monkeypatch, untouched):
    stopped(tmp_path, 11)
    real = checkpoints.Path.read_bytes
    monkeypatch.setattr(
        checkpoints.Path, "read_bytes", lambda p: denied() if "008.pt" in p.name else real(p)
    )
    with pytest.warns(
        UserWarning, match=r"cannot be read \(Permission denied\), so the one before"
    ):
        result = train(tmp_path)
    is_as_if_never_stopped(result, untouched)


def test_other_files_are_no_checkpoints_and_stay(tmp_path, untouched):
    mine = [
        "step-1.pt",
        "step-best.pt",
        "step-00000004 copy.pt",
        "notes.txt",
        "step-00000002.pt.bak",
    ]
    for name in mine:
        (tmp_path / name).write_text("mine")
    is_as_if_never_stopped(train(tmp_path), untouched)
    assert {*names(tmp_path)} == {*mine, "step-00000008.pt", "step-00000012.pt"}


# --- killed for real, in processes of their own

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(  # imported once, not once a process
    ["mlm_course.models", "mlm_course.training", "torch._dynamo", "pytest"]
)
LONG = replace(RECIPE, steps=60)


def in_a_process(target, *arguments):
    process = FORKS.Process(target=alone_and_quiet, args=(target, *arguments), daemon=True)
    process.start()
    return process


def alone_and_quiet(target, *arguments):
    os.environ["ACCELERATE_USE_CPU"] = "1"
    torch.set_num_threads(1)
    target(*arguments)


def train_and_tell(folder, recipe, result=None):
    weights, history = train(folder, recipe, save_every=1)
    if result:
        torch.save((weights, history.losses, history.best_step), result)


def reached(folder):
    return max((int(path.stem[5:]) for path in folder.glob("step-*")), default=0)


def expect(condition, seconds=300.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "nothing happened"
        time.sleep(0.002)


def finishes_with_the_same_bits(folder, recipe, expected):
    process = in_a_process(train_and_tell, folder, recipe, folder / "result")
    process.join(300)
    assert process.exitcode == 0
    weights, losses, best_step = torch.load(folder / "result", weights_only=True)
    assert torch.equal(weights, expected[0])
    assert losses == expected[1].losses and best_step == expected[1].best_step


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path):
    draw = random.Random(3)
    for _ in range(5):
        start = reached(tmp_path)
        process = in_a_process(train_and_tell, tmp_path, LONG)
        expect(lambda start=start: reached(tmp_path) > start)
        time.sleep(draw.uniform(0, 0.04))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert 5 <= reached(tmp_path) < LONG.steps
    finishes_with_the_same_bits(tmp_path, LONG, train(None, LONG))


def train_and_die_within_a_save(folder, place, call):
    kills.die_within_a_save(place, call)
    train_and_tell(folder, RECIPE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "call"),
    [("fsync", 1), ("replace", 1), ("replace", 4), ("fsync", 8)],
    ids=[
        "first, half-written",
        "first, unnamed",
        "fourth, unnamed",
        "fourth, before the third goes",
    ],
)
def test_killed_within_a_save_it_ends_with_the_same_bits(tmp_path, place, call, untouched):
    process = in_a_process(train_and_die_within_a_save, tmp_path, place, call)
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert reached(tmp_path) == {1: 0, 4: 3, 8: 4}[call]
    finishes_with_the_same_bits(tmp_path, RECIPE, untouched)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5, 2, 7], ids=kills.SETTINGS)
def test_killed_in_other_settings_it_ends_with_the_same_bits(tmp_path, seed):
    """More of this: tests/kills.py."""
    setting = [*kills.SETTINGS][seed % 4]
    expected = kills.train(None, setting)
    kills.kill_once(tmp_path / "run", setting, seed, 1.0)
    assert kills.ends_as(tmp_path / "run", expected)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5, 10, 15], ids=["truncated", "one bit", "empty", "foreign"])
def test_damaged_in_other_settings_it_ends_with_the_same_bits(tmp_path, seed):
    assert kills.damage_once(tmp_path, seed)


@pytest.mark.slow
def test_two_trainings_in_one_folder_both_end_right_and_warn_of_nothing(tmp_path):
    expected, meeting = kills.train(None, "Muon"), kills.FORKS.Barrier(2)
    both = [
        kills.in_a_process(
            kills.train_beside_another, tmp_path / "run", "Muon", meeting, f"result-{i}"
        )
        for i in range(2)
    ]
    for i, process in enumerate(both):
        process.join(300)
        result, warned = torch.load(tmp_path / f"result-{i}")
        assert kills.same(result, expected) and warned == []
    assert names(tmp_path / "run") == ["step-00000023.pt", "step-00000024.pt"]


def test_a_checkpoint_that_another_training_tidies_away_is_no_damage(
    tmp_path, monkeypatch, untouched
):
    stopped(tmp_path, 6)
    real, path = checkpoints.read, tmp_path / "step-00000004.pt"

    def outrun(asked):
        monkeypatch.setattr(checkpoints, "read", real)
        path.rename(tmp_path / "step-00000005.pt")  # gone between listing and reading
        (tmp_path / "step-00000005.pt").unlink()
        return real(asked)

    monkeypatch.setattr(checkpoints, "read", outrun)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        is_as_if_never_stopped(train(tmp_path), untouched)


# --- several processes

PLAIN = replace(RECIPE, optimizer="adamw", steps=8, accumulate=2)


def train_as(rank, port, folder, stop_at):
    """One of two processes that train together and talk through gloo, as torchrun starts them."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    with contextlib.suppress(Killed):
        weights, history = train(folder, PLAIN, stop_at=stop_at, model=small_model(dropout=0.0))
        assert torch.distributed.get_world_size() == 2
        torch.save((weights, history.losses), folder / f"result-{rank}")


def two_processes(folder, stop_at=None):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    both = [in_a_process(train_as, rank, port, folder, stop_at) for rank in range(2)]
    for process in both:
        process.join(300)
        assert process.exitcode == 0
    if stop_at is None:
        return [torch.load(folder / f"result-{rank}", weights_only=True) for rank in range(2)]
    return []


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one_and_checkpoints_fit_both(tmp_path):
    alone, history = train(None, PLAIN, model=small_model(dropout=0.0))

    def is_the_same(weights, losses):
        assert losses == pytest.approx(history.losses, abs=1e-5)
        torch.testing.assert_close(weights, alone, atol=1e-4, rtol=1e-4)

    first, second = two_processes(tmp_path / "two")
    assert torch.equal(first[0], second[0]) and first[1] == second[1]
    is_the_same(*first)
    stopped(tmp_path / "up", 12, recipe=PLAIN, model=small_model(dropout=0.0))  # in step 6 of 8
    assert reached(tmp_path / "up") == 4
    is_the_same(*two_processes(tmp_path / "up")[0])
    two_processes(tmp_path / "down", stop_at=12)
    assert reached(tmp_path / "down") == 4
    weights, back = train(tmp_path / "down", PLAIN, model=small_model(dropout=0.0))
    is_the_same(weights, back.losses)
