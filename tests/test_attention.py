"""attention.py agrees with PyTorch, and its masks mean what they say."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mlm_course.attention import (
    MultiHeadAttention,
    attention_scores,
    causal_mask,
    from_padding_01,
    masked_softmax,
    padding_mask,
    same_document_mask,
    scaled_dot_product_attention,
)
from mlm_course.models import Encoder, EncoderConfig
from mlm_course.practice.compare import difference
from mlm_course.views import attention_view

quick = settings(deadline=None, max_examples=60, derandomize=True)


def tensors(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=g) for shape in shapes]


@quick
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_agrees_with_pytorch_under_any_mask(seed, T, S, share):
    q, k, v = tensors(seed, (2, 3, T, 8), (2, 3, S, 8), (2, 3, S, 5))
    mask = torch.rand(2, 1, T, S, generator=torch.Generator().manual_seed(seed)) < share
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    assert not output.isnan().any()
    assert torch.allclose(output, F.scaled_dot_product_attention(q, k, v, mask), atol=1e-6)
    assert (weights[~mask.expand_as(weights)] == 0).all()
    sums = weights.sum(-1)
    attended = mask.any(-1).expand_as(sums)
    assert torch.allclose(sums[attended], torch.ones(()), atol=1e-5)
    assert (sums[~attended] == 0).all()


def test_without_a_mask_agrees_with_pytorch():
    q, k, v = tensors(0, (4, 7, 16), (4, 9, 16), (4, 9, 16))
    output, weights = scaled_dot_product_attention(q, k, v)
    assert torch.allclose(output, F.scaled_dot_product_attention(q, k, v), atol=1e-6)
    assert torch.allclose(weights, attention_scores(q, k).softmax(-1))


def test_gradients_through_an_empty_row_are_finite():
    q, k, v = (x.requires_grad_() for x in tensors(1, (1, 3, 4), (1, 3, 4), (1, 3, 4)))
    mask = torch.tensor([[[True, True, False], [False] * 3, [True] * 3]])
    output, _ = scaled_dot_product_attention(q, k, v, mask)
    for gradient in torch.autograd.grad(output.sum(), (q, k, v)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("mask", [None, causal_mask(6), padding_mask(torch.tensor([6, 3, 0]), 6)])
def test_fused_and_explicit_heads_agree(mask):
    torch.manual_seed(0)
    layer = MultiHeadAttention(d_model=12, n_heads=3)
    (x,) = tensors(2, (3, 6, 12))
    fused = layer(x, mask)
    explicit, weights = layer(x, mask, return_weights=True)
    assert torch.allclose(fused, explicit, atol=1e-6)
    assert weights.shape == (3, 3, 6, 6)
    assert not fused.isnan().any()


def test_heads_agree_with_torch_multihead_attention():
    torch.manual_seed(0)
    ours, theirs = MultiHeadAttention(12, 3), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        ours.qkv.weight.copy_(theirs.in_proj_weight)
        ours.qkv.bias.copy_(theirs.in_proj_bias)
        ours.output.load_state_dict(theirs.out_proj.state_dict())
    (x,) = tensors(3, (2, 5, 12))
    allowed = causal_mask(5)
    expected, expected_weights = theirs(x, x, x, attn_mask=~allowed, average_attn_weights=False)
    output, weights = ours(x, allowed, return_weights=True)
    assert torch.allclose(output, expected, atol=1e-6)
    assert torch.allclose(weights, expected_weights, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_cross_attention_has_a_key_for_each_memory_token(bias):
    layer = MultiHeadAttention(8, 2, bias)
    x, memory = tensors(4, (2, 3, 8), (2, 7, 8))
    output, weights = layer(x, memory=memory, return_weights=True)
    assert output.shape == (2, 3, 8) and weights.shape == (2, 2, 3, 7)
    assert torch.allclose(layer(x, memory=memory), output, atol=1e-6)
    assert torch.allclose(layer(x, memory=x), layer(x), atol=1e-6)


def test_cross_attention_agrees_with_torch_multihead_attention():
    torch.manual_seed(0)
    ours, theirs = MultiHeadAttention(12, 3), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    ours.load_state_dict({
        "qkv.weight": theirs.in_proj_weight,
        "qkv.bias": theirs.in_proj_bias.detach().normal_(),
        "output.weight": theirs.out_proj.weight,
        "output.bias": theirs.out_proj.bias,
    })  # fmt: skip
    x, memory = tensors(3, (2, 5, 12), (2, 7, 12))
    expected, _ = theirs(x, memory, memory)
    assert torch.allclose(ours(x, memory=memory), expected, atol=1e-6)


def test_scores_keep_their_spread_when_vectors_grow():
    small, large = (attention_scores(*tensors(5, (200, D), (200, D))).std() for D in (4, 256))
    assert math.isclose(small, large, rel_tol=0.15)


def test_padding_mask_hides_exactly_the_padding():
    expected = torch.tensor([[True, True, False], [False] * 3, [True] * 3])
    assert torch.equal(padding_mask(torch.tensor([2, 0, 3]), 3), expected[:, None, None, :])


def test_a_causal_token_never_depends_on_the_future():
    torch.manual_seed(0)
    layer = MultiHeadAttention(8, 2)
    (x,) = tensors(6, (1, 5, 8))
    changed = x.clone()
    changed[:, 3:] += 1
    before, after = layer(x, causal_mask(5)), layer(changed, causal_mask(5))
    assert torch.allclose(before[:, :3], after[:, :3], atol=1e-6)
    assert not torch.allclose(before[:, 3:], after[:, 3:], atol=1e-3)


def test_wrong_input_gets_a_sentence():
    q, k, v = tensors(7, (1, 2, 4), (1, 2, 4), (1, 2, 4))
    with pytest.raises(TypeError, match=r"dtype torch\.bool"):
        scaled_dot_product_attention(q, k, v, torch.ones(2, 2))
    with pytest.raises(TypeError, match=r"dtype torch\.bool"):
        MultiHeadAttention(4, 2)(q, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="cannot be split evenly"):
        MultiHeadAttention(10, 3)
    with pytest.raises(TypeError, match="integers"):
        padding_mask(torch.tensor([1.5]), 3)


# What a mask is

ENCODER = EncoderConfig(30, 8, d_model=8, n_layers=1, n_heads=2)
OPEN = torch.tensor([[True, True, False], [True, False, False]])  # (B, T)
ADDITIVE = torch.zeros(2, 3).masked_fill(~OPEN, -math.inf)
HUGGING_FACE = torch.zeros(2, 3).masked_fill(~OPEN, torch.finfo(torch.float32).min)
KINDS = {
    "additive": (ADDITIVE, "this one is additive, 0 where it is open: write attention_mask == 0"),
    "the lowest float": (HUGGING_FACE, "write attention_mask == 0 (not .bool())."),
    "0/1": (
        OPEN.long(),
        "write attention_mask == 1 (or attention_mask.bool()) for a mask of 0 and",
    ),
    "float 0/1": (OPEN.float(), "write attention_mask == 1 (or attention_mask.bool()) for a mask"),
    "float zeros": (
        torch.zeros(2, 3),
        "if it is additive, with nothing closed, attention_mask == 0",
    ),
    "ids": (
        torch.tensor([[2, 7, 0], [2, 0, 0]]),
        "if they are token ids, write attention_mask != 0",
    ),
    "scores": (
        torch.tensor([[0.3, -2.0, 7.0]]),
        "its numbers are no mask; a mask comes from a comp",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_wrong_kind_of_mask_has_its_sentence_everywhere(kind):
    mask, sentence = KINDS[kind]
    q, k, v = tensors(7, (2, 3, 4), (2, 3, 4), (2, 3, 4))
    for call in (
        lambda: masked_softmax(torch.zeros(2, 3), mask),
        lambda: scaled_dot_product_attention(q, k, v, mask[:, None]),
        lambda: MultiHeadAttention(4, 2)(q, mask[:, None, None]),
        lambda: Encoder(ENCODER)(torch.ones(2, 3).long(), mask),
        lambda: Encoder(ENCODER)(torch.ones(2, 3).long(), mask[:, None, None]),
    ):
        with pytest.raises(TypeError, match=r"dtype torch\.bool") as error:
            call()
        assert sentence in str(error.value)
    with pytest.raises(ValueError, match="attention_mask must be boolean") as drawn:
        attention_view(["a", "b"], torch.zeros(2, 3), mask, keys=["a", "b", "c"])
    assert str(drawn.value).split(": ", 1)[1] == str(error.value).split(": ", 1)[1]


def test_the_advice_is_true():
    assert torch.equal(ADDITIVE == 0, OPEN) and torch.equal(HUGGING_FACE == 0, OPEN)
    assert torch.equal(OPEN.long() == 1, OPEN) and torch.equal(ADDITIVE.bool(), ~OPEN)


def test_a_check_does_not_turn_an_additive_answer_around():
    sentence = difference(OPEN, ADDITIVE)
    assert "`mask == 0` makes a boolean mask" in sentence and ".to(" not in sentence
    assert "`.to(torch.bool)` converts it" in difference(OPEN, OPEN.float())


def test_a_padding_mask_of_0_and_1_holds_nothing_else():
    assert torch.equal(from_padding_01(OPEN.int()), OPEN[:, None, None])
    for mask in (ADDITIVE, torch.zeros(2, 3), torch.tensor([[2, 1]])):
        with pytest.raises(ValueError, match=r"additive mask .+ mask == 0"):
            from_padding_01(mask)


def encoded(ids, mask):
    torch.manual_seed(0)
    with torch.no_grad():
        return Encoder(ENCODER)(ids, mask)


IDS = torch.randint(5, 30, (4, 4), generator=torch.Generator().manual_seed(0))
BAND = (torch.arange(4)[:, None] - torch.arange(4)).abs() <= 1
PREFIX = causal_mask(4) | (torch.arange(4) < 2)
PAIRS = {
    "causal": causal_mask(4),
    "without itself": causal_mask(4).tril(-1),
    "same text": same_document_mask(torch.tensor([[0, 0, 1, 1]]))[0, 0],
    "a band": BAND,
    "a band to the left": BAND & causal_mask(4),
    "a prefix": PREFIX,
    "anti-causal": causal_mask(4).T,
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_mask_of_pairs_is_never_read_as_padding(name):
    mask = PAIRS[name]
    for rows in (1, 2, 3, 4):
        with pytest.raises(ValueError, match=r"attention_mask\[None, None\]"):
            encoded(IDS[:rows], mask)
    assert encoded(IDS, mask[None, None]).shape == (4, 4, 8)
    for size in (2, 3):  # small ones: what they close may be a single id by chance
        ids, small = IDS[:size, :size], mask[:size, :size]
        if not (small == small[0]).all():
            with pytest.raises(ValueError, match="is it for tokens"):
                encoded(ids, small)


@pytest.mark.parametrize("pad", [0, 1, 29])
def test_real_padding_is_read_in_a_square_batch_too(pad):
    for seed in range(30):
        g = torch.Generator().manual_seed(seed)
        size = int(torch.randint(3, 7, (), generator=g))
        ids = torch.randint(2, 29, (size, size), generator=g)
        lengths = torch.randint(1, size + 1, (size,), generator=g)
        lengths[0] = size
        mask = torch.arange(size) < lengths[:, None]
        mask = mask if seed % 2 else mask.flip(1)  # padding on the left
        ids = ids.masked_fill(~mask, pad)
        assert torch.equal(encoded(ids, mask), encoded(ids, mask[:, None, None]))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (torch.ones(2, 5, dtype=torch.bool), "has shape (2, 5), but the ids have (2, 6): one entry"),
        (torch.ones(1, 6, dtype=torch.bool), "has shape (1, 6), but the ids have (2, 6): one entry"),
        (torch.ones(6, dtype=torch.bool), "a single row becomes a batch with attention_mask[None]."),
        (torch.ones(2, 6, 6, dtype=torch.bool), "(B, T, T), is written attention_mask[:, None]."),
        (torch.ones(1, 6, 6, dtype=torch.bool), "a mask of pairs is written attention_mask[None]."),
        (causal_mask(6), "such as a causal one, is written attention_mask[None, None]."),
        (torch.ones(2, 1, 1, 5, dtype=torch.bool), "(2, 1, 1, 5), but the scores have (2, 2, 6, 6)"),
        (torch.ones(3, 1, 1, 6, dtype=torch.bool), "(3, 1, 1, 6), but the scores have (2, 2, 6, 6)"),
    ],
)  # fmt: skip
def test_a_mask_of_another_shape_says_how_it_is_written(mask, sentence):
    ids = torch.randint(5, 30, (2, 6), generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError) as error:
        encoded(ids, mask)
    assert sentence in str(error.value)


def test_attention_takes_no_padding_mask_for_one_of_pairs():
    layer, (x,) = MultiHeadAttention(8, 2), tensors(8, (3, 3, 8))
    visible = torch.arange(3) < torch.tensor([3, 2, 3])[:, None]  # (B, T), B = T
    for mask in (visible, visible.flip(1)):
        with pytest.raises(
            ValueError, match=r"padding mask .+\[:, None, None\].+\[None, None\] for p"
        ):
            layer(x, mask)
    with pytest.raises(ValueError, match=r"\(B, S\) is written attention_mask\[:, None, None\]"):
        layer(x[:, :2], visible[:, :2])
    with pytest.raises(ValueError, match=r"\(B, T, S\), is written attention_mask\[:, None\]"):
        layer(x, visible[:, None].expand(3, 3, 3))
    for name, mask in PAIRS.items():
        size = mask[:3, :3]
        assert layer(x, size).equal(layer(x, size[None, None])), name


def test_rows_that_are_closed_altogether_stay_zeros():
    q, k, v = tensors(9, (2, 2, 4), (2, 2, 4), (2, 2, 4))
    mask = torch.tensor([[True, True], [False, False]])
    output, weights = scaled_dot_product_attention(q, k, v, mask)
    assert not output[:, 1].any() and not weights[:, 1].any() and output[:, 0].all()
    assert encoded(IDS, torch.zeros(4, 4, dtype=torch.bool)).isfinite().all()


@pytest.mark.parametrize("sizes", [(8, 0), (8, 3), (0, 1), (8.0, 2), (8, 2.0), (8, True), ("8", 2)])
def test_sizes_that_make_no_heads_end_in_a_sentence(sizes):
    with pytest.raises((TypeError, ValueError), match=r"(must be|cannot be split).+\.$"):
        MultiHeadAttention(*sizes)


@pytest.mark.slow
def test_under_compile_masks_are_read_as_written():
    torch.manual_seed(0)
    model, visible = Encoder(ENCODER).eval(), torch.arange(4) < torch.tensor([4, 2, 3, 4])[:, None]
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    ids = IDS.masked_fill(~visible, 0)
    torch.testing.assert_close(compiled(ids, visible), model(ids, visible))
    with pytest.raises(Exception, match=r"dtype torch\.bool"):
        compiled(ids, visible.float())


def test_a_number_in_a_tensor_is_asked_for_as_a_number():
    lengths = torch.tensor([2, 3])
    with pytest.raises(TypeError, match=r"size must be an integer, not a tensor: write .item\(\)"):
        padding_mask(lengths, lengths.max())
