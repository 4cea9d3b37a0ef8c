"""The widget that writes: what it asks of the sampler, what it stores, and what it refuses."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load
from traitlets import TraitError

from mlm_course.decoding import LLADA, MASK_PREDICT, MDLM, Sampler, cosine_remasking, refine
from mlm_course.diffusion import blank, fill_gaps, noting, predictor
from mlm_course.models.pretrained import load_pretrained
from mlm_course.models.storage import model_bytes
from mlm_course.tokenization import CLS_ID, MASK_ID, SEP_ID, train_bpe
from mlm_course.views import render_html
from mlm_course.widgets import Diffuse

pytestmark = pytest.mark.usefixtures("on_one_cpu_thread")
DRAWING = replace(MASK_PREDICT, temperature=1.0)
UNREAD = "___ default method ___ ___ if m is ___ ___ 10 and bilinear otherwise."


@pytest.fixture(scope="module")
def tinyworld():
    return load_pretrained("diffusion")


@pytest.fixture(scope="module")
def docs():
    return load_pretrained("python_docs")


def tokens(widget):
    return [step["tokens"] for step in widget.view["run"]["steps"]]


@pytest.mark.parametrize("sampler", [DRAWING, MASK_PREDICT, LLADA, MDLM])
def test_the_first_run_is_that_of_refine(tinyworld, sampler):
    widget = Diffuse(*tinyworld, length=9, steps=4, sampler=sampler, seed=3)
    chance = torch.Generator().manual_seed(3)
    steps = refine(predictor(tinyworld[0]), *blank(torch.tensor([9])), MASK_ID, 4, sampler, chance)
    assert tokens(widget) == [step.tokens[0].tolist() for step in steps]
    run = widget.view["run"]
    assert [step["masked"] for step in run["steps"]] == [s.masked[0].tolist() for s in steps]
    assert [step["again"] for step in run["steps"]][:-1] == [
        step["masked"] for step in run["steps"]
    ][1:]
    assert run["canvas"] == [CLS_ID, *[MASK_ID] * 9, SEP_ID]
    assert all(step["others"][0] == [] for step in run["steps"])  # nothing is chosen for [CLS]
    for step in run["steps"]:
        chosen = zip(step["tokens"], step["masked"], step["others"], strict=True)
        assert all(len(o) == 3 * new and t not in [i for _, i in o] for t, new, o in chosen)


def test_a_sentence_is_filled_as_by_fill_gaps(docs):
    widget = Diffuse(*docs, text=UNREAD, sampler=LLADA)
    filling = fill_gaps(*docs, UNREAD, LLADA)
    names = widget.vocabulary["pieces"]
    assert [[names[i] for i in row] for row in tokens(widget)] == filling.tokens
    assert repr(widget).endswith("Result: " + " ".join(filling.tokens[-1]))
    assert widget.steps == 5


def test_words_stand_between_cls_and_sep_and_pieces_do_not(tinyworld, docs):
    said = Diffuse(*tinyworld, text="Anna met her ___ at the ___.").view["run"]["canvas"]
    assert (said[0], said[-1], len(said)) == (CLS_ID, SEP_ID, 10)
    assert CLS_ID not in Diffuse(*docs, text=UNREAD).view["run"]["canvas"]
    assert Diffuse(*docs, length=3).view["run"]["canvas"] == [MASK_ID] * 3
    framed = Diffuse(*docs, text=UNREAD, special_tokens=True)
    assert framed.view["run"]["canvas"][0] == CLS_ID
    assert framed.vocabulary["special_tokens"] is True
    assert len(framed.picture()["given"]) == len(framed.view["run"]["canvas"]) - 2


def test_the_picture_follows_the_settings(tinyworld):
    widget = Diffuse(*tinyworld, title="A line")
    assert widget.picture()["summary"].startswith("A line: 17 tokens, 17 steps.")
    first = widget.view["run"]
    widget.steps, widget.length, widget.seed = 3, 5, 9
    assert widget.picture()["summary"].startswith("A line: 5 tokens, 3 steps.")
    widget.text = "anna met her ___ at the ___ ."
    assert "8 tokens, 6 of them given, 2 steps" in widget.picture()["summary"]
    widget.order, widget.schedule, widget.temperature = "bernoulli", "cosine", 0.0
    assert render_html(widget.picture())
    assert widget.view["run"] == first  # what the page began with


def test_steps_are_never_more_than_masked_places(tinyworld):
    assert len(tokens(Diffuse(*tinyworld, length=4, steps=30))) == 4


def test_settings_of_the_sampler_cross_to_the_page(tinyworld):
    sampler = Sampler(cosine_remasking, 0.5, False, "random", gumbel=2.0, of_remaining=True)
    widget = Diffuse(*tinyworld, sampler=sampler)
    assert (widget.schedule, widget.temperature) == ("cosine", 0.5)
    assert (widget.order, widget.may_remask) == ("random", False)
    assert (widget.view["gumbel"], widget.view["of_remaining"]) == (2.0, True)
    assert widget._chosen() == sampler


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"length": 0}, "between 1 and 24"),
        ({"length": 25}, "between 1 and 24"),
        ({"length": 2.5}, "must be an integer"),
        ({"steps": "4"}, "must be an integer"),
        ({"sampler": "LLaDA"}, "must be a Sampler"),
        ({"sampler": replace(LLADA, schedule=lambda done: 1 - done)}, "one of the schedules"),
        ({"text": "anna met her aunt"}, "There is no gap"),
        ({"text": "a dragon met ___"}, "“dragon” cannot be spelled"),
        ({"text": "___ " * 25}, "the model reads 24 at most"),
        ({"examples": "one text"}, "must be a list"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(tinyworld, how, problem):
    with pytest.raises(ValueError, match=problem):
        Diffuse(*tinyworld, **how)


@pytest.mark.parametrize(
    ("name", "value"),
    [("length", 40), ("text", "no gap"), ("steps", 0), ("order", "any"), ("temperature", -1.0)],
)
def test_a_setting_that_does_not_exist_is_refused(tinyworld, name, value):
    widget = Diffuse(*tinyworld)
    with pytest.raises(TraitError):
        setattr(widget, name, value)


def test_models_and_tokenizers_that_do_not_belong_together(tinyworld, docs):
    model, words = tinyworld
    with pytest.raises(ValueError, match="do not belong together"):
        Diffuse(model, docs[1])
    with pytest.raises(ValueError, match="must be a MaskedLM"):
        Diffuse(model.encoder, words)
    with pytest.raises(ValueError, match="the list of words"):
        Diffuse(model, "tinyworld")
    bpe = train_bpe(["a b c"], 261)
    with pytest.raises(ValueError, match="WordPiece"):
        Diffuse(type(model)(replace(model.config, vocab_size=bpe.get_vocab_size())), bpe)


def test_a_page_of_the_book_knows_the_checkpoint(tinyworld):
    state = Diffuse(*tinyworld).page_state()
    assert state["checkpoint"] == "diffusion"
    assert state["view"]["run"]["settings"]["length"] == 17
    assert len(json.dumps(state, allow_nan=False)) < 60_000


def test_the_weights_are_sent_when_they_are_asked_for(tinyworld):
    widget, sent = Diffuse(*tinyworld), []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._handle_custom_msg({"ask": "weights"}, [])
    ((weights,),) = [buffers for content, buffers in sent if content == {"answer": "weights"}]
    read, own = load(weights), load(model_bytes(tinyworld[0], torch.float16))
    assert read.keys() == own.keys() and all(torch.equal(read[name], own[name]) for name in own)


def test_noting_keeps_the_likeliest_of_each_answer():
    logits = torch.tensor([[[0.0, 2.0, 1.0], [3.0, 0.0, 1.0]]])
    ask, likeliest = noting(lambda canvas: logits, 2)
    canvas = torch.zeros(1, 2, dtype=torch.int64)
    assert ask(canvas) is logits and ask(canvas) is logits
    assert len(likeliest) == 2
    assert likeliest[0].indices.tolist() == [[[1, 2], [0, 2]]]
    assert torch.equal(likeliest[0].values, logits.softmax(-1).sort(descending=True)[0][..., :2])
