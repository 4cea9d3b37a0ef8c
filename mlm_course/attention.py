"""Attention: who listens to whom, and how much. Lessons 1 and 2.

Shapes everywhere: B rows of a batch, H heads, T queries, S keys, D numbers a vector.
`attention_mask` is boolean, True where a query may attend to a key, as in PyTorch. It has an axis for
each axis of the scores, of that size or 1; or it is one (T, S) for all rows, such as a causal mask.
What could be read in two ways is refused (`attention_checks`).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention_checks import (
    check_attention_mask,
    check_first_axes,
    check_queries_and_keys,
    check_values,
    check_vectors,
    holds_0_and_1,
)
from mlm_course.contracts import (
    check_count,
    check_flag,
    check_floats,
    check_ids,
    check_integers,
    check_places,
    check_shapes_agree,
    check_tensor,
)
from mlm_course.tokenization import PAD_ID

__all__ = [
    "KeyValues",
    "MultiHeadAttention",
    "attention_scores",
    "block_causal_mask",
    "causal_mask",
    "from_padding_01",
    "join_heads",
    "local_attention",
    "masked_softmax",
    "padding_mask",
    "same_document_mask",
    "scaled_dot_product_attention",
    "split_heads",
    "visible_mask",
    "window_mask",
]


def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """Similarity of each query with each key, on a scale that does not depend on D.

    q (..., T, D), k (..., S, D) -> scores (..., T, S). Source: Vaswani et al. 2017, section 3.2.1.
    """
    check_queries_and_keys(q=(q, "... T D"), k=(k, "... S D"))
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def masked_softmax(scores: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Weights that sum to 1 over the keys a query may attend to, and are 0 elsewhere.

    scores (..., T, S); attention_mask bool, broadcasts to (..., T, S). A query that may attend to
    nothing gets a row of zeros: softmax over nothing but -inf would give NaN.
    Source: Vaswani et al. 2017, section 3.2.3.
    """
    check_floats("scores", scores, "... S")
    if attention_mask is None:
        return scores.softmax(-1)
    check_attention_mask(attention_mask, scores.shape)
    nothing = ~attention_mask.any(-1, keepdim=True)
    closed = ~(attention_mask | nothing)  # not all of a row: its gradient would be NaN on the way
    weights = scores.masked_fill(closed, -math.inf).softmax(-1)  # (..., T, S)
    return weights.masked_fill(nothing, 0.0)


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Average of the values, weighted by how well each query matches each key.

    q (..., T, D), k (..., S, D), v (..., S, V); attention_mask broadcasts to (..., T, S), True
    where a query may attend. Returns output (..., T, V) and weights (..., T, S). A query that may
    attend to nothing gets zeros. Source: Vaswani et al. 2017, section 3.2.1.
    """
    scores = attention_scores(q, k)
    check_values(v, scores)
    weights = masked_softmax(scores, attention_mask)
    return weights @ v, weights


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Attention mask that hides the padding behind each row's end from every query.

    lengths (B,) ints from 0 to size, the number of real tokens in a row -> bool (B, 1, 1, size): one
    line of keys a row, the same for all heads and queries.
    """
    check_count("size", size)
    check_integers("lengths", lengths, "B")
    check_places("lengths", lengths, size + 1)
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None, None, :]


def causal_mask(size: int, device: torch.device | None = None) -> Tensor:
    """Attention mask under which token t sees the tokens 0..t and nothing behind it.

    -> bool (size, size). Source: Vaswani et al. 2017, section 3.2.3.
    """
    check_count("size", size)
    return torch.ones(size, size, dtype=torch.bool, device=device).tril()


def block_causal_mask(size: int, block: int, device: torch.device | None = None) -> Tensor:
    """Attention mask under which a token sees its own block and those before, and nothing behind them.

    Blocks of `block` tokens are counted from the left; the last may be shorter. -> bool (size, size).
    block 1 is the causal mask. Source: Arriola et al. 2025, section 3.1.
    """
    check_count("size", size)
    check_count("block", block, 1)
    number = torch.arange(size, device=device) // block  # (size,) of the block that a token is in
    return number[:, None] >= number


def same_document_mask(documents: Tensor) -> Tensor:
    """Attention mask that keeps texts packed into one row apart: each token sees its own text.

    documents (B, T) ints, the number of the text a token belongs to -> bool (B, 1, T, T).
    """
    check_integers("documents", documents, "B T")
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def window_mask(size: int, reach: int, device: torch.device | None = None) -> Tensor:
    """Attention mask under which each token sees itself and `reach` tokens to either side.

    -> bool (size, size). Source: Beltagy et al. 2020, section 3.1 (Longformer).
    """
    check_count("size", size)
    check_count("reach", reach)
    place = torch.arange(size, device=device)
    return (place[:, None] - place).abs() <= reach


def from_padding_01(attention_mask: Tensor) -> Tensor:
    """Hugging Face's 0/1 padding mask as an attention mask: (B, S), 1 = token -> bool (B, 1, 1, S).

    Errors: ValueError for other numbers than 0 and 1, such as those of an additive mask.
    """
    check_tensor("A 0/1 padding mask", attention_mask, "B S")
    if not holds_0_and_1(attention_mask):
        raise ValueError(
            "A 0/1 padding mask holds 1 for tokens and 0 for padding, not "
            f"{sorted(set(attention_mask.flatten().tolist()))[:3]}: an additive mask "
            "(0 and -inf) becomes boolean with mask == 0."
        )
    return attention_mask.bool()[:, None, None, :]


class KeyValues(NamedTuple):
    """Keys and values of places that were read, (B, H, T, D / H) each: what need not be computed again."""

    keys: Tensor
    values: Tensor


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own D = d_model / H numbers of every token.

    x (B, T, d_model) attends to itself, or to `memory` (B, S, d_model) when that is given.
    attention_mask bool, (T, S) or four axes that broadcast to (B, H, T, S), True where a query may
    attend; padding (B, S) is written mask[:, None, None]. Returns (B, T, d_model); with
    return_weights=True also the weights (B, H, T, S). A query that may attend to nothing gets zeros
    from every head. Source: Vaswani et al. 2017, section 3.2.2.

    qkv is three layers in one, a single product being quicker: its 3 * d_model rows are those of
    query, key and value, in that order. Where published files have three layers with these names,
    ours is their weights, and their biases, stacked.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        super().__init__()
        check_count("d_model", d_model, 1)
        check_count("n_heads", n_heads, 1)
        check_flag("bias", bias)
        if d_model % n_heads:
            raise ValueError(f"d_model={d_model} cannot be split evenly over n_heads={n_heads}.")
        self.d_model, self.n_heads = int(d_model), int(n_heads)
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.output = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        self.check_input("x", x)
        if memory is not None:
            self.check_input("memory", memory)
            check_first_axes("memory", memory, "x", x)
        q, k, v = (_split(part, self.n_heads) for part in self.project(x, memory))  # (B, H, ., D)
        if return_weights:
            mixed, weights = scaled_dot_product_attention(q, k, v, attention_mask)
            return self.output(join_heads(mixed)), weights
        if attention_mask is not None:
            check_attention_mask(attention_mask, q.shape[:-1] + k.shape[-2:-1])
        return self.output(join_heads(fused_attention(q, k, v, attention_mask)))

    def step(
        self, x: Tensor, past: KeyValues | None, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, KeyValues]:
        """More places x (B, T, d_model), given the keys and values of those before; theirs joined to these.

        attention_mask bool, broadcasts to (B, H, T, S), S counting both.
        """
        q, k, v = (_split(part, self.n_heads) for part in self.project(x))  # (B, H, T, D)
        if past is not None:
            k, v = torch.cat([past.keys, k], 2), torch.cat([past.values, v], 2)
        heads = fused_attention(q, k, v, attention_mask)
        return self.output(join_heads(heads)), KeyValues(k, v)

    def check_input(self, name: str, x: Tensor, shape: str = "... T D") -> None:
        """Error unless x (..., T, d_model) is as wide as the weights, and of their dtype."""
        weight = self.output._parameters.get("weight")  # None where pruned or in int8
        check_vectors(name, x, self.d_model, weight, shape)

    def project(self, x: Tensor, memory: Tensor | None = None) -> tuple[Tensor, ...]:
        """Queries (B, T, d_model) of x, keys and values (B, S, d_model) of x or of the memory."""
        if memory is None:
            return self.qkv(x).chunk(3, dim=-1)
        return self.queries(x), *self.keys_and_values(memory)

    def queries(self, x: Tensor) -> Tensor:
        """Queries alone, (B, T, d_model)."""
        return self._rows(slice(x.shape[-1]), x)

    def keys_and_values(self, memory: Tensor) -> tuple[Tensor, ...]:
        """Keys and values alone, (B, S, d_model) each."""
        return self._rows(slice(memory.shape[-1], None), memory).chunk(2, dim=-1)

    def _rows(self, rows: slice, x: Tensor) -> Tensor:
        """x (..., d_model) through some of qkv's rows."""
        bias = None if self.qkv.bias is None else self.qkv.bias[rows]
        return F.linear(x, self.qkv.weight[rows], bias)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The output of `scaled_dot_product_attention` by PyTorch's own kernel, which keeps no weights.

    Under autocast on a CPU it computes in fp32: there the kernel's way back takes four times as
    long in bf16.
    """
    if q.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(
                q.float(), k.float(), v.float(), attn_mask=attention_mask
            )
    return F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask)


def local_attention(
    q: Tensor, k: Tensor, v: Tensor, reach: int, texts: Tensor | None = None
) -> Tensor:
    """Attention of each token to those at most `reach` places away, at a cost that grows with T alone.

    q, k, v (B, H, T, D) -> (B, H, T, D). texts (B, T) ints: the number of the text that a token
    belongs to, and sees no other; by default each row is one. Equal to attention under
    `window_mask`: queries in blocks of `reach` tokens see their own block and the two beside it.
    Errors: TypeError or ValueError for vectors of unlike shapes or dtypes, or texts of another shape.
    Source: Beltagy et al. 2020, section 3.1 and appendix A.
    """
    _check_local(q, k, v, reach, texts)
    B, _, T, _ = q.shape
    if texts is None:
        texts = torch.zeros(1, T, dtype=torch.long, device=q.device)
    size = max(int(reach), 1)
    n = -(-T // size)  # blocks
    if n <= 3:  # few neighbours are all there are
        seen = window_mask(T, reach, q.device) & (texts[:, :, None] == texts[:, None, :])
        return fused_attention(q, k, v, seen[:, None])
    queries = _blocks(q, 0, n * size - T, size).transpose(1, 2).flatten(0, 1)  # (B * n, H, size, D)
    keys, values = (_neighbours(x, T, size) for x in (k, v))  # (B * n, H, 3 * size, D)
    seen = _seen_nearby(texts, reach, size).expand(B, -1, -1, -1)  # (B, n, size, 3 * size)
    mixed = fused_attention(queries, keys, values, seen.flatten(0, 1)[:, None])
    return mixed.unflatten(0, (B, n)).transpose(1, 2).flatten(2, 3)[:, :, :T]


def _check_local(q: Tensor, k: Tensor, v: Tensor, reach: int, texts: Tensor | None) -> None:
    check_count("reach", reach)
    shape = "B H T D"
    check_queries_and_keys(q=(q, shape), k=(k, shape))
    check_queries_and_keys(q=(q, shape), v=(v, shape))
    check_shapes_agree(q=q, k=k, v=v)
    if texts is not None:
        check_integers("texts", texts)
        if texts.shape != (len(q), q.shape[2]):
            raise ValueError(
                f"texts has shape {tuple(texts.shape)}, but q has {len(q)} rows of {q.shape[2]} "
                "tokens: each token has the number of its text, (B, T)."
            )


def _seen_nearby(texts: Tensor, reach: int, size: int) -> Tensor:
    """Which of three blocks' keys a block's queries may see: texts (B, T) -> (B, n, size, 3 * size)."""
    T = texts.shape[1]
    n = -(-T // size)
    own = F.pad(texts, (0, n * size - T)).unflatten(1, (n, size))
    near = F.pad(texts, (size, (n + 1) * size - T)).unfold(1, 3 * size, size)  # (B, n, 3 * size)
    query = torch.arange(size, device=texts.device)[:, None]
    key = torch.arange(-size, 2 * size, device=texts.device)  # from the block's first token
    place = key + size * torch.arange(n, device=texts.device)[:, None, None]  # in the row
    inside = ((key - query).abs() <= reach) & (place >= 0) & (place < T)  # (n, size, 3 * size)
    return (own[..., None] == near[:, :, None]) & inside


def _neighbours(x: Tensor, T: int, size: int) -> Tensor:
    """For each block of x (B, H, T, D) the one before, itself, the one after: (B * n, H, 3 * size, D)."""
    blocks = _blocks(x, size, -(-T // size) * size + size - T, size)  # (B, H, n + 2, size, D)
    three = [blocks[:, :, :-2], blocks[:, :, 1:-1], blocks[:, :, 2:]]
    return torch.cat(three, dim=3).transpose(1, 2).flatten(0, 1)


def _blocks(x: Tensor, before: int, after: int, size: int) -> Tensor:
    """x (B, H, T, D) with zeros before and after, cut into blocks: (B, H, n, size, D)."""
    return F.pad(x, (0, 0, before, after)).unflatten(2, (-1, size))


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Each token's vector cut into one piece a head: (B, T, H * D) -> (B, H, T, D)."""
    check_tensor("x", x, "... T D")
    if type(n_heads) is not int or n_heads < 1:
        check_count("n_heads", n_heads, 1)
    if not x.shape[-1] or x.shape[-1] % n_heads:
        raise ValueError(f"{x.shape[-1]} numbers cannot be split evenly over n_heads={n_heads}.")
    return _split(x, n_heads)


def _split(x: Tensor, n_heads: int) -> Tensor:
    return x.unflatten(-1, (int(n_heads), -1)).transpose(-3, -2)


def join_heads(x: Tensor) -> Tensor:
    """The pieces of all heads put back in a row: (B, H, T, D) -> (B, T, H * D)."""
    check_tensor("x", x, "... H T D")
    return x.transpose(-3, -2).flatten(-2)


def visible_mask(ids: Tensor) -> Tensor | None:
    """Padding mask (B, T) bool, True = token; None if nothing is padded, which attention runs faster."""
    check_ids(ids)
    visible = ids != PAD_ID
    return None if visible.all() else visible
