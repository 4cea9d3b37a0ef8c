"""Smaller models and what a step costs: against PyTorch's own counts, and against themselves."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mlm_course import cost, tokenization
from mlm_course.attention import same_document_mask
from mlm_course.compression import (
    dequantize,
    dequantize_int4,
    distillation_loss,
    drop_units,
    fake_quantize,
    fake_quantize_int4,
    int8_layers,
    magnitude_mask,
    matrices,
    prune,
    quantize,
    quantize_int4,
    softened_loss,
)
from mlm_course.corpora.tinyworld import masker, sentences
from mlm_course.experiments import student_goals, weight_only
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.results import recorded
from mlm_course.tokenization import padding_share, texts_in_rows
from mlm_course.training import Recipe, masked_lm_loss
from mlm_course.training.optim import make_optimizer

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
V, T = 40, 12


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(**sizes):
    sizes = {"d_model": 16, "n_layers": 2, "n_heads": 2, "d_ff": 24, **sizes}
    return seeded_init(MaskedLM, EncoderConfig(V, T, **sizes)).eval()


def some_ids(rows=3):
    ids = torch.randint(5, V, (rows, T), generator=generator(1))
    return ids, torch.rand(rows, T, generator=generator(2)) < 0.4


# ---- cost


@pytest.mark.parametrize("sizes", [{}, {"n_layers": 3, "d_ff": 20}, {"bias": False}])
def test_flops_are_those_that_pytorch_counts(sizes):
    model, (ids, masked) = small(**sizes), some_ids()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids, None, masked).square().sum().backward()
    expected = cost.training_flops(model.config, *ids.shape, int(masked.sum()))
    assert counter.get_total_flops() == expected


def test_memory_and_bytes_are_those_of_the_optimiser():
    model = small()
    optimizer = torch.optim.AdamW(model.parameters())
    model(some_ids()[0]).sum().backward()
    optimizer.step()
    held = [p for p in model.parameters() if p.grad is not None]
    states = [s for state in optimizer.state.values() for s in state.values() if s.numel() > 1]
    n = sum(p.numel() for p in held)
    memory = cost.training_memory(n)
    assert memory["running averages"] == sum(s.nbytes for s in states)
    assert memory["gradients"] == sum(p.grad.nbytes for p in held)
    assert cost.optimizer_bytes(n) == 7 * memory["parameters"]


def bytes_of(call):
    with cost.TrafficCounter() as traffic:
        call()
    return traffic.bytes


def test_traffic_is_what_an_operation_is_given_and_what_it_makes_or_changes():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert bytes_of(lambda: a @ b) == 4 * (15 + 35 + 21)
    assert bytes_of(lambda: a.T.reshape(5, 3)[1:]) == 0  # views
    assert bytes_of(lambda: a.add_(1.0)) == 4 * (15 + 15)
    assert bytes_of(lambda: torch.stack([a, a])) == 4 * (15 + 15 + 30)
    assert bytes_of(lambda: F.embedding(torch.tensor([2, 0]), a)) == 2 * 8 + 2 * (2 * 5 * 4)


@pytest.mark.parametrize(("way", "numbers"), [("fused", 7), ("foreach", 21)])
def test_adamw_moves_seven_numbers_a_parameter_in_one_kernel_and_more_in_many(way, numbers):
    parameter = torch.nn.Parameter(torch.ones(1000))
    optimizer = torch.optim.AdamW([parameter], **{way: True})
    parameter.grad = torch.ones(1000)
    optimizer.step()
    moved = bytes_of(optimizer.step)
    assert moved == pytest.approx(numbers * 4 * 1000, rel=0.02)  # the count of steps, too
    if way == "fused":
        assert moved >= cost.optimizer_bytes(1000)


def test_the_floor_is_the_slower_need_of_each_piece():
    assert cost.time_floor([(10.0, 1.0), (2.0, 8.0)], 5.0, 2.0) == 2.0 + 4.0
    assert cost.time_floor([], 1.0, 1.0) == 0


def test_one_process_exchanges_nothing_and_many_twice_the_gradient():
    assert cost.allreduce_seconds(100.0, 1, 10.0) == 0
    assert cost.allreduce_seconds(100.0, 2, 10.0) == 10.0
    assert cost.allreduce_seconds(100.0, 1000, 10.0) == pytest.approx(20, rel=0.01)


def test_ways_take_turns_and_the_first_round_does_not_count():
    calls = []
    seconds = cost.take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert "".join(calls) == "abbaabba" and [len(s) for s in seconds.values()] == [3, 3]
    ratios = cost.times_as_fast({"slow": [2.0, 4.0, 6.0], "quick": [1.0, 1.0, 2.0]}, "slow")
    assert ratios == {"slow": 1.0, "quick": 3.0}


def test_numbers_of_numpy_count_as_far_as_others():
    config, sizes = EncoderConfig(30_522, d_model=768, n_layers=12, n_heads=12), (256, 512, 19_660)
    assert cost.training_flops(config, *np.array(sizes, np.int32)) == cost.training_flops(
        config, *sizes
    )
    assert cost.optimizer_bytes(np.int32(2**30)) == cost.optimizer_bytes(2**30)
    assert cost.training_memory(np.int32(2**30)) == cost.training_memory(2**30)
    assert cost.times_as_fast({"a": np.array([1.0, 2.0]), "b": (0.5, 1.0)}, "a") == {"a": 1, "b": 2}


def test_rates_are_positive_numbers():
    assert cost.matmul_rate(64, 2) > 1e6 and cost.memory_rate(1, 2) > 1e6


# ---- pruning


def test_the_largest_weights_stay():
    weight = torch.tensor([[0.1, -3.0, 0.2], [2.0, -0.3, 0.0]])
    assert magnitude_mask(weight, 0.5).tolist() == [[False, True, False], [True, True, False]]
    assert magnitude_mask(weight, 0.0).all() and not magnitude_mask(weight, 1.0).any()
    assert (
        int(magnitude_mask(torch.ones(10), 0.3).sum()) == 7
    )  # equals: still the share that was asked
    with pytest.raises(ValueError, match="at most 1"):
        magnitude_mask(weight, 50)


def test_a_pruned_model_keeps_its_zeros_in_training_and_the_original_is_left_alone():
    model, (ids, masked) = small(), some_ids()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pruned = prune(model, 0.75)
    optimizer = torch.optim.AdamW(pruned.parameters(), lr=0.1)
    for _ in range(3):
        F.cross_entropy(pruned(ids, None, masked), ids[masked]).backward()
        optimizer.step()
        optimizer.zero_grad()
    for (name, layer), (_, old) in zip(matrices(pruned), matrices(model), strict=True):
        assert (layer.weight == 0).double().mean() == 0.75, name
        assert not torch.equal(layer.weight, old.weight * (layer.weight != 0))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_pruning_nothing_changes_nothing():
    model, (ids, *_) = small(), some_ids()
    assert torch.equal(prune(model, 0.0)(ids), model(ids))


def test_dropping_units_that_write_nothing_changes_nothing_and_makes_matrices_smaller():
    model, (ids, *_) = small(), some_ids()
    for block in model.encoder.blocks:
        block.feed_forward.contract.weight.data[:, ::2] = 0
    smaller = drop_units(model, 0.5)
    assert torch.allclose(smaller(ids), model(ids), atol=1e-6)
    assert smaller.encoder.blocks[0].feed_forward.expand.weight.shape == (12, 16)


# ---- quantisation


def test_a_pruned_model_can_be_made_smaller_still():
    model, (ids, *_) = small(), some_ids()
    pruned = prune(model, 0.5)
    expected = pruned(ids)
    assert (int8_layers(pruned)(ids) - expected).abs().max() < 0.05 * expected.abs().max()
    assert torch.allclose(drop_units(pruned, 0.0)(ids), expected, atol=1e-5)
    assert drop_units(pruned, 0.5)(ids).shape == expected.shape
    assert torch.equal(pruned(ids), expected)


def test_int8_layers_of_a_model_in_bf16():
    assert int8_layers(small().bfloat16())(some_ids()[0]).isfinite().all()


def test_rounding_is_off_by_half_a_step_at_most():
    weight = torch.randn(5, 30, generator=generator()) * torch.logspace(-3, 3, 5)[:, None]
    codes, scale = quantize(weight)
    assert codes.dtype == torch.int8 and scale.shape == (5, 1)
    assert codes.abs().amax(1).tolist() == [127] * 5
    off = (dequantize(quantize(weight)) - weight).abs()
    assert (off <= scale / 2 * 1.001).all()


@pytest.mark.parametrize("group", [2, 8, 32])
def test_rounding_to_four_bits_is_off_by_half_a_step_of_its_group_at_most(group):
    weight = torch.randn(5, 64, generator=generator()) * torch.logspace(-3, 3, 5)[:, None]
    packed = quantize_int4(weight, group)
    assert packed.codes.dtype == torch.uint8 and packed.codes.shape == (5, 32)
    assert packed.scale.shape == (5, 64 // group)
    off = (dequantize_int4(packed) - weight).abs().unflatten(1, (-1, group))
    assert (off <= packed.scale[..., None] / 2 * 1.001).all()
    assert (off.amax(-1) > packed.scale / 20).any()  # of 4 bits, not of more


def test_what_four_bits_can_hold_comes_back_as_it_was():
    codes = torch.randint(-7, 8, (6, 16), generator=generator()).float()
    codes[:, ::4] = 7  # each group of four reaches its end
    weight = codes * torch.tensor([0.5, 2.0]).repeat_interleave(8)
    assert torch.equal(dequantize_int4(quantize_int4(weight, 4)), weight)
    first = int(quantize_int4(weight, 4).codes[0, 0])
    assert (first % 16 - 8, first // 16 - 8) == (7, int(codes[0, 2]))
    assert not dequantize_int4(quantize_int4(torch.zeros(2, 4), 2)).any()


def test_four_bits_take_an_eighth_and_a_scale_a_group():
    model, (ids, *_) = small(), some_ids()
    size = fake_quantize_int4(model, 8)[1]
    matrices_, rest = (
        sum(p.numel() for p in model.parameters() if (p.ndim == 2) == wanted)
        for wanted in (True, False)
    )
    assert size == matrices_ / 2 + matrices_ / 8 * 4 + 4 * rest
    errors = [(fake_quantize_int4(model, group)[0](ids) - model(ids)).norm() for group in (2, 8)]
    assert (fake_quantize(model)[0](ids) - model(ids)).norm() < errors[0] < errors[1]


def test_a_scale_for_each_row_is_closer_where_rows_differ():
    weight = torch.randn(4, 50, generator=generator()) * torch.tensor([[0.01], [0.1], [1], [10]])
    errors = [(dequantize(quantize(weight, way)) - weight)[0].norm() for way in (True, False)]
    assert errors[0] < errors[1] / 100


def test_a_row_of_zeros_is_no_trouble():
    codes, scale = quantize(torch.zeros(2, 3))
    assert not codes.any() and (scale == 1).all()


def test_a_rounded_model_takes_a_quarter_and_answers_nearly_the_same():
    model, (ids, *_) = small(), some_ids()
    copied, size = fake_quantize(model)
    whole = sum(p.nbytes for p in model.parameters())
    assert whole / 4 < size < whole / 2
    assert torch.allclose(copied(ids), model(ids), atol=0.02)
    assert not torch.equal(copied(ids), model(ids))


def test_int8_layers_answer_nearly_the_same():
    model, (ids, masked) = small(), some_ids()
    try:
        layers = int8_layers(model)
    except RuntimeError as problem:
        pytest.skip(str(problem))
    with torch.no_grad():
        off = layers(ids, None, masked) - model(ids, None, masked)
    assert 0 < off.abs().max() < 0.05
    assert type(model.encoder.blocks[0].attention.qkv) is torch.nn.Linear  # the original


@pytest.mark.parametrize("kind", ["fp32", "bf16", "int8", "int4, groups of 128"])
def test_products_compared_with_each_other_are_the_same_product(kind):
    weight, x = (
        torch.randn(256, 256, generator=generator()),
        torch.randn(256, generator=generator(1)),
    )
    form = weight_only.forms(weight)[kind]
    sums = {"int8": weight_only.sum_of_int8, "int4, groups of 128": weight_only.sum_of_int4}
    parts = (form,) if isinstance(form, torch.Tensor) else form
    back = weight_only.turned_back(form)
    product = sums.get(kind, weight_only.sum_of_floats)(*parts, x)
    assert torch.allclose(product, back @ x, atol=1e-3)
    assert (back == weight).all() == (kind == "fp32")


def test_the_record_of_weights_alone_says_what_lesson_13_says():
    record = recorded("weight_only")
    large, small_ = record["times as fast"].values()
    for kind in ("int8", "int4, groups of 128"):
        assert 1.8 < large[kind]["one loop"] < 2.4 and small_[kind]["one loop"] < 1.3
        assert large[kind]["turned back first"] < 0.1
    assert len(weight_only.products(256, compiles=False)) == len(large)


# ---- distillation


def test_a_student_that_agrees_with_its_teacher_has_nothing_to_learn_from_it():
    logits, target = torch.randn(6, 9, generator=generator()), torch.arange(6)
    assert softened_loss(logits, logits, 3.0).item() == pytest.approx(0, abs=1e-6)
    half = distillation_loss(logits, logits, target, 3.0, 0.5)
    assert half.item() == pytest.approx(F.cross_entropy(logits, target).item() / 2, rel=1e-5)


def test_the_teachers_part_is_the_divergence_of_softened_answers():
    student, teacher = (torch.randn(4, 7, generator=generator(s)) for s in (1, 2))
    p, q = ((x / 2).softmax(-1) for x in (teacher, student))
    expected = 4 * (p * (p / q).log()).sum(-1).mean()
    assert math.isclose(softened_loss(student, teacher, 2.0), expected, rel_tol=1e-5)


def test_softened_gradients_stay_about_as_large_at_high_temperature():
    student, teacher = (torch.randn(50, 7, generator=generator(s)) for s in (1, 2))
    lengths = []
    for temperature in (10.0, 100.0):
        logits = student.clone().requires_grad_()
        softened_loss(logits, teacher, temperature).backward()
        lengths.append(logits.grad.norm().item())
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


# ---- packing


def test_texts_and_places_of_a_packed_row():
    ids = torch.tensor([[9, 9, 3, 9, 3, 3, 9], [9, 9, 9, 9, 9, 9, 9]])
    texts, places = texts_in_rows(ids)
    assert texts.tolist() == [[0, 0, 0, 1, 1, 2, 3], [0] * 7]
    assert places.tolist() == [[0, 1, 2, 0, 1, 0, 0], [0, 1, 2, 3, 4, 5, 6]]


def test_packed_texts_that_are_kept_apart_get_the_vectors_they_have_alone():
    model = small()
    texts = [torch.randint(5, V, (n,), generator=generator(n)).tolist() for n in (4, 2, 3)]
    packed = torch.tensor(tokenization.pack(texts, T)[:1])
    numbers, places = texts_in_rows(packed)
    apart = model.encoder(packed, same_document_mask(numbers), positions=places)[0]
    ended = [[*text, tokenization.SEP_ID] for text in texts[:-1]] + [texts[-1]]
    alone = torch.cat([model.encoder(torch.tensor([text]))[0] for text in ended])
    assert torch.allclose(apart[: len(alone)], alone, atol=1e-5)
    assert not torch.allclose(model.encoder(packed)[0][: len(alone)], alone, atol=1e-3)


def test_the_share_of_padding():
    assert padding_share(torch.tensor([[5, 6, 0, 0], [5, 0, 0, 0]])) == 5 / 8


# ---- the experiment


class Table(torch.nn.Module):
    """A model that gives the logits it was made with."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, ids, attention_mask=None, masked=None):
        return self.logits


def test_a_students_goals_are_what_their_names_say():
    batch = masker(0.3)(sentences(4, 0), generator())
    n, target = int(batch.masked.sum()), batch.labels[batch.masked]
    one, other = (Table(torch.randn(n, 205, generator=generator(s))) for s in (1, 2))
    losses = {
        g: student_goals.taught_by(g, other)(one, batch)[0].item()
        for g in ("teacher and words", "teacher")
    }
    true = F.cross_entropy(one.logits, target, reduction="sum").item()
    assert student_goals.taught_by("true words", other) is masked_lm_loss
    assert losses["teacher and words"] == pytest.approx((losses["teacher"] + true) / 2, rel=1e-5)
    assert student_goals.taught_by("teacher", one)(one, batch)[0].item() == pytest.approx(
        0, abs=1e-3
    )
    exact = student_goals.tinyworld.masked_posterior(batch.input_ids, batch.masked)[batch.masked]
    perfect = Table(exact.float().clamp_min(1e-30).log())
    assert student_goals.taught_by("exact chances", other)(perfect, batch)[
        0
    ].item() == pytest.approx(0, abs=1e-3)


def test_the_records_say_what_lesson_13_says():
    assert recorded("sparse_products")["times as fast"]["90 % zeros"] < 1.2
    by_size = list(recorded("masked_projection")["times as fast by vocabulary"].values())
    assert by_size == sorted(by_size) and by_size[-1] > 1.5
    packing = recorded("row_packing")["real tokens a second"]
    assert packing["packed"] > 1.3 and packing["packed, texts apart"] > 1.3
    for name in ("tinyworld", "docstrings"):
        removed, trained = (
            recorded("weight_pruning")[name][key] for key in ("removed", "trained on")
        )
        assert removed["0.9"] < min(trained["values"]["0.9"]) < removed["0"]
        assert removed["0.3"] > removed["0"] - 0.03
    int8 = recorded("int8")["docstrings"]
    assert int8["a scale for each row"]["bytes"] < 0.3 * int8["fp32"]["bytes"]
    assert abs(int8["a scale for each row"]["accuracy"] - int8["fp32"]["accuracy"]) < 0.02


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: quantize(torch.tensor([[1.0, math.nan]])), "weight contains NaN or an infinity"),
        (lambda: quantize(torch.ones(3)), "weight must have shape (R, C), not (3,)"),
        (lambda: quantize_int4(torch.ones(2, 6), 4), "cannot be cut into groups of 4 neighbours"),
        (lambda: dequantize_int4(quantize(torch.ones(2, 6))), "Only a Packed can be turned back"),
        (lambda: magnitude_mask(torch.tensor([math.nan, 1.0]), 0.5), "weight contains NaN"),
        (lambda: magnitude_mask(torch.ones(2), "half"), "sparsity must be a number, not 'half'."),
        (lambda: prune(torch.ones(2), 0.5), "model must be a torch.nn.Module, not Tensor."),
        (lambda: prune(int8_layers(small()), 0.5), "prune first, quantise then"),
        (lambda: drop_units(int8_layers(small()), 0.5), "prune first, quantise then"),
        (lambda: make_optimizer(prune(small(), 0.5), Recipe(1)), "that is not pruned"),
        (lambda: drop_units(small(), 1.5), "share must be at least 0 and at most 1, not 1.5."),
        (lambda: softened_loss(torch.ones(2, 3), torch.ones(1, 3)), "teacher has shape (1, 3)"),
        (lambda: softened_loss(torch.ones(2, 3), torch.ones(2, 3), 0), "temperature must be above 0"),
        (lambda: distillation_loss(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0, 3]), 1.0, 0.5),
         "target contains 3, but the vocabulary ends at 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_smaller_ends_in_a_sentence(call, sentence):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert sentence in str(error.value)
