"""Masked autoencoders for text: what the encoder never sees, and where each vector goes."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mlm_course import probing
from mlm_course.corpora import tinyworld
from mlm_course.corruption import MASK_ONLY, Corrupted, DynamicMasking, Masker
from mlm_course.experiments import _rivals
from mlm_course.experiments import text_mae as experiment
from mlm_course.models import (
    EncoderConfig,
    RetroMAE,
    StackConfig,
    TextMAE,
    TextMAEConfig,
    seeded_init,
)
from mlm_course.models.heads import SequenceClassifier
from mlm_course.models.storage import load_model, save_model
from mlm_course.models.text_mae import keep_visible
from mlm_course.probing import effective_rank
from mlm_course.training import Recipe, RetroRows, fit, masked_lm_loss, retro_mae_loss

V, T = 30, 12
PAD, CLS, MASK = 0, 2, 4
SIZES = {"vocab_size": V, "max_length": T, "d_model": 16, "n_layers": 2, "n_heads": 2}
CONFIG = TextMAEConfig(**SIZES, decoder=StackConfig(d_model=8, n_layers=1, n_heads=2))
QUICK = settings(deadline=None, max_examples=50, derandomize=True)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def perturbed(model, seed=1):
    """The model with weights large enough that every difference shows."""
    g = seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=g))
    return model.eval()


@pytest.fixture
def model():
    return perturbed(seeded_init(TextMAE, CONFIG))


@pytest.fixture
def rows():
    """Three rows, one of them with padding, and what is hidden."""
    ids = torch.randint(5, V, (3, T), generator=seeded(2))
    ids[:, 0], ids[2, 8:] = CLS, PAD
    masked = torch.zeros(3, T, dtype=torch.bool)
    masked[0, [3, 4, 9]], masked[1, [1, 2, 5, 6, 11]], masked[2, [2, 7]] = True, True, True
    return ids, masked, ids != PAD


@st.composite
def gaps(draw):
    B, size = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    lengths = draw(st.lists(st.integers(1, size), min_size=B, max_size=B))
    bits = draw(st.lists(st.booleans(), min_size=B * size, max_size=B * size))
    text = torch.arange(size) < torch.tensor(lengths)[:, None]
    ids = torch.arange(5, 5 + B * size).view(B, size).masked_fill(~text, PAD)
    return ids, torch.tensor(bits).view(B, size) & text, text


@QUICK
@given(gaps())
def test_kept_are_the_visible_tokens_in_order_and_where_they_stood(example):
    ids, masked, text = example
    kept = keep_visible(ids, masked, text)
    real = torch.ones_like(kept.ids, dtype=torch.bool) if kept.real is None else kept.real
    for b in range(len(ids)):
        places = (text[b] & ~masked[b]).nonzero()[:, 0]
        assert torch.equal(kept.positions[b][real[b]], places)
        assert torch.equal(kept.ids[b][real[b]], ids[b][places])
    assert kept.ids.shape[1] == max(1, int((text & ~masked).sum(1).max()))
    assert (kept.ids[~real] == PAD).all()


@QUICK
@given(gaps())
def test_ids_restore_puts_each_token_back_where_it_stood(example):
    ids, masked, text = example
    kept = keep_visible(ids, masked, text)
    filler = torch.full((len(ids), ids.shape[1] - kept.ids.shape[1]), PAD)
    restored = torch.cat([kept.ids, filler], 1).gather(1, kept.ids_restore)
    assert torch.equal(restored, ids.masked_fill(masked, PAD))


def test_rows_with_equally_many_visible_tokens_need_no_mask():
    masked = torch.tensor([[False, True, False], [True, False, False]])
    assert keep_visible(torch.ones(2, 3, dtype=torch.long), masked).real is None


def test_what_stands_at_hidden_places_has_no_influence(model, rows):
    ids, masked, text = rows
    nonsense = ids.where(~masked, 5 + (ids - 4) % (V - 5))
    assert (ids != nonsense).sum() == masked.sum()
    for other in (nonsense, ids.masked_fill(masked, MASK), ids.masked_fill(masked, PAD)):
        assert torch.equal(model(ids, text, masked), model(other, text, masked))


def test_nothing_visible_tells_nothing(model, rows):
    ids, _, text = rows
    masked = text.clone()
    masked[1:, 0] = False
    answers = model(ids, text, masked)
    assert answers.isfinite().all()
    nonsense = ids.where(~masked, 5 + (ids - 4) % (V - 5))
    torch.testing.assert_close(answers, model(nonsense, text, masked))
    alone = model(ids[:1], text[:1], masked[:1])
    torch.testing.assert_close(answers[:T], alone)
    assert not torch.allclose(alone[0], alone[1])  # the places still differ


def test_padding_and_company_have_no_influence(model, rows):
    ids, masked, text = rows
    together = model(ids, text, masked)
    one_by_one = [
        model(i[t][None], None, h[t][None]) for i, h, t in zip(ids, masked, text, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(one_by_one), atol=1e-5, rtol=1e-4)


def test_visible_words_do_have_influence_wherever_they_stand(model, rows):
    ids, masked, text = rows
    before = model(ids, text, masked)
    other = ids.clone()
    other[0, 7] = 5 + (ids[0, 7] - 4) % (V - 5)
    after = model(other, text, masked)
    assert (before != after).any(1)[:3].all() and torch.equal(before[3:], after[3:])


def test_the_places_count_not_the_order_among_those_left():
    """The same words left over with gaps elsewhere are another question."""
    model = perturbed(seeded_init(TextMAE, CONFIG))
    ids = torch.tensor([[CLS, 7, 8, 9, 9], [CLS, 7, 9, 8, 9]])
    masked = torch.tensor([[0, 0, 0, 1, 0], [0, 0, 1, 0, 0]]).bool()
    kept = keep_visible(ids, masked)
    assert torch.equal(kept.ids[0], kept.ids[1])
    latent = model.encode(kept)
    assert not torch.allclose(latent[0], latent[1], atol=1e-3)
    assert not torch.allclose(*model(ids, None, masked), atol=1e-3)


def test_decoding_puts_each_latent_at_its_own_place(model, rows):
    """With a decoder that does nothing, what comes out is what was put in, in its place."""
    ids, masked, text = rows
    model.decoder = torch.nn.Module()
    model.decoder.forward = lambda x, mask: x
    model.to_decoder, model.from_decoder = torch.nn.Identity(), torch.nn.Identity()
    kept = keep_visible(ids, masked, text)
    latent = torch.randn(*kept.ids.shape, 8, generator=seeded(3))
    x = model.decode(latent, kept, text) - model.decoder_positions.weight
    for b in range(3):
        places = (text[b] & ~masked[b]).nonzero()[:, 0]
        torch.testing.assert_close(x[b, places], latent[b, : len(places)])
        gone = (~text[b] | masked[b]).nonzero()[:, 0]
        torch.testing.assert_close(x[b, gone], model.mask_token[0].expand(len(gone), -1))


def test_gradients_reach_every_part(model, rows):
    ids, masked, _ = rows
    masked_lm_loss(model, Corrupted(ids, ids.where(masked, -100), masked))[0].backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert model.mask_token.grad.abs().sum() > 0
    used = model.encoder.embeddings.position.weight.grad.any(1)  # (T,)
    visible = ((~masked) & (ids != PAD)).any(0)
    assert torch.equal(used, visible)


def test_it_needs_hidden_and_says_what_it_cannot_do(model, rows):
    ids, masked, _ = rows
    with pytest.raises(ValueError, match="needs `masked`"):
        model(ids)
    with pytest.raises(ValueError, match="no segments"):
        model(ids, None, masked, segments=torch.zeros_like(ids))
    long = torch.ones(1, T + 1, dtype=torch.long)
    with pytest.raises(ValueError, match=f"positions for {T} only"):
        model(long, None, long == 0)


def test_heads_stand_on_its_encoder(model, rows):
    ids, _, text = rows
    assert SequenceClassifier(model.encoder, 2)(ids, text).shape == (3, 2)


def test_a_stored_model_answers_the_same(model, rows, tmp_path):
    ids, masked, text = rows
    save_model(model, tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert isinstance(again, TextMAE) and again.config == CONFIG
    assert torch.equal(model(ids, text, masked), again(ids, text, masked))


@pytest.mark.slow
def test_it_learns_texts_by_heart():
    ids = torch.randint(5, V, (4, T), generator=seeded(4))
    ids[:, 0] = CLS
    masker = Masker(V, range(5), MASK, ratio=0.4, proportions=MASK_ONLY)
    recipe = Recipe(steps=80, batch_size=4, optimizer="adamw", lr=1e-2, schedule="constant")
    data = DynamicMasking(masker, ids, seed=0)
    history = fit(seeded_init(TextMAE, CONFIG), data, masked_lm_loss, recipe)
    assert history.losses[0] > 3 and sum(history.losses[-5:]) / 5 < 2


# RetroMAE


@pytest.fixture
def retro():
    return perturbed(seeded_init(RetroMAE, EncoderConfig(**SIZES)))


def seen_by(text, seed=5):
    return (torch.rand(*text.shape, T, generator=seeded(seed)) > 0.5) & text[:, None]


def test_retro_rows_are_drawn_for_each_place_and_never_show_it_itself():
    ids = torch.randint(5, V, (40, T), generator=seeded(6))
    masker = Masker(V, range(5), MASK, ratio=0.3, proportions=MASK_ONLY)
    rows = RetroRows(DynamicMasking(masker, ids, seed=0), seed=0, ratio=0.6)
    batch = rows(torch.arange(40), 0)
    assert len(rows) == 40 and batch.seen.shape == (40, T, T)
    assert not batch.seen.diagonal(dim1=1, dim2=2).any()
    others = ~torch.eye(T, dtype=torch.bool)
    assert batch.seen[:, others].float().mean() == pytest.approx(0.4, abs=0.02)
    assert not torch.equal(batch.seen[:, 0, 2:], batch.seen[:, 1, 2:])
    again, other = rows(torch.tensor([7, 3]), 0), rows(torch.arange(40), 1)
    assert torch.equal(again.seen, batch.seen[[7, 3]])
    assert torch.equal(again.input_ids, batch.input_ids[[7, 3]])
    assert not torch.equal(other.seen, batch.seen)


def test_retro_a_place_answers_from_the_sentence_and_what_it_sees_alone(retro, rows):
    ids, _, text = rows
    seen = seen_by(text) & ~torch.eye(T, dtype=torch.bool)
    sentence = torch.randn(3, 16, generator=seeded(7))
    before = retro.restore(sentence, ids, seen)
    for place in range(1, T):
        other = ids.clone()
        other[:, place] = 5 + (ids[:, place] - 4) % (V - 5)
        changed = (retro.restore(sentence, other, seen) - before).abs().amax(-1) > 1e-6  # (B, T)
        assert torch.equal(changed, seen[:, :, place])  # never at the place itself


def test_retro_all_else_comes_from_the_sentence_vector(retro, rows):
    ids, _, _ = rows
    nothing = torch.zeros(3, T, T, dtype=torch.bool)
    sentence = torch.randn(3, 16, generator=seeded(7))
    before = retro.restore(sentence, ids, nothing)
    other_words = torch.randint(5, V, ids.shape, generator=seeded(8))
    assert torch.equal(before, retro.restore(sentence, other_words, nothing))
    first = nothing.clone()
    first[..., 0] = True  # all see the sentence's place, whatever `seen` says
    assert torch.equal(before, retro.restore(sentence, ids, first))
    moved = retro.restore(sentence + torch.eye(3, 16)[:1], ids, nothing)
    assert ((moved - before).abs().amax(-1) > 1e-6).all()


def test_retro_encoder_is_a_masked_lm_that_sees_mask(retro, rows):
    ids, masked, text = rows
    shown = ids.masked_fill(masked, MASK)
    guesses, restored = retro(shown, text, masked, ids, seen_by(text))
    torch.testing.assert_close(guesses, retro.masked_lm(shown, text, masked))
    assert restored.shape == (3, T, V)
    assert retro.encoder is retro.masked_lm.encoder


def test_retro_loss_asks_for_hidden_words_and_in_the_decoder_for_all_ordinary_ones(retro, rows):
    ids, masked, text = rows
    shown, labels = ids.masked_fill(masked, MASK), ids.where(masked, -100)
    seen = seen_by(torch.ones_like(text))
    loss, count = retro_mae_loss(retro, (shown, labels, masked, seen))
    x = retro.encoder(shown, text)
    guesses = retro.masked_lm.logits(x[masked])
    restored = retro.masked_lm.logits(retro.restore(x[:, 0], ids, seen & text[:, None]))
    ordinary = ids > MASK
    expected = F.cross_entropy(guesses, ids[masked]) + F.cross_entropy(
        restored[ordinary], ids[ordinary]
    )
    assert count == 3
    torch.testing.assert_close(loss / count, expected)


def test_retro_loss_without_anything_hidden_is_the_decoders(retro, rows):
    ids, masked, text = rows
    nothing, labels = torch.zeros_like(masked), torch.full_like(ids, -100)
    loss, _ = retro_mae_loss(retro, (ids, labels, nothing, seen_by(text)))
    assert loss.isfinite() and loss > 0


# The experiment


def test_directions_needed_counts_the_largest_first():
    x = torch.diag(torch.tensor([3.0, 1.0, 2.0, 0.0]))  # squares 9, 1, 4: of 14
    for share, expected in ((0.6, 1), (0.7, 2), (0.92, 2), (0.95, 3), (1 - 1e-6, 3)):
        assert effective_rank(x, share) == expected


def test_a_probe_reads_at_the_word_it_names_or_the_whole_text():
    readings = tinyworld.sample_readings(60, seeded(50))
    ids = tinyworld.encode([r.words for r in readings])
    x = ids[..., None].float()  # (N, T, 1): each vector says which word stands there
    probe = probing.PROBES["one person: whose name is he or she"]
    vectors, answers = probing.probe_rows(x, readings, probe)
    people = [r for r in readings if "person.subject" in r.roles]
    assert answers == [r.latents["person"]["name"] for r in people]
    assert {tinyworld.vocabulary()[int(v)] for v in vectors} == {"he", "she"}
    vectors, answers = probing.probe_rows(x, readings, probing.PROBES["the mood of the text"])
    first = next(i for i, r in enumerate(readings) if "mood" in r.latents)
    assert answers[0] == readings[first].latents["mood"]["kind"]
    assert vectors[0].item() == pytest.approx(x[first][ids[first] > 0].mean().item())


def test_a_probe_finds_what_is_there_and_not_what_is_not():
    answers = [str(int(i)) for i in torch.randint(4, (400,), generator=seeded(9))]
    there = F.one_hot(torch.tensor([int(a) for a in answers])).float()
    noise = torch.randn(400, 4, generator=seeded(10))
    assert probing.probe_accuracy(there, answers, 50) == 1
    assert probing.probe_accuracy(noise, answers, 50) < 0.4


def test_one_answer_for_all_is_the_mark_for_each_probe(monkeypatch):
    monkeypatch.setattr(probing, "READINGS", 300)
    marks = probing.majority_baselines()
    assert marks.keys() == probing.PROBES.keys()
    moods = [r.latents["mood"]["kind"] for r in probing.texts_to_read() if "mood" in r.latents]
    train, test = moods[: len(moods) // 2], moods[len(moods) // 2 :]
    shares = {mood: test.count(mood) / len(test) for mood in set(train)}
    most = max(map(train.count, shares))
    mark = marks["the mood of the text"]
    assert mark.texts == len(test)
    assert mark.accuracy in [shares[mood] for mood in shares if train.count(mood) == most]


def test_what_reads_mask_differs_from_an_autoencoder_in_what_the_encoder_reads_alone(rows):
    ids, masked, text = rows
    reads = perturbed(seeded_init(experiment.ReadsMask, CONFIG))
    model = perturbed(seeded_init(TextMAE, CONFIG))
    assert all(
        torch.equal(p, q) for p, q in zip(model.parameters(), reads.parameters(), strict=True)
    )
    nonsense = ids.where(~masked, 5 + (ids - 4) % (V - 5))
    assert torch.equal(reads(ids, text, masked), reads(nonsense, text, masked))
    nothing = torch.zeros_like(masked)
    nothing[0, 3] = True
    kept = keep_visible(ids.masked_fill(nothing, MASK), torch.zeros_like(masked), text)
    vectors = reads.encoder(ids.masked_fill(nothing, MASK), text)  # of all places, [MASK] too
    decoded = reads.decode(
        vectors.gather(1, kept.positions[..., None].expand(-1, -1, 16)), kept, text
    )
    torch.testing.assert_close(reads(ids, text, nothing), reads.logits(decoded[nothing]))
    assert not torch.allclose(reads(ids, text, nothing), model(ids, text, nothing), atol=1e-3)


def test_the_words_that_are_asked_about_can_be_learned_from_their_answers_alone():
    texts = experiment.labelled_texts(600)
    assert {tinyworld.vocabulary()[i] for i in texts.ids[torch.arange(len(texts.ids)), texts.places]} <= {
        "he", "she",
    }  # fmt: skip
    assert len(texts.answers) == len(texts.ids) > 60 and texts.answers.min() == 0


@pytest.mark.slow
def test_the_experiment_in_miniature(monkeypatch, tmp_path):
    monkeypatch.setattr(_rivals, "FACTORS", (1.0,))
    monkeypatch.setattr(experiment, "RECIPE", replace(experiment.RECIPE, steps=1, batch_size=4))
    monkeypatch.setattr(experiment, "SENTENCES", 20)
    monkeypatch.setattr(experiment, "masked_test_set", partial(experiment.masked_test_set, 20))
    monkeypatch.setattr(experiment, "labelled_texts", partial(experiment.labelled_texts, 300))
    monkeypatch.setattr(experiment, "LABELS", 20)
    monkeypatch.setattr(experiment, "FINE_TUNING_STEPS", 10)
    monkeypatch.setattr(experiment, "RATES", (1e-3,))
    monkeypatch.setattr(experiment, "SIZES", experiment.SIZES | {"d_model": 8, "n_layers": 1})
    probes = dict.fromkeys(probing.PROBES, 0.5)  # the probes themselves are tested above
    monkeypatch.setattr(experiment, "probe_accuracies", lambda encoder: probes)
    record = experiment.run(tmp_path)
    for question in experiment.QUESTIONS:
        assert record[question]["values"].keys() == experiment.MODELS.keys()
        assert len(record[question]["differences"]) == 3
    directions = record["directions by what"]
    assert "[MASK] adds" not in directions["autoencoder"]
    assert directions["masked language model"]["[MASK] adds"]["n"] == 5


def test_batches_without_rows_or_without_visible_tokens_are_answered(model, rows):
    ids, _, _ = rows
    none = torch.zeros(0, ids.shape[1], dtype=torch.long)
    assert model(none, None, none > 0).shape == (0, model.config.vocab_size)
    assert keep_visible(none, none > 0).ids.shape == (0, 1)


def test_a_mask_of_tokens_may_have_four_axes(model):
    ids = torch.arange(5, 14).view(3, 3)
    visible = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]]) > 0
    more = [torch.cat([x, x[:1]]) for x in (ids, visible, ids % 2 > 0)]  # four rows of three
    four_axes = model(ids, visible[:, None, None], ids % 2 > 0)
    assert torch.allclose(four_axes, model(*more)[: len(four_axes)], atol=1e-6)


def test_masks_of_another_kind_end_in_a_sentence(model):
    ids = torch.tensor([[5, 6, 7], [8, 9, 5], [6, 7, 8]])
    masked = ids == 9
    for call, sentence in (
        (lambda: model(ids, None, masked.long()), "masked must be a tensor of dtype torch.bool"),
        (lambda: model(ids, None, masked[:2]), "masked has shape (2, 3), but ids has (3, 3)"),
        (lambda: model(ids, torch.ones(3, 3).tril() > 0, masked), "is it for tokens (B, T) or for"),
        (lambda: model(ids, (ids != 0)[:, None], masked), "attention_mask has shape (3, 1, 3)"),
        (lambda: model(ids + 10**4, None, masked), "but the vocabulary ends at"),
    ):
        with pytest.raises((TypeError, ValueError)) as error:
            call()
        assert sentence in str(error.value)


def test_what_cannot_be_probed_ends_in_a_sentence():
    x, answers = torch.randn(8, 2, requires_grad=True), list("abababab")
    assert 0 <= probing.probe_accuracy(x, answers, 4) <= 1
    for arguments, sentence in (
        ((x, answers[1:], 4), "There are 8 vectors, but 7 answers."),
        ((x / 0 * 0, answers, 4), "x contains NaN"),
        ((x, answers, 0), "labels must be at least 1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            probing.probe_accuracy(*arguments)


def test_a_rank_is_never_larger_than_the_space_or_made_of_nothing():
    assert effective_rank(torch.eye(3), 1.0) == 3 and effective_rank(1e30 * torch.eye(3), 1.0) == 3
    assert all(effective_rank(torch.randn(20, 7), 1.0) <= 7 for _ in range(50))
    for x, share in (
        (torch.zeros(2, 3), 0.9),
        (torch.eye(2), 1.5),
        (torch.full((1, 2), float("nan")), 0.9),
    ):
        with pytest.raises(ValueError, match=r"\.$"):
            effective_rank(x, share)
