"""The training loop: what a step does, what decides it, and what is reported."""

import math
from collections import UserDict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.optimizer import register_optimizer_step_pre_hook

import mlm_course.training.reporting as tracking
from mlm_course.corruption import Corrupted, DynamicMasking, Masker, StaticMasking, choose_bernoulli
from mlm_course.models import EncoderConfig, MaskedLM, Seq2Seq, Seq2SeqConfig, seeded_init
from mlm_course.tokenization import MASK_ID, SPECIAL_IDS
from mlm_course.training import (
    SCHEDULES,
    GapPairs,
    GapRows,
    History,
    MaskedImages,
    NextWordPairs,
    Recipe,
    RetroRows,
    Rows,
    fit,
    gap_loss,
    make_optimizer,
    masked_lm_loss,
    masked_pixel_loss,
    optimizer_groups,
    retro_mae_loss,
)
from mlm_course.training.datasets import rows_of_step, share, shuffled
from mlm_course.training.optim import MuonAndAdamW
from mlm_course.training.step import TrainingStep, size_of

N, T, V = 48, 10, 30
QUICK = Recipe(steps=6, batch_size=8, lr=0.01, optimizer="adamw", warmup=2)
pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")


def rows(ratio=0.3):
    ids = torch.randint(5, V, (N, T), generator=torch.Generator().manual_seed(7))
    ids[::3, -2:] = 0  # some rows are padded
    masker = Masker(V, SPECIAL_IDS, MASK_ID, choose=choose_bernoulli, ratio=ratio)
    return DynamicMasking(masker, ids, seed=1)


def small_model(seed=0, dropout=0.0, **sizes):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2} | sizes
        return MaskedLM(EncoderConfig(V, T, dropout=dropout, **sizes))


def trained(recipe=QUICK, loss=masked_lm_loss, data=None, dropout=0.0, **options):
    """(weights as one vector, history) of a small model trained by a recipe."""
    model = small_model(dropout=dropout)
    history = fit(model, rows() if data is None else data, loss, recipe, **options)
    return nn.utils.parameters_to_vector(model.parameters()).detach(), history


class Screen:
    """A display that remembers."""

    def __init__(self):
        self.points, self.lines, self.finished = [], [], 0

    def add(self, *, step, **values):
        self.points.append((step, values))

    def status(self, text, /):
        self.lines.append(text)

    def finish(self):
        self.finished += 1


# --- data


def test_every_epoch_shows_each_row_once_in_an_order_of_its_own():
    steps = [rows_of_step(48, 8, seed=3, step=step) for step in range(12)]
    assert [epoch for _, epoch in steps] == [0] * 6 + [1] * 6
    first, second = (torch.cat([index for index, _ in part]) for part in (steps[:6], steps[6:]))
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(48))
    assert not torch.equal(first, second)
    assert not torch.equal(first, shuffled(48, seed=4, epoch=0))


def test_rows_too_few_for_a_step_are_left_out_or_refused():
    epochs = [rows_of_step(10, 4, seed=0, step=step)[1] for step in range(4)]
    assert epochs == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="at most 10"):
        rows_of_step(10, 11, seed=0, step=0)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_of_all_processes_are_the_step(processes):
    index = torch.arange(20)
    pieces = [share(index, 3, process, processes) for process in range(processes)]
    assert all(len(own) == 3 for own in pieces)
    assert torch.cat([piece for own in pieces for piece in own]).tolist() == list(range(20))
    with pytest.raises(ValueError, match="larger batch_size"):
        share(index, 7, 0, 3)


def test_rows_are_hidden_the_same_way_whoever_sits_beside_them():
    data = rows()
    together, alone = data(torch.tensor([3, 9, 4]), 2), data(torch.tensor([9]), 2)
    assert all(torch.equal(a[1:2], b) for a, b in zip(together, alone, strict=True))
    assert not torch.equal(data(torch.arange(N), 0).masked, data(torch.arange(N), 1).masked)
    static = StaticMasking(data.masker, data.ids, 2, torch.Generator().manual_seed(1))
    assert len(static) == len(data) == N
    assert torch.equal(static(torch.arange(N), 0).masked, static(torch.arange(N), 2).masked)
    with pytest.raises(ValueError, match=r"\(N, T\)"):
        DynamicMasking(data.masker, torch.arange(5), seed=0)
    with pytest.raises(ValueError, match=r"\(N, T\)"):
        StaticMasking(data.masker, torch.arange(5), 2, torch.Generator())


# --- loss


def test_label_smoothing_equals_torchs():
    model, batch = small_model(), rows()(torch.arange(N), 0)
    for smoothing in (0.0, 0.1):
        criterion = nn.CrossEntropyLoss(label_smoothing=smoothing)  # ignores -100
        everywhere = model(batch.input_ids, batch.input_ids != 0)
        expected = criterion(everywhere.flatten(0, 1), batch.labels.flatten())
        summed, count = masked_lm_loss(model, batch, label_smoothing=smoothing)
        torch.testing.assert_close(summed / count, expected)
    smooth = partial(masked_lm_loss, label_smoothing=0.1)
    assert trained(loss=smooth)[1].losses != trained()[1].losses


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_a_loss_is_the_same_whatever_the_integers(dtype):
    batch, model = rows()(torch.arange(4), 0), small_model()
    ids, labels, masked = batch
    given = (ids.to(dtype), labels.to(dtype), masked)
    torch.testing.assert_close(masked_lm_loss(model, given), masked_lm_loss(model, batch))


def test_nothing_and_everything_masked():
    batch, model = rows()(torch.arange(4), 0), small_model()
    nothing = batch._replace(masked=torch.zeros_like(batch.masked))
    summed, count = masked_lm_loss(model, nothing)
    summed.backward()
    assert summed == count == 0 and not any(p.grad.any() for p in model.parameters())
    ids = torch.where(batch.masked, batch.labels, batch.input_ids)
    everything = Corrupted(batch.input_ids, ids, torch.ones_like(batch.masked))
    assert masked_lm_loss(model, everything)[1] == ids.numel()


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda model, b: masked_lm_loss(model, b.input_ids), TypeError, "input_ids, labels and masked"),
        (lambda model, b: masked_lm_loss(model, b._replace(input_ids=b.input_ids.float())), TypeError,
         "input_ids must hold integers"),
        (lambda model, b: masked_lm_loss(model, b._replace(labels=b.labels.float())), TypeError,
         "labels must hold integers"),
        (lambda model, b: masked_lm_loss(model, b._replace(masked=b.masked.long())), TypeError,
         r"masked must be a tensor of dtype torch\.bool"),
        (lambda model, b: masked_lm_loss(model, b._replace(masked=b.masked[:1])), ValueError,
         "masked has shape"),
        (lambda model, b: masked_lm_loss(model, b._replace(labels=b.labels + V)), ValueError,
         "A label at a masked place is"),
        (lambda model, b: masked_lm_loss(model, b._replace(masked=~b.masked)), ValueError,
         "A label at a masked place is -100"),
        (lambda model, b: masked_lm_loss(lambda *_: torch.zeros(4, T, V), b), ValueError,
         r"must answer logits \(\d+, V\), a row for each masked token, not \(4, 10, 30\)"),
        (lambda model, b: masked_lm_loss("model", b), TypeError, "model must be a function"),
        (lambda model, b: masked_lm_loss(model, b, 1.0), ValueError, "must be at least 0 and below 1"),
        (lambda model, b: masked_lm_loss(model, b, -0.1), ValueError, "label_smoothing must be at least 0"),
        (lambda model, b: masked_lm_loss(model, b, "0.1"), TypeError, "label_smoothing must be a number"),
        (lambda model, b: gap_loss(model, b), TypeError, "of kind PairBatch, not Corrupted"),
        (lambda model, b: retro_mae_loss(model, b), TypeError, "of kind RetroBatch, not Corrupted"),
        (lambda model, b: masked_pixel_loss(model, b), TypeError, "of kind ImageBatch, not Corrupted"),
    ],
)  # fmt: skip
def test_slips_in_losses_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use(small_model(), rows()(torch.arange(4), 0))


def test_a_model_that_answers_nan_ends_the_run_with_the_step():
    model = small_model()
    with torch.no_grad():
        model.decoder_bias.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="loss became nan at step 1"):
        fit(model, rows(), masked_lm_loss, QUICK)


def test_a_target_without_words_does_no_harm():
    source, target = torch.tensor([[2, 7], [2, 8]]), torch.tensor([[5, 6], [0, 0]])
    sizes = Seq2SeqConfig(V, T, d_model=16, n_layers=1, n_heads=2, max_target=4)
    batch = GapPairs(source, target, 0)(torch.arange(2), 0)
    summed, _ = gap_loss(seeded_init(Seq2Seq, sizes), batch)
    summed.backward()
    assert summed.isfinite()


IDS = torch.randint(5, V, (3, 4))


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: GapRows(IDS.float(), 0), TypeError, "ids must hold integers"),
        (lambda: GapRows(IDS - V, 0), ValueError, "token ids start at 0"),
        (lambda: GapRows(IDS, 0)(torch.tensor([3]), 0), ValueError, "asks for row 3, but rows go from 0 to 2"),
        (lambda: GapRows(IDS, 0)(torch.tensor([-1]), 0), ValueError, "asks for row -1"),
        (lambda: GapRows(IDS, 0)([0], 0), TypeError, "index must be a tensor"),
        (lambda: GapRows(IDS, 0)(torch.tensor([True]), 0), TypeError, "index must hold integers"),
        (lambda: Rows(IDS)(torch.tensor([3]), 0), ValueError, "asks for row 3"),
        (lambda: GapPairs(IDS, IDS.float(), 0), TypeError, "target must hold integers"),
        (lambda: NextWordPairs(IDS, IDS[:2]), ValueError, "as many of the one as of the other"),
        (lambda: RetroRows(None, 0), TypeError, "rows must be a function"),
        (lambda: RetroRows(GapRows(IDS, 0), 0, ratio=1.5), ValueError, "ratio must be at least 0"),
        (lambda: MaskedImages(torch.full((1, 1, 2, 2), math.nan), 4, 0), ValueError, "images contains NaN"),
        (lambda: MaskedImages(IDS, 4, 0), ValueError, r"images must have shape \(N, C, H, W\)"),
        (lambda: MaskedImages(torch.rand(1, 1, 2, 2), 0, 0), ValueError, "n_patches must be at least 1"),
        (lambda: make_optimizer("model", QUICK), TypeError, r"model must be a torch\.nn\.Module"),
        (lambda: make_optimizer(small_model(), 3), TypeError, "recipe must be a Recipe"),
        (lambda: optimizer_groups(None), TypeError, r"model must be a torch\.nn\.Module, not None"),
    ],
)  # fmt: skip
def test_slips_in_data_and_optimisers_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use()


def test_a_step_equals_the_loop_of_a_learner():
    """fit against AdamW, clipping and a schedule written out by hand."""
    model, data = small_model(), rows()
    groups = optimizer_groups(model)
    decayed = groups["matrices"] + groups["stacked"] + groups["decayed"]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": 0.1},
            {"params": groups["free"], "weight_decay": 0.0},
        ],
        lr=0.01,
        betas=(0.9, 0.98),
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, [lambda step: min((step + 1) / 3, 1) * min(1, (6 - step) / 4)] * 2
    )
    losses = []
    for step in range(6):
        index, epoch = rows_of_step(N, 8, 0, step)
        ids, labels, masked = data(index, epoch)
        logits = model(ids, ids != 0, masked)
        loss = F.cross_entropy(logits, labels[masked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    weights, history = trained(replace(QUICK, weight_decay=0.1, clip=0.5))
    assert history.losses == pytest.approx(losses, abs=1e-5)
    torch.testing.assert_close(
        weights, nn.utils.parameters_to_vector(model.parameters()), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_pieces_equal_one_big_batch(optimizer):
    recipe = replace(QUICK, optimizer=optimizer, steps=4)
    whole, pieces = trained(recipe), trained(replace(recipe, accumulate=3))  # 3 + 3 + 2 rows
    assert pieces[1].losses == pytest.approx(whole[1].losses, abs=1e-3)
    tolerance = 1e-4 if optimizer == "adamw" else 2e-3  # Muon works in bfloat16
    assert (whole[0] - pieces[0]).abs().max() < tolerance


@contextmanager
def before_each_step(note):
    """Calls note(optimizer) right before any optimiser's step."""
    handle = register_optimizer_step_pre_hook(lambda optimizer, *_: note(optimizer))
    try:
        yield
    finally:
        handle.remove()


def test_clipping_shortens_the_gradient():
    def large_loss(model, batch):
        summed, count = masked_lm_loss(model, batch)
        return 100 * summed, count

    lengths = []

    def note(optimizer):
        squares = [p.grad.square().sum() for g in optimizer.param_groups for p in g["params"]]
        lengths.append(sum(squares).sqrt().item())

    with before_each_step(note):
        for clip in (None, 0.5):
            trained(replace(QUICK, steps=1, warmup=0, clip=clip), loss=large_loss)
    assert lengths[0] > 1 and lengths[1] == pytest.approx(0.5, rel=1e-3)


def hides_nothing(index, epoch):
    ids = torch.full((len(index), T), 7)
    return Corrupted(ids, torch.full_like(ids, -100), torch.zeros_like(ids, dtype=torch.bool))


def test_a_batch_without_hidden_tokens_counts_as_zero_and_warns_once():
    data = rows(ratio=0.0)
    with pytest.warns(UserWarning, match="Nothing was hidden") as caught:
        weights, history = trained(data=data)
    assert len([w for w in caught if "Nothing was hidden" in str(w.message)]) == 1
    assert history.losses == [0.0] * 6
    assert weights.isfinite().all()


@pytest.mark.parametrize("clip", [1.0, None])
def test_an_infinite_loss_stops_with_the_step_and_leaves_the_weights(clip):
    def loss(model, batch, calls=[]):  # noqa: B006
        calls.append(1)
        summed, count = masked_lm_loss(model, batch)
        return summed * (math.inf if len(calls) == 3 else 1.0), count

    model = small_model()
    with pytest.raises(FloatingPointError, match=r"inf at step 3: try a smaller learning rate"):
        fit(model, rows(), loss, replace(QUICK, clip=clip))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


# --- recipe, schedules, optimisers


def test_schedules_at_known_steps():
    values = {
        "constant": [1, 1, 1],
        "linear": [1, 0.5, 1 / 90],
        "cosine": [1, 0.5, (1 + math.cos(math.pi * 89 / 90)) / 2],
        "inverse_square_root": [math.sqrt(10 / 11), math.sqrt(10 / 56), math.sqrt(10 / 100)],
        "trapezoid": [1, 1, 1 / 20],
    }
    assert set(values) == set(SCHEDULES)
    for name, expected in values.items():
        schedule = SCHEDULES[name]
        assert [schedule(step, 100, 10) for step in (10, 55, 99)] == pytest.approx(expected)
        climb = [schedule(step, 100, 10) for step in range(10)]
        assert climb == pytest.approx([(step + 1) / 11 for step in range(10)])
        assert all(0 < schedule(step, 100, 0) <= 1 for step in range(100))


def test_the_learning_rate_of_a_step_is_the_one_recorded():
    seen = []
    with before_each_step(lambda optimizer: seen.append(optimizer.param_groups[0]["lr"])):
        _, history = trained(replace(QUICK, schedule="cosine"))
    assert history.lrs == pytest.approx(seen)
    assert seen[0] == pytest.approx(0.01 / 3) and seen[2] == pytest.approx(0.01)


def test_warmup_may_be_a_share_of_the_steps():
    assert Recipe(100, warmup=0.1).factor(4) == Recipe(100, warmup=10).factor(4) == 5 / 11


NAN, INF = math.nan, math.inf
OUTSIDE = {
    "steps": [0, -5],
    "batch_size": [0, -1],
    "accumulate": [0, -1, 65],
    "lr": [0, -0.1, NAN, INF],
    "adamw_lr": [0, -1e-3, NAN, INF],
    "weight_decay": [-0.1, NAN, INF, 50.0],  # 50 x .02 would turn weights over in one step
    "betas": [(0.9, 1.0), (-0.1, 0.9), (NAN, 0.9), (0.9, INF)],
    "warmup": [-1, NAN, INF, 4],
    "clip": [0, -1, NAN, INF],
    "optimizer": ["sgd", "AdamW", ""],
    "schedule": ["zigzag", "Linear", ""],
    "precision": ["fp8", "bf-16", ""],
}
OTHER_TYPES = {
    "steps": [3.0, "3", True, None, torch.tensor([1, 2])],
    "batch_size": [8.5, "8", True, None],
    "accumulate": [1.0, "1", True, None],
    "seed": [0.5, "0", True, None],
    "lr": ["0.1", True, [0.1]],
    "adamw_lr": ["0.1", True, None],
    "weight_decay": ["0", None, True],
    "betas": [0.9, "ab", (0.9,), (0.9, 0.9, 0.9), (0.9, "b"), None],
    "warmup": ["2", None, True],
    "clip": ["1", True],
    "optimizer": [None, torch.optim.AdamW, ["adamw"]],
    "schedule": [None, math.cos],
    "precision": [None, 16, torch.bfloat16],
    "compile": [1, "yes", None],
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(ValueError, name, value) for name, values in OUTSIDE.items() for value in values]
    + [(TypeError, name, value) for name, values in OTHER_TYPES.items() for value in values],
)
def test_recipes_refuse_what_makes_no_sense(kind, name, value):
    with pytest.raises(kind, match=rf"{name} .*must be .*, not .*[.:]") as caught:
        Recipe(**({"steps": 3} | {name: value}))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_recipes_take_numbers_of_every_kind():
    recipe = Recipe(np.int64(30), lr=np.float32(0.5), clip=np.float64(2), betas=[0, 0.5])
    assert recipe == Recipe(30, lr=0.5, clip=2.0, betas=(0.0, 0.5))
    assert [type(value) for value in (recipe.steps, recipe.lr, recipe.clip)] == [int, float, float]
    assert Recipe(3, warmup=3, clip=None, lr=None, seed=-1).factor(2) == 0.75


def test_decay_and_muon_reach_the_parameters_they_should():
    model = small_model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {k: {names[id(p)] for p in v} for k, v in optimizer_groups(model).items()}
    assert len(groups["matrices"]) == 2 * 3  # output, expand, contract
    assert all(".blocks." in name and name.endswith("weight") for name in groups["matrices"])
    assert groups["stacked"] == {f"encoder.blocks.{i}.attention.qkv.weight" for i in range(2)}
    assert groups["decayed"] == {"dense.weight"}
    assert {"encoder.embeddings.token.weight", "decoder_bias", "norm.weight"} < groups["free"]
    assert sum(map(len, groups.values())) == len(names)


def test_frozen_and_tied_parameters_are_grouped_once_or_not_at_all():
    model = small_model()
    model.encoder.requires_grad_(False)
    assert optimizer_groups(model)["matrices"] == []
    with pytest.raises(ValueError, match="adamw"):
        make_optimizer(model, Recipe(1))
    tied = nn.Linear(4, 4)
    tied.twin = nn.Linear(4, 4, bias=False)
    tied.twin.weight = tied.weight
    assert len(optimizer_groups(tied)["decayed"]) == 1
    with pytest.raises(ValueError, match="requires_grad"):
        make_optimizer(model.requires_grad_(False), Recipe(1))


def test_weights_without_gradient_only_shrink_where_decay_is_wanted():
    for optimizer in ("adamw", "muon"):
        model = small_model()
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        made = make_optimizer(model, Recipe(1, optimizer=optimizer, lr=0.01, weight_decay=0.5))
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        made.step()
        for name, parameter in model.named_parameters():
            is_decayed = ".blocks." in name and parameter.ndim == 2
            factor = 1 - 0.01 * 0.5 if is_decayed else 1.0
            if name != "dense.weight":  # AdamW's own learning rate beside Muon
                torch.testing.assert_close(parameter, before[name] * factor, msg=name)


def test_the_pair_of_optimisers_does_what_its_parts_do():
    """Muon on the matrices, queries, keys and values apart, and AdamW on the rest.

    A learning rate set on the pair reaches both.
    """
    model, twin = small_model(), small_model()
    pair = make_optimizer(model, Recipe(1, lr=0.02, adamw_lr=0.003))
    assert isinstance(pair, MuonAndAdamW)
    groups = optimizer_groups(twin)
    wholes = [(p, [nn.Parameter(part) for part in p.detach().chunk(3)]) for p in groups["stacked"]]
    thirds = [part for _, parts in wholes for part in parts]
    muon = torch.optim.Muon(groups["matrices"] + thirds, lr=0.01, weight_decay=0.01)
    adamw = torch.optim.AdamW(
        [{"params": groups["decayed"], "weight_decay": 0.01},
         {"params": groups["free"], "weight_decay": 0.0}],
        lr=0.0015, betas=(0.9, 0.98),
    )  # fmt: skip
    pair.load_state_dict(pair.state_dict())  # which puts new groups into the parts
    for group in pair.param_groups:
        group["lr"] /= 2
    for step in range(3):
        for one, other in zip(model.parameters(), twin.parameters(), strict=True):
            one.data = one.data.clone()  # other memory, as after a trip to another device
            one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(step))
            other.grad = one.grad.clone()
        for whole, parts in wholes:
            for part, gradient in zip(parts, whole.grad.chunk(3), strict=True):
                part.grad = gradient
        for optimizer in (pair, muon, adamw):
            optimizer.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


# --- evaluation, reports


def noisy(model):
    """An evaluation that uses up random numbers and checks that dropout is off."""
    assert not model.training and not torch.is_grad_enabled()
    torch.rand(100)
    return {"loss": 1.0}


def test_evaluation_does_not_disturb_training():
    plain, _ = trained(dropout=0.2)
    often, history = trained(dropout=0.2, evaluate=noisy, evaluate_every=2)
    assert torch.equal(plain, often)
    assert [evaluation["step"] for evaluation in history.evaluations] == [2, 4, 6]


def test_training_leaves_the_notebooks_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(dropout=0.2)
    assert torch.equal(torch.rand(3), expected)


def test_the_seed_decides_order_and_dropout():
    first, second = trained(dropout=0.2), trained(dropout=0.2)
    assert torch.equal(first[0], second[0]) and first[1] == second[1]
    assert not torch.equal(first[0], trained(replace(QUICK, seed=1), dropout=0.2)[0])


def test_dropout_draws_other_numbers_at_each_step_and_for_each_seed():
    seeds = []

    def loss(model, batch):
        seeds.append(torch.initial_seed())
        return masked_lm_loss(model, batch)

    for seed in (0, 1):
        trained(replace(QUICK, seed=seed), loss=loss)
    assert len(set(seeds)) == 12


def test_the_best_weights_are_kept():
    seen = {}

    def evaluate(model):
        values = [0.7, 0.4, 0.9]
        seen[len(seen)] = nn.utils.parameters_to_vector(model.parameters()).clone()
        return {"loss": values[len(seen) - 1], "accuracy": values[len(seen) - 1]}

    weights, history = trained(evaluate=evaluate, evaluate_every=2, keep_best="loss")
    assert torch.equal(weights, seen[1]) and (history.best_step, history.best_value) == (4, 0.4)
    seen.clear()
    weights, history = trained(evaluate=evaluate, evaluate_every=2, keep_best="accuracy")
    assert torch.equal(weights, seen[2]) and history.best_step == 6
    with pytest.raises(ValueError, match="keep_best needs evaluate"):
        trained(keep_best="loss")
    with pytest.raises(ValueError, match="evaluate returns only loss"):
        trained(evaluate=noisy, keep_best="f1")


def test_the_history_is_easy_to_plot_and_prints_no_clock():
    _, history = trained(evaluate=noisy, evaluate_every=4)
    assert [row["step"] for row in history.records] == [1, 2, 3, 4, 5, 6]
    assert history.curve("validation_loss") == [(4, 1.0), (6, 1.0)]
    assert len(history.curve()) == len(history) == len(history.seconds) == 6
    assert history.seconds == sorted(history.seconds)
    with pytest.raises(ValueError, match="validation_loss"):
        history.curve("accuracy")
    assert repr(history) == repr(trained(evaluate=noisy, evaluate_every=4)[1])
    assert "6 steps" in repr(history) and "second" not in repr(history)
    assert repr(History()) == "History of 0 steps"


def test_the_display_gets_points_and_a_status_line(monkeypatch):
    monkeypatch.setattr(tracking, "STATUS_EVERY", 0.0)
    screen = Screen()
    _, history = trained(display=screen, floor=0.25, evaluate=noisy)
    assert [step for step, _ in screen.points] == [1, 2, 3, 4, 5, 6, 6]
    assert screen.points[0][1] == {"loss": history.losses[0]}
    assert screen.points[-1][1] == {"validation_loss": 1.0}
    for word in (
        "step 6 of 6",
        f"loss {history.losses[-1]:.3f}",
        "floor 0.250",
        "tokens/s",
        "left",
    ):
        assert word in screen.lines[-1]
    assert screen.finished == 1
    with pytest.raises(TypeError, match="progress_display"):
        trained(display=True)


def test_the_speed_is_in_tokens_for_ids_and_in_rows_for_images():
    ids = torch.zeros(3, 5, dtype=torch.int64)
    assert size_of((ids, ids)) == (15, "tokens")
    assert size_of({"images": torch.zeros(3, 1, 4, 4)}) == (3, "rows")


@pytest.mark.parametrize(
    "batch",
    [
        lambda ids: {"texts": ["a text"] * len(ids), "ids": ids},
        lambda ids: ("a text", {"nested": [None, ids]}),
        lambda ids: UserDict(texts=["a text"], ids=ids),
        lambda ids: ids.numpy(),
    ],
)
def test_a_batch_may_hold_what_is_no_tensor(batch):
    class Texts:
        def __len__(self):
            return 16

        def __call__(self, index, epoch):
            return batch(index[:, None])

    def loss(model, batch):
        return model(torch.ones(8, 3, dtype=torch.long)).square().sum(), np.int64(8)

    assert len(fit(small_model(), Texts(), loss, QUICK).losses) == QUICK.steps
    assert size_of(batch(torch.ones(8, 3, dtype=torch.int64)), 8)[0] in (24, 8)


def test_the_sum_and_the_count_may_come_as_a_list():
    losses = [trained(loss=kind)[1].losses for kind in (masked_lm_loss, in_a_list)]
    assert losses[0] == losses[1]


def in_a_list(model, batch):
    return list(masked_lm_loss(model, batch))


def test_the_display_is_closed_when_training_fails():
    def loss(model, batch):
        raise RuntimeError("no")

    screen, model = Screen(), small_model()
    with pytest.raises(RuntimeError, match="no"):
        fit(model, rows(), loss, QUICK, display=screen)
    assert screen.finished == 1 and not model.training


def test_status_lines_are_few(monkeypatch):
    moments = iter([0.01 * i for i in range(10_000)])
    monkeypatch.setattr(tracking.time, "perf_counter", lambda: next(moments))
    screen = Screen()
    trained(replace(QUICK, steps=60), display=screen)
    assert 3 < len(screen.lines) < 20


# --- what is no training


def without_gradient(model, batch):
    return torch.tensor(1.0), 3


class EvaluatedTwice(NamedTuple):
    first: float
    second: float


WRONG = {
    "no model": ({"model": None}, TypeError, "model must be a torch.nn.Module, not None"),
    "class": ({"model": nn.Linear}, TypeError, "model must be a torch.nn.Module, not type"),
    "ids": ({"data": torch.zeros(9, 3)}, TypeError, r"data must .* DynamicMasking\(masker, ids"),
    "loader": ({"data": [1, 2]}, TypeError, "data must have a length and be callable"),
    "no rows": ({"data": rows()(torch.arange(0), 0)}, TypeError, "data must have a length"),
    "none": (
        {"data": DynamicMasking(rows().masker, torch.zeros(0, 3, dtype=torch.int64), 0)},
        ValueError,
        "data has no rows",
    ),
    "name": ({"loss": "mse"}, TypeError, "loss must be a function"),
    "criterion": (
        {"loss": nn.CrossEntropyLoss()},
        TypeError,
        "a function .*, not CrossEntropyLoss",
    ),
    "steps": ({"recipe": 100}, TypeError, "recipe must be Recipe"),
    "mean": ({"loss": lambda m, b: masked_lm_loss(m, b)[0]}, TypeError, "must return two values"),
    "rows' losses": (
        {"loss": lambda m, b: (m(b.input_ids).sum((1, 2)), 3)},
        ValueError,
        r"without axes .* not one of shape \(8,\)",
    ),
    "item": ({"loss": lambda m, b: (1.5, 3)}, ValueError, "depends on the model's .*, not float"),
    "detached": ({"loss": without_gradient}, ValueError, "not one without gradient"),
    "no count": (
        {"loss": lambda m, b: (m(b.input_ids).sum(), None)},
        ValueError,
        "number, how many",
    ),
    "less than none": (
        {"loss": lambda m, b: (m(b.input_ids).sum(), -3)},
        ValueError,
        "over -3 losses",
    ),
    "a sum of none": (
        {"loss": lambda m, b: (m(b.input_ids).square().sum(), b.masked.sum() * 0)},
        ValueError,
        "over 0 losses",
    ),
    "fields": (
        {"evaluate": lambda m: EvaluatedTwice(1.0, 2.0)},
        TypeError,
        r"not EvaluatedTwice: write \._asdict\(\)",
    ),
    "says its step": ({"evaluate": lambda m: {"step": 1}}, ValueError, 'may not call .* "step"'),
    "evaluate": ({"evaluate": {"loss": 1}}, TypeError, "evaluate must be a function"),
    "says a number": (
        {"evaluate": lambda m: 0.5},
        TypeError,
        "evaluate must return numbers by name",
    ),
    "says words": ({"evaluate": lambda m: {"a": "good"}}, TypeError, "by name, .* not str for 'a'"),
    "never": ({"evaluate_every": 3}, ValueError, "evaluate_every needs evaluate"),
    "half a step": ({"save_every": 2.5}, TypeError, "save_every must be an integer, not 2.5"),
    "backwards": ({"save_every": -2}, ValueError, "save_every must be at least 0, not -2"),
    "floor": ({"floor": "0.3"}, TypeError, "floor must be a number, not '0.3'"),
}


@pytest.mark.parametrize(("given", "kind", "sentence"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_trained_is_a_sentence(given, kind, sentence):
    given = {
        "model": small_model(),
        "data": rows(),
        "loss": masked_lm_loss,
        "recipe": QUICK,
    } | given
    with pytest.raises(kind, match=sentence) as caught:
        fit(**given)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_setting_of_accelerate_changes_nothing(monkeypatch):
    """ACCELERATE_GRADIENT_ACCUMULATION_STEPS set by hand would divide the loss and clip no more."""
    recipe = replace(QUICK, accumulate=2, clip=1e-3, optimizer="muon")
    expected = trained(recipe)
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    weights, history = trained(recipe)
    assert torch.equal(weights, expected[0]) and history == expected[1]


# --- precision, trackers, devices


def test_bfloat16_trains_about_as_well_and_leaves_no_trace_in_the_model():
    model = small_model()
    history = fit(model, rows(), masked_lm_loss, replace(QUICK, precision="bf16"))
    exact = trained()[1].losses
    assert history.losses != exact and history.losses == pytest.approx(exact, rel=0.02)
    assert {"forward", "_original_forward"}.isdisjoint(model.__dict__)
    assert trained()[1].losses == exact  # and "no" works again afterwards


def test_fp16_without_a_gpu_is_refused_in_words():
    with pytest.raises(ValueError, match="needs a GPU"):
        trained(replace(QUICK, precision="fp16"))


@pytest.mark.slow
def test_compiled_training_gives_the_same_losses(monkeypatch):
    quick_compile = partial(torch.compile, backend="eager")  # traced, but no compiler at work
    monkeypatch.setattr(torch, "compile", quick_compile)
    recipe = replace(QUICK, steps=2)
    compiled = trained(replace(recipe, compile=True))[1].losses
    assert compiled == pytest.approx(trained(recipe)[1].losses, abs=1e-5)


def test_tensorboard_gets_the_losses(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _, history = trained(folder=tmp_path, tracker="tensorboard", evaluate=noisy)
    (event_file,) = (
        path for path in tmp_path.rglob("events.out*") if path.parent.name == "mlm_course"
    )
    events = accumulator.EventAccumulator(str(event_file.parent)).Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(history.losses)
    assert [event.step for event in events.Scalars("validation_loss")] == [6]
    assert len(events.Scalars("lr")) == 6


def test_a_missing_tracker_names_what_to_install(monkeypatch):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    for tracker in ("tensorboard", "wandb"):
        with pytest.raises(ImportError, match=f"pip install {tracker}"):
            trained(tracker=tracker)
    with pytest.raises(ValueError, match="tensorboard, wandb"):
        trained(tracker="paper")


def test_evaluate_and_the_caller_get_the_model_where_it_was(monkeypatch):
    """As on a machine with a GPU, where the model was on the CPU and is trained elsewhere."""
    moves, seen = [], []
    real = TrainingStep.__init__

    class Traveller(MaskedLM):
        def to(self, device):
            moves.append(str(device))
            return self

    def starts(self, *arguments):
        real(self, *arguments)
        moves.clear()
        self.original_device = "home"

    def evaluate(model):
        seen.append(list(moves))
        return {"loss": 0.0}

    monkeypatch.setattr(TrainingStep, "__init__", starts)
    model = Traveller(EncoderConfig(V, max_length=T, d_model=16, n_layers=1, n_heads=2))
    fit(model, rows(), masked_lm_loss, replace(QUICK, steps=2), evaluate=evaluate)
    assert seen == [["home"]] and moves == ["home", "cpu", "home"]
