# ruff: noqa: RUF001
"""The model in the page beside torch, and FillMask by keyboard, with trouble, and without Python."""

import re
from base64 import b64decode, b64encode
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from alone import blank, mount
from hostile import HOSTILE
from playwright.sync_api import Page, expect
from samples import fill_mask, small_model

from mlm_course.corpora import python_docs, tinyworld
from mlm_course.models import EncoderConfig, MaskedLM, load_pretrained, seeded_init
from mlm_course.models.inspection import logit_lens
from mlm_course.models.storage import model_bytes
from mlm_course.tokenization import MASK_ID, PAD_ID, SPECIAL_TOKENS, train_wordpiece, word_level
from mlm_course.views.guesses import percent
from mlm_course.widgets import FillMask
from mlm_course.widgets.base import script
from mlm_course.widgets.model import page_vocabulary

pytestmark = pytest.mark.browser

NAMES = "loadModel, Tokenizer, topAnswers, logitLens, erf, gelu, percent, carried"
CORE = re.sub("export default.*", "", script("model.js", "fill_mask.js")) + f"export {{ {NAMES} }};"
LOAD = """async (core) => {
  window.core = await import(URL.createObjectURL(new Blob([core], { type: "text/javascript" })));
  window.bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer;
  window.base64 = (arrays) => {
    const all = new Uint8Array(Float32Array.from(arrays.flatMap((a) => [...a])).buffer);
    let text = "";
    for (const byte of all) text += String.fromCharCode(byte);
    return btoa(text);
  };
}"""
READ = """([weights, rows]) => {
  const model = core.loadModel(bytes(weights));
  return rows.map(([ids, place]) => {
    const { logits, states, weights } = model.forward(ids, [place]);
    return {
      logits: base64(logits),
      lens: base64(core.logitLens(model, states, place)),
      weights: base64(weights.flat()),
      best: core.topAnswers(logits[0], 5).map(([, id]) => id),
    };
  });
}"""


@pytest.fixture
def core(page: Page) -> Page:
    """A page with the functions of model.js."""
    blank(page, "")
    page.evaluate(LOAD, CORE)
    return page


def floats(base64: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(b64decode(base64), np.float32).copy()).reshape(*shape)


@cache
def sentences(name: str) -> list[str]:
    """200 sentences of tinyworld, or of the docstrings of the standard library."""
    if name == "tinyworld":
        return [" ".join(s) for s in tinyworld.sample(200, torch.Generator().manual_seed(77))]
    texts = python_docs.sentences(doc.text for doc in python_docs.docstrings())
    return texts[:: max(len(texts) // 200, 1)][:200]


def masked_rows(name: str) -> list[tuple[list[int], int]]:
    """Ids of each sentence with one of them masked, and its place."""
    tokenizer = load_pretrained(name)[1]
    tokenizer = word_level(tokenizer) if name == "tinyworld" else tokenizer
    draw, rows = torch.Generator().manual_seed(5), []
    for text in sentences(name):
        ids = tokenizer.encode(text, add_special_tokens=name == "tinyworld").ids[:32]
        place = int(torch.randint(len(ids), (1,), generator=draw))
        rows.append(([*ids[:place], MASK_ID, *ids[place + 1 :]], place))
    return rows


def agree(page: Page, model: MaskedLM, file: bytes, rows: list[tuple[list[int], int]]) -> float:
    """The largest difference between a logit of the page and torch's; the five best are the same."""
    seen = page.evaluate(READ, [b64encode(file).decode(), rows])
    worst = 0.0
    for (ids, place), said in zip(rows, seen, strict=True):
        row = torch.tensor([ids])
        masked = torch.arange(len(ids))[None] == place
        with torch.no_grad():
            lens = logit_lens(model, row, masked)[:, 0]  # (L + 1, V)
            x, weights = model.encoder(row, return_weights=True)
            logits = model.logits(x[0, place])
        assert (lens[-1] - logits).abs().max() < 1e-4
        worst = max(worst, (floats(said["logits"], -1) - logits).abs().max().item())
        worst = max(worst, (floats(said["lens"], *lens.shape) - lens).abs().max().item())
        shown = floats(said["weights"], len(weights), *weights[0].shape[1:])
        assert (shown - torch.cat(weights)).abs().max() < 1e-5
        assert said["best"] == logits.topk(5).indices.tolist(), (ids, place)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tinyworld", "python_docs"])
def test_the_page_computes_what_torch_does_on_200_sentences(core, name):
    model = load_pretrained(name)[0]
    rows = masked_rows(name)
    assert len(rows) == 200
    assert agree(core, model, model_bytes(model, torch.float16), rows) < 1e-4


@pytest.mark.parametrize(
    "how",
    [{}, {"pre_norm": False}, {"bias": False}, {"n_segments": 2, "d_ff": 24, "norm_eps": 1e-12}],
    ids=["pre-norm", "post-norm", "no biases", "segments"],
)
def test_every_kind_of_encoder_is_read_in_full_precision(core, how):
    sizes = {"d_model": 24, "n_layers": 2, "n_heads": 3, "max_length": 9, "embedding_std": 1.0}
    model = seeded_init(MaskedLM, EncoderConfig(31, **{**sizes, **how}), 3).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    rows = [([7] * n + [MASK_ID], n) for n in (0, 1, 4, 8)]
    assert agree(core, model, model_bytes(model), rows) < 1e-4


def test_erf_and_gelu_are_exact_to_seven_digits(core):
    x = torch.cat([torch.linspace(-9, 9, 4001), torch.tensor([0.0, 1e-6, -1e-6, 4 * 2**0.5])])
    seen = core.evaluate("(x) => base64([core.gelu(Float32Array.from(x))])", x.tolist())
    wanted = torch.nn.functional.gelu(x.double())
    assert (floats(seen, -1) - wanted).abs().max() < 4e-7  # of which rounding to float32 has half
    seen = core.evaluate("(x) => x.map(core.erf)", (x.abs() / 3).tolist())
    assert (torch.tensor(seen).double() - (x.double().abs() / 3).erf()).abs().max() < 1e-7


@pytest.mark.parametrize("file", [b"", b"x" * 40, b"\x08" + b"\0" * 7 + b"{}      "])
def test_a_damaged_file_of_weights_is_refused(core, file):
    said = "(file) => { try { core.loadModel(bytes(file)); } catch (e) { return String(e); } }"
    assert "Error" in core.evaluate(said, b64encode(file).decode())


# ---------------------------------------------------------------- tokens


def read_by(page: Page, tokenizer: Any, texts: list[str], special: bool) -> list[list[int]]:
    vocabulary = page_vocabulary(tokenizer, special)
    return page.evaluate(
        "([v, texts]) => { const t = new core.Tokenizer(v); return texts.map((x) => t.encode(x)); }",
        [vocabulary, texts],
    )


STRANGE = [
    "Straße İstanbul ΣΊΣΥΦΟΣ ÅNGSTRÖM naïve café ﬁn Ǆ",
    "你好world 한국어 日本語。テスト",
    "a\u00a0b\u3000c\u2028d\te\r\nf\x0bg\x85h",
    "[MASK][mask] [ MASK ] [CLS]x[SEP] [PAD] [UNK]un",
    "x" * 100 + " " + "x" * 101 + " the" * 3,
    "def f(x): return x**2 + [1, 2]['a'] # -> λ∂≥ “quotes” ‘’ … — ‐ · ¿ ₂ ½ ①",
    "zero\u200bwidth soft\u00adhyphen \ufeffbom \ufffd \0nul 👩‍🔬 🇩🇪 e\u0301 \u0301",
]
WRITABLE = [text for text in HOSTILE if "\ud800" not in text]


@pytest.mark.parametrize("lowercase", [True, False])
def test_pieces_are_those_of_the_tokenizer(core, lowercase):
    docs = sentences("python_docs")
    tokenizer = load_pretrained("python_docs")[1]
    if not lowercase:
        tokenizer = train_wordpiece([*docs, *STRANGE], 900, lowercase=False, min_frequency=1)
    texts = [*docs, *STRANGE, *WRITABLE, *(f"the {text}." for text in WRITABLE)]
    assert len(docs) == 200
    for special in (True, False):
        wanted = [tokenizer.encode(text, add_special_tokens=special).ids for text in texts]
        assert read_by(core, tokenizer, texts, special) == wanted


def test_words_are_those_of_tinyworld(core):
    tokenizer = word_level(tinyworld.vocabulary())
    texts = sentences("tinyworld")
    wanted = [
        [i for i in row if i != PAD_ID]
        for row in tinyworld.encode([t.split() for t in texts]).tolist()
    ]
    assert read_by(core, tokenizer, texts, special=True) == wanted
    more = ["Two WHITE ducks,near the river.", "two [MASK] xyzzy", *STRANGE, *WRITABLE]
    assert read_by(core, tokenizer, more, True) == [tokenizer.encode(text).ids for text in more]


def test_shares_are_written_as_in_python(core):
    chances = [0, 1e-9, 4.9e-4, 5e-4, 0.0123, 0.1, 1 / 3, 0.9996, 1]
    assert core.evaluate("(all) => all.map(core.percent)", chances) == [percent(p) for p in chances]


@pytest.mark.parametrize(
    ("before", "after", "masked", "wanted"),
    [
        ([1, 2, 3], [1, 2, 3, 9], [0, 2], [0, 2]),
        ([1, 2, 3], [9, 1, 2, 3], [0, 2], [1, 3]),
        ([1, 2, 3], [1, 3], [0, 1, 2], [0, 1]),
        ([1, 2, 3], [7, 8], [0, 1, 2], []),
        ([5, 5, 5], [5, 5], [0, 2], [0]),
        ([], [4], [], []),
    ],
)
def test_masks_stay_on_the_pieces_that_a_change_leaves(core, before, after, masked, wanted):
    assert core.evaluate("([b, a, m]) => core.carried(b, a, m)", [before, after, masked]) == wanted


# ---------------------------------------------------------------- the widget


TEXT = "there were two white ducks near the river, and anna said the white ducks were hers."


def ducks(**how: Any) -> FillMask:
    return FillMask(*load_pretrained("tinyworld"), **{"text": TEXT, "masked": [16], **how})


def said(page: Page):
    return page.locator("[aria-live=polite]")


def guesses(page: Page) -> list[list[str]]:
    lines = page.locator(".mlm-guesses li").all()
    return [line.locator("> *").all_text_contents() for line in lines]


def ready(page: Page) -> None:
    expect(page.locator(".mlm-attention table")).to_be_visible(timeout=30_000)


@pytest.mark.smoke
def test_a_text_is_typed_masked_and_guessed_by_keyboard_alone(page):
    widget = ducks()
    mount(page, widget)
    ready(page)
    expect(said(page)).to_contain_text("Masked is “were”, at")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+a")
    page.keyboard.type("anna gave tom a red towel")
    pieces = page.get_by_role("list", name="Pieces").get_by_role("button")
    expect(pieces).to_have_count(8)
    page.keyboard.press("Tab")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(pieces.nth(5)).to_be_focused()
    page.keyboard.press("Enter")
    expect(pieces.nth(5)).to_have_attribute("aria-pressed", "true")
    expect(pieces.nth(5)).to_have_attribute("aria-label", "red, masked, guessed below")
    expect(pieces.nth(5)).to_be_focused()
    expect(said(page)).to_contain_text("Guesses at piece 6: ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.get_by_role("group", name="Guesses at piece")).to_be_visible()  # two of them
    expect(said(page)).to_contain_text("Guesses at piece 5: ")
    page.wait_for_function("model.get('answer').at === 4")
    page.keyboard.press("Space")
    expect(said(page)).to_contain_text("Guesses at piece 6: ")
    expect(page.get_by_role("group", name="Guesses at piece")).to_have_count(0)
    page.wait_for_function("model.get('answer').gaps.length === 1")
    page.wait_for_timeout(400)  # Python hears of it after a pause
    assert (widget.text, widget.masked) == ("anna gave tom a red towel", [5])


@pytest.mark.smoke
def test_a_click_masks_and_python_gives_the_same_answer(page):
    widget = ducks()
    mount(page, widget)
    ready(page)
    page.get_by_role("button", name="white").last.click()
    expect(said(page)).to_contain_text("Guesses at piece 15: ")
    page.wait_for_function("model.get('answer').at === 14")
    page.wait_for_timeout(400)
    live, ours = widget.answer, widget._respond()
    assert live["gaps"] == ours["gaps"] == [14, 16]
    for part in ("guesses", "lens"):
        assert [p for p, _ in live[part]] == [p for p, _ in ours[part]]
        assert np.allclose([c for _, c in live[part]], [c for _, c in ours[part]], atol=1e-5)
    assert live["own"] == pytest.approx(ours["own"], abs=1e-5)
    assert repr(widget).splitlines()[0].count("[MASK]") == 2
    assert guesses(page) == [
        [piece + (" ✓" if piece == "white" else ""), percent(chance)]
        for piece, chance in live["guesses"]
    ]


def test_a_block_and_a_head_choose_the_attention(page):
    widget = ducks()
    mount(page, widget)
    ready(page)
    with torch.no_grad():
        ids = torch.tensor([widget._ids()])
        ids[0, 16] = MASK_ID
        _, weights = widget._model.encoder(ids, return_weights=True)
    words = page.locator(".mlm-attention .mlm-words")

    def expect_weights(layer: int, head: int) -> None:
        expect(words).to_contain_text(f"Block {layer}, head {head}: “[MASK]” looks at ")
        box = page.locator(".mlm-matrix tbody tr").nth(16).locator("td").nth(3)
        expect(box).to_have_text(f"{weights[layer - 1][0, head, 16, 3] + 1e-6:.2f}")

    expect_weights(3, 0)
    page.get_by_role("group", name="Likeliest after").get_by_role("radio").first.check(force=True)
    expect_weights(1, 0)
    page.get_by_role("group", name="Head").get_by_role("radio").nth(2).check(force=True)
    expect_weights(1, 2)
    assert (widget.layer, widget.head) == (1, 2)
    widget.layer = 2
    widget.push()
    expect_weights(2, 2)
    page.locator(".mlm-matrix td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    expect(words).to_have_text(re.compile("looks at “there” 0"))


def test_what_cannot_be_read_is_said_and_goes_away_again(page):
    mount(page, ducks())
    ready(page)
    field, alert = page.get_by_role("textbox"), page.locator(".mlm-error")
    field.fill("a " * 30)
    expect(alert).to_have_text(
        "The text has 32 pieces, but the model reads 26 at most: shorten it."
    )
    expect(page.locator(".mlm-fill")).to_be_hidden()
    field.fill("  ")
    expect(alert).to_have_text("The text is empty: type a few words.")
    field.fill("two xyzzy near [MASK]")
    expect(alert).to_have_text("")
    expect(page.locator(".mlm-note").nth(1)).to_have_text(
        "The vocabulary cannot spell “xyzzy”: the model reads [UNK] there."
    )
    expect(said(page)).to_contain_text("Guesses at piece 5: ")
    page.get_by_role("button", name="[MASK]").click()  # written in the text: it stays masked
    expect(page.get_by_role("button", name="[MASK]")).to_have_attribute("aria-pressed", "true")
    field.fill("two ducks")
    expect(said(page)).to_contain_text("No piece is masked")
    expect(page.locator(".mlm-guesses li")).to_have_count(0)
    ready(page)


def test_python_sets_text_and_masks(page):
    widget = ducks()
    mount(page, widget)
    ready(page)
    widget.text, widget.masked = "two white ducks were near", [2]
    widget.push()
    expect(page.get_by_role("textbox")).to_have_value("two white ducks were near")
    expect(said(page)).to_contain_text("Masked is “white”")


def test_an_example_is_taken_by_key(page):
    mount(page, ducks(examples=["two white [MASK] were near", "a [MASK] cat"]))
    ready(page)
    for key in ("Tab", "Tab", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("textbox")).to_have_value("a [MASK] cat")
    expect(said(page)).to_contain_text("Guesses at piece 3: ")


def test_without_python_the_stored_answer_stays_and_a_sentence_says_why(page):
    widget = ducks()
    page.evaluate("window.silent = true")
    mount(page, widget)
    expect(page.get_by_text("Python does not answer.", exact=False)).to_be_visible()
    best = [
        [piece + (" ✓" if piece == "were" else ""), percent(p)]
        for piece, p in widget.answer["guesses"]
    ]
    assert guesses(page) == best
    expect(page.locator(".mlm-lens")).to_contain_text(widget.answer["lens"][0][0])
    expect(page.get_by_text("The model is not here: Python sends it.")).to_be_visible()


def test_without_python_another_question_takes_the_stored_answer_away(page):
    """It would stand below a text that it does not belong to."""
    page.evaluate("window.silent = true")
    mount(page, ducks())
    page.get_by_role("button", name="two").last.click()
    expect(said(page)).to_have_text("No guesses yet: the model is not here.")
    expect(page.locator(".mlm-guesses li")).to_have_count(0)
    expect(page.locator(".mlm-lens")).not_to_contain_text("%")
    page.get_by_role("textbox").fill("ducks")
    expect(said(page)).to_contain_text("No piece is masked")


def test_the_widget_leaves_nothing_behind(page):
    mount(page, fill_mask())
    ready(page)
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


def test_hostile_words_are_typed_and_stay_text(page):
    mount(
        page,
        FillMask(
            small_model(len(SPECIAL_TOKENS) + 1, 64), [*SPECIAL_TOKENS, "the"], text="the the"
        ),
    )
    ready(page)
    for text in WRITABLE:
        page.get_by_role("textbox").fill(f"the {text[:200]}")
        expect(page.get_by_role("button", name="the").first).to_be_visible()
    assert page.locator(".mlm b, .mlm img, .mlm svg, .mlm script, #x").count() == 0
