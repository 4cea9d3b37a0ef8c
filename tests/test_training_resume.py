"""Saving and resuming: after whatever happened, the same bits, or one clear sentence."""

import contextlib
import errno
import multiprocessing
import os
import random
import signal
import socket
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

import mlm_course.training.checkpoints as checkpoints
from mlm_course.corruption import DynamicMasking, Masker
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import Recipe, fit, masked_lm_loss
from mlm_course.training.checkpoints import read

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


def train(folder, recipe=RECIPE, stop_at=None, data=None, model=None, **options):
    """(weights, history) of a training that is torn out of its step `stop_at`, if given."""
    model = model or small_model()
    steps = []

    def loss(model, batch):
        steps.append(1)
        if len(steps) == stop_at:
            raise Killed
        return masked_lm_loss(model, batch)

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

    def never(model, batch):
        raise AssertionError("trained again")

    model = small_model()
    history = fit(
        model, rows(), never, RECIPE, folder=tmp_path, evaluate=evaluate, keep_best="loss"
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
        ({"data": lambda: rows(seed=8)}, "data: checksum of the first rows is"),
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
    def loss(model, batch, steps=[]):  # noqa: B006
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return masked_lm_loss(model, batch)

    before, model = signal.getsignal(signal.SIGINT), small_model()
    with pytest.raises(KeyboardInterrupt, match=r"after step 6.*goes on from there"):
        fit(model, rows(), loss, RECIPE, folder=tmp_path, evaluate=evaluate, **TWO_EACH)
    assert signal.getsignal(signal.SIGINT) is before
    state = read(tmp_path / "step-00000006.pt")["training"]["weights"]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    weights, history = train(tmp_path)
    assert torch.equal(weights, untouched[0]) and history == untouched[1]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    def poison(model):
        next(model.parameters()).data[0] = torch.nan
        return {"loss": 1.0}

    with pytest.raises(FloatingPointError, match="not saved"):
        train(tmp_path, evaluate=poison, evaluate_every=4)
    assert names(tmp_path) == []


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
    """Kills itself with signal 9 at one of the calls of os.`place` while saving."""
    real, calls = getattr(os, place), []

    def deadly(*arguments):
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(checkpoints.os, place, deadly)
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
