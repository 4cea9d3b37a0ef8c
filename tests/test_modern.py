"""modern: the encoder of today against transformers' ModernBERT, lesson 5's encoder, and itself."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mlm_course.attention import (
    local_attention,
    scaled_dot_product_attention,
    visible_mask,
    window_mask,
)
from mlm_course.corruption import Corrupted, DynamicMasking, standard_masker
from mlm_course.experiments import modern_lengths
from mlm_course.models import (
    EncoderConfig,
    MaskedLM,
    ModernConfig,
    ModernEncoder,
    ModernMaskedLM,
    seeded_init,
)
from mlm_course.models.modern import GatedFeedForward, stands_together
from mlm_course.training import Recipe, fit, masked_lm_loss

V = 97
SMALL = ModernConfig(V, d_model=32, n_layers=5, n_heads=4, d_ff=40, window=8)
LENGTHS = (37, 20, 1, 9)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_of(lengths=LENGTHS, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """ids (B, T) with [PAD] behind each row, and which are tokens."""
    visible = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(5, V, visible.shape, generator=generator(seed))
    return ids.masked_fill(~visible, 0), visible


def some_masked(visible: torch.Tensor) -> torch.Tensor:
    return visible & (torch.rand(visible.shape, generator=generator(3)) < 0.4)


@torch.no_grad()
def strong(model: nn.Module) -> nn.Module:
    """Every parameter so large, and random, that what is left out shows."""
    g = generator(5)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=g) * 0.2 + (parameter == 1))
    return model.eval()


def modern(**changes) -> ModernMaskedLM:
    return strong(ModernMaskedLM(replace(SMALL, **changes)))


def padded_twin(model: ModernMaskedLM) -> ModernMaskedLM:
    """The same weights, with padding among what is computed."""
    twin = ModernMaskedLM(replace(model.config, unpad=False))
    twin.load_state_dict(model.state_dict())
    return twin.train(model.training)


# transformers


OUR_NAMES = {
    "model.embeddings.tok_embeddings": "encoder.token",
    "model.embeddings.norm": "encoder.embedding_norm",
    "model.final_norm": "encoder.final_norm",
    "model.layers": "encoder.blocks",
    "attn_norm": "attention_norm",
    "mlp_norm": "feed_forward_norm",
    "attn.Wqkv": "attention.qkv",
    "attn.Wo": "attention.output",
    "mlp.Wi": "feed_forward.expand",
    "mlp.Wo": "feed_forward.contract",
    "head.dense": "dense",
    "head.norm": "norm",
    "decoder.bias": "decoder_bias",
}


def theirs_and_ours(bias: bool = False, **changes):
    """transformers' ModernBERT and our model with the same weights; see test_modernbert for loading."""
    transformers = pytest.importorskip("transformers")
    config = replace(SMALL, bias=bias, **changes)
    theirs = transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(
            vocab_size=V, hidden_size=32, intermediate_size=40, num_hidden_layers=5,
            num_attention_heads=4, local_attention=config.window, pad_token_id=0, bos_token_id=1,
            eos_token_id=2, cls_token_id=1, sep_token_id=2, attention_bias=bias, mlp_bias=bias,
            norm_bias=bias, classifier_bias=bias,
            global_attn_every_n_layers=config.global_every,
        )
    )  # fmt: skip
    strong(theirs)
    ours = ModernMaskedLM(config).eval()
    weights = {}
    for name, value in theirs.state_dict().items():
        for old, new in OUR_NAMES.items():
            name = name.replace(old, new)
        weights[name] = value
    weights.pop("decoder.weight")
    ours.load_state_dict(weights)
    return theirs, ours


CASES = [
    {"window": 8},
    {"window": 7, "global_every": 2},
    {"window": 1},
    {"window": 16, "bias": True},
    {"window": 128, "global_every": 1},
    {"window": 128, "global_every": 9},  # wider than the rows; all but the first are local
    {"window": 6, "global_every": 4},
    {"window": 72, "global_every": 2},  # sees all of the longest row; the next all but its ends
    {"window": 70, "global_every": 2},
]


@pytest.mark.parametrize("unpad", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
@torch.no_grad()
def test_logits_equal_those_of_modernbert(case, unpad):
    theirs, ours = theirs_and_ours(unpad=unpad, **case)
    ids, visible = rows_of()
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert 1 < expected[visible].std() < 10
    assert (ours(ids, visible) - expected)[visible].abs().max() < 1e-5
    assert (ours(ids, visible[:, None, None]) - expected)[visible].abs().max() < 1e-5
    whole = theirs(input_ids=ids[:2]).logits
    assert (ours(ids[:2]) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("unpad", [True, False])
@torch.no_grad()
def test_padding_may_stand_before_the_text(unpad):
    theirs, ours = theirs_and_ours(unpad=unpad)
    ids, visible = (x.flip(1) for x in rows_of())
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert (ours(ids, visible) - expected)[visible].abs().max() < 1e-5


@pytest.mark.parametrize("unpad", [True, False])
@torch.no_grad()
def test_padding_between_tokens_counts_as_places(unpad):
    """As in transformers, whose positions and windows count what is not seen."""
    theirs, ours = theirs_and_ours(unpad=unpad)
    ids, visible = rows_of()
    visible[0, 5:9] = False
    expected = theirs(input_ids=ids, attention_mask=visible.long()).logits
    assert (ours(ids, visible) - expected)[visible].abs().max() < 1e-5


def test_gradients_equal_those_of_modernbert():
    theirs, ours = theirs_and_ours()
    ids, visible = rows_of()
    masked = some_masked(visible)
    labels = ids.masked_fill(~masked, -100)
    theirs(input_ids=ids, attention_mask=visible.long(), labels=labels).loss.backward()
    F.cross_entropy(ours(ids, visible, masked), ids[masked]).backward()
    for one, other in zip(ours.encoder.blocks, theirs.model.layers, strict=True):
        grad, expected = one.attention.qkv.weight.grad, other.attn.Wqkv.weight.grad
        assert (grad - expected).norm() < 1e-5 * expected.norm()


def test_rows_that_stand_together():
    def said(*rows: str) -> bool:
        return stands_together(torch.tensor([[c == "x" for c in row] for row in rows]).bool())

    assert said("xxx.", "....", ".xx.", "...x") and said("", "")
    assert not said("xxxx", "x.x.") and not said(".x.x")


# Without padding


@pytest.mark.parametrize(
    "changes",
    [{}, {"window": 0}, {"rotary": False, "max_length": 40}, {"gated": False}, {"pre_norm": False}],
    ids=str,
)
def test_leaving_padding_out_changes_neither_logits_nor_gradients(changes):
    model = modern(**changes)
    twin = padded_twin(model)
    ids, visible = rows_of((37, 20, 1, 9, 30))
    masked = some_masked(visible)
    for one in (model, twin):
        F.cross_entropy(one(ids, visible, masked), ids[masked]).backward()
    assert (model(ids, visible, masked) - twin(ids, visible, masked)).abs().max() < 5e-5
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert (one.grad - other.grad).norm() < 2e-5 * (1 + other.grad.norm())


@torch.no_grad()
def test_padding_is_left_out():
    model = modern()
    ids, visible = rows_of()
    seen = []
    model.encoder.blocks[1].register_forward_hook(lambda _, args, __: seen.append(args[0].shape))
    x = model.encoder(ids, visible)
    assert seen == [(1, sum(LENGTHS), 32)]
    assert (x[~visible] == 0).all() and (x[visible] != 0).any(-1).all()
    other = ids.masked_fill(~visible, 11)
    assert torch.equal(model.encoder(other, visible), x)


@torch.no_grad()
def test_a_row_does_not_depend_on_its_neighbours():
    model = modern()
    ids, visible = rows_of()
    together = model(ids, visible)
    for row, length in enumerate(LENGTHS):
        alone = model(ids[row : row + 1, :length])
        assert (together[row, :length] - alone[0]).abs().max() < 1e-5


@torch.no_grad()
def test_rows_without_any_token():
    for unpad in (True, False):
        model = modern(unpad=unpad)
        ids, visible = rows_of((9, 12))
        visible[0] = False
        logits = model(ids, visible)
        assert logits.isfinite().all()
        assert (logits[1] - model(ids[1:])[0]).abs().max() < 1e-5
        assert model(ids, torch.zeros_like(visible)).isfinite().all()


@pytest.mark.parametrize("unpad", [True, False])
@torch.no_grad()
def test_logits_where_an_answer_is_wanted_are_those_of_the_whole(unpad):
    model = modern(unpad=unpad)
    ids, visible = rows_of()
    masked = some_masked(visible)
    masked[2, 5] = True  # of padding: an answer, though it means nothing
    assert (model(ids, visible, masked) - model(ids, visible)[masked]).abs().max() < 1e-5
    assert model(ids, visible, torch.zeros_like(masked)).shape == (0, V)


# What each layer sees


def influence(model: ModernMaskedLM, T: int = 20) -> torch.Tensor:
    """(T, T) bool: whether the vector of the row's token depends on the column's."""
    ids = torch.randint(5, V, (1, T), generator=generator(1))
    before = model.encoder(ids)
    rows = []
    for place in range(T):
        other = ids.clone()
        other[0, place] = 5 + (ids[0, place] - 4) % (V - 5)
        rows.append((model.encoder(other) != before).any(-1)[0])
    return torch.stack(rows, 1)


@torch.no_grad()
def test_every_nth_layer_is_global_and_the_others_see_a_window():
    config = replace(SMALL, n_layers=7)
    assert [config.is_local(i) for i in range(7)] == [i % 3 != 0 for i in range(7)]
    assert not any(replace(config, window=0).is_local(i) for i in range(7))
    assert [config.base(i) for i in (0, 1)] == [160_000, 10_000]
    two = modern(n_layers=2, window=7)
    assert influence(two).all()  # the first is global
    two.encoder.blocks[0], two.encoder.blocks[1].attention_norm = (
        two.encoder.blocks[1],
        nn.Identity(),
    )
    assert torch.equal(influence(two), window_mask(20, 6))  # two local layers, three each
    two.encoder.blocks = two.encoder.blocks[:1]
    assert torch.equal(influence(two), window_mask(20, 3))


@torch.no_grad()
def test_rotated_positions_are_told_by_distances_alone():
    ids, _ = rows_of((20,))
    model = modern()
    layout = torch.arange(20)
    from mlm_course.models.modern import Layout

    moved = model.encoder.run(ids, Layout(layout + 500))
    assert (moved - model.encoder.run(ids, Layout(layout))).abs().max() < 1e-3
    assert (model.encoder.run(ids, Layout(layout * 3)) - moved).abs().max() > 0.1


# Local attention


def draw_local(seed: int):
    g = generator(seed)
    B, H, D = torch.randint(1, 4, (3,), generator=g).tolist()
    T, reach = torch.randint(1, 41, (1,), generator=g).item(), seed % 9
    q, k, v = torch.randn(3, B, H, T, D, generator=g).unbind(0)
    texts = torch.randint(-2, 2, (B, T), generator=g).sort().values if seed % 2 else None
    return q, k, v, reach, texts


@pytest.mark.parametrize("seed", range(60))
def test_local_attention_is_attention_under_a_window(seed):
    q, k, v, reach, texts = draw_local(seed)
    allowed = window_mask(q.shape[2], reach)[None, None]
    if texts is not None:
        allowed = allowed & (texts[:, None, :, None] == texts[:, None, None, :])
    weights = torch.randn(q.shape, generator=generator(seed + 1))
    results = []
    for local in (True, False):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        if local:
            output = local_attention(*inputs, reach, texts)
        else:
            output, _ = scaled_dot_product_attention(*inputs, allowed)
        (output * weights).sum().backward()
        results.append((output, *(x.grad for x in inputs)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-6)


def test_with_reach_0_each_token_keeps_its_own_value():
    q, k, v, *_ = draw_local(4)
    torch.testing.assert_close(local_attention(q, k, v, 0), v)


def test_what_local_attention_would_misread_ends_in_a_sentence():
    q = torch.randn(2, 1, 12, 4, generator=generator())
    for texts in (torch.zeros(12).long(), torch.zeros(2, 11).long(), torch.zeros(1, 12).long()):
        with pytest.raises(ValueError, match=r"texts has shape .* but q has 2 rows of 12 tokens"):
            local_attention(q, q, q, 2, texts)
    with pytest.raises(TypeError, match="texts must hold integers"):
        local_attention(q, q, q, 2, torch.zeros(2, 12))
    with pytest.raises(ValueError, match=r"k has shape .*they belong to the same places"):
        local_attention(q, q[:, :, :11], q[:, :, :11], 2)
    with pytest.raises(ValueError, match="reach must be at least 0"):
        local_attention(q, q, q, -1)
    with pytest.raises(ValueError, match=r"q must have shape \(B, H, T, D\)"):
        local_attention(q[0], q[0], q[0], 1)
    with pytest.raises(TypeError, match="bring both to one"):
        local_attention(q, q.double(), q, 1)


# Every change switched off


def as_in_bert(state: dict) -> dict:
    """Weights of a `MaskedLM` under the names of ours."""
    names = {"embeddings.token": "token", "embeddings.position": "position",
             "embeddings.norm": "embedding_norm"}  # fmt: skip
    renamed = {}
    for name, value in state.items():
        for old, new in names.items():
            name = name.replace(f"encoder.{old}", f"encoder.{new}")
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("padding", [True, False])
@torch.no_grad()
def test_with_every_change_switched_off_it_is_the_encoder_of_lesson_5(padding):
    sizes = {"d_model": 32, "n_layers": 3, "n_heads": 4, "pre_norm": False}
    bert = strong(MaskedLM(EncoderConfig(V, 40, **sizes)))
    off = {"bias": True, "gated": False, "rotary": False, "window": 0, "unpad": False}
    model = ModernMaskedLM(ModernConfig(V, max_length=40, **sizes, **off)).eval()
    model.load_state_dict(as_in_bert(bert.state_dict()))
    ids, visible = rows_of()
    visible = visible if padding else None
    assert torch.equal(model(ids, visible), bert(ids, visible))
    masked = some_masked(ids > 0)
    assert torch.equal(model(ids, visible, masked), bert(ids, visible, masked))


def test_pre_norm_is_that_of_lesson_5():
    """Up to the norm of the embeddings, which stands in for the first layer's."""
    sizes = {"d_model": 32, "n_layers": 3, "n_heads": 4}
    bert = strong(MaskedLM(EncoderConfig(V, 40, **sizes)))
    off = {"bias": True, "gated": False, "rotary": False, "window": 0, "unpad": False}
    model = ModernMaskedLM(ModernConfig(V, max_length=40, **sizes, **off)).eval()
    with torch.no_grad():
        first = bert.encoder.blocks[0].attention_norm
        bert.encoder.embeddings.register_forward_hook(lambda _, __, x: first(x))
        weights = as_in_bert(bert.state_dict())
        for part in ("weight", "bias"):
            moved = weights.pop(f"encoder.blocks.0.attention_norm.{part}")
            weights[f"encoder.embedding_norm.{part}"] = moved
        model.load_state_dict(weights)
        bert.encoder.blocks[0].attention_norm = nn.Identity()
        ids, visible = rows_of()
        assert torch.equal(model(ids, visible), bert(ids, visible))


def test_a_gate_is_the_second_half():
    layer = GatedFeedForward(4, 6)
    x = torch.randn(2, 3, 4, generator=generator())
    content, gate = x @ layer.expand.weight[:6].T, x @ layer.expand.weight[6:].T
    expected = (F.gelu(content) * gate) @ layer.contract.weight.T
    torch.testing.assert_close(layer(x), expected)


# Sizes, seeds, modes


def test_a_gated_network_has_as_many_weights():
    for D in (32, 128, 768):
        config = ModernConfig(V, d_model=D, n_heads=4)
        plain = replace(config, gated=False, d_ff=0)
        assert plain.d_ff == 4 * D and config.d_ff % 8 == 0
        assert abs(3 * config.d_ff - 2 * plain.d_ff) <= 12
    assert ModernConfig(V, d_model=32, d_ff=7).d_ff == 7


def test_biases_are_all_there_or_none_is():
    for bias in (True, False):
        names = [name for name, _ in ModernMaskedLM(replace(SMALL, bias=bias)).named_parameters()]
        assert any(name.endswith(".bias") for name in names) == bias
        assert "decoder_bias" in names


def test_weights_follow_from_the_seed():
    ids, visible = rows_of()
    one, again, other = (
        seeded_init(ModernMaskedLM, SMALL, seed)(ids, visible) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_dropout_only_while_training():
    model = modern(dropout=0.5)
    ids, visible = rows_of()
    assert torch.equal(model(ids, visible), model(ids, visible))
    model.train()
    assert not torch.equal(model(ids, visible), model(ids, visible))


@torch.no_grad()
def test_in_float64_and_under_autocast():
    model = modern(window=6)
    ids, visible = rows_of()
    expected = model(ids, visible)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(ids, visible)
    difference = (rough - expected)[visible].abs()
    assert 1e-3 < difference.mean() < 0.1 * expected[visible].std()
    double = model.double()(ids, visible)
    assert double.dtype == torch.float64
    assert (double - expected)[visible].abs().max() < 5e-5
    exact = padded_twin(model.float()).double()(ids, visible)
    assert (exact - double)[visible].abs().max() < 1e-12


def test_ids_of_every_kind_of_integer():
    model, (ids, visible) = modern(), rows_of()
    for kind in (torch.int32, torch.int8, torch.uint8):
        assert torch.equal(model(ids.to(kind), visible), model(ids, visible))


def test_it_is_trained_as_lesson_6_trains():
    """Padded rows, masks drawn anew; twice the same curve, and with padding computed nearly so."""
    ids, _ = rows_of((12, 7, 3, 12, 9, 5, 12, 1) * 4)
    data = DynamicMasking(standard_masker(V, 0.3), ids, seed=0)
    recipe = Recipe(steps=6, batch_size=8, seed=0)
    curves = []
    for unpad in (True, True, False):
        model = seeded_init(ModernMaskedLM, replace(SMALL, unpad=unpad))
        curves.append(fit(model, data, masked_lm_loss, recipe).losses)
    assert curves[0] == curves[1] and curves[0][-1] < curves[0][0]
    assert curves[2] == pytest.approx(curves[0], abs=1e-3)


def test_the_loss_of_lesson_6_asks_it():
    ids, visible = rows_of()
    masked = some_masked(visible)
    model = modern()
    for rows in (ids, ids[:1]):
        hide = masked[: len(rows)]
        batch = Corrupted(rows, rows.masked_fill(~hide, -100), hide)
        summed, count = masked_lm_loss(model, batch)
        logits = model(rows, visible_mask(rows), hide)
        expected = F.cross_entropy(logits, rows[hide], reduction="sum")
        assert count == hide.sum() and torch.isclose(summed, expected)


# What a step keeps


def test_what_is_kept_is_counted_once_and_without_the_weights():
    layer = nn.Linear(8, 4)
    batch = Corrupted(*(torch.zeros(2, 3).long(),) * 2, torch.ones(2, 3).bool())

    class Twice(nn.Module):
        """Logits (6, 4) from numbers that two products keep, of which a view."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, ids, attention_mask, masked):
            x = torch.ones(6, 8)
            return self.layer(x) + self.layer(x.view(6, 8))

    softmax = 6 * 4 * 4 + 6 * 8 + 4  # log-probabilities, targets, and their weight: a number
    kept = modern_lengths.kept_megabytes(Twice(), batch) * 2**20
    assert 6 * 8 * 4 <= kept <= 6 * 8 * 4 + 2 * softmax


def test_times_and_memory_are_compared_at_a_length():
    part = modern_lengths.compared_at(16, tokens=64)
    names = {"plain", "modern, all global", "modern"}
    assert part["seconds"].keys() == part["megabytes"].keys() == names
    assert {row["n"] for row in part["differences"].values()} == {5}
    models = modern_lengths.ways(16)
    sizes = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    assert sizes["modern"] == sizes["modern, all global"]
    assert sizes["modern"] == pytest.approx(sizes["plain"], rel=0.02)


# What would be misread


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda m, ids, mask: m(ids, mask.long()), TypeError, "must be a tensor of dtype torch.bool"),
        (lambda m, ids, mask: m(ids, mask.tolist()), TypeError, "attention_mask must be a tensor"),
        (lambda m, ids, mask: m(ids, mask[0]), ValueError, "one entry a token"),
        (lambda m, ids, mask: m(ids, torch.ones(37, 37).bool()), ValueError, "one entry a token"),
        (lambda m, ids, mask: m(ids, torch.ones(1, 1, 37, 37).bool()), ValueError,
         "Masks of pairs of tokens are for `Encoder`; here the window says who sees whom"),
        (lambda m, ids, mask: m(ids[:, :4], torch.ones(4, 4).bool().tril()), ValueError,
         "is it for tokens"),
        (lambda m, ids, mask: m(ids, mask, mask[:, :5]), ValueError, "masked has shape"),
        (lambda m, ids, mask: m(ids, mask, mask.float()), TypeError, "masked must be a tensor of"),
        (lambda m, ids, mask: m(ids + V, mask), ValueError, "the vocabulary ends at 96"),
        (lambda m, ids, mask: m(ids[0]), ValueError, "a single row becomes a batch"),
        (lambda m, ids, mask: m.logits(torch.zeros(3, 31)), ValueError, "must have 32 numbers"),
        (lambda m, ids, mask: modern(rotary=False, max_length=36)(ids, mask), ValueError,
         "the model knows positions for 36 only"),
        (lambda m, ids, mask: ModernMaskedLM(EncoderConfig(V)), TypeError,
         "config must be of type ModernConfig, not EncoderConfig"),
        (lambda m, ids, mask: ModernEncoder(SMALL.d_model), TypeError, "not int"),
    ],
)  # fmt: skip
def test_what_a_model_would_misread_ends_in_a_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call(modern(), *rows_of())


@pytest.mark.parametrize(
    ("sizes", "error", "sentence"),
    [
        ({"window": -1}, ValueError, "window must be at least 0"),
        ({"window": 2.5}, TypeError, "window must be an integer"),
        ({"global_every": 0}, ValueError, "global_every must be at least 1"),
        ({"gated": 1}, TypeError, "gated must be True or False"),
        ({"rotary": "yes"}, TypeError, "rotary must be True or False"),
        ({"unpad": None}, TypeError, "unpad must be True or False"),
        ({"local_base": 1}, ValueError, "local_base must be above 1"),
        ({"global_base": float("inf")}, ValueError, "global_base must be above 1"),
        ({"d_model": 12}, ValueError, "an even number of dimensions in each head"),
        ({"max_length": 0}, ValueError, "max_length must be at least 1"),
        ({"d_model": "32", "d_ff": 0}, TypeError, "d_model must be an integer"),
        ({"d_ff": None}, TypeError, "d_ff must be an integer"),
    ],
)
def test_sizes_that_make_no_encoder_end_in_a_sentence(sizes, error, sentence):
    with pytest.raises(error, match=sentence):
        replace(SMALL, **sizes)


def test_combinations_of_all_changes_run():
    ids, visible = rows_of((12, 5))
    for pre_norm, bias, gated, rotary, window, unpad in itertools.product(
        *[(True, False)] * 4, (0, 5), (True, False)
    ):
        config = ModernConfig(
            V, max_length=16, d_model=8, n_layers=2, n_heads=2, pre_norm=pre_norm, bias=bias, gated=gated,
            rotary=rotary, window=window, unpad=unpad,
        )  # fmt: skip
        logits = seeded_init(ModernMaskedLM, config)(ids, visible)
        assert logits.shape == (2, 12, V) and logits.isfinite().all()
