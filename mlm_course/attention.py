"""Attention: who listens to whom, and how much. Lessons 1 and 2.

Shapes everywhere: B rows of a batch, H heads, T queries, S keys, D numbers a vector.
`attention_mask` is boolean, True where a query may attend to a key, as in PyTorch.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.tokenization import PAD_ID


def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """Similarity of each query with each key, on a scale that does not depend on D.

    q (..., T, D), k (..., S, D) -> scores (..., T, S). Source: Vaswani et al. 2017, section 3.2.1.
    """
    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])


def masked_softmax(scores: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """Weights that sum to 1 over the keys a query may attend to, and are 0 elsewhere.

    scores (..., T, S); attention_mask bool, broadcasts to (..., T, S). A query that may attend to
    nothing gets a row of zeros: softmax over nothing but -inf would give NaN.
    Source: Vaswani et al. 2017, section 3.2.3.
    """
    if attention_mask is None:
        return scores.softmax(-1)
    check_attention_mask(attention_mask)
    weights = scores.masked_fill(~attention_mask, -math.inf).softmax(-1)  # (..., T, S)
    return weights.masked_fill(~attention_mask.any(-1, keepdim=True), 0.0)


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Average of the values, weighted by how well each query matches each key.

    q (..., T, D), k (..., S, D), v (..., S, V); attention_mask broadcasts to (..., T, S), True
    where a query may attend. Returns output (..., T, V) and weights (..., T, S). A query that may
    attend to nothing gets zeros. Source: Vaswani et al. 2017, section 3.2.1.
    """
    weights = masked_softmax(attention_scores(q, k), attention_mask)
    return weights @ v, weights


def padding_mask(lengths: Tensor, size: int) -> Tensor:
    """Attention mask that hides the padding behind each row's end from every query.

    lengths (B,) ints, the number of real tokens in a row -> bool (B, 1, 1, size): one line of keys
    a row, the same for all heads and queries.
    """
    if lengths.ndim != 1 or lengths.is_floating_point():
        raise ValueError(
            f"lengths must be integers of shape (B,), got {lengths.dtype} "
            f"of shape {tuple(lengths.shape)}."
        )
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None, None, :]


def causal_mask(size: int, device: torch.device | None = None) -> Tensor:
    """Attention mask under which token t sees the tokens 0..t and nothing behind it.

    -> bool (size, size). Source: Vaswani et al. 2017, section 3.2.3.
    """
    return torch.ones(size, size, dtype=torch.bool, device=device).tril()


def same_document_mask(documents: Tensor) -> Tensor:
    """Attention mask that keeps texts packed into one row apart: each token sees its own text.

    documents (B, T) ints, the number of the text a token belongs to -> bool (B, 1, T, T).
    """
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def from_padding_01(attention_mask: Tensor) -> Tensor:
    """Hugging Face's 0/1 padding mask as an attention mask: (B, S), 1 = token -> bool (B, 1, 1, S)."""
    if attention_mask.ndim != 2:
        raise ValueError(f"A 0/1 padding mask has shape (B, S), not {tuple(attention_mask.shape)}.")
    return attention_mask.bool()[:, None, None, :]


def check_attention_mask(attention_mask: Tensor) -> None:
    """TypeError unless the mask is boolean: a 0/1 or 0/-inf mask would be read the wrong way."""
    if attention_mask.dtype != torch.bool:
        raise TypeError(
            f"attention_mask must be boolean, True where a query may attend; got "
            f"{attention_mask.dtype}. For a 0/1 mask write attention_mask.bool()."
        )


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own D = d_model / H numbers of every token.

    x (B, T, d_model) attends to itself, or to `memory` (B, S, d_model) when that is given.
    attention_mask bool, broadcasts to (B, H, T, S), True where a query may attend. Returns
    (B, T, d_model); with return_weights=True also the weights (B, H, T, S). A query that may
    attend to nothing gets zeros from every head. Source: Vaswani et al. 2017, section 3.2.2.

    qkv is three layers in one, a single product being quicker: its 3 * d_model rows are those of
    query, key and value, in that order. Where published files have three layers with these names,
    ours is their weights, and their biases, stacked.
    """

    def __init__(self, d_model: int, n_heads: int, bias: bool = True) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model={d_model} cannot be split evenly over n_heads={n_heads}.")
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.output = nn.Linear(d_model, d_model, bias=bias)

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        q, k, v = (
            split_heads(part, self.n_heads) for part in self.project(x, memory)
        )  # (B, H, ., D)
        if return_weights:
            mixed, weights = scaled_dot_product_attention(q, k, v, attention_mask)
            return self.output(join_heads(mixed)), weights
        if attention_mask is not None:
            check_attention_mask(attention_mask)
        return self.output(join_heads(fused_attention(q, k, v, attention_mask)))

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


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Each token's vector cut into one piece a head: (B, T, H * D) -> (B, H, T, D)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(-3, -2)


def join_heads(x: Tensor) -> Tensor:
    """The pieces of all heads put back in a row: (B, H, T, D) -> (B, T, H * D)."""
    return x.transpose(-3, -2).flatten(-2)


def visible_mask(ids: Tensor) -> Tensor | None:
    """Padding mask (B, T) bool, True = token; None if nothing is padded, which attention runs faster."""
    visible = ids != PAD_ID
    return None if visible.all() else visible
