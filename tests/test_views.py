# ruff: noqa: RUF001
import json
import re
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from hostile import HOSTILE

from mlm_course.views import (
    PatchFrame,
    PatchImage,
    Picture,
    SearchResult,
    attention_view,
    drawing_pad,
    heat_map,
    large,
    mask_matrix,
    patch_grid,
    pixels,
    refinement_steps,
    render_html,
    search_results,
    show,
    token_strip,
    training_curve,
    weights_view,
)
from mlm_course.views.drawing import named_pictures
from mlm_course.views.mask import sentence
from mlm_course.views.search import parts, stems
from mlm_course.views.style import BLUE, RUST
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


def weights_of(view, head=0, stage=2):
    return np.array(view["stages"][stage]["values"][head])


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
        ("\ud800", "⟨U+D800⟩"),
        ("\u202eabc", "⟨U+202E⟩abc"),
        ("\0", "⟨U+0000⟩"),
        ("\u200b", "⟨U+200B⟩"),  # zero width
        ("a\u200b", "a⟨U+200B⟩"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\u00a0", "⟨U+00A0⟩"),  # no-break space
        ("\u3000", "⟨U+3000⟩"),  # ideographic space
        ("co\u00adop", "co⟨U+00AD⟩op"),  # soft hyphen
        ("\ufeff", "⟨U+FEFF⟩"),
        ("\u200f", "⟨U+200F⟩"),  # a mark of direction
        ("\u3164", "⟨U+3164⟩"),  # a letter of Hangul that shows nothing
        ("\u2800", "⟨U+2800⟩"),  # Braille without dots
        ("\ufe0f", "⟨U+FE0F⟩"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("می\u200cخ", "می\u200cخ"),  # a joiner that Persian writes inside words
        ("a\u200cb", "a⟨U+200C⟩b"),
        ("\r", "␍"),
        ("\t", "⇥"),
        ("a  b", "a␣␣b"),  # a page would show one
        ("a ", "a␣"),
        ("\u200b" * 9, "⟨U+200B⟩⟨U+200B⟩…"),
        ("x" * 99, "x" * (LONGEST - 1) + "…"),
        ("👩‍🔬", "👩‍🔬"),
    ],
)
def test_a_label_is_visible(token, text):
    assert label(token) == text
    assert label(text) == text  # a label of a label is itself


UNSEEN = [
    chr(n)
    for n in range(0x110000)
    if unicodedata.category(chr(n)) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
]


def test_no_character_that_shows_nothing_is_left_in_a_label():
    assert len(UNSEEN) > 2000
    for character in UNSEEN:
        for token in (character, f"a{character}", f"{character}a"):
            assert not set(label(token)) & set(UNSEEN), ascii(token)


def test_tokens_from_right_to_left_stand_alone_in_every_sentence():
    """Each is set apart by the two characters that Unicode has for it."""
    for view in all_views(["שלום", "مرحبا"]):
        said = view["summary"].removeprefix(view.get("title", ""))
        assert not re.search("[א-ת]|[ء-ي]", re.sub("\u2068[^\u2069]*\u2069", "", said)), view[
            "kind"
        ]


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


# ---------------------------------------------------------------- weights in place of scores

WEIGHTS = [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize("weights", [WEIGHTS, torch.tensor(WEIGHTS)[None], np.array(WEIGHTS)])
def test_weights_are_shown_as_they_are(weights):
    view = attention_view(WORDS, weights=weights)
    assert [s["label"] for s in view["stages"]] == ["softmax"]
    np.testing.assert_allclose(weights_of(view, stage=0), WEIGHTS, atol=1e-6)
    assert view["summary"] == (
        "Attention, 1 head: 3 queries by 3 keys; weights as given.\n"
        "Head 0, largest weight: the → the 0.90, cat → sat 0.50, sat → sat 1.00."
    )
    assert ["the", "0.90", "0.10", "0.00"] in Reader(render_html({**view, "query": 1})).rows


def test_weights_may_be_rounded_to_16_bits_and_empty():
    half = torch.randn(2, 3, 3).softmax(-1).bfloat16()
    half[0, 1] = 0
    assert "cat → nothing" in attention_view(WORDS, weights=half)["summary"]


@pytest.mark.parametrize("scores", [WEIGHTS, np.eye(3), torch.rand(2, 3, 3).softmax(-1)])
def test_scores_that_look_like_weights_say_so(scores):
    view = attention_view(WORDS, scores)
    assert "has now been taken a second time" in view["note"]
    assert view["note"] in render_html(view) and view["note"] in view["summary"]


@pytest.mark.parametrize("scores", [SCORES, np.zeros((3, 3)), np.ones((3, 3)), -np.array(WEIGHTS)])
def test_other_scores_do_not(scores):
    assert attention_view(WORDS, scores)["note"] == ""
    assert attention_view(WORDS, np.ones((3, 1)), keys=["k"])["note"] == ""


# ---------------------------------------------------------------- what is too large

LONG = [f"w{i}" for i in range(512)]
CAUSAL_512 = np.tri(512) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: attention_view(LONG, np.random.default_rng(0).normal(size=(12, 512, 512))),
        lambda: heat_map(LONG, LONG, np.random.default_rng(0).normal(size=(512, 512))),
        lambda: mask_matrix(LONG, LONG, CAUSAL_512, {"future": CAUSAL_512}),
        lambda: token_strip(LONG, [True] * 512, numbers=np.arange(512.0)),
        lambda: refinement_steps([LONG] * 30, [[0.5] * 512] * 30, [[True] * 512] * 30),
        lambda: patch_grid(image_named("x", 64), 1),
        lambda: weights_view(LONG, np.full(512, 1 / 512)),
    ],
    ids="attention heat mask strip refinement patches weights".split(),
)
def test_512_tokens_stay_a_picture_of_a_megabyte(make):
    view = make()
    assert len(render_html(view)) < 1_500_000
    assert len(view["summary"]) < 20_000


def test_what_is_too_large_to_walk_through_says_what_to_pass():
    view = attention_view(LONG, np.zeros((12, 512, 512), np.float16))
    said = "12 heads of 512 by 512 weights are too many to walk through (at most 200,000 in all and"
    assert said in view["summary"] and "scores[:1, :64, :64] and tokens[:64]" in view["instead"]
    assert len(json.dumps(view)) < 600_000
    small = attention_view(LONG[:64], np.zeros((1, 64, 64)))  # what it says is true
    assert small["stages"] and "<td" in render_html(small)
    assert attention_view(LONG[:128], np.zeros((1, 128, 128)))["stages"]
    assert not attention_view(LONG[:129], np.zeros((1, 129, 129)))["stages"]


def test_images_show_weights_and_masks_a_pixel_a_pair():
    weights = np.eye(200)
    weights[0] = 0.25 * (np.arange(200) < 4)
    image = pixels.read(attention_view(LONG[:200], weights=weights)["images"][0]["source"])
    assert image.shape == (200, 200, 4) and (image[image[..., 3] > 0][:, :3] == BLUE).all()
    assert image[0, :5, 3].tolist() == [128] * 4 + [0]  # the root of a quarter
    assert image[7, 7, 3] == 255 and image[7, 8, 3] == 0
    some, causal = LONG[:130], CAUSAL_512[:130, :130]
    mask = pixels.read(mask_matrix(some, some, causal, {"future": causal})["image"]["source"])
    assert mask[5, 5, :3].tolist() == list(BLUE) and mask[5, 6, :3].tolist() == list(RUST)


def test_a_large_heat_map_keeps_its_peaks_when_it_shrinks():
    values = np.zeros((1000, 1000))
    values[501, 777] = -3
    image = pixels.read(large.heat_image(values))
    assert image.shape == (500, 500, 4) and image[250, 388].tolist() == [*RUST, 255]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: token_strip(["a"] * 5000), "tokens: 5,000 are more than a page can show, 4,096"),
        (lambda: weights_view(["a"] * 5000, [0.0] * 5000), "weights: 5,000 are more"),
        (lambda: refinement_steps([["a"] * 100] * 201, [[0.5] * 100] * 201, [[True] * 100] * 201),
         r"steps times tokens: 20,100 .* Pass every second step"),
        (lambda: patch_grid(image_named("x", 66), 1), "patches of “x”: 4,356 are more"),
    ],
)  # fmt: skip
def test_what_no_page_can_show_says_what_to_pass(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


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
    (lambda: weights_view([], []), r"not empty; the shape is \(0,\)"),
    (lambda: weights_view(WORDS, CAUSAL[0]), "holds True and False, as a mask does"),
    (lambda: attention_view(WORDS, CAUSAL), "scores must hold numbers; it holds True and False"),
    (lambda: attention_view(WORDS), "Pass scores, before the softmax, or weights"),
    (lambda: attention_view(WORDS, SCORES, weights=WEIGHTS), "and not both"),
    (
        lambda: attention_view(WORDS, attention_mask=CAUSAL, weights=WEIGHTS),
        "leave attention_mask out",
    ),
    (lambda: attention_view(WORDS, weights=SCORES), "negative numbers are scores"),
    (lambda: attention_view(WORDS, weights=np.ones((3, 3))), "head 0, query 0 sums to 3.00"),
    (lambda: attention_view(WORDS, np.zeros((2, 1, 2, 3, 3))), r"Pick a layer and a text first"),
    (lambda: refinement_steps([["a"]], [[-0.5]], [[True]]), r"look like logarithms: use \.exp\(\)"),
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
    (lambda: attention_view(WORDS, np.zeros(3)), r"its shape is \(3,\)\.$"),
    (lambda: attention_view([], np.zeros((0, 0))), r"scores is empty; it must be \(T, S\) or"),
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
    (lambda: mask_matrix(WORDS, WORDS, np.where(np.eye(3), 0, -np.inf)), "write allowed == 0 "),
    (
        lambda: mask_matrix(WORDS, WORDS, np.eye(3) > 0, {"far": np.eye(3, dtype=int)}),
        r"write reasons\['far'\] == 1",
    ),
    (lambda: token_strip(WORDS, masked=[5, 6, 7]), "if they are token ids, write masked != 0"),
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


# ---------------------------------------------------------------- search


def hits(*scores):
    return [(f"name {i}", f"text {i}", score) for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "texts", "shares"),
    [
        ([0.8, 0.25, -0.1], ["0.80", "0.25", "−0.10"], [0.8, 0.25, 0.0]),  # cosines
        ([1.0000001, 0.5], ["1.00", "0.50"], [1.0, 0.5]),
        ([12.5, 5.0], ["12.50", "5.00"], [1.0, 0.4]),  # BM25
        ([1 / 61, 1 / 62], ["0.0164", "0.0161"], [1.0, 0.9839]),  # fusion of ranks
        ([0.0, 0.0], ["0.00", "0.00"], [0.0, 0.0]),
        ([-0.2], ["−0.20"], [0.0]),
    ],
)
def test_a_score_is_a_number_and_a_bar(scores, texts, shares):
    (result,) = search_results([SearchResult("q", hits(*scores))])["results"]
    assert [hit["score"] for hit in result["hits"]] == texts
    assert [hit["share"] for hit in result["hits"]] == shares


@pytest.mark.parametrize(
    ("query", "passage", "marked"),
    [
        ("read files", "Reading a file is not bread.", ["Reading", "file"]),
        ("csv", "read_csv and CSV", ["csv", "CSV"]),
        ("os", "the os module, close to it", ["os"]),  # short words mark no longer ones
        ("how to read a line", "to read a line", ["read", "line"]),
        ("is it", "it is", ["it", "is"]),  # nothing but common words
        ("Straße", "STRASSE", ["STRASSE"]),
        ("שלום", "שלום עולם", ["שלום"]),
        ("(a|b)*", "a|b", ["b"]),
        ("<b>", "<b>", ["b"]),
        ("", "text", []),
        ("...", "...", []),
    ],
)
def test_words_of_the_query_are_marked(query, passage, marked):
    pieces = parts(passage, stems(query))
    assert [piece for piece, is_marked in pieces if is_marked] == marked
    assert "".join(piece for piece, _ in pieces) == passage


@pytest.mark.parametrize(
    ("passage", "excerpt", "full"),
    [
        ("one line", "one line", ""),
        ("\ntwo\n  lines\n", "two\n  lines", ""),
        ("a\tb\u200b\r\nc", "a   b⟨U+200B⟩\nc", ""),
        ("a\n" * 9, "a a a a a a a a a", "a\n" * 8 + "a"),
        ("word " * 80, "word " * 56 + "…", "word " * 80),
        ("x" * 400, "x" * 280 + " …", "x" * 400),
        ("x" * 5000, "x" * 280 + " …", "x" * 4000 + "…"),
        ("", "", ""),
    ],
)
def test_a_long_passage_has_an_excerpt(passage, excerpt, full):
    (result,) = search_results([SearchResult("q", [("n", passage, 1.0)])])["results"]
    (hit,) = result["hits"]
    assert ["".join(piece for piece, _ in hit[key]) for key in ("excerpt", "full")] == [
        excerpt,
        full,
    ]
    html = render_html(search_results([SearchResult("q", [("n", passage, 1.0)])]))
    assert ("<details>" in html) == bool(full)


def test_results_of_several_searches_stand_below_one_another():
    view = search_results(
        [SearchResult("a b", hits(0.5, 0.4, 0.3), "TF-IDF"), ("a b", [], "fusion")], "Docs", k=2
    )
    assert view["summary"] == (
        "Docs\n2 passages for “a b”, TF-IDF.\n1. name 0 (0.50): text 0\n2. name 1 (0.40): text 1\n"
        "No passage for “a b”, fusion."
    )
    html = render_html(view)
    assert html.index("TF-IDF") < html.index("name 1") < html.index("fusion")
    assert "name 2" not in html and search_results([])["summary"] == "No search yet."
    nothing = render_html(search_results([("zzqx", [], "words")]))
    assert "No passage for “zzqx”, words." in nothing
    assert "<ul" not in nothing and "marked" not in nothing


# ---------------------------------------------------------------- all views alike


def image_named(name, side=4):
    mask = np.eye(2).repeat(side // 2, 0).repeat(side // 2, 1) if side > 4 else np.eye(2)
    frames = [PatchFrame(ratio, mask, np.zeros((side, side))) for ratio in (0.5, 0.75)]
    return PatchImage(name, np.full((side, side), 0.5), frames)


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
        search_results(passages_of(tokens), title=tokens[0], k=50),
        drawing_pad(np.eye(28), named_pictures([(t, np.eye(28)) for t in tokens]), tokens[0]),
    ]


def passages_of(tokens):
    """Each token as a name, and as a text that is long enough for an excerpt."""
    named = [(token, label(token), 0.5) for token in tokens]
    long = [(label(token), token * 400, 0.5) for token in tokens]
    return [SearchResult(tokens[0], named, tokens[1]), SearchResult(tokens[1], long)]


TAGS = {
    "figure", "figcaption", "div", "span", "br", "table", "caption", "tr", "th", "td", "ul", "li",
    "img", "mark", "details", "summary",
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
    assert html.count("class=") == 1


@pytest.mark.parametrize("view", all_views(["$5", "$10", "\\(x\\)"]), ids=lambda v: v["kind"])
def test_no_page_takes_a_text_for_mathematics(view):
    """By these names MathJax, in JupyterLab and in exported notebooks, leaves everything inside alone."""
    html = render_html(view)
    assert html.startswith('<figure class="mlm-picture mathjax_ignore tex2jax_ignore"')
    assert html.endswith("</figure>") and html.count("<figure") == 1


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
