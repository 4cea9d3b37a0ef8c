"""Masked diffusion: the bound against tables that hold everything, the data, and writing out of nothing."""

import itertools
import math
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from mlm_course import evaluation, tokenization
from mlm_course.corpora import tinyworld
from mlm_course.corpora import tinyworld_oracle as oracle
from mlm_course.corpora.tinyworld import sentences
from mlm_course.corruption.masking import mask_tokens
from mlm_course.corruption.strategies import choose_count
from mlm_course.decoding import LLADA, MDLM
from mlm_course.diffusion import (
    all_ways_to_hide,
    blank,
    bound_by_count,
    bound_by_rate,
    exact_answers,
    fill_gaps,
    gap_row,
    leave_one_out,
    likelihood_bound,
    predictor,
    row_bounds,
    token_nll,
)
from mlm_course.experiments import diffusion as experiment
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.models.modern import ModernConfig, ModernMaskedLM
from mlm_course.models.pretrained import load_pretrained
from mlm_course.results import recorded
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_IDS
from mlm_course.training import Recipe, fit
from mlm_course.training.datasets import GapRows
from mlm_course.training.losses import diffusion_loss

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
V, N = 3, 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def table(seed=0, power=3):
    """A random language: the probability of every text of N words out of V."""
    joint = torch.rand((V,) * N, generator=generator(seed), dtype=torch.float64) ** power
    return joint / joint.sum()


def texts():
    return [torch.tensor(text) for text in itertools.product(range(V), repeat=N)]


def doubting(answers, doubt, seed=None):
    """Guesses that are no exact ones: mixed with a doubt, or bent at random for each way to hide."""

    def bent(masked):
        share = torch.full(masked.shape, doubt, dtype=torch.float64)
        if seed is not None:
            drawn = torch.rand(2**N, N, generator=generator(seed), dtype=torch.float64)
            share = doubt * drawn[(masked * 2 ** torch.arange(N)).sum(1)]
        return ((1 - share) * answers(masked).exp() + share / V).log().where(masked, 0.0)

    return bent


def own_surprise(answers):
    """-log of the chance that a model writes the text, a word at a time, all orders alike."""
    total = 0.0
    for order in itertools.permutations(range(N)):
        masked = torch.zeros(N, N, dtype=torch.bool)
        for step in range(N):
            masked[step, list(order[step:])] = True
        total += math.exp(answers(masked)[torch.arange(N), list(order)].sum().item())
    return -math.log(total / math.factorial(N))


@pytest.mark.parametrize("seed", range(3))
def test_with_exact_guesses_both_sums_are_the_surprise_of_the_text(seed):
    joint = table(seed)
    for text in texts():
        answers, surprise = exact_answers(joint, text), -joint[tuple(text)].log().item()
        assert bound_by_count(answers, N).item() == pytest.approx(surprise, abs=1e-9)
        assert bound_by_rate(answers, N).item() == pytest.approx(surprise, abs=1e-9)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_with_other_guesses_they_bound_the_model_and_the_language(seed):
    joint, total, total_own = table(), 0.0, 0.0
    for text in texts():
        answers = doubting(exact_answers(joint, text), 0.4, seed)
        bound, own = bound_by_count(answers, N).item(), own_surprise(answers)
        assert bound == pytest.approx(bound_by_rate(answers, N).item(), abs=1e-9)
        assert bound >= own - 1e-9
        total += joint[tuple(text)].item() * bound
        total_own += joint[tuple(text)].item() * own
    entropy = -(joint * joint.log()).sum().item()
    assert total > total_own > entropy + 0.01


def test_the_pseudo_likelihood_is_one_slice_and_claims_too_little():
    joint = table(power=4)
    claimed = sum(
        joint[tuple(text)].item() * leave_one_out(exact_answers(joint, text), N).item()
        for text in texts()
    )
    assert claimed < -(joint * joint.log()).sum().item() - 0.5


def test_an_exact_guess_is_the_share_of_the_texts_that_fit():
    joint, text = table(), torch.tensor([2, 0, 1, 1])
    masked = torch.tensor([[True, False, True, False]])
    fits = joint[:, 0, :, 1]
    log_p = exact_answers(joint, text)(masked)[0]
    assert log_p[0].exp() == pytest.approx((fits[2].sum() / fits.sum()).item())
    assert log_p[2].exp() == pytest.approx((fits[:, 1].sum() / fits.sum()).item())
    assert log_p[1] == log_p[3] == 0


def test_all_ways_to_hide_are_there_once():
    ways = all_ways_to_hide(4)
    assert ways.shape == (15, 4) and ways.any(1).all()
    assert len({tuple(row) for row in ways.tolist()}) == 15


def test_as_many_words_are_hidden_as_drawn_each_number_equally_often():
    ids = sentences(2000, 0)
    batch = GapRows(ids, seed=0)(torch.arange(2000), 0)
    words = (ids > max(SPECIAL_IDS)).sum(1)
    n = batch.masked.sum(1)
    assert (n >= 1).all() and (n <= words).all() and (n == words).any()
    of_twelve = torch.bincount(n[words == 12], minlength=13)[1:] / (words == 12).sum()
    assert of_twelve.min() > 0.02 and of_twelve.max() < 0.16
    assert (batch.input_ids[batch.masked] == MASK_ID).all()
    assert torch.equal(batch.labels[batch.masked], ids[batch.masked])
    again, later = (GapRows(ids, seed=0)(torch.arange(5), epoch) for epoch in (0, 1))
    assert torch.equal(again.masked, batch.masked[:5])
    assert not torch.equal(later.masked, batch.masked[:5])


def small_model(seed=0):
    sizes = EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=32, n_layers=1, n_heads=2)
    return seeded_init(MaskedLM, sizes, seed).eval()


def test_the_loss_is_each_rows_mean_times_its_words():
    ids, model = sentences(6, 0), small_model()
    batch = GapRows(ids, seed=3)(torch.arange(6), 0)
    total, count = diffusion_loss(model, batch)
    expected = 0.0
    for row in range(6):
        logits = model(batch.input_ids[row : row + 1, : (ids[row] != PAD_ID).sum()])[0]
        log_p = logits.log_softmax(-1)
        gaps = batch.masked[row].nonzero()[:, 0].tolist()
        words = int((ids[row] > max(SPECIAL_IDS)).sum())
        expected -= words * sum(log_p[i, ids[row, i]].item() for i in gaps) / len(gaps)
    assert total.item() == pytest.approx(expected, rel=1e-4)
    assert int(count) == int((ids > max(SPECIAL_IDS)).sum())


def test_a_row_bound_does_not_look_at_visible_places():
    masked = torch.tensor([[True, False, True], [False, True, False]])
    surprise = torch.tensor([[1.0, 9.0, 3.0], [9.0, 2.0, 9.0]])
    assert row_bounds(surprise, masked, torch.tensor([3, 2])).tolist() == [6.0, 4.0]


def test_the_estimate_agrees_with_every_way_to_hide():
    """On a sentence cut to its first words, where all ways can be counted."""
    model, ids = small_model(), sentences(1, 0)[:, :8].clone()
    ids[0, 6:] = torch.tensor([SEP_ID, PAD_ID])  # five words

    def answers(masked):
        wide = torch.zeros(len(masked), 8, dtype=torch.bool)
        wide[:, 1:6] = masked
        return -token_nll(model, mask_tokens(ids.expand(len(masked), -1), wide))[:, 1:6].double()

    with torch.no_grad():
        exact = bound_by_count(answers, 5).item()
    estimate = likelihood_bound(model, ids.repeat(3000, 1), generator(), draws=5).mean().item()
    assert estimate == pytest.approx(exact, rel=0.01)


def test_the_draws_of_a_row_spread_over_all_numbers_of_words(monkeypatch):
    seen = []

    def nothing(model, batch):
        seen.append(batch.masked.sum(1))
        return torch.zeros(batch.masked.shape)

    monkeypatch.setattr("mlm_course.diffusion.token_nll", nothing)
    ids = sentences(50, 0)
    likelihood_bound(small_model(), ids, generator(), draws=4)
    words = (ids > max(SPECIAL_IDS)).sum(1)
    quarters = ((torch.stack(seen) - 1) * 4 // words).sort(0).values  # (4, B)
    assert (quarters - torch.arange(4)[:, None]).abs().max() <= 1
    assert (quarters[3] - quarters[0] >= 2).all()


def test_exactly_so_many_words_are_chosen_and_no_others():
    words = torch.tensor([[False, True, True, True, False], [True, True, False, False, False]])
    chosen = choose_count(words, torch.tensor([2, 5]), generator())
    assert chosen.sum(1).tolist() == [2, 2] and not (chosen & ~words).any()


def test_a_blank_line_is_framed_and_padded():
    canvas, masked = blank(torch.tensor([2, 3]))
    M = MASK_ID
    assert canvas.tolist() == [[CLS_ID, M, M, SEP_ID, PAD_ID], [CLS_ID, M, M, M, SEP_ID]]
    assert torch.equal(masked, canvas == MASK_ID)


def test_no_special_token_is_ever_written():
    model = small_model()
    with torch.no_grad():
        model.decoder_bias[list(SPECIAL_IDS)] = 50.0  # it would like nothing better
    predict = predictor(model)
    ids = experiment.written(predict, torch.tensor([5, 9]), 3, MDLM, seed=0)
    assert (ids[0, 1:6] > max(SPECIAL_IDS)).all() and (ids[1, 1:10] > max(SPECIAL_IDS)).all()


def test_a_perfect_model_writes_only_sentences_word_by_word():
    lengths = oracle.n_words(sentences(40, 8))
    drawing = replace(LLADA, temperature=1.0)
    ids = experiment.written(oracle.exact_predict, lengths, 21, drawing, seed=1)
    shares = evaluation.judge_sentences(ids)
    assert shares["valid"] == 1 and shares["different"] > 0.9 and shares["repeats"] == 0
    at_once = experiment.written(oracle.exact_predict, lengths, 1, drawing, seed=1)
    assert evaluation.judge_sentences(at_once)["valid"] < 0.2


def test_the_bound_of_a_perfect_model_is_the_exact_surprise():
    ids = sentences(400, 9)
    bound = likelihood_bound(oracle.PerfectModel(), ids, generator(), draws=20).mean().item()
    assert bound == pytest.approx(oracle.exact_nll(ids).mean().item(), abs=0.25)


def test_judged_counts_what_it_says():
    ids = sentences(3, 0)[[0, 1, 1, 2]]
    words = oracle.n_words(ids)
    ids[3, 2] = ids[3, 1]  # a word behind itself: no sentence
    shares = evaluation.judge_sentences(ids)
    assert shares["valid"] == 0.75 and shares["different"] == 0.75
    assert shares["repeats"] == pytest.approx(1 / int(words.sum()), abs=1e-4)


def test_the_exact_surprise_is_that_of_any_order():
    ids = sentences(1, 4)
    places = (ids[0] > max(SPECIAL_IDS)).nonzero()[:, 0]
    order = places[torch.randperm(len(places), generator=generator())]
    masked = torch.zeros(len(order), ids.shape[1], dtype=torch.bool)
    for step in range(len(order)):
        masked[step, order[step:]] = True
    posterior = tinyworld.masked_posterior(ids.expand(len(order), -1), masked)
    chain = posterior[torch.arange(len(order)), order, ids[0, order]].log().sum().item()
    assert oracle.exact_nll(ids).item() == pytest.approx(-chain, abs=1e-9)
    assert oracle.log_p_length(torch.arange(64)).exp().sum().item() == pytest.approx(1)


def test_it_learns():
    model = small_model()
    recipe = Recipe(steps=40, batch_size=32, adamw_lr=4e-3)
    history = fit(model, GapRows(sentences(400, 0), seed=0), diffusion_loss, recipe)
    assert history.losses[-1] < history.losses[0] - 0.8


def test_rows_that_are_no_rows_are_named():
    with pytest.raises(ValueError, match=r"ids must have shape \(R, T\)"):
        GapRows(torch.zeros(4, dtype=torch.int64), seed=0)


@pytest.mark.slow
def test_the_experiment_stores_a_model_and_returns_its_record(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("mlm_course.models.pretrained"), "CHECKPOINTS", tmp_path)
    tiny = {"steps": 2, "batch_size": 4, "precision": "no"}
    for name in ("RECIPE", "SMALL"):
        monkeypatch.setattr(experiment, name, replace(getattr(experiment, name), **tiny))
    for name in ("SENTENCES", "TEST_SENTENCES"):
        monkeypatch.setattr(experiment, name, 30)
    monkeypatch.setattr(experiment, "WRITTEN", 6)
    monkeypatch.setattr(experiment.compare_samplers, "__defaults__", ((1, 2),))
    record = experiment.run(folder=tmp_path / "run")
    assert (tmp_path / "diffusion/model.safetensors").stat().st_size > 1000
    assert set(record["samplers"]) == set(experiment.SAMPLERS)


@pytest.mark.slow
def test_the_model_that_ships_is_bounded_by_the_language_and_writes():
    model, _ = load_pretrained("diffusion")
    ids = sentences(300, 77)
    above = likelihood_bound(model, ids, generator(), draws=4)
    above -= likelihood_bound(oracle.PerfectModel(), ids, generator(), draws=4)  # same gaps
    assert 0 < above.mean() < 0.8
    drawing = replace(LLADA, temperature=1.0)
    text = experiment.written(predictor(model), oracle.n_words(ids[:60]), 21, drawing, seed=2)
    assert evaluation.judge_sentences(text)["valid"] > 0.7


def test_the_record_bears_out_what_the_lesson_says():
    record = recorded("diffusion")
    assert record["entropy"] < record["bound"] < record["entropy"] + 0.8
    for model, floor in zip(record["by share"], record["floor by share"], strict=True):
        assert model > floor - 0.02
    perfect, trained = record["samplers, perfect model"], record["samplers"]
    for rows in (perfect, trained):
        assert rows["MDLM"]["1"]["valid"] < 0.05 < 0.5 < rows["MDLM"]["32"]["valid"]
    assert perfect["LLaDA, drawing"]["32"]["valid"] == 1


def test_all_tensors_are_made_on_the_device_of_the_ids():
    """As on a GPU: what is made without a device lands on another one, here "meta"."""
    ids, model = sentences(5, 0), small_model()
    expected = likelihood_bound(model, ids, generator(), draws=3)
    canvas, masked = blank(torch.tensor([2, 5]))
    lengths, drawn = torch.tensor([2, 5]), generator()
    with torch.device("meta"):
        assert torch.equal(likelihood_bound(model, ids, drawn, draws=3), expected)
        again = blank(lengths)
        assert torch.equal(again[0], canvas) and torch.equal(again[1], masked)
        assert predictor(model)(canvas).shape == (*canvas.shape, len(tinyworld.vocabulary()))


def test_a_bound_has_no_dropout_and_leaves_the_mode_as_it_was():
    sizes = EncoderConfig(len(tinyworld.vocabulary()), 26, d_model=32, n_heads=2, dropout=0.5)
    model, ids = seeded_init(MaskedLM, sizes).train(), sentences(4, 0)
    one, two = (likelihood_bound(model, ids, generator(), draws=2) for _ in range(2))
    assert torch.equal(one, two) and all(part.training for part in model.modules())
    with pytest.raises(ValueError, match="vocabulary ends at"):
        likelihood_bound(model, ids + 10_000, generator(), draws=2)
    assert all(part.training for part in model.modules())


def test_bounds_of_rows_without_words_are_0():
    ids = torch.tensor([[CLS_ID, SEP_ID, PAD_ID]])
    assert likelihood_bound(small_model(), ids, generator(), draws=2).tolist() == [0]
    assert likelihood_bound(small_model(), ids[:0], generator(), draws=2).shape == (0,)
    canvas, masked = blank(torch.tensor([], dtype=torch.int64))
    assert canvas.shape == masked.shape == (0, 2)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: likelihood_bound(small_model(), sentences(2, 0), None), TypeError, "generator must"),
        (lambda: likelihood_bound(small_model(), sentences(2, 0), generator(), 0), ValueError,
         "draws must be from 1"),
        (lambda: blank(torch.tensor([2, -1])), ValueError, "lengths must hold no negative"),
        (lambda: blank(3), TypeError, "lengths must be a tensor"),
        (lambda: exact_answers(table(), torch.tensor([0, 1])), ValueError, "has 2"),
        (lambda: exact_answers(table() * 2, texts()[0]), ValueError, "sum to 1"),
        (lambda: bound_by_count(exact_answers(table(), texts()[0]), 3), ValueError, "has 4 words"),
        (lambda: all_ways_to_hide(-1), ValueError, "N must be from 1 to 20"),
        (lambda: predictor("model"), TypeError, "model must be a function"),
    ],
)  # fmt: skip
def test_slips_in_diffusion_are_named(use, error, message):
    with pytest.raises(error, match=message):
        use()


# --- Gaps of real sentences


@pytest.fixture(scope="module")
def docs():
    return load_pretrained("python_docs")


def test_gaps_may_be_written_as_lines_or_as_the_token(docs):
    _, tokenizer = docs
    ids, gaps = gap_row(tokenizer, "the ___ of [MASK] ______ and __init__")
    names = [tokenizer.id_to_token(i) for i in ids[0].tolist()]
    assert names[:7] == ["the", "[MASK]", "of", "[MASK]", "[MASK]", "and", "_"]
    assert gaps.tolist() == [[name == "[MASK]" for name in names]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no text: write a sentence with gaps"),
        (" \n ", "There is no text"),
        ("no gap, __ is none", "There is no gap: write ___ for each piece"),
        ("☃ is ___", "“☃” cannot be spelled in this vocabulary"),
        ("[CLS] ___ [SEP]", r"“\[CLS\]” cannot be spelled"),
        (
            "a " * 200 + "___",
            "The text has 201 tokens, but the model reads 128 at most: shorten it",
        ),
    ],
)
def test_a_text_that_cannot_be_filled_is_named(docs, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        fill_gaps(*docs, text)


def test_the_surest_gap_is_filled_first_and_what_is_given_stays(docs):
    model, tokenizer = docs
    text = "If the ___ does not exist, a new ___ is ___."
    filling = fill_gaps(model, tokenizer, text)
    gaps = filling.masked[0]
    assert filling.masked.sum(1).tolist() == [3, 2, 1]
    for step in range(2):
        kept = filling.masked[step] & ~filling.masked[step + 1]
        assert (
            filling.confidences[step][kept] == filling.confidences[step][filling.masked[step]].max()
        )
    (ids,) = tokenization.encode(tokenizer, [text.replace("___", "[MASK]")], special_tokens=False)
    for row in filling.tokens:
        assert all(
            tokenizer.id_to_token(i) == token or gap
            for i, token, gap in zip(ids, row, gaps, strict=True)
        )
    assert not {"[MASK]", "[UNK]", "[PAD]"} & set(itertools.chain(*filling.tokens))


@torch.no_grad()
def test_what_else_was_thought_of_are_the_next_likeliest_of_that_step(docs):
    model, tokenizer = docs
    filling = fill_gaps(model, tokenizer, "Return the ___ of the ___.", n_others=2)
    ids, gaps = gap_row(tokenizer, "Return the ___ of the ___.")
    p = model(ids, None, gaps).softmax(-1)  # (2, V)
    for step in range(2):
        given = [bool(pairs) for pairs in filling.others[step]]
        assert given == gaps[0].tolist()
    for row, place in zip(p, gaps[0].nonzero()[:, 0].tolist(), strict=True):
        row[list(SPECIAL_IDS)] = 0
        chances, best = (row / row.sum()).topk(3)
        names = [tokenizer.id_to_token(i) for i in best.tolist()]
        assert filling.tokens[0][place] == names[0]
        assert [name for name, _ in filling.others[0][place]] == names[1:]
        assert [x for _, x in filling.others[0][place]] == pytest.approx(
            chances[1:].tolist(), rel=1e-4
        )


def test_a_prompt_and_its_answer_are_one_row(docs):
    filling = fill_gaps(*docs, "Returns the number of ___ ___ ___ ___ ___")
    assert [row[:4] for row in filling.tokens] == [["returns", "the", "number", "of"]] * 5
    assert filling.masked[0].tolist() == [False] * 4 + [True] * 5


def test_a_modern_model_fills_gaps_too(docs):
    _, tokenizer = docs
    config = ModernConfig(tokenizer.get_vocab_size(), d_model=8, n_layers=2, n_heads=2)
    filling = fill_gaps(seeded_init(ModernMaskedLM, config), tokenizer, "return the ___ of ___")
    assert filling.masked.sum(1).tolist() == [2, 1]  # of two gaps one is filled in each step
    assert filling.tokens[-1][:2] == ["return", "the"]


def test_a_model_and_another_tokenizer_are_refused(docs):
    other = tokenization.train_wordpiece(["a few words of a text"] * 3, 100)
    with pytest.raises(ValueError, match="take the one that it was trained with"):
        fill_gaps(docs[0], other, "a ___")
    with pytest.raises(TypeError, match="model must be of type MaskedLM"):
        fill_gaps(torch.nn.Linear(2, 2), docs[1], "a ___")
