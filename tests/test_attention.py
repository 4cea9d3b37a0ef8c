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
    padding_mask,
    scaled_dot_product_attention,
)

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
    with pytest.raises(TypeError, match="must be boolean"):
        scaled_dot_product_attention(q, k, v, torch.ones(2, 2))
    with pytest.raises(TypeError, match="must be boolean"):
        MultiHeadAttention(4, 2)(q, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="cannot be split evenly"):
        MultiHeadAttention(10, 3)
    with pytest.raises(ValueError, match="integers"):
        padding_mask(torch.tensor([1.5]), 3)
