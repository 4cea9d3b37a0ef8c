"""Lesson 1: attention. References are the package's own functions where it has them."""

import math

import torch
from torch import Tensor

from mlm_course.attention import (
    attention_scores,
    join_heads,
    masked_softmax,
    scaled_dot_product_attention,
    split_heads,
)
from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Attention"


def weighted_average(weights: Tensor, values: Tensor) -> Tensor:
    return weights @ values


def multi_head_attention(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, n_heads: int
) -> Tensor:
    q, k, v = (split_heads(x @ w, n_heads) for w in (w_q, w_k, w_v))
    return join_heads(scaled_dot_product_attention(q, k, v)[0]) @ w_o


def _random_weights(g: torch.Generator) -> Tensor:
    return torch.randn(2, 3, 5, 7, generator=g).softmax(-1)  # (B, H, T, S)


def _qkv(g: torch.Generator) -> tuple[Tensor, ...]:
    shapes = (2, 3, 5, 6), (2, 3, 7, 6), (2, 3, 7, 4)  # T, S, D and E all differ
    return tuple(torch.randn(shape, generator=g) for shape in shapes)


def _mixed_scores(g: torch.Generator) -> tuple[Tensor]:
    """Scores of very different sizes: around 500, around -500, and one key far above the others."""
    scores = 3 * torch.randn(2, 4, 6, generator=g)
    scores[:, 1] += 500
    scores[:, 2] -= 500
    scores[:, 3, 0] += 1000
    return (scores,)


def _small_scores(scores: Tensor) -> Tensor:
    return scores.exp() / scores.exp().sum(-1, keepdim=True)


def _multi_head_inputs(g: torch.Generator) -> tuple:
    matrices = (torch.randn(12, 12, generator=g) / 3 for _ in range(4))
    return (torch.randn(4, 5, 12, generator=g), *matrices, 3)


def _reshaped(x: Tensor, n_heads: int) -> Tensor:
    """Heads cut with a bare reshape, which mixes tokens."""
    B, T, M = x.shape
    return x.reshape(B, n_heads, T, M // n_heads)


def _wrong_heads(
    scale_by_width=False, mixed_join=False, no_output=False, shared=False, split=split_heads
):
    """Multi-head attention with one thing wrong."""

    def attend(x, w_q, w_k, w_v, w_o, n_heads):
        q = split(x @ w_q, n_heads)
        k = split(x @ (w_q if shared else w_k), n_heads)
        v = split(x @ w_v, n_heads)
        if scale_by_width:
            q = q / math.sqrt(n_heads)
        mixed = scaled_dot_product_attention(q, k, v)[0]
        joined = mixed.reshape(x.shape) if mixed_join else join_heads(mixed)
        return joined if no_output else joined @ w_o

    return attend


EXERCISES = (
    Exercise(
        id="1.1",
        minutes=4,
        prompt="Many weighted averages at once",
        reference=weighted_average,
        inputs=lambda g: (_random_weights(g), torch.randn(2, 3, 7, 4, generator=g)),
        hints=(
            "Above, one row of weights met the values in a single operation. The same operation "
            "takes many rows.",
            "(..., T, S) and (..., S, D) share S. The result (..., T, D) has lost it.",
            "return weights @ values",
        ),
        misconceptions=(
            Misconception(
                lambda w, v: v.mean(-2, keepdim=True).expand(*v.shape[:-2], w.shape[-2], -1),
                "This is the plain average: every value counts the same, and the weights are "
                "not used.",
            ),
            Misconception(
                lambda w, v: w @ v / w.shape[-1],
                "You divided by the number of keys. The weights sum to 1 already: they are the "
                "division.",
            ),
            Misconception(
                lambda w, v: w.unsqueeze(-1) * v.unsqueeze(-3),
                "You weighted each value, but an average also adds them up: sum over the keys, "
                "the axis S.",
            ),
            Misconception(
                lambda w, v: w / w.sum(-2, keepdim=True) @ v,
                "You rescaled the weights over the queries (axis T). Each *query's* weights sum "
                "to 1 already.",
            ),
        ),
    ),
    Exercise(
        id="1.2",
        minutes=6,
        prompt="Scores on a fair scale",
        reference=attention_scores,
        inputs=lambda g: _qkv(g)[:2],
        hints=(
            "What happens to the spread of a dot product when D becomes four times as large? "
            "Undo that.",
            "Swap the last two axes of k; then q @ k has one row a query and one column a key.",
            "return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])",
        ),
        misconceptions=(
            Misconception(
                lambda q, k: q @ k.mT,
                "The right products, but not scaled: with D = 64 softmax would be nearly "
                "all-or-nothing.",
            ),
            Misconception(
                lambda q, k: q @ k.mT / q.shape[-1],
                "You divided by D. The spread grows with the square root of D.",
            ),
            Misconception(
                lambda q, k: q @ k.mT / math.sqrt(k.shape[-2]),
                "You scaled by the number of keys. The spread comes from D, how many "
                "numbers a vector has.",
            ),
            Misconception(
                lambda q, k: q @ k.mT / 8,
                "You divided by a fixed number, perhaps sqrt(64) from the sentence above. D is the "
                "number of components of *these* vectors: q.shape[-1].",
            ),
            Misconception(
                lambda q, k: q @ k.mT * math.sqrt(q.shape[-1]),
                "You multiplied by sqrt(D), which makes the spread grow even faster. Divide.",
            ),
            Misconception(
                lambda q, k: q @ k.mT / q.norm(dim=-1, keepdim=True) / k.norm(dim=-1)[..., None, :],
                "That is the cosine: it also forgets how long each vector is. Divide all dot products "
                "by the same number, sqrt(D).",
            ),
            Misconception(
                lambda q, k: attention_scores(q, k).softmax(-1),
                "These are weights already. Return the scores; softmax comes in the next exercise.",
            ),
            Misconception(
                lambda q, k: attention_scores(k, q),
                "Queries and keys have changed places: the result needs one row a query, one "
                "column a key.",
            ),
        ),
    ),
    Exercise(
        id="1.3",
        minutes=9,
        prompt="Softmax that survives large scores",
        reference=masked_softmax,
        inputs=_mixed_scores,
        hints=(
            "Adding the same number to all scores of a query changes nothing. Which number makes "
            "exp safe?",
            "Subtract each query's own largest score: scores.amax(-1, keepdim=True) is (..., T, 1).",
            "e = (scores - scores.amax(-1, keepdim=True)).exp(); return e / e.sum(-1, keepdim=True)",
        ),
        misconceptions=(
            Misconception(
                _small_scores,
                "Right for small scores, but exp(500) overflows to inf, exp(-500) vanishes, and "
                "the division gives NaN. Subtract each query's largest score first.",
            ),
            Misconception(
                lambda s: s.softmax(-2),
                "Your weights sum to 1 over the queries. Each query needs its own average: "
                "normalise over the keys, the last axis.",
            ),
            Misconception(
                lambda s: _small_scores(s - s.max()),
                "You subtracted the largest score of all. A query whose scores all lie far below "
                "it is left with zeros only, and 0 / 0 is NaN. Subtract each query's own largest.",
            ),
            Misconception(
                lambda s: _small_scores(s - s.mean(-1, keepdim=True)),
                "The mean is not enough: the largest score can still lie far above it, and exp "
                "overflows. Subtract each query's largest score.",
            ),
            Misconception(
                lambda s: (s - s.amax(-1, keepdim=True)).exp(),
                "The exponentials are right and safe, but they do not sum to 1 yet: divide by "
                "their sum.",
            ),
            Misconception(
                lambda s: (-s).softmax(-1),
                "A sign is the wrong way round: the best-matching key gets the smallest weight.",
            ),
        ),
    ),
    Exercise(
        id="1.4",
        minutes=6,
        prompt="Attention",
        reference=scaled_dot_product_attention,
        inputs=_qkv,
        hints=(
            "Three steps you have written already: scores, softmax, weighted average.",
            "scores (..., T, S) -> softmax over S -> weights @ v is (..., T, V).",
            "w = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1); return w @ v, w",
        ),
        misconceptions=(
            Misconception(
                lambda q, k, v: _attend((q @ k.mT).softmax(-1), v),
                "The scores are not divided by sqrt(D).",
            ),
            Misconception(
                lambda q, k, v: _attend((q @ k.mT).softmax(-1) / math.sqrt(q.shape[-1]), v),
                "You divided by sqrt(D) after softmax, so the weights no longer sum to 1. Divide the "
                "scores, before softmax.",
            ),
            Misconception(
                lambda q, k, v: _attend(attention_scores(q, k).softmax(-2), v),
                "Softmax runs over the queries. Each query needs weights that sum to 1 over the "
                "keys, the last axis.",
            ),
            Misconception(
                lambda q, k, v: _attend(attention_scores(q, k).softmax(-1), k),
                "You averaged the keys. Keys only decide the weights; what gets averaged are the "
                "values.",
            ),
            Misconception(
                lambda q, k, v: scaled_dot_product_attention(q, k, v)[0],
                "The output is right. Return the weights as well: `return output, weights`.",
            ),
            Misconception(
                lambda q, k, v: scaled_dot_product_attention(q, k, v)[::-1],
                "Output and weights have changed places: return the output first.",
            ),
            Misconception(
                lambda q, k, v: _attend(attention_scores(q, k), v),
                "Softmax is missing: scores can be negative and do not sum to 1.",
            ),
        ),
    ),
    Exercise(
        id="1.5",
        minutes=10,
        prompt="Split into heads",
        reference=split_heads,
        inputs=lambda g: (torch.randn(2, 5, 12, generator=g), 3),
        hints=(
            "Cut the last axis into two, then bring the axes into the order asked for.",
            "(B, T, H * D) -> reshape to (B, T, H, D) -> swap axes 1 and 2.",
            "return x.reshape(B, T, n_heads, width // n_heads).transpose(1, 2), after "
            "B, T, width = x.shape",
        ),
        misconceptions=(
            Misconception(
                lambda x, h: x.reshape(x.shape[0], h, x.shape[1], -1),
                "The right shape, the wrong content: reshape keeps the numbers in their order, so "
                "each head got pieces of different tokens. Reshape to (B, T, H, D) first, then "
                "swap two axes.",
            ),
            Misconception(
                lambda x, h: x.transpose(1, 2).reshape(x.shape[0], h, x.shape[1], -1),
                "The right shape, the wrong content: the axes were swapped before the vectors were "
                "cut. Reshape to (B, T, H, D) first, then swap T and H.",
            ),
            Misconception(
                lambda x, h: x.reshape(*x.shape[:2], h, -1),
                "This is (B, T, H, D). One step is left: swap T and H, so that each head has its "
                "tokens together.",
            ),
            Misconception(
                lambda x, h: x.reshape(*x.shape[:2], -1, h).permute(0, 3, 1, 2),
                "Each head took every H-th number. The pieces lie one after the other: H comes "
                "before D in the reshape.",
            ),
        ),
    ),
    Exercise(
        id="1.6",
        minutes=18,
        prompt="Multi-head attention",
        reference=multi_head_attention,
        inputs=_multi_head_inputs,
        hints=(
            "Follow the five steps. Only steps 2 and 4 change shapes.",
            "After step 3 you hold (B, H, T, D). Swap H and T back before you reshape to (B, T, M).",
            "return output.transpose(1, 2).reshape(B, T, M) @ w_o",
        ),
        misconceptions=(
            Misconception(
                _wrong_heads(mixed_join=True),
                "The heads were reshaped straight to (B, T, M), which mixes tokens. Swap H and T "
                "back first: .transpose(1, 2).reshape(B, T, M).",
            ),
            Misconception(
                _wrong_heads(no_output=True),
                "All heads are right, but they have not been mixed yet: multiply by w_o at the end.",
            ),
            Misconception(
                _wrong_heads(scale_by_width=True),
                "The scores are divided by sqrt(M). Within a head vectors have D = M / H numbers: "
                "divide by sqrt(D).",
            ),
            Misconception(
                _wrong_heads(shared=True),
                "The keys were made with w_q. Queries and keys need their own matrices, or "
                "listening stays mutual.",
            ),
            Misconception(
                _wrong_heads(split=_reshaped),
                "The split into heads is a bare reshape, which mixes tokens: reshape to (B, T, H, D), "
                "then swap T and H (exercise 1.5).",
            ),
            Misconception(
                lambda x, w_q, w_k, w_v, w_o, n: multi_head_attention(
                    x, w_q.T, w_k.T, w_v.T, w_o.T, n
                ),
                "The matrices were transposed (F.linear does that, too). Here it is simply x @ w_q.",
            ),
            Misconception(
                lambda x, w_q, w_k, w_v, w_o, n: x + multi_head_attention(x, w_q, w_k, w_v, w_o, n),
                "The input was added to the result. That is the residual connection, which lesson 5 "
                "builds around attention. Here return the result alone.",
            ),
            Misconception(
                lambda x, w_q, w_k, w_v, w_o, n_heads: multi_head_attention(
                    x, w_q, w_k, w_v, w_o, 1
                ),
                "This is one head over all M numbers. Split queries, keys and values into n_heads "
                "pieces first.",
            ),
        ),
    ),
)


def _attend(weights: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return weights @ v, weights


QUIZ = (
    Question(
        id="1.q1",
        prompt="Why are the scores divided by sqrt(D)?",
        options=(
            ("So that the weights sum to 1.", "Softmax sees to that, whatever the scores are."),
            (
                "So that softmax does not become all-or-nothing when vectors have more numbers.",
                "The spread of dot products grows like sqrt(D), and softmax turns large "
                "differences into a single 1.",
            ),
            ("To make the computation cheaper.", "A division makes nothing cheaper."),
        ),
        answer=1,
    ),
    Question(
        id="1.q2",
        prompt="A sentence of 10 words attends to a sentence of 7 words. How many weights does one head have?",
        options=(
            ("70: one for each pair.", "T = 10 queries times S = 7 keys."),
            ("17: one for each word.", "Each query has a weight of its own for each key."),
            ("49", "That would be the 7 words attending to themselves."),
        ),
        answer=0,
    ),
    Question(
        id="1.q3",
        prompt="Every box pointed to two boxes. Why was one head not enough?",
        options=(
            ("It had too few numbers to learn.", "Both models had exactly as many."),
            ("It was not trained for long enough.", "The curve had long been flat."),
            (
                "One look gives one average of both boxes, and one matrix could not read both digits "
                "out of it.",
                "Two heads keep the two looks apart. (A small network behind one head could take the "
                "mixture apart as well, later.)",
            ),
        ),
        answer=2,
    ),
    Question(
        id="1.q4",
        prompt="You reverse the order of the tokens. What does attention (without positions) do?",
        options=(
            (
                "It gives the same outputs, in reversed order.",
                "To attention a sentence is a bag of words.",
            ),
            (
                "It gives different outputs, since order matters in language.",
                "It matters in language, but nothing in attention knows about it. Positions have "
                "to be added.",
            ),
            ("It fails.", "It runs without complaint, which is what makes this easy to overlook."),
        ),
        answer=0,
    ),
)
