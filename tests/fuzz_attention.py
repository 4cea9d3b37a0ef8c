"""Right arguments and oracles for what `mlm_course.attention` offers.

Oracles count in float64 with plain einsum and `where`, and read a mask by its shape alone: (T, S), or
as many axes as the scores.
"""

import math
from functools import cache

import torch
from fuzzing import Target

from mlm_course import attention
from mlm_course.attention import MultiHeadAttention

NEAR = {"rtol": 2e-2, "atol": 2e-2, "equal_nan": True}


def near(answer, expected):
    torch.testing.assert_close(answer.double(), expected.double(), **NEAR)


def sizes(rng, n):
    return [rng.randint(1, 5) for _ in range(n)]


def draw_scores(rng):
    T, D, S = sizes(rng, 3)
    return {"q": torch.randn(2, T, D), "k": torch.randn(2, S, D)}


def product(q, k):
    assert q.shape[-1] == k.shape[-1] and q.shape[-1] > 0
    return torch.einsum("...td,...sd->...ts", q.double(), k.double()) / math.sqrt(q.shape[-1])


def is_scaled_product(answer, q, k):
    near(answer, product(q, k))


def mask_for(rng, shape):
    """A mask of the scores' axes, some of them 1, or one (T, S); always with some open place."""
    shape = [n if rng.random() < 0.7 else 1 for n in shape]
    mask = torch.rand(shape) < rng.choice([0.3, 0.6, 1.0])
    return mask


def softmax_over_open(scores, mask):
    """exp / sum over the keys that are open; zeros where none is."""
    if mask is not None:
        assert mask.dtype == torch.bool and mask.ndim in (2, scores.ndim)
        assert mask.broadcast_to(scores.shape).shape == scores.shape
        if mask.ndim == 2 < scores.ndim and mask.shape == (len(scores), scores.shape[-1]):
            assert not is_of_rows(mask)
    open_ = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    if not scores.numel():
        return scores
    top = scores.masked_fill(~open_, -math.inf).amax(-1, keepdim=True).clamp(min=-1e300)
    shares = torch.where(open_, (scores - top).exp(), 0.0)
    total = shares.sum(-1, keepdim=True)
    nothing = ~open_.broadcast_to(scores.shape).any(-1, keepdim=True)
    return torch.where(nothing, 0.0, shares / total)


def is_of_rows(mask):
    """Whether a square mask must be one of padding: shorter and longer rows in no order."""
    lengths = [int(row.sum()) for row in mask if row.any()]
    prefix = all(row[: int(row.sum())].all() for row in mask)
    suffix = all(row[len(row) - int(row.sum()) :].all() for row in mask)
    return (prefix and lengths != sorted(lengths)) or (
        suffix and lengths != sorted(lengths, reverse=True)
    )


def draw_softmax(rng):
    shape = sizes(rng, rng.randint(2, 4))
    return {"scores": torch.randn(shape), "attention_mask": mask_for(rng, shape)}


def is_masked_softmax(answer, scores, attention_mask):
    near(answer, softmax_over_open(scores.double(), attention_mask))


def draw_attention(rng):
    H, T, S, D, V = sizes(rng, 5)
    first = (2, H) if rng.random() < 0.7 else (2,)
    parts = {"q": (T, D), "k": (S, D), "v": (S, V)}
    drawn = {name: torch.randn(*first, *shape) for name, shape in parts.items()}
    return {**drawn, "attention_mask": mask_for(rng, (*first, T, S))}


def is_average(answer, q, k, v, attention_mask):
    output, weights = answer
    expected = softmax_over_open(product(q, k), attention_mask)
    near(weights, expected)
    near(output, expected @ v.double())


def draw_lengths(rng):
    size = rng.randint(1, 6)
    lengths = torch.tensor([rng.randint(0, size) for _ in range(rng.randint(1, 3))])
    return {"lengths": lengths, "size": size}


def is_padding_mask(answer, lengths, size):
    assert answer.shape == (len(lengths), 1, 1, size) and answer.sum(-1).flatten().equal(
        lengths.long()
    )
    rows = [[[[s < n for s in range(min(size, 9))]]] for n in lengths.tolist()]
    assert all(0 <= n <= size for n in lengths.tolist())
    assert answer[..., :9].tolist() == rows


def is_causal(answer, size):
    rows = [[s <= t for s in range(size)] for t in range(size)]
    assert torch.equal(answer, torch.tensor(rows, dtype=torch.bool).reshape(size, size))


def is_block_causal(answer, size, block):
    rows = [[s < (t // block + 1) * block for s in range(size)] for t in range(size)]
    assert torch.equal(answer, torch.tensor(rows, dtype=torch.bool).reshape(size, size))


def draw_documents(rng):
    return {"documents": torch.randint(0, 3, sizes(rng, 2))}


def is_same_document(answer, documents):
    B, T = documents.shape
    assert not documents.is_floating_point() and documents.dtype != torch.bool
    rows = [[[[a == b for b in row] for a in row]] for row in documents.tolist()]
    assert torch.equal(answer, torch.tensor(rows, dtype=torch.bool).reshape(B, 1, T, T))


def is_window(answer, size, reach):
    assert True not in (size, reach)[: 2 * (size is True or reach is True)] and reach >= 0
    rows = [[abs(s - t) <= reach for s in range(size)] for t in range(min(size, 9))]
    assert answer.shape == (size, size) and answer[:9].tolist() == rows


def draw_local(rng):
    B, H, D = sizes(rng, 3)
    T, reach = rng.randint(1, 20), rng.randint(0, 5)
    q, k, v = torch.randn(3, B, H, T, D).unbind(0)
    texts = rng.choice([None, torch.randint(-1, 3, (B, T)).sort().values])
    return {"q": q, "k": k, "v": v, "reach": reach, "texts": texts}


def is_local(answer, q, k, v, reach, texts):
    """Under a mask of the window, and of the texts; what is not finite reaches its neighbours alone."""
    assert q.shape == k.shape == v.shape and q.ndim == 4 and reach is not True and reach >= 0
    place = torch.arange(q.shape[2])
    open_ = ((place[:, None] - place).abs() <= reach).expand(q.shape[0], 1, -1, -1)
    if texts is not None:
        assert texts.shape == (q.shape[0], q.shape[2]) and not texts.is_floating_point()
        assert texts.dtype != torch.bool
        open_ = open_ & (texts[:, None, :, None] == texts[:, None, None, :])
    if all(x.isfinite().all() and (x.abs() < 1e9).all() for x in (q, k, v)):
        near(answer, softmax_over_open(product(q, k), open_) @ v.double())


def draw_01(rng):
    mask = torch.randint(0, 2, sizes(rng, 2))
    return {"attention_mask": rng.choice([mask.long(), mask.int(), mask.bool()])}


def is_same_mask(answer, attention_mask):
    rows = attention_mask.tolist()
    assert all(x in (0, 1) for row in rows for x in row)
    if attention_mask.is_floating_point():
        assert attention_mask.any() or not attention_mask.numel()  # zeros alone: additive
    expected = torch.tensor([[x == 1 for x in row] for row in rows], dtype=torch.bool)
    assert torch.equal(answer, expected.reshape(attention_mask.shape)[:, None, None])


def draw_split(rng):
    B, T, H, D = sizes(rng, 4)
    return {"x": torch.randn(B, T, H * D), "n_heads": H}


def is_split(answer, x, n_heads):
    width = x.shape[-1] // n_heads
    assert n_heads is not True and answer.shape[-3] == n_heads and width * n_heads == x.shape[-1]
    for h in range(n_heads):
        assert torch.equal(
            nan_safe(answer[..., h, :, :]), nan_safe(x[..., h * width :][..., :width])
        )


def nan_safe(x):
    return x.nan_to_num(7.0) if x.is_floating_point() else x


def draw_join(rng):
    return {"x": torch.randn(*sizes(rng, 4))}


def is_joined(answer, x):
    heads = [x[..., h, :, :] for h in range(x.shape[-3])]
    assert torch.equal(nan_safe(answer), nan_safe(torch.cat(heads, -1)))


def draw_visible(rng):
    ids = torch.randint(0, 9, sizes(rng, 2))
    return {"ids": ids if rng.random() < 0.5 else ids.clamp(min=1)}


def is_visible(answer, ids):
    rows = ids.tolist()
    assert not ids.is_floating_point() and all(i >= 0 for row in rows for i in row)
    if answer is None:
        assert all(i != 0 for row in rows for i in row)
    else:
        assert answer.tolist() == [[i != 0 for i in row] for row in rows]


def draw_layer(rng):
    n_heads = rng.randint(1, 4)
    return {"d_model": n_heads * rng.randint(1, 4), "n_heads": n_heads, "bias": rng.random() < 0.5}


def is_layer(answer, d_model, n_heads, bias):
    assert bias is True or bias is False
    assert d_model >= 1 and n_heads >= 1 and d_model % n_heads == 0
    assert answer(torch.zeros(1, 2, d_model)).shape == (1, 2, d_model)
    assert (answer.qkv.bias is not None) == bias


@cache
def layer():
    torch.manual_seed(5)
    return MultiHeadAttention(6, 3)


def heads(x, attention_mask=None, memory=None, return_weights=False):
    return layer()(x, attention_mask, memory, return_weights)


def draw_heads(rng):
    B, T, S = sizes(rng, 3)
    memory = torch.randn(B, S, 6) if rng.random() < 0.5 else None
    shape = (B, 3, T, T if memory is None else S)
    mask = mask_for(rng, shape) if rng.random() < 0.7 else None
    if mask is None and memory is None:
        mask = attention.causal_mask(T)
    x = torch.randn(B, T, 6)
    return {"x": x, "attention_mask": mask, "memory": memory, "return_weights": rng.random() < 0.5}


def is_heads(answer, x, attention_mask, memory, return_weights):
    output, weights = answer if return_weights else (answer, None)
    net = layer()
    source = x if memory is None else memory
    q, k, v = (
        torch.stack((y.double() @ w.double().T + b.double()).split(2, -1), -3)
        for y, w, b in zip(
            (x, source, source), net.qkv.weight.chunk(3), net.qkv.bias.chunk(3), strict=True
        )
    )
    expected = softmax_over_open(product(q, k), attention_mask)
    mixed = torch.cat(list((expected @ v).unbind(-3)), -1)
    near(output, mixed @ net.output.weight.double().T + net.output.bias.double())
    if return_weights:
        near(weights, expected)


TARGETS = [
    Target(attention.attention_scores, draw_scores, is_scaled_product),
    Target(attention.masked_softmax, draw_softmax, is_masked_softmax),
    Target(attention.scaled_dot_product_attention, draw_attention, is_average),
    Target(attention.padding_mask, draw_lengths, is_padding_mask),
    Target(attention.causal_mask, lambda rng: {"size": rng.randint(0, 6)}, is_causal),
    Target(
        attention.block_causal_mask,
        lambda rng: {"size": rng.randint(0, 6), "block": rng.randint(1, 7)},
        is_block_causal,
    ),
    Target(attention.same_document_mask, draw_documents, is_same_document),
    Target(
        attention.window_mask,
        lambda rng: {"size": rng.randint(0, 6), "reach": rng.randint(0, 4)},
        is_window,
        sizes=("size",),
    ),
    Target(attention.local_attention, draw_local, is_local),
    Target(attention.from_padding_01, draw_01, is_same_mask),
    Target(attention.split_heads, draw_split, is_split),
    Target(attention.join_heads, draw_join, is_joined),
    Target(attention.visible_mask, draw_visible, is_visible),
    Target(MultiHeadAttention, draw_layer, is_layer),
    Target(heads, draw_heads, is_heads, name="MultiHeadAttention.forward"),
]
WITHOUT_ORACLE: dict[str, str] = {}  # title: why nothing can be compared with
NOT_FUZZED: dict[str, str] = {
    "KeyValues": "a NamedTuple that is returned"
}  # name: why (a constant type, a Protocol)
