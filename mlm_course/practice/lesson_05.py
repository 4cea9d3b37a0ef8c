"""Lesson 5: the encoder. Parts of a network come in as arguments, so results can be compared."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mlm_course.attention import MultiHeadAttention
from mlm_course.models import EncoderConfig, MaskedLM
from mlm_course.models.encoder import FeedForward
from mlm_course.practice.exercise import Exercise, Function, Misconception, Question

TITLE = "The encoder (BERT)"

Part = TypeVar("Part", bound=nn.Module)


def embed(
    ids: Tensor, segments: Tensor, token: Tensor, position: Tensor, segment: Tensor
) -> Tensor:
    return token[ids] + position[: ids.shape[1]] + segment[segments]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def gelu(x: Tensor) -> Tensor:
    return F.gelu(x)


def post_norm_block(
    x: Tensor,
    attention: Function,
    attention_norm: Function,
    feed_forward: Function,
    feed_forward_norm: Function,
) -> Tensor:
    x = attention_norm(x + attention(x))
    return feed_forward_norm(x + feed_forward(x))


def pre_norm_block(
    x: Tensor,
    attention: Function,
    attention_norm: Function,
    feed_forward: Function,
    feed_forward_norm: Function,
) -> Tensor:
    x = x + attention(attention_norm(x))
    return x + feed_forward(feed_forward_norm(x))


def mlm_logits(
    x: Tensor, masked: Tensor, dense: Function, norm: Function, token: Tensor, bias: Tensor
) -> Tensor:
    return norm(F.gelu(dense(x[masked]))) @ token.T + bias


def block_parameters(D: int, d_ff: int) -> int:
    return _count(D, d_ff)


def bert(ids: Tensor, visible: Tensor, segments: Tensor, model: MaskedLM) -> Tensor:
    return model(ids, visible, segments=segments)


def _randomised(module: Part, g: torch.Generator) -> Part:
    """Every parameter moved, so that a bias or a norm that is left out shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    module.requires_grad_(False)
    return module.eval()


def _tables(g: torch.Generator) -> tuple[Tensor, ...]:
    """ids and segments (3, 6), tables of 11 tokens, 20 positions and 2 segments, D = 5."""
    ids = torch.randint(11, (3, 6), generator=g)
    segments = (torch.arange(6) >= torch.tensor([[2], [3], [4]])).long()
    return ids, segments, *(torch.randn(n, 5, generator=g) for n in (11, 20, 2))


def _uneven_tokens(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, float]:
    """Tokens of very different sizes; in one, all numbers are equal, in another nearly."""
    x = torch.randn(2, 4, 6, generator=g) * torch.tensor([0.02, 1.0, 5.0, 0.5])[:, None] + 1
    x[0, 1] = 2.0
    weight, bias = 1 + 0.5 * torch.randn(6, generator=g), torch.randn(6, generator=g)
    return x, weight, bias, 1e-3


def _normalised(x, axis, eps, unbiased=False):
    variance = x.var(axis, keepdim=True, unbiased=unbiased)
    return (x - x.mean(axis, keepdim=True)) / (variance + eps).sqrt()


def _wrong_norm(axis: int | tuple[int, ...] | None = -1, unbiased=False, with_eps=True):
    """LayerNorm with a slip; without an axis one mean and one variance for the whole tensor."""

    def norm(x, weight, bias, eps):
        axes = tuple(range(x.dim())) if axis is None else axis
        return _normalised(x, axes, eps if with_eps else 0, unbiased) * weight + bias

    return norm


def _wrong_spread(spread: Function, unbiased: bool = False) -> Function:
    """LayerNorm that divides by spread(variance, eps)."""

    def norm(x, weight, bias, eps):
        variance = x.var(-1, keepdim=True, unbiased=unbiased)
        return (x - x.mean(-1, keepdim=True)) / spread(variance, eps) * weight + bias

    return norm


def _eps_outside(variance: Tensor, eps: float) -> Tensor:
    return variance.sqrt() + eps


def _no_root(variance: Tensor, eps: float) -> Tensor:
    return variance + eps


def _block_parts(g: torch.Generator) -> tuple:
    parts = (
        MultiHeadAttention(12, 3),
        nn.LayerNorm(12),
        FeedForward(12, 20),
        nn.LayerNorm(12),
    )
    return (torch.randn(2, 5, 12, generator=g), *(_randomised(part, g) for part in parts))


def _head_parts(g: torch.Generator) -> tuple:
    masked = torch.rand(2, 7, generator=g) < 0.4
    masked[0, 2], masked[1, 3] = True, False  # never all, never none
    parts = (_randomised(nn.Linear(6, 6), g), _randomised(nn.LayerNorm(6), g))
    tables = torch.randn(9, 6, generator=g), torch.randn(9, generator=g)
    return (torch.randn(2, 7, 6, generator=g), masked, *parts, *tables)


def _head(x, masked, dense, norm, token, bias, activation=F.gelu):
    return norm(activation(dense(x[masked]))) @ token.T + bias


def _sizes(g: torch.Generator) -> tuple[int, int]:
    D = 4 * int(torch.randint(5, 40, (1,), generator=g))
    return D, 3 * D + 2


def _count(D, d_ff, matrices=4, bias=True, norms=4, first_bias=None, second_bias=None):
    attention = matrices * (D * D + D * bias)
    first = (d_ff if first_bias is None else first_bias) * bias
    last = (D if second_bias is None else second_bias) * bias
    return attention + D * d_ff + first + d_ff * D + last + norms * D


def _little_bert(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor, MaskedLM]:
    """ids, visible and segments (3, 5) with padding, and a model of two blocks."""
    visible = torch.arange(5) < torch.tensor([[5], [3], [4]])
    ids = torch.randint(5, 23, (3, 5), generator=g).masked_fill(~visible, 0)
    segments = (torch.arange(5) >= 2).long().expand(3, 5).clone()
    config = EncoderConfig(
        23, 9, d_model=12, n_layers=2, n_heads=3, d_ff=20, n_segments=2, pre_norm=False,
        norm_eps=1e-12,
    )  # fmt: skip
    return ids, visible, segments, _randomised(MaskedLM(config), g)


def _embedded(ids, segments, e, with_segments=True, with_positions=True, norm=True):
    x = e.token(ids)
    if with_positions:
        x = x + e.position(torch.arange(ids.shape[1]))
    if with_segments:
        x = x + e.segment(segments)
    return e.norm(x) if norm else x


def _wrong_bert(
    mask=lambda visible: visible[:, None, None, :],
    block=post_norm_block,
    blocks=slice(None),
    activation=F.gelu,
    bias=True,
    transpose=True,
    head_norm=True,
    **embedding,
):
    """BERT with one thing wrong."""

    def forward(ids, visible, segments, model):
        e, allowed = model.encoder.embeddings, mask(visible)
        x = _embedded(ids, segments, e, **embedding)
        for b in model.encoder.blocks[blocks]:
            x = block(
                x,
                lambda x, b=b: b.attention(x, allowed),
                b.attention_norm,
                b.feed_forward,
                b.feed_forward_norm,
            )
        x = activation(model.dense(x))
        x = model.norm(x) if head_norm else x
        logits = x @ (e.token.weight.T if transpose else e.token.weight)
        return logits + model.decoder_bias if bias else logits

    return forward


EXERCISES = (
    Exercise(
        id="5.1",
        minutes=6,
        prompt="Embeddings",
        reference=embed,
        inputs=_tables,
        hints=(
            "Three vectors for each token: for what it is, for where it stands, for its segment. Add "
            "them.",
            "table[numbers] looks up a row for each number. The position of a token is its place in "
            "the row: 0, 1, 2, ..., the same in every row of the batch.",
            "return token[ids] + position[: ids.shape[1]] + segment[segments]",
        ),
        misconceptions=(
            Misconception(
                lambda i, s, t, p, g: t[i] + g[s],
                "The positions are missing: without them the order of the tokens is lost.",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[: i.shape[1]],
                "The segments are missing: add segment[segments].",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[1 : i.shape[1] + 1] + g[s],
                "Your positions start at 1. The first token stands at position 0.",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[torch.arange(len(i))][:, None] + g[s],
                "You counted the rows of the batch. A position is a place *within* a row: it counts "
                "along axis 1.",
                also=(lambda i, s, t, p, g: t[i] + p[: len(i)] + g[s],),
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[torch.arange(i.numel()).reshape(i.shape)] + g[s],
                "Your positions go on counting from one row of the batch to the next. Every row begins "
                "at 0 again.",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[i] + g[s],
                "You looked positions up by token id. A position says *where* a token stands, whatever "
                "it is: 0, 1, 2, ...",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p[i.shape[1]] + g[s],
                "You took one row of `position`, number T, for all tokens. Take the rows 0 to T - 1: "
                "position[:T], with a colon.",
                also=(lambda i, s, t, p, g: t[i] + p[i.shape[1] - 1] + g[s],),
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] + p + g[s],
                "`position` has a row for every place there could be. Take the first T of them.",
            ),
            Misconception(
                lambda i, s, t, p, g: t[i] * p[: i.shape[1]] * g[s],
                "The three vectors were multiplied. They are added.",
            ),
            Misconception(
                lambda i, s, t, p, g: torch.cat(
                    [t[i], p[: i.shape[1]].expand(len(i), -1, -1), g[s]], -1
                ),
                "You put the three vectors side by side. They are added, so that a token still has D "
                "numbers.",
            ),
        ),
    ),
    Exercise(
        id="5.2",
        minutes=10,
        prompt="LayerNorm",
        reference=layer_norm,
        inputs=_uneven_tokens,
        hints=(
            "Each token on its own: which axis holds the numbers of one token?",
            "mean and var over axis -1 with keepdim=True, and var with unbiased=False. The small eps "
            "goes under the root.",
            "mean = x.mean(-1, keepdim=True); var = x.var(-1, keepdim=True, unbiased=False); return "
            "(x - mean) / (var + eps).sqrt() * weight + bias",
        ),
        misconceptions=(
            Misconception(
                _wrong_norm(axis=-2),
                "You normalised over the tokens (axis T). LayerNorm looks at one token at a time: its D "
                "numbers, the last axis.",
                also=(_wrong_norm(axis=-2, unbiased=True),),
            ),
            Misconception(
                _wrong_norm(axis=0),
                "You normalised over the batch: that is batch normalisation, and a sentence would "
                "depend on its neighbours in the batch. Use the last axis.",
                also=(_wrong_norm(axis=0, unbiased=True),),
            ),
            Misconception(
                _wrong_norm(axis=None),
                "One mean and one variance were used for many tokens: those of the whole tensor, or of "
                "a row of the batch. Each token gets its own: over the last axis alone, with "
                "keepdim=True.",
                also=(
                    _wrong_norm(axis=None, unbiased=True),
                    _wrong_norm(axis=(-2, -1)),
                    _wrong_norm(axis=(-2, -1), unbiased=True),
                ),
            ),
            Misconception(
                _wrong_norm(unbiased=True),
                "Your variance divides by D - 1, as `var` and `std` do unless told otherwise. LayerNorm "
                "divides by D: unbiased=False.",
            ),
            Misconception(
                _wrong_norm(with_eps=False),
                "A token whose numbers are all equal has variance 0, and 0 / 0 is NaN. Add eps to the "
                "variance.",
                also=(_wrong_norm(unbiased=True, with_eps=False),),
            ),
            Misconception(
                _wrong_spread(_eps_outside),
                "You added eps to the standard deviation. It belongs under the root: (var + eps).sqrt().",
                also=(_wrong_spread(_eps_outside, unbiased=True),),
            ),
            Misconception(
                _wrong_spread(_no_root),
                "You divided by the variance. Divide by its square root.",
                also=(_wrong_spread(_no_root, unbiased=True),),
            ),
            Misconception(
                lambda x, w, b, eps: x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * w + b,
                "The mean was not taken away. (Leaving it in is RMSNorm, which some newer models use.)",
            ),
            Misconception(
                lambda x, w, b, eps: _normalised(x, -1, eps),
                "`weight` and `bias` are not used yet: what is normalised is multiplied by weight, then "
                "bias is added.",
                also=(lambda x, w, b, eps: _normalised(x, -1, eps, unbiased=True),),
            ),
            Misconception(
                lambda x, w, b, eps: (_normalised(x, -1, eps) + b) * w,
                "`bias` was added before `weight` multiplies. First times weight, then plus bias.",
            ),
        ),
    ),
    Exercise(
        id="5.3",
        minutes=4,
        prompt="GELU",
        reference=gelu,
        inputs=lambda g: (2 * torch.randn(3, 7, generator=g),),
        hints=(
            "Two factors: x itself, and the share of a bell curve that lies below x.",
            "That share is (1 + erf(x / sqrt(2))) / 2; torch.erf works on tensors.",
            "return x * (1 + torch.erf(x / math.sqrt(2))) / 2",
        ),
        misconceptions=(
            Misconception(
                lambda x: F.gelu(x, approximate="tanh"),
                "Very close: this is the approximation with tanh. It differs in the fourth digit, enough "
                "to miss BERT's numbers. Use erf.",
            ),
            Misconception(
                lambda x: x * torch.sigmoid(1.702 * x),
                "This is the approximation with a sigmoid. BERT uses the exact form, with erf.",
            ),
            Misconception(
                F.relu,
                "This is ReLU: it cuts everything below 0 off. GELU lets a little through, and bends "
                "smoothly.",
            ),
            Misconception(
                lambda x: (1 + torch.erf(x / 2**0.5)) / 2,
                "This is the share alone, between 0 and 1. It still has to multiply x.",
            ),
            Misconception(
                lambda x: x * (1 + torch.erf(x)) / 2,
                "The square root of 2 is missing: erf(x / sqrt(2)).",
            ),
            Misconception(
                lambda x: x * (1 + torch.erf(x) / 2**0.5) / 2,
                "You divided by the square root of 2 *behind* erf. It divides x, before erf sees it: "
                "erf(x / sqrt(2)).",
                also=(
                    lambda x: x * (1 + torch.erf(x)) / 2**0.5 / 2,
                    lambda x: x * (1 + torch.erf(x)) / 2**0.5,
                ),
            ),
            Misconception(
                lambda x: x * (1 + torch.erf(x / 2)) / 2,
                "Inside erf stands x divided by the square root of 2: not by 2, and not multiplied.",
                also=(lambda x: x * (1 + torch.erf(x * 2**0.5)) / 2,),
            ),
            Misconception(
                lambda x: x * (1 + torch.erf(x / 2**0.5)),
                "The whole sum is to be halved, the 1 included: (1 + erf(...)) / 2.",
                also=(lambda x: x * (1 + torch.erf(x / 2**0.5) / 2),),
            ),
            Misconception(
                lambda x: x * torch.erf(x / 2**0.5),
                "erf alone runs from -1 to 1. The share runs from 0 to 1: (1 + erf(...)) / 2.",
            ),
            Misconception(
                F.silu,
                "This is x * sigmoid(x), also called SiLU or Swish. GELU uses erf.",
            ),
        ),
    ),
    Exercise(
        id="5.4",
        minutes=4,
        prompt="BERT's block: post-norm",
        reference=post_norm_block,
        inputs=_block_parts,
        hints=(
            "Twice the same pattern: compute something from x, add it to x, normalise the sum.",
            "The second half starts from the *result* of the first, for both its input and its sum.",
            "x = attention_norm(x + attention(x)); return feed_forward_norm(x + feed_forward(x))",
        ),
        misconceptions=(
            Misconception(
                lambda x, a, n, f, m: m(f(n(a(x)))),
                "Both residual connections are missing: what comes out of a sublayer is *added* to what "
                "went in.",
            ),
            Misconception(
                lambda x, a, n, f, m: _second_half(n(a(x)), f, m),
                "The residual connection around attention is missing: x + attention(x).",
            ),
            Misconception(
                lambda x, a, n, f, m: m(f(n(x + a(x)))),
                "The residual connection around the feed-forward network is missing.",
            ),
            Misconception(
                pre_norm_block,
                "This is pre-norm: the norm stands before each sublayer. In BERT it comes after each "
                "sum.",
            ),
            Misconception(
                lambda x, a, n, f, m: _added(x + n(a(x)), lambda y: m(f(y))),
                "You normalised one part of a sum. Add first, and normalise the sum, both times: "
                "attention_norm(x + attention(x)).",
                also=(
                    lambda x, a, n, f, m: _added(n(x + a(x)), lambda y: m(f(y))),
                    lambda x, a, n, f, m: _norm_plus(n(x + a(x)), f, m),
                    lambda x, a, n, f, m: _norm_plus(_norm_plus(x, a, n), f, m),
                ),
            ),
            Misconception(
                lambda x, a, n, f, m: m(n(x + a(x)) + f(x)),
                "The feed-forward network got the block's input. It should read what attention's half "
                "has produced.",
            ),
            Misconception(
                lambda x, a, n, f, m: m(x + f(n(x + a(x)))),
                "The second sum adds the block's own input. Add what went into the feed-forward "
                "network.",
            ),
            Misconception(
                lambda x, a, n, f, m: _added(x + a(x), f),
                "The sums are right, but neither of them is normalised.",
            ),
            Misconception(
                lambda x, a, n, f, m: m(_added(x + a(x), f)),
                "Only one of the two sums is normalised. Each sublayer has its own norm, behind its "
                "sum.",
                also=(lambda x, a, n, f, m: _added(n(x + a(x)), f),),
            ),
            Misconception(
                lambda x, a, n, f, m: post_norm_block(x, a, m, f, n),
                "The two norms have changed places.",
            ),
            Misconception(
                lambda x, a, n, f, m: post_norm_block(x, a, n, f, n),
                "attention_norm is used twice. The second sum has a norm of its own.",
            ),
        ),
    ),
    Exercise(
        id="5.5",
        minutes=4,
        prompt="A pre-norm block",
        reference=pre_norm_block,
        inputs=_block_parts,
        hints=(
            "The norm has moved: it now stands in front of the sublayer, inside the branch.",
            "What is added to is x itself, never normalised: x + sublayer(norm(x)).",
            "x = x + attention(attention_norm(x)); return x + feed_forward(feed_forward_norm(x))",
        ),
        misconceptions=(
            Misconception(
                post_norm_block,
                "This is post-norm: the sums are normalised. Here only what *enters* a sublayer is.",
            ),
            Misconception(
                lambda x, a, n, f, m: _from_normalised(_from_normalised(x, n, a), m, f),
                "You added to the normalised x. The residual connection carries x itself, untouched: "
                "x + attention(attention_norm(x)).",
            ),
            Misconception(
                lambda x, a, n, f, m: _added(x + a(n(x)), f),
                "The feed-forward network's norm is missing.",
            ),
            Misconception(
                lambda x, a, n, f, m: _added(x + a(x), lambda y: f(m(y))),
                "Attention's norm is missing.",
                also=(lambda x, a, n, f, m: _added(x + a(x), f),),
            ),
            Misconception(
                lambda x, a, n, f, m: f(m(a(n(x)))),
                "A residual connection is missing: *each* of the two sublayers adds what it found to "
                "the x that it started from.",
                also=(
                    lambda x, a, n, f, m: _added(a(n(x)), lambda y: f(m(y))),
                    lambda x, a, n, f, m: f(m(x + a(n(x)))),
                ),
            ),
            Misconception(
                lambda x, a, n, f, m: _added(x + n(a(x)), lambda y: m(f(y))),
                "You normalised what comes *out* of a sublayer. Normalise what goes in, both times.",
                also=(
                    lambda x, a, n, f, m: _added(x + n(a(x)), lambda y: f(m(y))),
                    lambda x, a, n, f, m: _added(x + a(n(x)), lambda y: m(f(y))),
                ),
            ),
            Misconception(
                lambda x, a, n, f, m: x + a(n(x)) + f(m(x)),
                "Both sublayers read the block's input. The feed-forward network should read what "
                "attention has already added to.",
            ),
            Misconception(
                lambda x, a, n, f, m: x + f(m(x + a(n(x)))),
                "The second sum adds the block's own input: what attention found is lost from the "
                "stream. Add to the result of the first sum.",
            ),
            Misconception(
                lambda x, a, n, f, m: pre_norm_block(x, a, m, f, n),
                "The two norms have changed places.",
            ),
            Misconception(
                lambda x, a, n, f, m: pre_norm_block(x, a, n, f, n),
                "attention_norm is used twice. The feed-forward network has a norm of its own.",
            ),
        ),
    ),
    Exercise(
        id="5.6",
        minutes=8,
        prompt="Counting a block's parameters",
        reference=block_parameters,
        inputs=_sizes,
        hints=(
            "A linear layer from a to b numbers has a matrix of a * b and a bias of b.",
            "Four linear layers in attention, two in the feed-forward network, and two LayerNorms with a "
            "weight and a bias of D each.",
            "return 4 * (D * D + D) + (D * d_ff + d_ff) + (d_ff * D + D) + 2 * 2 * D",
        ),
        misconceptions=(
            Misconception(
                lambda D, d_ff: _count(D, d_ff, bias=False),
                "5 * D + d_ff numbers are missing: the biases of all linear layers, or else the two "
                "LayerNorms and the feed-forward network's biases.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, bias=False, norms=2),
                "All biases are missing, those of the linear layers and those of the LayerNorms.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, bias=False, norms=0),
                "These are the matrices alone. Linear layers have biases, and the two LayerNorms count "
                "as well.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, norms=0),
                "4 * D numbers are missing: the two LayerNorms, with a weight and a bias of D each, or "
                "else the biases of attention's four linear layers.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, norms=2),
                "Half of the LayerNorms is missing: there are two, each with a weight *and* a bias.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, matrices=3),
                "Attention has four linear layers: query, key, value, and the output that mixes the "
                "heads.",
                also=(
                    lambda D, d_ff: _count(D, d_ff, matrices=3, norms=0),
                    lambda D, d_ff: _count(D, d_ff, matrices=3, norms=2),
                    lambda D, d_ff: _count(D, d_ff, matrices=3, bias=False),
                    lambda D, d_ff: _count(D, d_ff, matrices=3, bias=False, norms=0),
                ),
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, first_bias=D),
                "The feed-forward network's first layer goes from D to d_ff numbers, so its bias has "
                "d_ff: a bias is as long as what comes *out* of the layer.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff, second_bias=d_ff),
                "The last bias has D numbers: a layer's bias is as long as what comes *out* of it.",
            ),
            Misconception(
                lambda D, d_ff: _count(D, d_ff) - d_ff * D - D,
                "The feed-forward network has two linear layers: there and back again.",
            ),
        ),
    ),
    Exercise(
        id="5.7",
        minutes=8,
        prompt="The MLM head",
        reference=mlm_logits,
        inputs=_head_parts,
        hints=(
            "First keep the hidden places only; then everything is (n, something).",
            "dense, GELU, norm, in this order: (n, D). Then one dot product with each row of `token`: "
            "(n, D) @ (D, V).",
            "return norm(F.gelu(dense(x[masked]))) @ token.T + bias",
        ),
        misconceptions=(
            Misconception(
                lambda x, h, d, n, t, b: n(F.gelu(d(x))) @ t.T + b,
                "Right logits, but for every token. Only those at hidden places are wanted: x[masked].",
            ),
            Misconception(
                lambda x, h, d, n, t, b: _head(x, h, d, n, t, b).softmax(-1),
                "These are probabilities, or their logarithms. Return the logits as they are: the loss "
                "function applies softmax itself.",
                also=(lambda x, h, d, n, t, b: _head(x, h, d, n, t, b).log_softmax(-1),),
            ),
            Misconception(
                lambda x, h, d, n, t, b: x.clone(),
                "A token still has D numbers here, not one for each token of the vocabulary. Take "
                "x[masked] through dense, GELU and norm; then `@ token.T + bias` makes V logits of D "
                "numbers.",
                also=(
                    lambda x, h, d, n, t, b: x[h],
                    lambda x, h, d, n, t, b: d(x[h]),
                    lambda x, h, d, n, t, b: n(F.gelu(d(x[h]))),
                    lambda x, h, d, n, t, b: n(F.gelu(d(x))),
                ),
            ),
            Misconception(
                lambda x, h, d, n, t, b: n(F.gelu(d(x[h]))) @ t.T,
                "The bias is missing: one number for each token of the vocabulary.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: _head(x, h, d, n, t, b, activation=lambda y: y),
                "GELU is missing between dense and norm.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: _head(
                    x, h, d, n, t, b, lambda y: F.gelu(y, approximate="tanh")
                ),
                "Nearly: this is the tanh approximation of GELU. BERT uses F.gelu as it is, with erf.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: F.gelu(n(d(x[h]))) @ t.T + b,
                "Norm and GELU have changed places: dense, GELU, norm.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: F.gelu(d(x[h])) @ t.T + b,
                "The norm is missing.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: x[h] @ t.T + b,
                "x went straight to the decoder. Before it come dense, GELU and norm.",
            ),
            Misconception(
                lambda x, h, d, n, t, b: n(F.gelu(d(x[h]))) @ t + b,
                "`token` is (V, D), a row for each token. To get (n, V) out of (n, D) it has to be "
                "transposed: token.T.",
            ),
        ),
    ),
    Exercise(
        id="5.8",
        minutes=20,
        prompt="BERT, whole",
        reference=bert,
        inputs=_little_bert,
        hints=(
            "You have written every piece: embeddings (then a norm), blocks (exercise 5.4), head "
            "(exercise 5.7, here for all tokens).",
            "The mask needs two more axes, for heads and queries: visible[:, None, None, :]. Attention "
            "takes it as second argument: block.attention(x, mask).",
            "for b in model.encoder.blocks: x = b.attention_norm(x + b.attention(x, mask)); then x = "
            "b.feed_forward_norm(x + b.feed_forward(x)). The head's matrix is e.token.weight.T.",
        ),
        misconceptions=(
            Misconception(
                _wrong_bert(mask=lambda visible: None),
                "The padding is heard: hand the mask to every block's attention.",
            ),
            Misconception(
                _wrong_bert(mask=lambda visible: ~visible[:, None, None, :]),
                "The mask is inverted: True means may attend, and `visible` is True at real tokens.",
            ),
            Misconception(
                _wrong_bert(mask=lambda visible: visible[:, None, :, None]),
                "Your mask has its axes in the wrong places. Attention matches it with (B, H, queries, "
                "keys), from the last axis backwards: rows first, then an axis of size 1 for heads and "
                "one for queries, and the padding at the keys: visible[:, None, None, :].",
                also=(
                    _wrong_bert(mask=lambda visible: visible),
                    _wrong_bert(mask=lambda visible: visible[:, None]),
                    _wrong_bert(mask=lambda visible: visible[:, :, None]),
                ),
            ),
            Misconception(
                _wrong_bert(with_segments=False),
                "The segments are missing from the embeddings.",
            ),
            Misconception(
                _wrong_bert(with_positions=False),
                "The positions are missing from the embeddings.",
            ),
            Misconception(
                _wrong_bert(norm=False),
                "The norm after the embeddings is missing: e.norm(...).",
            ),
            Misconception(
                _wrong_bert(block=pre_norm_block),
                "Your blocks are pre-norm. BERT's are post-norm (exercise 5.4).",
            ),
            Misconception(
                _wrong_bert(block=lambda x, a, n, f, m: m(f(n(a(x))))),
                "The residual connections are missing in the blocks.",
            ),
            Misconception(
                _wrong_bert(blocks=slice(1)),
                "Only the first block was used. Go through all of model.encoder.blocks.",
            ),
            Misconception(
                _wrong_bert(activation=lambda x: x),
                "GELU is missing in the head, between model.dense and model.norm.",
            ),
            Misconception(
                _wrong_bert(head_norm=False),
                "The head's norm is missing: model.norm, after GELU.",
            ),
            Misconception(
                _wrong_bert(bias=False),
                "The decoder's bias is missing: model.decoder_bias.",
            ),
            Misconception(
                lambda *arguments: bert(*arguments).softmax(-1),
                "These are probabilities, or their logarithms. Return the logits.",
                also=(lambda *arguments: bert(*arguments).log_softmax(-1),),
            ),
            Misconception(
                lambda ids, visible, segments, model: model.encoder(
                    ids, visible, segments=segments
                ),
                "This is what the encoder returns. The head is still to come: dense, GELU, norm, and the "
                "transposed token table.",
            ),
        ),
    ),
)


def _norm_plus(x: Tensor, branch: Function, norm: Function) -> Tensor:
    return norm(x) + branch(x)


def _added(x: Tensor, branch: Function) -> Tensor:
    return x + branch(x)


def _second_half(x: Tensor, feed_forward: Function, norm: Function) -> Tensor:
    return norm(x + feed_forward(x))


def _from_normalised(x: Tensor, norm: Function, sublayer: Function) -> Tensor:
    return norm(x) + sublayer(norm(x))


QUIZ = (
    Question(
        id="5.q1",
        prompt="x is (B, T, D). How many means does one LayerNorm compute?",
        options=(
            ("D: one for each number of a vector.", "That would be batch normalisation."),
            ("B: one for each row of the batch.", "Tokens of a row are normalised independently."),
            (
                "B * T: one for each token.",
                "Each token is normalised by itself, over its D numbers.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="5.q2",
        prompt="In which block can a gradient reach the block's input without passing through any norm?",
        options=(
            ("post-norm", "There every sum is normalised: a norm stands in the only way out."),
            (
                "pre-norm",
                "The sums are never normalised; the norms stand inside the branches.",
            ),
            ("both", "In post-norm every sum is normalised."),
            ("neither", "In pre-norm the stream of sums is free of norms."),
        ),
        answer=1,
    ),
    Question(
        id="5.q3",
        prompt="Two sublayers in a row, attention and feed-forward. Which one lets tokens exchange something?",
        options=(
            ("Attention only.", "The feed-forward network sees one token at a time."),
            ("The feed-forward network only.", "It sees one token at a time."),
            ("Both.", "The feed-forward network is applied to each token by itself."),
        ),
        answer=0,
    ),
    Question(
        id="5.q4",
        prompt="A model with a vocabulary of 4,000 starts with a loss of 60. What is likely wrong?",
        options=(
            (
                "Nothing: an untrained model knows nothing.",
                "A model that knows nothing and admits it has a loss of log(4000), about 8.3. A loss "
                "of 60 is confident nonsense.",
            ),
            ("The learning rate is too high.", "Before the first step it has had no effect yet."),
            (
                "The tied embeddings were drawn too large, so the first softmax is far too sure.",
                "With a standard deviation of 1 instead of .02, logits are huge from the start.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="5.q5",
        prompt="`nn.Transformer(64, 4, 2)` builds ...",
        options=(
            (
                "2 encoder layers and 6 decoder layers with 4 heads each.",
                "The second argument is the number of heads, the third the encoder's depth alone.",
            ),
            ("an encoder of 4 layers with 2 heads.", "The order is d_model, nhead, then depths."),
            (
                "2 encoder and 2 decoder layers.",
                "The decoder's depth is a fourth argument, 6 by default.",
            ),
        ),
        answer=0,
    ),
)
