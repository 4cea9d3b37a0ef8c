"""The experiment on two twins: what they are trained for, what a sentence costs, what they write."""

import math
from dataclasses import replace
from itertools import product
from operator import eq

import pytest
import torch
from torch import nn

from mlm_course.experiments import _rivals
from mlm_course.experiments import docs_twins as experiment
from mlm_course.experiments.docs_twins import (
    DIFFUSION,
    TWIN,
    WAYS,
    Sentences,
    anew,
    by_diffusion,
    judged,
    keeping,
    left_to_right,
    length_nll,
    nats_a_piece,
    pieces_of,
    pseudo_nll,
    rows_of,
)
from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.results import recorded
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID, encode
from mlm_course.training.datasets import Rows
from mlm_course.training.losses import next_token_loss, next_token_nll

V = 12


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    sizes = EncoderConfig(V, 32, d_model=16, n_layers=2, n_heads=2, embedding_std=0.5)
    return seeded_init(MaskedLM, sizes).eval()


def rows(*texts, longest=30):
    padded = [[CLS_ID, *t, SEP_ID] + [PAD_ID] * (longest - len(t)) for t in texts]
    return torch.tensor(padded)


def texts(n, seed=0, high=V):
    lengths = torch.randint(8, 31, (n,), generator=seeded(seed)).tolist()
    return [
        torch.randint(5, high, (N,), generator=seeded(i)).tolist() for i, N in enumerate(lengths)
    ]


# --- the loss of the left-to-right twin ---


def test_each_token_is_guessed_from_those_before_it_and_the_end_is_one(model):
    ids = rows([5, 6, 7], [8], longest=4)
    expected = 0.0
    for row, N in zip(ids.tolist(), (3, 1), strict=True):
        for t in range(1, N + 2):  # the pieces, then [SEP]
            alone = model(torch.tensor([row[:t]]), torch.ones(t, t).tril().bool()[None, None])
            expected -= alone[0, -1].log_softmax(-1)[row[t]].item()
    total, count = next_token_loss(model, Rows(ids)(torch.arange(2), 0))
    assert int(count) == 6 and total.item() == pytest.approx(expected, rel=1e-5)


def test_nothing_to_the_right_is_seen(model):
    one, other = rows([5, 6, 7, 8, 9, 10]), rows([5, 6, 7, 8, 11, 5])
    nll = [next_token_nll(model, ids)[0] for ids in (one, other)]
    assert torch.allclose(nll[0][:4], nll[1][:4]) and not torch.allclose(nll[0][5:6], nll[1][5:6])
    assert (nll[0][7:] == 0).all()  # padding


def test_rows_without_a_next_token_ask_nothing(model):
    total, count = next_token_loss(model, torch.tensor([[CLS_ID, PAD_ID], [CLS_ID, PAD_ID]]))
    total.backward()
    assert total.item() == 0 and int(count) == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


# --- what a sentence costs ---

CHANCES = (0.25, 0.5, 0.25)  # of one, two and three pieces


def language():
    """Every text of pieces 5 and 6 with its probability; neighbours like to be equal."""
    every = {}
    for N, chance in enumerate(CHANCES, 1):
        weights = {t: 0.6 ** t.count(6) * 3.0 ** sum(map(eq, t, t[1:])) for t in
                   product((5, 6), repeat=N)}  # fmt: skip
        every |= {t: chance * w / sum(weights.values()) for t, w in weights.items()}
    return every


class Knows(nn.Module):
    """A model with the exact probabilities of the language, in gaps and from left to right."""

    def forward(self, ids, attention_mask, masked):
        causal = attention_mask is not None and attention_mask.ndim == 4
        places = masked.nonzero().tolist()
        chances = [
            self.next(ids[b, 1 : t + 1].tolist()) if causal else self.gap(ids[b].tolist(), t)
            for b, t in places
        ]
        return torch.tensor(chances).log()

    def gap(self, row, place):
        row = row[1 : row.index(SEP_ID)]
        fitting = {
            text: p
            for text, p in language().items()
            if len(text) == len(row)
            and all(shown in (MASK_ID, true) for shown, true in zip(row, text, strict=True))
        }
        return [sum(p for t, p in fitting.items() if t[place - 1] == v) / sum(fitting.values())
                for v in range(7)]  # fmt: skip

    def next(self, before):
        going_on = {(*t, SEP_ID): p for t, p in language().items() if [*t[: len(before)]] == before}
        total = sum(going_on.values())
        return [sum(p for t, p in going_on.items() if t[len(before)] == v) / total
                for v in range(7)]  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    """Sentences of one to three pieces; with 1 added, lengths come as often as in the language."""
    known = Sentences(rows([5], [5, 6], [6, 6], [5, 5], [6, 5, 5], longest=3), None, None)
    for name, value in {"SHORTEST": 1, "LONGEST": 3, "DRAWS": 150, "ROUNDS": 2}.items():
        monkeypatch.setattr(experiment, name, value)
    monkeypatch.setattr(experiment, "sentences", lambda: known)
    return known


def test_lengths_are_counted_with_one_added_and_their_chances_sum_to_one(tiny):
    one_of_each = rows([5], [5, 5], [5, 5, 5], longest=3)
    chances = (-length_nll(one_of_each, tiny.train)).exp()
    assert chances.tolist() == pytest.approx([2 / 8, 4 / 8, 2 / 8])


def test_who_knows_the_exact_probabilities_pays_the_same_on_both_sides(tiny):
    every = language()
    assert sum(every.values()) == pytest.approx(1)
    ids = rows(*every, longest=3)
    exact = -sum(map(math.log, every.values())) / sum(map(len, every))
    twin, diffusion = (nats_a_piece(rival, Knows(), ids) for rival in (TWIN, DIFFUSION))
    assert twin == {"nats": pytest.approx(exact, abs=1e-4), "error": 0.0}
    assert diffusion["nats"] == pytest.approx(exact, abs=0.01) and diffusion["error"] < 0.01


def test_sentences_that_fit_become_rows_once_each():
    _, tokenizer = load_pretrained("python_docs")
    good = "Return the number of elements in this array."
    others = ["Return it.", "a [MASK] in the middle of a text of pieces", "very " * 40, "☃ " * 10]
    kept = rows_of(tokenizer, [good, *others, good])
    assert kept.shape == (1, 32) and kept[0, 0] == CLS_ID
    (pieces,) = encode(tokenizer, [good], special_tokens=False)
    assert [i for i in pieces_of(kept)[0].tolist() if i != PAD_ID] == pieces


# --- writing ---


def test_kept_keys_and_values_change_nothing(model):
    tokens = torch.tensor(texts(1)[0][:8])[None].repeat(2, 1)
    tokens[1] = tokens[1].flip(0)
    kept, read = keeping(model), anew(model)
    with torch.no_grad():
        for t in range(1, 9):
            assert torch.allclose(kept(tokens[:, :t]), read(tokens[:, :t]), atol=1e-5)
    pair = [left_to_right(way(model), 6, seeded()) for way in (keeping, anew)]
    assert torch.equal(*pair)


def test_a_text_ends_with_its_end_and_has_no_special_tokens():
    def next_logits(tokens):  # ends behind an 8; as likely: any piece, [UNK], [MASK], [PAD]
        logits = torch.zeros(len(tokens), V)
        logits[:, SEP_ID] = torch.where(tokens[:, -1] == 8, 100.0, -100.0)
        return logits

    written = left_to_right(next_logits, 50, seeded())
    ended = written == PAD_ID
    assert written.shape == (50, 30) and not ended[:, 0].any()
    assert (ended[:, 1:] >= ended[:, :-1]).all()
    last = written.gather(1, (~ended).sum(1, keepdim=True) - 1)
    assert ((last == 8).squeeze() | ~ended.any(1)).all()
    assert (written[~ended] > MASK_ID).all()


@pytest.mark.parametrize("way", WAYS)
def test_diffusion_writes_texts_of_the_lengths_asked_for(model, way):
    lengths = torch.tensor([8, 30, 11]) if "one" in way else torch.tensor([8, 9, 11])
    written = by_diffusion(model, lengths, *WAYS[way], seeded())
    assert written.shape == (3, 30) and ((written > MASK_ID).sum(1) == lengths).all()
    assert (written[written <= MASK_ID] == PAD_ID).all()


# --- what is said of texts ---


def test_each_piece_is_judged_with_itself_alone_hidden(model):
    pieces = torch.tensor([[5, 6, 7, PAD_ID], [8, 9, PAD_ID, PAD_ID]])
    expected = []
    for row, N in zip(pieces.tolist(), (3, 2), strict=True):
        surprise = 0.0
        for t in range(N):
            shown = torch.tensor([[*row[:t], MASK_ID, *row[t + 1 : N]]])
            surprise -= model(shown)[0, t].log_softmax(-1)[row[t]].item()
        expected.append(surprise)
    assert pseudo_nll(model, pieces).tolist() == pytest.approx(expected, rel=1e-4)


TRUE = [
    "Return the number of elements in the array.",
    "If the file does not exist, an exception is raised.",
    "The default value is None, which means that all axes are used.",
]


def test_the_judge_prefers_sentences_to_their_words_shuffled():
    judge, tokenizer = load_pretrained("python_docs")
    every = encode(tokenizer, TRUE, special_tokens=False)
    mixed = [[ids[i] for i in torch.randperm(len(ids), generator=seeded())] for ids in every]
    both = [pieces_of(rows(*side)) for side in (every, mixed)]
    assert (pseudo_nll(judge, both[0]) < pseudo_nll(judge, both[1]) - 10).all()


def test_marks_are_counted(monkeypatch):
    known = Sentences(rows([5, 6, 7, 8]), None, None)
    monkeypatch.setattr(experiment, "sentences", lambda: known)
    monkeypatch.setattr(experiment, "pseudo_nll", lambda judge, pieces: torch.tensor([6.0] * 3))
    marks = judged(pieces_of(rows([5, 6, 7, 8], [5, 6, 7], [9, 9]))[:, :30])
    assert marks == {
        "judge": 2.0,
        "doubled": 0.3333,
        "distinct trigrams": 0.6667,
        "copied": 0.3333,
        "pieces": 3.0,
    }


# --- the record ---


@pytest.mark.slow
def test_the_twins_in_miniature(monkeypatch, tmp_path):
    monkeypatch.setattr(_rivals, "FACTORS", (1.0,))
    few = {"RECIPE": replace(experiment.RECIPE, steps=2, batch_size=4), "WRITTEN": 4, "TIMED": 2}
    few |= {"TIMED_ROUNDS": 1, "ROUNDS": 2, "DRAWS": 1}
    for name, value in few.items():
        monkeypatch.setattr(experiment, name, value)
    monkeypatch.setattr(experiment, "SIZES", {**experiment.SIZES, "d_model": 16, "n_layers": 1})
    monkeypatch.setattr(experiment, "tokenizer_size", lambda: 50)
    known = Sentences(*(rows(*texts(n, n, 50)) for n in (20, 4, 6)))
    monkeypatch.setattr(experiment, "sentences", lambda: known)
    record = experiment.run(tmp_path)
    assert record["nats"]["values"].keys() == {DIFFUSION, TWIN}
    assert record["judge"]["values"].keys() == record["by way"].keys() == {TWIN, *WAYS}
    assert record["doubled"]["differences"].keys() == {f"{way} against {TWIN}" for way in WAYS}
    assert record["time"]["training step"]["cpu_ms"].keys() == {DIFFUSION, TWIN}
    assert len(record["time"]["2 texts"]["wall_ms"]) == 4
    assert experiment.run(tmp_path) == record  # from the file, times and all
    assert all(8 <= record["by way"][way]["pieces"] <= 30 for way in WAYS)


def test_the_rivals_are_the_same_model_with_the_same_budget():
    record = recorded("docs_twins")
    assert record["parameters"] == 1_389_936 and set(record["nats"]["values"]) == {DIFFUSION, TWIN}
    tried = record["nats"]["tried"]
    assert tried[DIFFUSION] == tried[TWIN] and len(tried[TWIN]) == 3
    assert record["steps"] * record["batch_size"] <= record["sentences"]["train"]  # none twice
    assert record["standard error of a bound"] < 0.02


def test_the_shipped_model_is_the_rival_trained_longer():
    shipped, tokenizer = load_pretrained("docs_diffusion")
    record, rival = recorded("docs_diffusion"), recorded("docs_twins")
    assert shipped.config.vocab_size == tokenizer.get_vocab_size() == 6000
    assert (
        sum(p.numel() for p in shipped.parameters()) == record["parameters"] == rival["parameters"]
    )
    assert record["recipe"]["steps"] == 4 * rival["steps"]
    assert record["test"]["nats"] < min(rival["nats"]["values"][DIFFUSION])
