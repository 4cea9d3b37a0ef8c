"""Lesson 2: attention masks. References are the package's own functions where it has them."""

import math

import torch
from torch import Tensor

from mlm_course.attention import (
    causal_mask,
    masked_softmax,
    padding_mask,
    same_document_mask,
)
from mlm_course.practice.exercise import Exercise, Misconception, Question

TITLE = "Attention masks"


def causal_and_padding(lengths: Tensor, size: int) -> Tensor:
    return causal_mask(size) & padding_mask(lengths, size)


def additive_mask(attention_mask: Tensor) -> Tensor:
    return torch.zeros(attention_mask.shape).masked_fill(~attention_mask, -math.inf)


def _scores_and_mask(g: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, H, T, S) scores and a (B, 1, T, S) mask that leaves every query at least one key."""
    scores = 2 * torch.randn(2, 3, 5, 6, generator=g)
    mask = torch.rand(2, 1, 5, 6, generator=g) < 0.5
    return scores, mask | (torch.arange(6) == torch.randint(6, (1,), generator=g))


def _with_empty_queries(g: torch.Generator) -> tuple[Tensor, Tensor]:
    scores, mask = _scores_and_mask(g)
    mask[0, :, 1] = False
    mask[1, :, 4] = False
    return scores, mask


def _lengths(g: torch.Generator) -> tuple[Tensor, int]:
    """Three lengths up to 6, always with a full row and an empty one."""
    return torch.tensor([6, int(torch.randint(1, 6, (1,), generator=g)), 0]), 6


def _documents(g: torch.Generator) -> tuple[Tensor]:
    """(B, T) document numbers that grow from left to right; the two rows differ."""
    return ((torch.rand(2, 7, generator=g) < 0.4).long().cumsum(-1),)


def _where(closed: Tensor, scores: Tensor, value: float = -math.inf) -> Tensor:
    return scores.masked_fill(closed, value).softmax(-1)


BEFORE_SOFTMAX = (
    "The weights were set to zero after softmax, so they no longer sum to 1. Close the scores with "
    "-inf first, then take the softmax."
)
UPSIDE_DOWN = (
    "The mask is upside down: True means may attend, and masked_fill writes where its mask is True. "
    "Use ~attention_mask."
)

EXERCISES = (
    Exercise(
        id="2.1",
        minutes=6,
        prompt="Masked weights",
        reference=masked_softmax,
        inputs=_scores_and_mask,
        hints=(
            "Which score makes exp(score) exactly 0? Give it to the closed keys before softmax.",
            "scores.masked_fill(closed, value) writes value where closed is True; closed broadcasts.",
            "return scores.masked_fill(~attention_mask, -math.inf).softmax(-1)",
        ),
        misconceptions=(
            Misconception(lambda s, m: s.softmax(-1) * m, BEFORE_SOFTMAX),
            Misconception(lambda s, m: _where(m, s), UPSIDE_DOWN),
            Misconception(
                lambda s, m: (s * m).softmax(-1),
                "A closed key got the score 0, and exp(0) is 1: it is still heard. The score has to "
                "be minus infinity.",
            ),
            Misconception(
                lambda s, m: s.masked_fill(~m, -math.inf).softmax(-2).nan_to_num(0),
                "Softmax runs over the queries. Each query's weights should sum to 1 over the keys, "
                "the last axis.",
            ),
            Misconception(
                lambda s, m: s.masked_fill(~m, -math.inf),
                "These are the masked scores. One step is left: softmax over the keys.",
            ),
        ),
    ),
    Exercise(
        id="2.2",
        minutes=8,
        prompt="Padding mask",
        reference=padding_mask,
        inputs=_lengths,
        hints=(
            "Place s holds a word if s is smaller than the row's length. Compare all places with all "
            "lengths at once.",
            "torch.arange(size) is (S,), lengths[:, None] is (B, 1); comparing them gives (B, S). The "
            "result needs two more axes in the middle.",
            "return (torch.arange(size) < lengths[:, None])[:, None, None, :]",
        ),
        misconceptions=(
            Misconception(
                lambda n, size: (torch.arange(size) < n[:, None])[:, None, :, None],
                "This closes rows: padding may not listen, but everybody still listens to padding. "
                "Close the keys, the last axis: (B, 1, 1, S).",
            ),
            Misconception(
                lambda n, size: (torch.arange(size) <= n[:, None])[:, None, None, :],
                "Off by one: places are counted from 0, so a row with 3 words uses the places 0, 1 "
                "and 2.",
            ),
            Misconception(
                lambda n, size: (torch.arange(size) >= n[:, None])[:, None, None, :],
                "Upside down: this is True at the padding. True should mean may attend.",
            ),
            Misconception(
                lambda n, size: torch.arange(size) < n[:, None],
                "Right values, but (B, S) would broadcast against (B, H, T, S) in the wrong places. "
                "Add two axes: [:, None, None, :].",
            ),
        ),
    ),
    Exercise(
        id="2.3",
        minutes=5,
        prompt="Causal mask",
        reference=causal_mask,
        inputs=lambda g: (int(torch.randint(4, 8, (1,), generator=g)),),
        hints=(
            "Draw the table for three words: which of its nine places are open?",
            "A boolean (size, size) matrix, True on the diagonal and below it.",
            "return torch.ones(size, size, dtype=torch.bool).tril()",
        ),
        misconceptions=(
            Misconception(
                lambda size: torch.ones(size, size, dtype=torch.bool).triu(),
                "This opens the future and closes the past. Rows are queries: row t should be True "
                "at the columns 0 to t.",
            ),
            Misconception(
                lambda size: torch.ones(size, size, dtype=torch.bool).tril(-1),
                "A word may not listen to itself here, and the first word hears nothing at all. The "
                "diagonal is open.",
            ),
            Misconception(
                lambda size: torch.ones(size, size, dtype=torch.bool).tril(1),
                "One place too far: every query sees the word right behind it, which is the answer.",
            ),
            Misconception(
                lambda size: torch.ones(size, size, dtype=torch.bool).triu(1),
                "Upside down: True means may attend here. (nn.MultiheadAttention reads it your way.)",
            ),
        ),
    ),
    Exercise(
        id="2.4",
        minutes=5,
        prompt="Causal and padding",
        reference=causal_and_padding,
        inputs=_lengths,
        hints=(
            "A place is open if both masks leave it open. Which operator says that for booleans?",
            "(size, size) and (B, 1, 1, size) broadcast to (B, 1, size, size) by themselves.",
            "return causal_mask(size) & padding_mask(lengths, size)",
        ),
        misconceptions=(
            Misconception(
                lambda n, size: causal_mask(size) | padding_mask(n, size),
                "With `|` a place is open if *one* of the masks opens it. Both have to: use `&`.",
            ),
            Misconception(
                lambda n, size: padding_mask(n, size).expand(-1, 1, size, -1),
                "Only the padding is closed: the future is still open.",
            ),
            Misconception(
                lambda n, size: causal_mask(size).expand(len(n), 1, -1, -1),
                "Only the future is closed: padding is still heard.",
            ),
            Misconception(
                lambda n, size: (
                    causal_mask(size) & padding_mask(n, size) & padding_mask(n, size).mT
                ),
                "The rows of padding queries are closed as well. They are harmless, and a query with "
                "nothing to hear makes trouble (section 6): close keys only.",
            ),
        ),
    ),
    Exercise(
        id="2.5",
        minutes=9,
        prompt="Texts that share a row",
        reference=same_document_mask,
        inputs=_documents,
        hints=(
            "Compare each token's document number with each other token's. Broadcasting makes a "
            "table of all pairs.",
            "documents[:, :, None] is (B, T, 1) and documents[:, None, :] is (B, 1, T).",
            "return (documents[:, :, None] == documents[:, None, :])[:, None]",
        ),
        misconceptions=(
            Misconception(
                lambda d: d[:, :, None] == d[:, None, :],
                "The table is right, but an axis for the heads is missing: (B, 1, T, T), so that it "
                "broadcasts to all heads. Add [:, None].",
            ),
            Misconception(
                lambda d: (d[:, :, None] >= d[:, None, :])[:, None],
                "A later text may listen to the earlier ones here. Only the same text: ==.",
            ),
            Misconception(
                lambda d: (d[:, :, None] == d[:, None, :])[:, None] & causal_mask(d.shape[1]),
                "The future is closed as well. That is another mask: here both directions are open "
                "within a text.",
            ),
            Misconception(
                lambda d: (d[:, :, None] != d[:, None, :])[:, None],
                "Upside down: this is True where the texts differ.",
            ),
            Misconception(
                lambda d: (d[:1, :, None] == d[:1, None, :])[:, None].expand(len(d), -1, -1, -1),
                "Every row of the batch got the mask of the first one. Keep the batch axis: "
                "documents[:, :, None], not documents[0].",
            ),
        ),
    ),
    Exercise(
        id="2.6",
        minutes=9,
        prompt="Softmax with a safety net",
        reference=masked_softmax,
        inputs=_with_empty_queries,
        hints=(
            "Compute the weights as in 2.1, then repair the rows of queries that may attend to "
            "nothing.",
            "attention_mask.any(-1, keepdim=True) is (B, 1, T, 1): True for the queries to keep.",
            "return weights.masked_fill(~attention_mask.any(-1, keepdim=True), 0.0)",
        ),
        misconceptions=(
            Misconception(
                lambda s, m: _where(~m, s),
                "Right wherever a query hears something, but nan where it hears nothing. Set those "
                "rows to 0.",
            ),
            Misconception(
                lambda s, m: _where(~m, s, -1e9),
                "With -1e9 an empty query listens evenly to everything it must not hear. Its weights "
                "should all be 0.",
            ),
            Misconception(lambda s, m: s.softmax(-1) * m, BEFORE_SOFTMAX),
            Misconception(
                lambda s, m: _where(~m, s).masked_fill(m.any(-1, keepdim=True), 0.0),
                "You set the queries that *do* hear something to zero. The others need it: ~ in front "
                "of any.",
            ),
            Misconception(
                lambda s, m: _where(~m, s).masked_fill(~m.all(-1, keepdim=True), 0.0),
                "Every query with *some* closed key was set to zero. Only those with no open key at "
                "all: `any`, not `all`.",
            ),
            Misconception(lambda s, m: _where(m, s).nan_to_num(0.0), UPSIDE_DOWN),
        ),
    ),
    Exercise(
        id="2.7",
        minutes=4,
        prompt="An additive mask",
        reference=additive_mask,
        inputs=lambda g: (_scores_and_mask(g)[1],),
        hints=(
            "Start from zeros and write -inf into the closed places.",
            "torch.zeros(attention_mask.shape) has the right shape and the right dtype.",
            "return torch.zeros(attention_mask.shape).masked_fill(~attention_mask, -math.inf)",
        ),
        misconceptions=(
            Misconception(
                lambda m: (~m).float() * -math.inf,
                "0 times minus infinity is nan, so every open place became nan. Use masked_fill or "
                "torch.where.",
            ),
            Misconception(
                lambda m: torch.zeros(m.shape).masked_fill(m, -math.inf),
                "Upside down: the places where a query may attend got -inf.",
            ),
            Misconception(
                lambda m: m.float(),
                "Added to the scores, 1 and 0 change little: exp(1) is just 2.7 times exp(0). Closed "
                "places need minus infinity.",
            ),
            Misconception(
                lambda m: torch.zeros_like(m).masked_fill(~m, -math.inf),
                "zeros_like of a boolean mask is boolean too, and a boolean cannot hold -inf. Start "
                "from torch.zeros(attention_mask.shape).",
            ),
            Misconception(
                lambda m: torch.zeros(m.shape).masked_fill(~m, -1e9),
                "-1e9 is nearly right, but a query with nothing to hear would listen to everything "
                "(section 6). Use -math.inf.",
            ),
            Misconception(
                lambda m: torch.ones(m.shape).masked_fill(~m, -math.inf),
                "Open places got 1. That cancels in softmax, but an additive mask adds 0 where nothing "
                "is closed.",
            ),
        ),
    ),
)

QUIZ = (
    Question(
        id="2.q1",
        prompt="Why minus infinity before softmax, and not zero after it?",
        options=(
            ("Zero after softmax is slower.", "Both are quick. It is the result that differs."),
            (
                "So that the remaining weights still sum to 1.",
                "Softmax shares out the full 1 among the keys that are left.",
            ),
            ("So that no weight is negative.", "Softmax never gives a negative weight."),
        ),
        answer=1,
    ),
    Question(
        id="2.q2",
        prompt="A padding mask has the shape (B, 1, 1, S). Why the ones?",
        options=(
            (
                "The same keys are closed for every head and every query, and broadcasting repeats "
                "them.",
                "Heads and queries do not change where the padding is.",
            ),
            ("Padding is only one token long.", "Padding may be any number of tokens, up to S."),
            (
                "PyTorch accepts nothing else.",
                "It accepts whatever broadcasts to (B, H, T, S), the full shape included.",
            ),
        ),
        answer=0,
    ),
    Question(
        id="2.q3",
        prompt="Your left-to-right model reaches a loss of 0.01 on random sentences. What do you do first?",
        options=(
            ("Celebrate, then train on more data.", "Nobody can guess random names that well."),
            (
                "Train for longer, to be sure.",
                "A leak gets better and better with training, which proves nothing.",
            ),
            (
                "Change the end of a sentence and see whether earlier outputs move.",
                "If they do, the future leaks into the past, and the loss means nothing.",
            ),
        ),
        answer=2,
    ),
    Question(
        id="2.q4",
        prompt="In BERT's input some words were replaced by [MASK]. Who may attend to [MASK]?",
        options=(
            (
                "Nobody: it is masked.",
                "That mixes up the two masks. [MASK] is a token like others.",
            ),
            (
                "Everybody, and it attends to everybody.",
                "It must listen, since a word has to be guessed at its place.",
            ),
            ("Only [MASK] itself.", "Then it could learn nothing about the words around it."),
        ),
        answer=1,
    ),
)
