# ruff: noqa: RUF001
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hostile import HOSTILE

from mlm_course.views import (
    PatchFrame,
    PatchImage,
    Picture,
    attention_view,
    heat_map,
    mask_matrix,
    patch_grid,
    refinement_steps,
    render_html,
    show,
    token_strip,
    training_curve,
    weights_view,
)
from mlm_course.views.mask import sentence
from mlm_course.views.text import LONGEST, label, number

WORDS = ["the", "cat", "sat"]
SCORES = [[0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [-4.0, 0.0, 0.5]]
CAUSAL = torch.ones(3, 3).tril().bool()


class Reader(HTMLParser):
    """Elements, attributes and text of a piece of HTML, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts, self.rows = [], [], [], []
        self.open = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("br", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.rows and self.open[-1] in ("td", "th", "span"):
            self.rows[-1].append(data)


def weights_of(view, head=0):
    return np.array(view["stages"][2]["values"][head])


# ---------------------------------------------------------------- text and numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.125, "0.13"),
        (0.125 - 1e-9, "0.13"),  # what another processor makes of 1/8
        (-0.004, "0.00"),
        (-0.0, "0.00"),
        (-1.005, "−1.01"),
        (1234.5, "1234.50"),
        (None, "−∞"),
    ],
)
def test_a_number_has_two_decimals_and_is_the_same_everywhere(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("cat", "cat"),
        ("", "(empty)"),
        ("\n", "↵"),
        (" the", "␣the"),
        ("  ", "␣␣"),
        ("a b", "a b"),
        ("\u0301", "◌\u0301"),
        ("\ud800", "�"),
        ("\u202eabc", "�abc"),
        ("x" * 99, "x" * (LONGEST - 1) + "…"),
        ("👩‍🔬", "👩‍🔬"),
    ],
)
def test_a_label_is_visible(token, text):
    assert label(token) == text


# ---------------------------------------------------------------- attention


def test_attention_goes_through_three_stages():
    view = attention_view(WORDS, SCORES, CAUSAL)
    assert [s["label"] for s in view["stages"]] == ["scores", "+ mask", "softmax"]
    assert view["stages"][0]["values"] == [SCORES]
    assert view["stages"][1]["values"] == [[[0.0, None, None], [1.0, 1.0, None], [-4.0, 0.0, 0.5]]]
    expected = torch.tensor(SCORES).masked_fill(~CAUSAL, -torch.inf).softmax(-1)
    np.testing.assert_allclose(weights_of(view), expected.numpy(), atol=1e-5)
    assert view["summary"] == (
        "Attention, 1 head: 3 queries by 3 keys; 3 of 9 pairs masked.\n"
        "Head 0, largest weight: the → the 1.00, cat → the 0.50, sat → sat 0.62."
    )


def test_a_query_without_keys_gets_zeros_and_says_so():
    closed = CAUSAL.clone()
    closed[1] = False
    view = attention_view(WORDS, SCORES, closed)
    assert view["stages"][2]["values"][0][1] == [0.0, 0.0, 0.0]
    assert "cat → nothing" in view["summary"]
    assert "nan" not in render_html(view).lower()


def test_every_head_and_other_keys():
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    view = attention_view(WORDS, scores, keys=list("abcd"))
    for head in range(2):
        expected = scores[head].softmax(-1).numpy()
        np.testing.assert_allclose(weights_of(view, head), expected, atol=1e-5)
    assert view["keys"] == list("abcd")
    assert view["summary"].startswith("Attention, 2 heads: 3 queries by 4 keys; no mask.")


@pytest.mark.parametrize(
    "mask",
    [
        CAUSAL,
        CAUSAL[None],
        CAUSAL[None, None],
        CAUSAL.numpy(),
        CAUSAL.tolist(),
        CAUSAL.expand(2, 3, 3),
    ],
)
def test_masks_broadcast_over_heads(mask):
    view = attention_view(WORDS, torch.zeros(2, 3, 3), mask)
    assert view["stages"][1]["values"][1][0] == [0.0, None, None]


def test_a_padding_mask_closes_a_column():
    padding = torch.tensor([True, True, False])[None, None, None]  # (B, 1, 1, S)
    view = attention_view(WORDS, torch.zeros(2, 3, 3), padding)
    assert weights_of(view, 1).tolist() == [[0.5, 0.5, 0.0]] * 3


def test_scores_that_are_minus_infinity_already():
    view = attention_view(["q"], torch.tensor([[0.5, 0.5, 0.0]]).log(), keys=WORDS)
    assert view["stages"][0]["values"][0][0][2] is None
    assert weights_of(view).tolist() == [[0.5, 0.5, 0.0]]


def test_large_scores_do_not_overflow():
    view = attention_view(["q"], [[1e4, 1e4 - 1.0]], keys=["a", "b"])
    np.testing.assert_allclose(weights_of(view), [[0.731059, 0.268941]], atol=1e-6)


def test_scores_that_need_a_gradient_and_half_precision():
    for scores in (torch.zeros(3, 3, requires_grad=True), torch.zeros(3, 3).bfloat16()):
        assert attention_view(WORDS, scores)["stages"][0]["values"][0][0] == [0.0, 0.0, 0.0]


def test_the_picture_of_attention_shows_its_numbers():
    reader = Reader(render_html(attention_view(WORDS, SCORES, CAUSAL, query=2)))
    assert ["▸ sat", "−4.00", "0.00", "0.50"] in reader.rows  # the selected row of the scores
    assert ["cat", "1.00", "1.00", "−∞"] in reader.rows  # + mask
    assert ["cat", "0.50", "0.50", "0.00"] in reader.rows  # softmax
    assert ["key", "scores", "+ mask", "softmax"] in reader.rows
    assert ["the", "−4.00", "−4.00", "0.01"] in reader.rows  # what "sat" sees
    assert "What “sat” sees" in reader.texts


def test_without_a_mask_there_is_no_masked_stage_to_look_at():
    html = render_html(attention_view(WORDS, SCORES))
    assert "+ mask" not in html
    assert "gradient(135deg" not in html  # and nothing is hatched


def test_many_tokens_lose_the_numbers_but_not_the_tooltips():
    words = [f"w{i}" for i in range(40)]
    html = render_html(attention_view(words, np.zeros((2, 40, 40))))
    reader = Reader(html)
    assert ("title", "w39 → w39: 0.03") in reader.attributes
    assert "1 other head: see the live widget." in reader.texts
    assert len(html) < 400_000


# ---------------------------------------------------------------- the other views


def test_weights_as_bars():
    view = weights_view(["the", "cat", "sat", "down"], torch.tensor([0.1, 0.6, 0.2, 0.1]))
    assert view["summary"] == (
        "Weights: the 0.10, cat 0.60, sat 0.20, down 0.10. Together they make 1.00."
    )
    html = render_html(view)
    assert ["cat", "0.60"] in Reader(html).rows
    assert "width:200px;background-color" in html  # the longest bar
    assert "width:33px;background-color" in html  # a sixth of it
    assert "0.60" in weights_view(["a", "b"], [0.6, 0.0])["summary"].split("make")[1]


def test_weights_that_are_all_zero():
    assert "width:0px" in render_html(weights_view(["a", "b"], [0.0, 0.0]))


def test_heat_map_tells_its_ends_and_its_infinities():
    view = heat_map(WORDS, ["a", "b"], [[0.5, -1.0], [-np.inf, 2.0], [0.0, 0.0]], title="scores")
    assert view["values"] == [[0.5, -1.0], [None, 2.0], [0.0, 0.0]]
    assert view["summary"] == (
        "scores: 3 rows by 2 columns of numbers, from −1.00 (the, b) to 2.00 (cat, b); "
        "1 cell is minus infinity."
    )
    html = render_html(view)
    assert ["cat", "−∞", "2.00"] in Reader(html).rows
    assert html.count("gradient(135deg") == 1
    assert html.count("rgba(43, 123, 186") == 2  # above zero
    assert html.count("rgba(193, 87, 27") == 1  # below


def test_heat_map_of_nothing_but_minus_infinity():
    assert heat_map(["a"], ["b"], [[-np.inf]])["summary"].endswith("all of them minus infinity.")


def test_mask_matrix_tells_reasons_apart():
    padding = torch.tensor([[True, True, False]])
    allowed = CAUSAL & padding
    view = mask_matrix(WORDS, WORDS, allowed, {"padding": padding, "future": CAUSAL})
    assert view["allowed"] == allowed.tolist()
    assert view["why"] == [[[], [1], [0, 1]], [[], [], [0, 1]], [[], [], [0]]]
    assert view["summary"] == (
        "3 queries by 3 keys: 5 pairs allowed, 4 masked (padding 3, future 3)."
    )
    assert sentence(view, 0, 0) == "query “the” may attend to key “the”."
    assert sentence(view, 0, 1) == "query “the” may not attend to key “cat”: future."
    assert sentence(view, 0, 2) == "query “the” may not attend to key “sat”: padding and future."
    reader = Reader(render_html(view))
    assert ["the", "✓", "F", "PF"] in reader.rows
    assert ["F", "masked: future"] in reader.rows


def test_a_reason_looks_the_same_in_every_picture():
    alone = mask_matrix(WORDS, WORDS, CAUSAL, {"future": CAUSAL})
    both = mask_matrix(WORDS, WORDS, CAUSAL, {"padding": CAUSAL, "future": CAUSAL})
    assert alone["patterns"] == [1]
    assert both["patterns"] == [0, 1]
    other = mask_matrix(WORDS, WORDS, CAUSAL, {"other text": CAUSAL, "future": CAUSAL})
    assert other["patterns"] == [0, 1]


def test_mask_matrix_with_reasons_in_words_and_without():
    words = [["", "future"], ["", ""]]
    view = mask_matrix(["a", "b"], ["c", "d"], [[True, False], [True, True]], words)
    assert sentence(view, 0, 1) == "query “a” may not attend to key “d”: future."
    view = mask_matrix(["a", "b"], ["c", "d"], [[True, False], [True, True]])
    assert sentence(view, 0, 1) == "query “a” may not attend to key “d”: blocked."


def test_mask_matrix_names_queries_that_may_attend_to_nothing():
    view = mask_matrix(["a", "b"], ["c"], [[True], [False]])
    assert view["summary"].endswith("Nothing to attend to: b.")


def test_reasons_that_begin_alike_get_digits():
    first = torch.tensor([[True, False, True]])
    second = torch.tensor([[True, True, False]])
    view = mask_matrix(["q"], WORDS, first & second, {"packing": first, "padding": second})
    assert view["letters"] == ["1", "2"]


def test_token_strip_counts_what_is_hidden():
    tokens = ["[CLS]", "the", "cat", "sat", "[SEP]"]
    view = token_strip(
        tokens,
        masked=torch.tensor([False, False, True, True, False]),
        shown=[None, None, None, "dog", None],
        numbers=[None, 0.25, None, 0.5, None],
        maskable=[False, True, True, True, False],
    )
    assert view["summary"] == (
        "[CLS] the [MASK] dog [SEP]\n"
        "2 of 3 tokens that may be hidden (2 may not) hidden: a ratio of 0.67.\n"
        "Numbers: the 0.25, sat 0.50."
    )
    reader = Reader(render_html(view))
    assert ("role", "list") in reader.attributes
    assert reader.tags.count("li") == 5
    inside = "".join(t + "|" for t in reader.texts)
    assert "[MASK]|cat|dog|sat|0.50|" in inside


def test_token_strip_of_tokens_only_and_of_none():
    nothing = "0 of 2 tokens hidden: a ratio of 0.00."
    assert token_strip(["a", "b"], [False, False])["summary"] == f"a b\n{nothing}"
    assert token_strip(["a", "b"], maskable=[True, True])["summary"] == f"a b\n{nothing}"
    assert token_strip([], [])["summary"].endswith("0 of 0 tokens hidden: a ratio of 0.00.")
    assert token_strip(["a", "b"], title="A strip")["summary"] == "A strip: a b"


# ---------------------------------------------------------------- what is refused

NAN = float("nan")
WRONG = [
    (lambda: weights_view(["a"], [0.5, 0.5]), "tokens has 1 entries where 2"),
    (lambda: weights_view(["a", "b"], [0.5, -0.5]), "zero or more"),
    (lambda: weights_view(["a"], [NAN]), "NaN"),
    (lambda: weights_view(["a"], [[1.0]]), "one axis"),
    (lambda: weights_view("the", [1.0, 1.0, 1.0]), "one string"),
    (lambda: weights_view([3.5], [1.0]), "must be a string"),
    (lambda: heat_map(WORDS, WORDS, np.zeros((2, 3))), "rows has 3 entries where 2"),
    (lambda: heat_map(["a"], WORDS, np.zeros((1, 2))), "columns has 3 entries where 2"),
    (lambda: heat_map(["a"], ["b"], [[NAN]]), "NaN"),
    (lambda: heat_map(["a"], ["b"], [[np.inf]]), "infinite"),
    (lambda: heat_map(["a"], ["b"], [0.0]), "two axes"),
    (lambda: heat_map(["a"], ["b", "c"], [[0.0, 1.0], [0.0]]), "rectangular"),
    (lambda: heat_map(["a"], ["b"], [["x"]]), "must hold numbers"),
    (lambda: heat_map([], [], np.zeros((0, 0))), "two axes"),
    (lambda: attention_view(WORDS, np.zeros((2, 2, 3, 3))), r"Pick one text first"),
    (lambda: attention_view(WORDS, np.zeros((2, 3))), "tokens has 3 entries where 2"),
    (lambda: attention_view(WORDS, np.zeros((3, 4))), "tokens has 3|entries where 4"),
    (lambda: attention_view(WORDS, np.zeros((3, 3)), keys=["a"]), "keys has 1 entries where 3"),
    (lambda: attention_view(WORDS, np.full((3, 3), NAN)), "NaN"),
    (lambda: attention_view(WORDS, SCORES, np.ones((3, 3))), "must be boolean"),
    (lambda: attention_view(WORDS, SCORES, np.ones((2, 3), bool)), "does not fit"),
    (lambda: attention_view(WORDS, SCORES, head=1), "head 1 does not exist"),
    (lambda: attention_view(WORDS, SCORES, query=-1), "query -1 does not exist"),
    (lambda: mask_matrix(WORDS, WORDS, np.ones((2, 3), bool)), "does not fit"),
    (lambda: mask_matrix(WORDS, WORDS, np.ones((3, 3))), "must be boolean"),
    (lambda: mask_matrix([], [], np.ones((0, 0), bool)), "at least one"),
    (lambda: mask_matrix(WORDS, WORDS, CAUSAL, {"x": ~CAUSAL}), "leaves open"),
    (lambda: mask_matrix(WORDS, WORDS, CAUSAL, [["x"]]), "3 rows of 3 strings"),
    (lambda: token_strip(WORDS, masked=[True]), "masked has 1 entries where 3"),
    (lambda: token_strip(WORDS, masked=[0, 1, 0]), "must be boolean"),
    (lambda: token_strip(WORDS, numbers=[1.0]), "numbers has 1 entries where 3"),
    (lambda: token_strip(WORDS, numbers=[1.0, NAN, 1.0]), "NaN"),
    (lambda: token_strip(WORDS, shown=["a"]), "shown has 1 entries where 3"),
    (
        lambda: token_strip(WORDS, masked=[True] * 3, maskable=[False] * 3),
        r"Token 0 \(the\) may not",
    ),
    (lambda: render_html({"kind": "pie"}), "no picture of kind 'pie'"),
    (lambda: show({}), "no picture of kind None"),
]


@pytest.mark.parametrize(("call", "sentence"), WRONG)
def test_what_does_not_fit_ends_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- all views alike


def image_named(name):
    frames = [PatchFrame(ratio, np.eye(2), np.zeros((4, 4))) for ratio in (0.5, 0.75)]
    return PatchImage(name, np.full((4, 4), 0.5), frames)


def all_views(tokens):
    n = len(tokens)
    some = [i % 2 == 0 for i in range(n)]
    square = np.linspace(-1, 1, n * n).reshape(n, n)
    reasons = {f"{tokens[0]} {i}": np.eye(n) != 1 for i in range(2)}
    return [
        weights_view(tokens, np.full(n, 1 / n)),
        heat_map(tokens, tokens, square, title=tokens[0]),
        attention_view(tokens, np.stack([square, -square]), np.eye(n) != 1),
        mask_matrix(tokens, tokens, np.eye(n) != 1, reasons, title=tokens[1]),
        token_strip(tokens, some, tokens[::-1], np.linspace(0, 1, n), title=tokens[0]),
        training_curve({t: [(1, 2.0), (2, 1.0)] for t in tokens}, floor=0.5, title=tokens[0]),
        patch_grid([image_named(t) for t in tokens], 2, title=tokens[0]),
        refinement_steps([tokens] * 2, [[0.5] * n] * 2, [[True] * n, some], some, title=tokens[0]),
    ]


TAGS = {
    "figure", "figcaption", "div", "span", "br", "table", "caption", "tr", "th", "td", "ul", "li",
    "img",
}  # fmt: skip
ATTRIBUTES = {
    "style", "class", "role", "scope", "dir", "title", "tabindex", "aria-label",
    "data-lm-suppress-shortcuts", "alt", "src",
}  # fmt: skip


@pytest.mark.parametrize(
    "view", all_views(HOSTILE) + all_views(HOSTILE * 2), ids=lambda v: v["kind"]
)
def test_hostile_text_stays_text(view):
    json.dumps(view, allow_nan=False).encode()
    view["summary"].encode()  # no lone surrogate
    reader = Reader(render_html(view))
    assert set(reader.tags) <= TAGS
    assert {name for name, _ in reader.attributes} <= ATTRIBUTES
    assert not reader.open
    sources = [value for name, value in reader.attributes if name == "src"]
    pictures = ("data:image/svg+xml;base64,", "data:image/png;base64,")
    assert all(source.startswith(pictures) for source in sources)
    for token in HOSTILE:
        assert any(label(token) in text for text in reader.texts), token


@pytest.mark.parametrize("view", all_views(WORDS), ids=lambda v: v["kind"])
def test_styles_load_nothing_and_leak_nothing(view):
    html = render_html(view)
    assert "url(" not in html
    assert "<style" not in html
    assert "class=" not in html.replace('class="mlm-picture"', "")


@pytest.mark.parametrize("pair", list(zip(all_views(WORDS), all_views(WORDS), strict=True)))
def test_a_picture_is_the_same_each_time(pair):
    first, second = (show(view)._repr_mimebundle_() for view in pair)
    assert first == second
    assert set(first) == {"text/plain", "text/html"}
    assert first["text/plain"] == repr(show(pair[0])) == pair[0]["summary"]
    assert isinstance(show(pair[0]), Picture)


def test_views_need_neither_torch_nor_ipywidgets():
    import subprocess
    import sys

    code = (
        "import sys, mlm_course.views\n"
        "print(sorted({'torch', 'ipywidgets', 'anywidget'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
