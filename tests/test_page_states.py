"""What a page of the book is given of a widget, to answer from without Python."""

import base64
import json
import random
import zlib

import numpy as np
import pytest
from hostile import HOSTILE

from mlm_course.practice.exercise import find_question
from mlm_course.practice.questions import Quiz
from mlm_course.practice.quiz_widget import QuizWidget
from mlm_course.views.curve import readings
from mlm_course.views.search import COMMON, shown_name, shown_text
from mlm_course.widgets import (
    DrawingPad,
    GapFiller,
    MaskPlayground,
    PageModel,
    SearchBox,
    TrainingCurve,
)
from mlm_course.widgets.base import FOR_PAGES, PAGE_MIME


def size(state):
    return len(json.dumps(state, allow_nan=False))


# ---------------------------------------------------------------- mask playground


def by_chance(ratio, seed):
    draw = random.Random(seed)
    return [n > 0 and draw.random() < ratio for n in range(11)]


def only_small(ratio, seed):
    if ratio > 0.5 and seed > 3:
        raise ValueError("there is no room\nat all")
    return [False] * 11


def playground(**how):
    can_hide = [n > 0 for n in range(11)]
    strategies = {"chance": by_chance, "small": only_small}
    return MaskPlayground(["w"] * 11, strategies, maskable=can_hide, **how)


def test_a_playground_keeps_the_draws_of_its_first_seeds_at_the_sliders_ratios():
    kept = playground(seed=2, ratio=0.33).page_state()["offline"]
    assert kept["ratios"] == sorted([0.33, *(place / 20 for place in range(21))])
    assert (kept["first"], kept["seeds"]) == (2, 20)
    packed = np.frombuffer(base64.b64decode(kept["chosen"][0]["bits"]), np.uint8)
    bits = np.unpackbits(packed)[: 22 * 20 * 10].reshape(22, 20, 10)
    for row, ratio in enumerate(kept["ratios"]):
        for seed in range(2, 22):
            assert bits[row, seed - 2].tolist() == by_chance(ratio, seed)[1:]
    assert kept["chosen"][0]["failed"] == []


def test_a_strategy_that_fails_is_kept_with_its_sentence():
    failed = playground().page_state()["offline"]["chosen"][1]["failed"]
    assert [[first, last] for first, last, _ in failed] == [
        [20 * n + 4, 20 * n + 19] for n in range(11, 21)
    ]
    assert {sentence for *_, sentence in failed} == {"“small” could not choose: there is no room"}


def test_a_long_text_has_fewer_seeds():
    strategies = {str(n): lambda ratio, seed: [True] * 500 for n in range(8)}
    state = MaskPlayground(["w"] * 500, strategies).page_state()
    assert 1 < state["offline"]["seeds"] < 20
    assert size(state["offline"]) < 60_000


def test_asking_for_a_state_changes_nothing():
    widget = playground(seed=1)
    before = widget.masked, widget.error, widget.seed, widget.ratio
    assert widget.page_state() == widget.page_state()
    assert before == (widget.masked, widget.error, widget.seed, widget.ratio)


# ---------------------------------------------------------------- search box

PASSAGES = [
    (f"name {n % 40}", f"passage {n} " + " ".join(map(str, range(n, n + 9)))) for n in range(60)
]


def first_two(query):
    return [(*passage, 1 / 3) for passage in PASSAGES[7:9]]


def failing(query):
    raise RuntimeError("no such checkpoint")


def unpacked(offline):
    return json.loads(zlib.decompress(base64.b64decode(offline["passages"])))


def test_a_search_box_keeps_the_answers_to_its_examples_and_the_passages():
    box = SearchBox(
        {"some": first_two, "broken": failing}, k=1, examples=["a", "b"], passages=PASSAGES
    )
    offline = box.page_state()["offline"]
    assert [(one["query"], one["method"]) for one in offline["answers"]] == [
        ("a", "some"),
        ("b", "some"),
    ]
    assert offline["answers"][0]["hits"] == [(0, "0.33", 0.3333)]
    assert offline["answers"][0]["said"] == "1 passage for “a”, some."
    passages = unpacked(offline)
    assert passages[0] == list(PASSAGES[7])
    assert sorted(passages) == sorted(map(list, PASSAGES))
    assert (offline["kept"], offline["all"], offline["k"]) == (60, 60, 1)
    assert offline["common"] == sorted(COMMON)
    assert box.hits == [] and box.said == ""


def test_of_too_many_passages_a_part_is_kept_evenly():
    letters = random.Random(0)
    words = ["".join(letters.choices("abcdefghijklmnop", k=7)) for _ in range(20_000)]
    many = [(f"name {n // 2}", " ".join(letters.choices(words, k=60))) for n in range(4000)]
    state = SearchBox(lambda query: [(*many[1], 1)], examples=["x"], passages=many).page_state()
    assert 200_000 < size(state) < 300_000
    passages = unpacked(state["offline"])
    assert passages[0] == list(many[1])  # what an answer names is there
    kept = [int(name.split()[1]) for name, _ in passages[1:]]
    assert kept == sorted(set(kept))  # the first of each name
    assert max(np.diff(kept)) <= 2 * min(np.diff(kept)) + 1
    assert state["offline"]["kept"] == len(passages) < state["offline"]["all"] == 4000


def test_a_search_box_without_passages_keeps_those_of_its_answers():
    offline = SearchBox(first_two, examples=["a"]).page_state()["offline"]
    assert unpacked(offline) == list(map(list, PASSAGES[7:9]))
    assert offline["kept"] == offline["all"] == 0


def test_hostile_passages_are_kept_as_they_are_shown():
    pairs = [(text, text) for text in HOSTILE]
    offline = SearchBox(
        lambda query: [(t, t, 1) for t in HOSTILE], k=50, examples=["a"], passages=pairs
    )
    offline = offline.page_state()["offline"]
    assert unpacked(offline) == [[shown_name(text), shown_text(text)] for text in HOSTILE]


# ---------------------------------------------------------------- gap filler, drawing pad


def filled(text):
    if "___" not in text:
        raise ValueError("no gap")
    return [["a", "b"]], [[1 / 3, 0.5]], [[True, False]], [[[("c", 0.12345678)], []]]


def test_a_gap_filler_keeps_the_answers_to_its_examples():
    widget = GapFiller(filled, ["x ___", "wrong", "y ___"], text="z ___")
    offline = widget.page_state()["offline"]
    assert [one["text"] for one in offline["answers"]] == ["z ___", "x ___", "y ___"]
    assert offline["answers"][1]["said"] == "1 gap filled in 1 step. Result: ab"
    assert offline["answers"][1]["filled"]["steps"][0]["confidences"] == [0.3333, 0.5]
    assert widget.text == "z ___" and "checkpoint" not in widget.page_state()


def test_a_gap_filler_with_a_checkpoint_names_it_and_its_pieces():
    state = GapFiller(filled, ["x ___"], checkpoint="python_docs").page_state()
    assert state["checkpoint"] == "python_docs"
    assert len(state["vocabulary"]["pieces"]) == 6000 and not state["vocabulary"]["special_tokens"]
    assert size(state) < 100_000


def test_a_pad_says_what_restores_a_drawing_in_a_page():
    assert DrawingPad().page_state()["offline"] == {"restores": True}  # nothing is missing
    restoring = DrawingPad(restore=lambda image: {"same": image})
    assert restoring.page_state()["offline"] == {"restores": False}
    model = PageModel("mnist_mae", np.arange(3), 0.1, 0.3, ("left", "made"))
    state = DrawingPad(restore=lambda image: {}, in_page=model).page_state()
    assert state["checkpoint"] == "mnist_mae"
    assert state["offline"] == {
        "kept": [0, 1, 2], "mean": 0.1, "spread": 0.3, "names": ["left", "made"], "restores": True
    }  # fmt: skip
    json.dumps(state)


# ---------------------------------------------------------------- curve, quiz


def curve(**how):
    widget = TrainingCurve(floor=0.5, **how)
    for step in range(1, 2001):
        widget.add(
            step, train_loss=4 / step + 0.5, validation_loss=1.25 if step % 100 == 0 else None
        )
    return widget


def test_a_curve_tells_its_values_at_its_steps():
    told = readings(curve().picture())
    assert 150 < len(told) <= 310
    places = [place for place, _ in told]
    assert places == sorted(places) and 0 < places[0] < 0.2 and 0.6 < places[-1] < 1
    assert told[0][1] == "Step 1: train loss 4.500."
    assert told[-1][1] == "Step 2,000: train loss 0.502, validation loss 1.250."
    between = [sentence for _, sentence in told if "(step" in sentence]
    assert between and "validation loss 1.250 (step 100)" in between[0]


def test_a_finished_curve_tells_the_book_its_state_once(monkeypatch):
    published = []
    monkeypatch.setattr(
        "mlm_course.widgets.training_curve.display", lambda *what, **_: published.append(what[0])
    )
    monkeypatch.setenv(FOR_PAGES, "1")
    widget = curve().live()
    widget.finish()
    live, finished = published
    assert set(live) == {"application/vnd.jupyter.widget-view+json"}
    data, _ = finished._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", PAGE_MIME}
    state = data[PAGE_MIME]["state"]
    assert data[PAGE_MIME]["name"] == "TrainingCurve" and size(state) < 100_000
    assert not state["view"]["open"] and "gone" not in state["view"]
    assert state["status_text"] == "" and state["offline"]["readings"]


def test_a_curve_without_points_can_be_stored():
    assert TrainingCurve().page_state()["offline"]["readings"] == []
    gaps = TrainingCurve()
    gaps.add(1, loss=float("nan"))
    assert [said for _, said in gaps.page_state()["offline"]["readings"]] == ["Step 1: no value."]


def test_a_stored_quiz_has_nobodys_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "p.json"))
    widget = QuizWidget(Quiz((find_question("1.q1"),)))
    before = widget.page_state()
    widget.chosen = {"1.q1": "a"}
    assert widget.page_state() == before
    assert (before["chosen"], before["saved"]) == ({}, {})


@pytest.mark.parametrize("make", [playground, curve, lambda: GapFiller(filled, ["x ___"])])
def test_a_state_is_the_same_each_time(make):
    assert make().page_state() == make().page_state()
