"""Recorded experiments and the trained models that come with the course."""

import time
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from mlm_course import __main__ as command
from mlm_course import results, tokenization
from mlm_course.commands.making import experiments
from mlm_course.corpora import python_docs, tinyworld
from mlm_course.evaluation import score_masked
from mlm_course.experiments import masking
from mlm_course.experiments import python_docs as docs
from mlm_course.experiments import tinyworld as world
from mlm_course.models.pretrained import CHECKPOINTS, load_pretrained


@pytest.fixture(scope="module")
def corpus():
    return docs.read_corpus(("nbclient", "jupytext"), vocab_size=600)


def test_no_paragraph_is_on_both_sides(corpus, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        docs,
        "_packed",
        lambda tokenizer, texts: seen.setdefault(len(seen), texts) and torch.ones(1, 1),
    )
    docs.read_corpus(("nbclient", "jupytext"), vocab_size=600)
    train, held_out = (set(python_docs.paragraphs(seen[side], 1)) for side in (0, 1))
    assert train and held_out and not train & held_out


def test_a_corpus_is_full_rows_without_padding(corpus):
    for rows in (corpus.train, corpus.held_out):
        assert rows.shape[1] == docs.LENGTH and (rows != tokenization.PAD_ID).all()
    assert corpus.sizes["tokens_train"] == corpus.train.numel() > corpus.held_out.numel()


def test_more_packages_are_only_trained_on(corpus):
    more = docs.read_corpus(("nbclient", "jupytext"), vocab_size=600, more=("nbformat", "jupytext"))
    assert more.tokenizer.to_str() == corpus.tokenizer.to_str()
    assert torch.equal(more.held_out, corpus.held_out)
    assert torch.equal(more.train[: len(corpus.train)], corpus.train)
    assert more.sizes["tokens_train"] > corpus.sizes["tokens_train"]


def test_further_texts_repeat_no_paragraph_that_is_held_out():
    items = python_docs.docstrings(("jupytext",))
    paragraphs = python_docs.paragraphs((item.text for item in items), 1)
    further = docs.further_texts(("jupytext",), paragraphs[:5])
    assert set(python_docs.paragraphs(further, 1)) == set(paragraphs) - set(paragraphs[:5])


def test_further_texts_spell_out_no_special_token(monkeypatch):
    item = python_docs.Docstring("m", "", "A gap is written [MASK] here.\n\nA text without any.")
    monkeypatch.setattr(python_docs, "docstrings", lambda packages: [item])
    assert docs.further_texts(("m",), []) == ["A text without any."]


def test_packages_that_are_not_here_are_left_out():
    assert docs.readable(("no_such_package", "nbclient")) == ["nbclient"]


def test_held_out_masks_stay_the_same_and_hide_15_percent(corpus):
    one, two = docs.held_out_masks(corpus), docs.held_out_masks(corpus)
    assert torch.equal(one.masked, two.masked)
    candidates = corpus.held_out > max(tokenization.SPECIAL_IDS)
    assert one.masked.sum() / candidates.sum() == pytest.approx(0.15, abs=0.005)
    assert (one.input_ids[one.masked] == tokenization.MASK_ID).all()


def test_whole_words_are_neither_pieces_nor_signs(corpus):
    ids = torch.tensor(tokenization.encode(corpus.tokenizer, ["the notebook, (the) xqzt the"]))
    words = docs.whole_words(corpus.tokenizer, ids)[0]
    names = [corpus.tokenizer.id_to_token(i) for i in ids[0].tolist()]
    chosen = [name for name, word in zip(names, words.tolist(), strict=True) if word]
    assert chosen.count("the") == 3 and "," not in chosen and "[CLS]" not in chosen
    assert not any(name.startswith("##") for name in chosen)
    first_piece = next(i for i, name in enumerate(names) if names[i + 1].startswith("##"))
    assert not words[first_piece]


@pytest.mark.parametrize("module", [docs, world])
def test_an_experiment_stores_a_model_and_returns_its_record(module, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("mlm_course.models.pretrained"), "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(module, "RECIPE", replace(module.RECIPE, steps=2, batch_size=4))
    monkeypatch.setattr(docs, "read_corpus", lambda more=(): corpus)
    monkeypatch.setattr(docs, "MORE", ())
    monkeypatch.setattr(world, "SENTENCES", 50)
    monkeypatch.setattr(world, "TEST_SENTENCES", 20)
    record = module.run(folder=tmp_path / "run")
    name = module.__name__.rsplit(".", 1)[1]
    assert (tmp_path / name / "model.safetensors").stat().st_size > 1000
    assert record["result"]["step"] == 2


def test_the_command_writes_the_record_with_machine_and_versions(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "HERE", tmp_path)
    monkeypatch.setattr(masking, "run", lambda: {"found": 1})
    monkeypatch.setattr("sys.argv", ["mlm_course", "experiment", "masking"])
    assert command.main() == 0
    record = results.recorded("masking")
    assert record["found"] == 1 and record["command"] == "python -m mlm_course experiment masking"
    assert torch.__version__ in record["versions"]["torch"]
    assert "CPU cores" in record["machine"]


def test_an_experiment_that_was_not_recorded_is_named():
    with pytest.raises(ValueError, match=r'"nothing".*Recorded: .*masking'):
        results.recorded("nothing")


def test_every_record_says_how_to_make_it_again():
    for path in results.HERE.glob("*.json"):
        if path.stem == "benchmarks":  # see test_benchmarks.py
            continue
        record = results.recorded(path.stem)
        assert record["command"] == f"python -m mlm_course experiment {path.stem}"
        assert record["minutes"] > 0 and record["machine"] and record["versions"]["torch"]
        assert path.stem in experiments()


def test_the_models_that_ship_are_small_and_load_quickly():
    size = sum(path.stat().st_size for path in CHECKPOINTS.rglob("*") if path.is_file())
    assert size < 25e6
    assert sum(p.stat().st_size for p in (CHECKPOINTS / "python_docs").iterdir()) < 12e6
    start = time.process_time()
    load_pretrained("python_docs")
    assert time.process_time() - start < 3  # a bar of 1 s on a quiet machine: see make bench


def test_an_unknown_model_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r'"bert".*python_docs, tinyworld'):
        load_pretrained("bert")


def test_the_tinyworld_model_is_close_to_the_floor_and_not_below():
    model, names = load_pretrained("tinyworld")
    assert names == tinyworld.vocabulary()
    ids = world.sentences(500, 77)
    corrupted = world.masker(0.15)(ids, torch.Generator().manual_seed(78))
    gap = score_masked(model, corrupted).loss - tinyworld.loss_floor(ids, corrupted.masked)
    assert -0.01 < gap < 0.05


def test_the_python_model_knows_some_python():
    model, tokenizer = load_pretrained("python_docs")
    for text, answer in {
        "If None, the default [MASK] is used.": "value",
        "Returns [MASK] if the two objects are equal, False otherwise.": "true",
        "Return the sum of the elements along the given [MASK].": "axis",
    }.items():
        ids = torch.tensor(tokenization.encode(tokenizer, [text], special_tokens=False))
        with torch.no_grad():
            logits = model(ids, None, ids == tokenization.MASK_ID)  # (1, V)
        assert tokenizer.id_to_token(int(logits[0].argmax())) == answer
