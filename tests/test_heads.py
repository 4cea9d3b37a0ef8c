"""Heads on an encoder: shapes, padding, what freezing freezes, and the best span by brute force."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_course.models import Encoder, EncoderConfig, MaskedLM
from mlm_course.models.heads import (
    SequenceClassifier,
    SpanExtractor,
    TokenClassifier,
    best_spans,
    mean_over_tokens,
)
from mlm_course.models.inspection import copy_scores, top_answers

CONFIG = EncoderConfig(vocab_size=30, max_length=12, d_model=16, n_layers=2, n_heads=2, dropout=0.1)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(CONFIG).eval()


@pytest.fixture
def ids():
    rows = torch.randint(5, 30, (3, 9), generator=torch.Generator().manual_seed(1))
    rows[0, 5:], rows[2, 7:] = 0, 0
    return rows


def all_heads(encoder, frozen=False):
    return (
        SequenceClassifier(encoder, 4, frozen),
        TokenClassifier(encoder, 5, frozen),
        SpanExtractor(encoder, frozen),
    )


def test_shapes(encoder, ids):
    text, token, span = (head.eval()(ids, ids != 0) for head in all_heads(encoder))
    assert text.shape == (3, 4) and token.shape == (3, 9, 5) and span.shape == (3, 2, 9)


def test_padding_changes_nothing(encoder, ids):
    for head in all_heads(encoder):
        alone = head.eval()(ids[:1, :5])
        padded = head(ids, ids != 0)[:1]
        if isinstance(head, TokenClassifier):
            padded = padded[:, :5]
        if isinstance(head, SpanExtractor):
            padded = padded[..., :5]
        torch.testing.assert_close(padded, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_freezing_holds_the_encoder_and_only_it(encoder, ids, frozen):
    for head in all_heads(encoder, frozen):
        before = {name: p.clone() for name, p in head.named_parameters()}
        optimizer = torch.optim.SGD([p for p in head.parameters() if p.requires_grad], lr=0.1)
        head.train()
        head(ids, ids != 0).square().mean().backward()
        optimizer.step()
        moved = {name for name, p in head.named_parameters() if not p.equal(before[name])}
        assert "output.weight" in moved
        assert any(name.startswith("encoder.") for name in moved) is not frozen


def test_a_frozen_encoder_stays_without_dropout_in_training(encoder, ids):
    head = SequenceClassifier(encoder, 2, frozen=True).train()
    assert head.training and not head.encoder.training
    assert head(ids).equal(head(ids))
    loose = SequenceClassifier(encoder, 2).train()
    assert not loose(ids).equal(loose(ids))


def test_several_heads_start_from_one_checkpoint_and_leave_it_alone(encoder, ids):
    before = {name: p.clone() for name, p in encoder.state_dict().items()}
    first, second = (SequenceClassifier(encoder, 2) for _ in range(2))
    first(ids).sum().backward()
    torch.optim.SGD(first.parameters(), lr=1.0).step()
    assert all(p.equal(before[name]) for name, p in encoder.state_dict().items())
    assert all(p.equal(before[name]) for name, p in second.encoder.state_dict().items())
    assert all(p.requires_grad for p in encoder.parameters())


def test_a_whole_language_model_is_no_encoder():
    with pytest.raises(TypeError, match=r"pass its \.encoder"):
        SequenceClassifier(MaskedLM(CONFIG), 2)


def test_scores_outside_the_context_are_minus_infinity(encoder, ids):
    context = torch.zeros_like(ids, dtype=torch.bool)
    context[:, 3:6] = True
    logits = SpanExtractor(encoder).eval()(ids, ids != 0, context)
    assert (logits.isinf() == ~context[:, None].expand(-1, 2, -1)).all()


def test_mean_over_tokens_by_hand():
    x = torch.tensor([[[1.0, 4.0], [3.0, 0.0], [100.0, 100.0]]])
    visible = torch.tensor([[True, True, False]])
    assert mean_over_tokens(x, visible).tolist() == [[2.0, 2.0]]
    assert mean_over_tokens(x, visible & False).tolist() == [[0.0, 0.0]]
    assert mean_over_tokens(x).tolist() == x.mean(1).tolist()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 9))
def test_the_best_span_is_the_best_of_all_pairs(seed, size, longest):
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 2, size, generator=g)
    outside = torch.rand(2, size, generator=g) < 0.3
    outside[:, 0] = False
    logits = logits.masked_fill(outside[:, None], -math.inf)
    for row, (first, last) in zip(logits, best_spans(logits, longest).tolist(), strict=True):
        pairs = [(i, j) for i in range(size) for j in range(i, min(i + longest, size))]
        totals = [(row[0, i] + row[1, j]).item() for i, j in pairs]
        assert (first, last) in pairs
        assert (row[0, first] + row[1, last]).item() == max(totals)


def test_a_mask_of_tokens_may_have_four_axes(encoder):
    """Where B = T and more than padding is closed, the sentence asks for them."""
    ids = torch.arange(5, 14).view(3, 3)
    visible = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]]) > 0
    for head in all_heads(encoder):
        with pytest.raises(ValueError, match=r"visible\[:, None, None\] for tokens"):
            head(ids, visible)
        head.eval()
        expected = head(torch.cat([ids, ids[:1]]), torch.cat([visible, visible[:1]]))[:3]
        assert torch.allclose(head(ids, visible[:, None, None]), expected, atol=1e-6)
        with pytest.raises(ValueError, match="one entry a token"):
            head(ids, visible[None, None])


def test_masks_of_another_kind_end_in_a_sentence(encoder, ids):
    head, span = SequenceClassifier(encoder, 2), SpanExtractor(encoder)
    square = ids[:, :3].masked_fill(torch.ones(3, 3).triu(1) > 0, 9)
    for call, sentence in (
        (lambda: head(ids, (ids != 0).long()), "visible must be a tensor of dtype torch.bool"),
        (lambda: head(ids, (ids != 0)[:, None]), "visible has shape (3, 1, 9), but the ids"),
        (lambda: head(square, torch.ones(3, 3).tril() > 0), "is it for tokens (B, T) or for pairs"),
        (
            lambda: span(ids, None, (ids != 0).float()),
            "context must be a tensor of dtype torch.bool",
        ),
        (lambda: span(ids, None, (ids != 0)[:1]), "context has shape (1, 9), but ids has (3, 9)"),
        (
            lambda: mean_over_tokens(torch.ones(2, 3, 4), torch.ones(2, 4) > 0),
            "(B, T) = (2, 3), not",
        ),
        (lambda: SequenceClassifier(encoder, 0), "n_outputs must be at least 1, not 0."),
        (lambda: best_spans(torch.full((1, 2, 3), math.nan), 2), "logits contain NaN"),
        (lambda: best_spans(torch.zeros(1, 3, 3), 2), "logits must have shape (B, 2, T), not"),
        (lambda: best_spans(torch.zeros(1, 2, 3), 0), "longest must be at least 1, not 0."),
    ):
        with pytest.raises((TypeError, ValueError)) as error:
            call()
        assert sentence in str(error.value)
    assert best_spans(torch.zeros(0, 2, 3), 2).shape == (0, 2)


def test_answers_without_a_best_end_in_a_sentence():
    for logits, k, sentence in (
        (torch.tensor([[0.0, math.nan]]), 1, "logits contain NaN or inf"),
        (torch.full((1, 2), -math.inf), 1, "a row of -inf"),
        (torch.zeros(1, 2), 3, "k must be from 1 to 2, not 3."),
    ):
        with pytest.raises(ValueError, match=sentence):
            top_answers(logits, k)
    assert top_answers(torch.tensor([[0.0, -math.inf]]), 2)[0].tolist() == [[1.0, 0.0]]
    with pytest.raises(ValueError, match=r"mention has shape \(1, 2, 2\), which is not"):
        copy_scores(torch.ones(2, 1, 2, 2), torch.ones(1, 2, 2) > 0)
