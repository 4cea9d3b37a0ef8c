"""Sentences that compare: each names a record that compares, cites a source, or says that it is one run."""

import json
import re
from pathlib import Path

import pytest

from mlm_course.authoring.evidence import (
    COMPARING,
    MARKER,
    Sentence,
    compares,
    comparing,
    exceptions,
    linked,
    paragraphs,
    part,
)
from mlm_course.authoring.source import read_source
from mlm_course.results import HERE, recorded
from mlm_course.results.comparison import AGAINST, FEWEST
from mlm_course.results.page import results_page

ROOT = Path(__file__).resolve().parents[1]
LESSONS = {
    path.name[:2]: "\n\n".join(c.text for c in read_source(path).cells if c.kind == "markdown")
    for path in sorted((ROOT / "course").glob("[0-9]*.py"))
}
REASONS = exceptions((ROOT / "course/evidence.md").read_text("utf-8"))
COMPARISONS = (
    "boxes",
    "gap_fillers",
    "choices",
    "masking",
    "weightings",
    "samplers",
    "student_goals",
    "weight_pruning",
    "payments",
    "text_mae",
    "retro_search",
    "image_choices",
    "mnist_labels",
    "docs_twins",
    "positions",
    "modern_changes",
    "modern_docs",
    "thresholds",
)


def plain(text: str) -> str:
    return " ".join(re.sub(r"[*_>]", "", MARKER.sub("", text)).split())


def reason(lesson: str, sentence: Sentence) -> str:
    starts = (start for start in REASONS.get(lesson, {}) if plain(start) in plain(sentence.text))
    return next((REASONS[lesson][s] for s in starts), "")


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_sentence_that_compares_names_what_carries_it(lesson):
    bare = [
        sentence.text
        for sentence in comparing(LESSONS[lesson])
        if not sentence.is_carried and not reason(lesson, sentence)
    ]
    assert bare == [], (
        "Name a record, {r:...}, cite, say that it is one run, or see course/evidence.md."
    )


@pytest.mark.parametrize("lesson", LESSONS)
def test_markers_name_records_that_compare(lesson):
    for marker in MARKER.findall(LESSONS[lesson]):
        name, keys, content = part(marker)
        assert compares(content), f"{name}.json holds no comparison over {FEWEST} seeds at {keys}."
    assert "{r:" not in linked(LESSONS[lesson])


def test_exceptions_have_reasons_and_stand_in_their_lesson():
    for lesson, reasons in REASONS.items():
        prose = plain(LESSONS[lesson])
        for start, why in reasons.items():
            assert len(why) > 5, start
            assert plain(start) in prose, f"course/evidence.md, {lesson}: {start!r} is not there."


def test_links_lead_to_the_page_of_results():
    page = results_page()
    for lesson, text in LESSONS.items():
        for marker in MARKER.findall(text):
            target = linked(f"x {{r:{marker}}}").split("#")[1].split(")")[0]
            assert f'<a id="{target}"></a>' in page or f"\n## {target}\n" in page, (lesson, marker)


def differences_in(content) -> list[dict]:
    inside = content.values() if isinstance(content, dict) else content
    if not isinstance(content, dict | list):
        return []
    own = (
        [content] if isinstance(content, dict) and {"mean", "low", "high"} <= content.keys() else []
    )
    return own + [row for value in inside for row in differences_in(value)]


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json")), ids=lambda path: path.stem)
def test_no_record_compares_fewer_than_five(path):
    rows = differences_in(json.loads(path.read_text("utf-8")))
    assert all(row["n"] >= FEWEST and row["low"] <= row["mean"] <= row["high"] for row in rows)


def parts_in(content) -> list[dict]:
    if not isinstance(content, dict):
        return []
    own = [content] if {"tried", "values", "differences"} <= content.keys() else []
    return own + [part for value in content.values() for part in parts_in(value)]


@pytest.mark.parametrize("name", COMPARISONS)
def test_rivals_are_tuned_alike(name):
    for each in parts_in(recorded(name)):
        assert len({len(tried) for tried in each["tried"].values()}) == 1
        assert all(len(values) >= FEWEST for values in each["values"].values())
        for pair in each["differences"]:
            assert {*pair.split(f" {AGAINST} ")} <= each["values"].keys()


def test_what_is_seen_as_comparing():
    prose = "It is `better` so. One is better. Two is (Lu 2020). As good as three, in one run.\n\n- ahead"
    assert [s.text for s in comparing(prose)] == [
        "One is better.",
        "As good as three, in one run.",
        "- ahead",
    ]
    carried = [
        "A is better {r:masking.ratios}.", "A is better (Lu 2020).", "In this one run A is ahead.",
    ]  # fmt: skip
    assert all(Sentence(text, "").is_carried for text in carried)
    assert Sentence("A is better.", "(Lu 2020, section 3.)").is_carried
    assert not Sentence("A is better.", "B is not. (Lu 2020.)").is_carried
    assert not COMPARING.search("the bestiary")
    assert list(paragraphs("a\nb\n\n- c\n- d\n\n| e |\n| f |")) == [
        "a b",
        "- c",
        "- d",
        "| e |",
        "| f |",
    ]


def test_markers_name_parts_by_their_keys():
    name, keys, content = part("masking.ratios")
    assert (name, keys) == ("masking", ["ratios"]) and content == recorded("masking")["ratios"]
    with pytest.raises(ValueError, match="no 'colours'"):
        part("masking.colours")
    with pytest.raises(ValueError, match='No experiment "nothing"'):
        part("nothing.at all")
    assert linked("so {r:masking.ratios}.") == (
        "so ([record](../course/RESULTS.md#masking-ratios))."
    )


def test_a_comparison_needs_five_values():
    row = {"mean": 1, "low": 0, "high": 2, "paired": True}
    assert compares({"a": [{**row, "n": 5}]}) and not compares({"a": {**row, "n": 4}})
    assert compares([1.0] * 5) and not compares([1.0] * 4)
    assert compares({"rounds": 7}) and not compares({"rounds": 3}) and not compares(7)
    assert compares({"20": "ahead by .01 to .05 (95 %, n = 10, paired)"})
    assert not compares("ahead by .01 to .05 (95 %, n = 3)") and not compares("pretrained")
    over = {"over_queries": [0.1, 0.2], "over_seeds": [0.1, 0.2], "seeds": 5}
    assert compares([over]) and not compares({**over, "seeds": 1, "over_seeds": None})
