# ruff: noqa: RUF001
import json
from html.parser import HTMLParser
from itertools import chain

import numpy as np
import pytest
import torch
from anywidget import AnyWidget
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from mlm_course.decoding import LLADA, MASK_PREDICT, MASKGIT, MDLM, refine
from mlm_course.views import refinement_steps, render_html
from mlm_course.views.refinement import least
from mlm_course.views.text import label
from mlm_course.widgets import RefinementSteps

NAN = float("nan")
TOKENS = [
    ["[CLS]", "two", "two", "six"],
    ["[CLS]", "two", "ty", "six"],
    ["[CLS]", "forty", "ty", "six"],
]
SURE = [[1.0, 0.4, 0.2, 0.9], [1.0, 0.4, 0.6, 0.8], [1.0, 0.95, 0.6, 0.8]]
HIDDEN = [[False, True, True, True], [False, False, True, True], [False, True, False, False]]
RIGHT = [True, True, False, True]


def steps(**other):
    given = {"tokens": TOKENS, "confidences": SURE, "masked": HIDDEN, "right": RIGHT}
    return refinement_steps(**{**given, **other})


class Tables(HTMLParser):
    """Tables of a piece of HTML: rows of (text, style) of their cells."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.inside, self.regions = [], False, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "div" and attrs.get("role") == "region":
            self.regions.append(attrs["aria-label"])
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(["", attrs["style"]])
            self.inside = True
        elif self.inside:
            self.tables[-1][-1][-1][1] += ";" + attrs.get("style", "")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.tables[-1][-1][-1][0] += data


def cells(view, which=0):
    return Tables(render_html(view)).tables[which]


# ---------------------------------------------------------------- the view


def test_a_step_says_what_is_new_what_changed_and_what_goes_again():
    view = steps()
    assert view["kind"] == "refinement"
    assert [step["tokens"] for step in view["steps"]] == TOKENS
    assert [step["confidences"] for step in view["steps"]] == SURE
    assert [step["masked"] for step in view["steps"]] == HIDDEN
    assert [step["again"] for step in view["steps"]] == [*HIDDEN[1:], [False] * 4]
    changed = [[n for n, flag in enumerate(step["changed"]) if flag] for step in view["steps"]]
    assert changed == [[], [2], [1]]
    assert view["given"] == [True, False, False, False]
    assert view["right"] == RIGHT
    assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_the_summary_in_words():
    assert steps(title="Numbers")["summary"] == (
        "Numbers: 4 tokens, 1 of them given, 3 steps.\n"
        "Step 1 of 3: all 3 tokens filled in; lowest confidence 0.20, “two”. "
        "Masked again: 2 of the 3 just filled in, and not the least confident.\n"
        "Step 2 of 3: 2 of 3 tokens filled in, 1 of them changed; lowest confidence 0.40, “two”. "
        "Masked again: the least confident of 3.\n"
        "Step 3 of 3: 1 of 3 tokens filled in, 1 of them changed; lowest confidence 0.60, “ty”. "
        "This was the last step.\n"
        "Result: [CLS] forty ty six\n"
        "Right: 3 of 4 tokens."
    )
    plain = steps(right=None)["summary"]
    assert plain.startswith("4 tokens, 1 of them given, 3 steps.\nStep 1")
    assert "Right" not in plain


def why(confidences, before, after):
    """The reason between two steps over tokens that do not change."""
    tokens = ["a", "b", "c", "d", "e"]
    view = refinement_steps([tokens] * 3, [confidences] * 3, [[1 == 1] * 5, before, after])
    return view["steps"][1]["why"]


NONE, ALL = [False] * 5, [True] * 5
RISING = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("confidences", "before", "after", "said"),
    [
        (RISING, ALL, NONE, "Nothing is masked again."),
        (RISING, ALL, ALL, "Masked again: all 5."),
        (RISING, ALL, [True] * 2 + [False] * 3, "Masked again: the 2 least confident of 5."),
        (RISING, NONE, [True] + [False] * 4, "Masked again: the least confident of 5."),
        ([0.2, 0.2, 0.2, 0.4, 0.5], ALL, [False, True, True, False, False],
         "Masked again: the 2 least confident of 5."),
        (RISING, [False] * 2 + [True] * 3, [False] * 2 + [True] * 2 + [False],
         "Masked again: the 2 least confident of the 3 just filled in."),
        (RISING, [False] * 2 + [True] * 3, [False] * 2 + [True] * 3,
         "Masked again: the 3 just filled in."),
        (RISING, [False] * 2 + [True] * 3, [False] * 3 + [True] * 2,
         "Masked again: 2 of the 3 just filled in, and not the least confident."),
        (RISING, [False] * 2 + [True] * 3, [True, False, True, False, False],
         "Masked again: 2 of 5, and not the least confident."),
        (RISING, [False] * 2 + [True] * 3, [False, True, False, False, True],
         "Masked again: 2 of 5, and not the least confident."),
    ],
)  # fmt: skip
def test_why_tokens_are_masked_again(confidences, before, after, said):
    assert why(confidences, before, after) == said


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.data())
def test_least_agrees_with_sorting(data):
    sure = data.draw(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=6))
    places = range(len(sure))
    among = sorted(data.draw(st.sets(st.sampled_from(places), min_size=1)))
    chosen = sorted(data.draw(st.sets(st.sampled_from(among), min_size=1)))
    lowest = sorted(sure[n] for n in among)[: len(chosen)]
    assert least(sure, chosen, among) == (sorted(sure[n] for n in chosen) == lowest)


@pytest.mark.parametrize(
    ("sampler", "reason"),
    [
        (MASK_PREDICT, "least confident of 8."),
        (LLADA, "just filled in."),
        (MASKGIT, "just filled in"),
        (MDLM, "just filled in"),
    ],
)
def test_the_trace_of_a_real_sampler_can_be_seen(sampler, reason):
    """What `refine` does is what the view says of it."""
    logits = torch.randn(8, 8, 50, generator=torch.Generator().manual_seed(0)) * 3

    def predict(canvas):  # what is masked elsewhere changes what is predicted here
        return logits[(canvas == 4).sum() - 1][None]

    canvas, masked = torch.full((1, 8), 4), torch.ones(1, 8, dtype=torch.bool)
    seeded = torch.Generator().manual_seed(1)
    trace = refine(predict, canvas, masked, 4, 5, sampler, seeded)
    view = refinement_steps(
        [[f"t{i}" for i in step.tokens[0]] for step in trace],
        [step.confidence[0] for step in trace],
        torch.stack([step.masked[0] for step in trace]),
    )
    assert len(view["steps"]) == 5
    assert any(reason in step["why"] for step in view["steps"][1:])
    if sampler is MASK_PREDICT:
        assert [sum(step["masked"]) for step in view["steps"]] == [8, 6, 4, 3, 1]
        assert all("least confident of 8." in step["why"] for step in view["steps"][:-1])


def test_a_step_that_masks_nothing():
    view = refinement_steps([["a"], ["a"]], [[0.5], [0.5]], [[True], [False]])
    words = [f"{step['words']} {step['why']}" for step in view["steps"]]
    assert words == [
        "Step 1 of 2: 1 of 1 token filled in; lowest confidence 0.50, “a”. Nothing is masked again.",
        "Step 2 of 2: nothing was masked, nothing is filled in; lowest confidence 0.50, “a”. "
        "This was the last step.",
    ]


def test_a_text_that_is_given_as_a_whole():
    view = refinement_steps([["a", "b"]], [[1, 1]], [[False, False]])
    assert view["steps"][0]["words"] == (
        "Step 1 of 1: nothing was masked, nothing is filled in."
    )  # no confidence of the model's
    assert view["summary"].startswith("2 tokens, 2 of them given, 1 step.")


def test_letters_are_joined_to_words():
    view = refinement_steps([list("a word")], [[0.5] * 6], [[True] * 6])
    assert view["summary"].endswith("\nResult: a␣word")


def test_many_steps_are_told_in_a_few_lines():
    view = refinement_steps([["a"]] * 40, [[0.5]] * 40, [[True]] * 40)
    lines = view["summary"].splitlines()
    assert len(lines) == 15
    assert lines[12] == "And 28 more steps."
    assert lines[13].startswith("Step 40 of 40")


# ---------------------------------------------------------------- history


def told(view, place, step):
    """What the page says of a token at a step."""
    return "; ".join(
        words for words, first, last in view["history"][place] if first <= step <= last
    )


def test_the_history_of_a_token_grows_with_the_steps():
    view = steps()
    assert told(view, 2, 1) == "step 1 chose “two” (0.20); masked again before step 2"
    assert told(view, 2, 2) == "step 1 chose “two” (0.20); masked again, step 2 chose “ty” (0.60)"
    assert told(view, 2, 3) == told(view, 2, 2) + "; this is wrong"
    assert told(view, 3, 3) == (
        "step 1 chose “six” (0.90); masked again, step 2 chose “six” again (0.80); this is right"
    )
    assert told(view, 0, 2) == "“[CLS]” is given, never masked"
    assert "this is" not in told(steps(right=None), 2, 3)


def test_a_token_that_is_masked_later_was_there_from_the_start():
    view = refinement_steps([["a"], ["b"]], [[0.9], [0.8]], [[False], [True]])
    assert told(view, 0, 1) == "“a” (0.90) from the start; masked again before step 2"
    assert told(view, 0, 2) == "“a” (0.90) from the start; masked again, step 2 chose “b” (0.80)"


def test_a_word_from_right_to_left_does_not_turn_the_sentence():
    view = refinement_steps([["שלום", "a"]], [[0.5, 0.6]], [[True, True]])
    assert told(view, 0, 1) == "step 1 chose “\u2068שלום\u2069” (0.50)"
    assert "\u2068" not in told(view, 1, 1)
    assert "“\u2068שלום\u2069”" in view["steps"][0]["words"]


# ---------------------------------------------------------------- what it takes


def test_arrays_tensors_and_lists_make_the_same_view():
    plain = steps()
    sure, masked, right = torch.tensor(SURE), torch.tensor(HIDDEN), torch.tensor(RIGHT)
    sure.requires_grad_()
    assert steps(confidences=sure, masked=masked, right=right) == plain
    assert steps(confidences=list(sure), masked=list(masked)) == plain
    assert steps(confidences=np.array(SURE), masked=np.array(HIDDEN)) == plain
    assert steps(tokens=np.array(TOKENS), masked=iter(HIDDEN)) == plain
    assert steps(tokens=[tuple(row) for row in TOKENS]) == plain


def test_a_softmax_may_exceed_one_by_a_rounding():
    sure = [[1 + 9e-7, 0.4, -9e-7, 0.9], *SURE[1:]]
    assert steps(confidences=sure)["steps"][0]["confidences"] == [1.0, 0.4, 0.0, 0.9]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"tokens": []}, "at least one step and one token"),
        ({"tokens": [[], [], []]}, "at least one step and one token"),
        ({"tokens": "a b"}, "tokens must be a list or an array; it is str"),
        ({"tokens": None}, "tokens must be a list or an array; it is NoneType"),
        ({"tokens": ["a", "b", "c"]}, "tokens of step 1 must be a list of strings, not one string"),
        ({"tokens": [1, 2, 3]}, "tokens of step 1 must be a list of strings; it is int"),
        ({"tokens": [[None] * 4] * 3}, r"tokens of step 1\[0\] must be a string"),
        ({"tokens": [*TOKENS[:2], ["a"]]}, "tokens of step 3 has 1 entries where 4 are needed"),
        ({"tokens": TOKENS[:2]}, r"confidences must have .*, \(2, 4\); the shape is \(3, 4\)"),
        ({"confidences": SURE[:2]}, r"confidences must have .*, \(3, 4\); the shape is \(2, 4\)"),
        ({"confidences": [*SURE[:2], [1.0]]}, "confidences must be rectangular"),
        ({"confidences": SURE[0]}, r"confidences must have .* the shape is \(4,\)"),
        ({"confidences": 0.5}, "confidences must be a list or an array; it is float"),
        ({"confidences": torch.tensor(0.5)}, "confidences must be a list or an array"),
        ({"confidences": [["a"] * 4] * 3}, "confidences must hold numbers"),
        ({"confidences": [[NAN] * 4] * 3}, "confidences holds NaN"),
        ({"confidences": [[50] * 4] * 3}, "probabilities from 0 to 1; they go from 50.00 to 50.00"),
        ({"confidences": [[-1.5] * 4] * 3}, "probabilities from 0 to 1"),
        ({"masked": HIDDEN[0]}, r"masked must have .* the shape is \(4,\)"),
        ({"masked": [[1, 0, 1, 1]] * 3}, "masked must be boolean"),
        ({"masked": [HIDDEN]}, r"masked must have .* the shape is \(1, 3, 4\)"),
        ({"masked": None}, "masked must be a list or an array"),
        ({"right": RIGHT[:3]}, r"right must have one entry a token, \(4,\); the shape is \(3,\)"),
        ({"right": [1, 1, 1, 1]}, "right must be boolean"),
        ({"masked": [HIDDEN[0]] + [[False] * 4] * 2}, "Token 3 changes from “two” to “ty” in step 2"),
    ],
)  # fmt: skip
def test_what_does_not_fit_ends_in_one_sentence(other, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        steps(**other)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- the static picture


def test_the_table_has_a_row_a_step_and_a_column_a_token():
    rows = [[words for words, _ in row] for row in cells(steps())]
    assert rows == [
        ["step", "1", "2", "3", "4"],
        ["1", "[CLS]", "two 0.40", "two 0.20 ↓", "six 0.90 ↓"],
        ["2", "[CLS]", "two 0.40 ↓", "ty 0.60", "six 0.80"],
        ["3", "[CLS]", "forty 0.95", "ty 0.60", "six 0.80"],
        ["right", "✓", "✓", "✗", "✓"],
    ]
    assert cells(steps(right=None))[-1][0][0] == "3"


def test_what_was_masked_is_hatched_and_what_changed_is_bold():
    boxes = [[style for _, style in row[1:]] for row in cells(steps())[1:4]]
    hatched = [["background-size:6px" in style for style in row] for row in boxes]
    assert hatched == HIDDEN
    assert [["2px solid rgba(193, 87, 27, 1)" in style for style in row] for row in boxes] == HIDDEN
    bold = [[n for n, style in enumerate(row) if "font-weight:700" in style] for row in boxes]
    assert bold == [[], [2], [1]]
    assert all("1px dotted" in row[0] and "gradient" not in row[0] for row in boxes)


def test_the_shade_is_the_confidence():
    view = refinement_steps([["a", "b", "c"]], [[0.0, 0.5, 1.0]], [[True] * 3])
    styles = [style for _, style in cells(view)[1][1:]]
    shades = [
        style.split("background-color:rgba(43, 123, 186, ")[1].split(")")[0] for style in styles
    ]
    assert shades == ["0", "0.3", "0.6"]


def test_many_tokens_go_on_in_a_second_table_and_none_is_lost():
    words = [f"word{n}" for n in range(30)]
    view = refinement_steps([words] * 2, [[0.5] * 30] * 2, [[True] * 30] * 2)
    html = Tables(render_html(view))
    heads = [[int(words) for words, _ in rows[0][1:]] for rows in html.tables]
    assert list(chain(*heads)) == list(range(1, 31))
    assert 2 <= len(heads) <= 4 and max(map(len, heads)) - min(map(len, heads)) <= 2
    assert html.regions == [f"Tokens {places[0]} to {places[-1]}" for places in heads]
    assert len(cells(steps())) == 5 and len(Tables(render_html(steps())).tables) == 1


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=60))
def test_tables_of_any_tokens_hold_each_token_once(lengths):
    words = ["x" * n if n % 2 else "語" * n for n in lengths]
    view = refinement_steps([words], [[0.5] * len(words)], [[True] * len(words)])
    heads = [[words for words, _ in rows[0][1:]] for rows in Tables(render_html(view)).tables]
    assert list(chain(*heads)) == [str(n + 1) for n in range(len(words))]
    assert all(heads)


def test_hostile_tokens_stay_text():
    view = refinement_steps(
        [HOSTILE] * 2, [[0.5] * len(HOSTILE)] * 2, [[True] * len(HOSTILE)] * 2, title=HOSTILE[0]
    )
    json.dumps(view).encode()
    html = render_html(view)
    assert "<b id" not in html and "<svg" not in html and "<img" not in html
    shown = [words for rows in Tables(html).tables for words, _ in rows[1][1:]]
    assert shown == [f"{label(token)} 0.50 ↓" for token in HOSTILE]


# ---------------------------------------------------------------- the widget


def test_the_widget_is_its_view_and_a_step():
    widget = RefinementSteps(TOKENS, SURE, HIDDEN, RIGHT, "Numbers")
    assert widget.view == steps(title="Numbers")
    assert widget.step == 1
    ours = [name for name in widget.keys if name not in AnyWidget().keys and name[0] != "_"]
    assert sorted(ours) == ["step", "view"]
    assert "send(model, { step })" in widget._esm
    assert widget._esm.split("function letters")[1].count("send(") == 1  # nothing else goes back


def test_the_twin_does_not_depend_on_the_step():
    widget = RefinementSteps(TOKENS, SURE, HIDDEN, step=3)
    assert widget.step == 3
    assert widget._repr_mimebundle_()[0]["text/html"] == render_html(steps(right=None))


@pytest.mark.parametrize("value", [0, -1, 4])
def test_the_widget_refuses_a_step_that_does_not_exist(value):
    widget = RefinementSteps(TOKENS, SURE, HIDDEN)
    with pytest.raises(TraitError, match="step must lie between 1 and 3"):
        widget.step = value
    assert widget.step == 1
    with pytest.raises(TraitError, match="between 1 and 3"):
        RefinementSteps(TOKENS, SURE, HIDDEN, step=value)


def test_the_widget_passes_on_what_is_wrong():
    with pytest.raises(ValueError, match="confidences must be rectangular"):
        RefinementSteps(TOKENS, [[1.0], [1.0, 0.5]], HIDDEN)


# ---------------------------------------------------------------- what else was thought of

OTHERS = [[[], [("nine", 0.3)], [("teen", 0.1), ("six", 0.05)], []]] * 3


def test_what_a_step_also_thought_of_stands_behind_its_choice():
    view = steps(others=OTHERS)
    assert [part for part, *_ in view["history"][2]] == [
        "step 1 chose “two” (0.20), before “teen” (0.10), “six” (0.05)",
        "masked again before step 2",
        "masked again, step 2 chose “ty” (0.60), before “teen” (0.10), “six” (0.05)",
        "this is wrong",
    ]
    assert view["history"][3][0][0] == "step 1 chose “six” (0.90)"
    told = view["summary"].splitlines()
    assert told[4:7] == [
        "Token 2: masked again, step 3 chose “forty” (0.95), before “nine” (0.30).",
        "Token 3: masked again, step 2 chose “ty” (0.60), before “teen” (0.10), “six” (0.05).",
        "Token 4: masked again, step 2 chose “six” again (0.80).",
    ]
    assert json.loads(json.dumps(view, allow_nan=False)) == view


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        (OTHERS[:2], "others has 2 entries where 3 are needed"),
        ([[[]] * 3] * 3, "others of step 1 has 3 entries where 4 are needed"),
        ([[["a"]] * 4] * 3, r"others must hold lists of \(token, probability\), not \['a'\]"),
        (7, "others must be a list or an array; it is int"),
    ],
)
def test_others_that_do_not_fit_are_refused(others, sentence):
    with pytest.raises(ValueError, match=sentence):
        steps(others=others)


def test_hostile_others_stay_data():
    view = steps(others=[[[(token, 0.5) for token in HOSTILE]] * 4] * 3)
    assert "<b id" not in render_html(view) and "<img src=x" not in render_html(view)
    assert label(HOSTILE[0]) in view["history"][1][0][0]
