"""What the attention explorer and the mask matrix do beside showing a matrix."""

import io

import numpy as np
import pytest
import torch
from alone import mount, press, settle
from hostile import HOSTILE
from PIL import Image
from playwright.sync_api import Page, expect
from samples import FUTURE, PADDING, SCORES, SIZE, VALUES, WORDS, explorer, layered, matrix
from test_access import serious

from mlm_course.views.text import label, number
from mlm_course.widgets import AttentionExplorer

pytestmark = pytest.mark.browser

BOXES = ".mlm-beside .mlm-matrix tbody"


def box(page: Page, t: int, s: int):
    return page.locator(f"{BOXES} tr, .mlm-mask tbody tr").nth(t).locator("td").nth(s)


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts]


def rows(page: Page, where: str) -> np.ndarray:
    lines = page.locator(where).all()
    return np.array([numbers(line.locator("td").all_text_contents()) for line in lines])


# ---------------------------------------------------------------- output


def test_the_output_is_weights_times_values(page):
    widget = explorer(values=VALUES)
    mount(page, widget)
    page.get_by_role("radio", name="output").click()
    mask = torch.tensor(FUTURE & PADDING)
    for head in range(3):
        page.get_by_role("radio", name=str(head), exact=True).click()
        settle(page)
        scores = torch.tensor(SCORES[head]).masked_fill(~mask, -torch.inf)
        output = scores.softmax(-1) @ torch.tensor(VALUES[head])
        assert np.abs(rows(page, f"{BOXES} tr") - output.numpy()).max() < 0.0051
    assert widget.stage == "output"


@pytest.mark.smoke
def test_the_parts_of_an_output_by_keyboard(page):
    widget = explorer(values=VALUES)
    mount(page, widget)
    press(page, "Tab", "Tab", "ArrowRight", "Tab", "Tab")
    assert widget.stage == "output"
    press(page, "ArrowDown", "ArrowDown", "ArrowRight")
    assert widget.selected_query == 2
    expect(page.locator(".mlm-row caption")).to_have_text("Number 1 of what “cat” gets")
    output = widget.view["output"][0][2][1]
    parts = page.locator(".mlm-mix tbody tr td:nth-child(4)").all_text_contents()
    assert parts[-1] == number(output)
    assert abs(sum(numbers(parts[:-1])) - output) < 0.04
    words = page.locator(".mlm-words")
    expect(words).to_contain_text(f"cat, number 1: {number(output)} = ")
    expect(page.locator(":focus")).to_have_attribute("aria-label", words.text_content())
    strip = "e => [...e.getContext('2d').getImageData(0, 0, e.width, 1).data]"
    painted = page.locator(".mlm-mix canvas").last.evaluate(strip)
    assert len(painted) == 4 * 4 and max(painted[3::4]) > 0


def test_values_that_are_many_leave_the_output_out(page):
    widget = AttentionExplorer(["a", "b"], np.zeros((1, 2, 2)), values=np.zeros((2, 100_000)))
    mount(page, widget)
    expect(page.get_by_role("note")).to_contain_text("The output is left out")
    assert page.get_by_role("radio").count() == 2


# ---------------------------------------------------------------- play


def stand_still(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1000)


def shown(page: Page) -> str:
    return page.locator(".mlm-choice").last.locator("label:has(:checked)").text_content()


@pytest.mark.smoke
def test_play_goes_through_the_stages_with_a_sentence_each(page):
    stand_still(page)
    widget = explorer(values=VALUES)
    mount(page, widget)
    page.clock.run_for(20_000)
    assert shown(page) == "softmax"  # nothing moves by itself
    button(page, "Play").click()
    for stage, begins in [("scores", "Scores:"), ("+ mask", "Mask:"), ("softmax", "Softmax:")]:
        assert shown(page) == stage
        expect(page.locator(".mlm-words")).to_contain_text(begins)
        expect(page.locator(".mlm-heard")).to_contain_text(begins)
        page.clock.run_for(3500)
    assert shown(page) == "output"
    assert button(page, "Pause").count() == 1
    page.clock.run_for(20_000)
    assert shown(page) == "output"
    assert button(page, "Play").count() == 1
    settle(page)
    assert widget.stage == "output"


def test_play_can_be_paused_and_ends_at_softmax_without_values(page):
    stand_still(page)
    mount(page, explorer())
    press(page, "Tab", "Tab", "Tab", "Enter")
    assert shown(page) == "scores"
    press(page, "Enter")  # pause
    page.clock.run_for(20_000)
    assert shown(page) == "scores"
    press(page, "Enter")
    assert shown(page) == "+ mask"
    page.clock.run_for(20_000)
    assert shown(page) == "softmax"
    press(page, "ArrowRight", "Enter")  # the next stage: the first again
    assert shown(page) == "scores"
    button(page, "Play").click()
    page.evaluate("leave()")
    page.clock.run_for(20_000)
    assert shown(page) == "scores"


def test_who_wants_no_motion_goes_stage_by_stage(page):
    page.emulate_media(reduced_motion="reduce")
    mount(page, explorer(values=VALUES))
    assert button(page, "Play").count() == 0
    for stage in ("output", "scores", "+ mask"):
        button(page, "Next stage").click()
        assert shown(page) == stage


# ---------------------------------------------------------------- layers and heads


@pytest.mark.smoke
def test_layers_and_heads_are_chosen_by_mouse_and_by_keyboard(page):
    widget = layered(stage="weights", layer=0)
    mount(page, widget)
    heads = page.get_by_role("grid", name="Layers and heads")
    assert heads.locator("canvas").count() == 6
    heads.get_by_role("gridcell", name="layer 1, head 2").click()
    settle(page)
    assert (widget.layer, widget.head) == (1, 2)
    weights = np.array(widget.view["stages"][2]["values"][5])
    assert np.abs(rows(page, f"{BOXES} tr") - weights).max() < 0.0051
    press(page, "ArrowUp", "ArrowLeft")
    assert (widget.layer, widget.head) == (0, 1)
    expect(heads.locator("[aria-selected=true]")).to_have_attribute("aria-label", "layer 0, head 1")
    weights = np.array(widget.view["stages"][2]["values"][1])
    assert np.abs(rows(page, f"{BOXES} tr") - weights).max() < 0.0051
    widget.layer, widget.head = 1, 0
    widget.push()
    expect(heads.locator("[aria-selected=true]")).to_have_attribute("aria-label", "layer 1, head 0")


def test_a_head_that_is_pointed_at_tells_its_largest_weights(page):
    mount(page, layered(stage="weights", selected_query=3))
    page.get_by_role("gridcell", name="layer 1, head 2").hover()
    tip = page.locator(".mlm-tip:visible")
    expect(tip).to_contain_text("layer 1, head 2: sat → ")
    press(page, "Tab", "Escape")
    expect(tip).to_have_count(0)


def test_48_heads_of_32_tokens_are_one_grid(page):
    words = [f"w{i}" for i in range(32)]
    scores = list(np.random.default_rng(0).normal(size=(4, 12, 32, 32)))
    mount(page, AttentionExplorer(words, scores))
    assert page.locator(".mlm-overview canvas").count() == 48
    stops = page.locator(".mlm [tabindex='0']")
    assert stops.count() == 4  # heads, buttons, matrix, the table that scrolls
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200


# ---------------------------------------------------------------- lines


def test_lines_are_as_wide_as_weights(page):
    widget = explorer(values=VALUES, head=1)
    mount(page, widget)
    button(page, "Lines").click()
    weights = np.array(widget.view["stages"][2]["values"][1])
    for t, row in enumerate(weights):
        lines = page.locator(".mlm-lines g").nth(t).locator("line")
        widths = [float(line.get_attribute("stroke-width")) for line in lines.all()]
        assert widths == pytest.approx([8 * w for w in row if w >= 0.01])
    button(page, "Lines").click()
    assert page.locator(".mlm-lines").count() == 0 and page.locator(f"{BOXES} td").count() == 36


@pytest.mark.smoke
def test_lines_by_keyboard(page):
    widget = explorer()
    mount(page, widget)
    press(page, "Tab", "Tab", "Tab", "End", "ArrowLeft", "Enter")
    expect(button(page, "Lines")).to_have_attribute("aria-pressed", "true")
    press(page, "Tab", "ArrowDown", "ArrowDown", "ArrowDown")
    assert widget.selected_query == 3
    expect(page.locator(":focus")).to_have_text("sat")
    expect(page.locator(".mlm-row caption")).to_have_text("What “sat” sees")
    assert page.locator(".mlm-lines g.mlm-here").count() == 1
    row = widget.view["stages"][2]["values"][0][3]
    top = int(np.argmax(row))
    expect(page.locator(".mlm-words")).to_contain_text(f"sat → {WORDS[top]} {number(row[top])}")
    press(page, "Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    page.get_by_role("radio", name="1", exact=True).click()
    lines = page.locator(".mlm-lines g").nth(2).locator("line").first
    weight = widget.view["stages"][2]["values"][1][2][0]
    assert float(lines.get_attribute("stroke-width")) == pytest.approx(8 * weight)


# ---------------------------------------------------------------- what is held


@pytest.mark.parametrize("make", [explorer, matrix])
def test_what_is_held_stays_until_esc(page, make):
    mount(page, make())
    tip = page.locator(".mlm-tip:visible")
    box(page, 3, 1).click()
    page.mouse.move(1100, 700)
    expect(tip).to_contain_text("sat → the ")
    box(page, 4, 2).hover()
    expect(tip).to_contain_text("down → cat ")
    page.mouse.move(1100, 700)
    expect(tip).to_contain_text("sat → the ")
    press(page, "Escape")
    expect(tip).to_have_count(0)
    assert page.locator(".mlm-held").count() == 0
    press(page, "ArrowRight", "Enter")
    expect(tip).to_contain_text("sat → cat ")
    press(page, " ")
    expect(tip).to_have_count(0)


@pytest.mark.parametrize("make", [explorer, matrix])
def test_a_tap_holds(browser, make):
    page = browser.new_page(viewport={"width": 390, "height": 800}, has_touch=True)
    mount(page, make())
    tip = page.locator(".mlm-tip:visible")
    box(page, 3, 1).tap()
    expect(tip).to_contain_text("sat → the ")
    box(page, 3, 1).tap()
    assert page.locator(".mlm-held").count() == 0
    page.close()


def test_the_values_that_are_held_follow_head_and_stage(page):
    widget = explorer()
    mount(page, widget)
    box(page, 3, 1).click()
    widget.head, widget.stage = 2, "scores"
    widget.push()
    score = widget.view["stages"][0]["values"][2][3][1]
    expect(page.locator(".mlm-tip:visible")).to_have_text(f"sat → the {number(score)}")


# ---------------------------------------------------------------- PNG


def saved(page: Page, name: str = "Save as PNG") -> tuple[str, Image.Image]:
    with page.expect_download() as download:
        button(page, name).click()
    data = download.value.path().read_bytes()
    return download.value.suggested_filename, Image.open(io.BytesIO(data)).convert("RGB")


@pytest.mark.smoke
def test_a_matrix_is_saved_with_its_labels(page):
    mount(page, explorer(head=1, stage="scores"))
    name, image = saved(page)
    assert name == "attention-head-1-scores.png"
    assert image.height == 2 * (68 + 28 * SIZE + 12)
    assert image.width > 2 * 44 * SIZE
    top = np.abs(SCORES[1]).argmax()
    hue = [43, 123, 186] if SCORES[1].flat[top] > 0 else [193, 87, 27]
    t, s = divmod(int(top), SIZE)
    left = image.width - 2 * (12 + 44 * SIZE)
    assert list(image.getpixel((left + 88 * s + 6, 2 * (68 + 28 * t) + 6))) == hue
    columns = np.array(image)[: 2 * 68, left:]
    assert (columns.min(-1) < 100).any()  # the labels
    for which, begins in [("+ mask", "mask"), ("softmax", "softmax")]:
        page.get_by_role("radio", name=which).click()
        name, image = saved(page)
        assert name == f"attention-head-1-{begins}.png"
        assert len(set(image.get_flattened_data())) > 10


def test_output_lines_and_all_heads_are_saved(page):
    mount(page, layered(head=2))
    name, image = saved(page)
    assert name == "attention-layer-1-head-2-output.png" and image.height == 2 * (80 + 28 * SIZE)
    name, image = saved(page, "Save all heads")
    assert name == "attention-all-heads.png" and image.height == 2 * (70 + 2 * 44)
    button(page, "Lines").click()
    name, image = saved(page)
    assert name == "attention-layer-1-head-2-lines.png" and image.height == 2 * (44 + 22 * SIZE)
    assert (43, 123, 186) in set(image.get_flattened_data())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_mask_is_saved_with_its_legend(page, theme):
    widget = matrix()
    widget.view = {**widget.view, "title": "</b> Ünder: “both” masks/"}
    mount(page, widget, theme)
    name, image = saved(page)
    assert name == "b-ünder-both-masks.png"
    assert image.height == 2 * (80 + 28 * SIZE + 3 * 24)
    assert (sum(image.getpixel((2, 2))) > 600) == (theme == "light")


# ---------------------------------------------------------------- own text


def of_words(text: str):
    words = text.split()
    if len(words) < 2:
        raise ValueError("Two words at least.\nMore of it.")
    size = len(words)
    return words, np.arange(2.0 * size * size).reshape(2, size, size), np.tri(size) == 1


@pytest.mark.smoke
def test_own_text_is_answered_by_python(page):
    widget = AttentionExplorer(ask=of_words, text="one two three", head=1, selected_query=2)
    mount(page, widget)
    field = page.get_by_role("textbox", name="Your own text")
    expect(field).to_have_value("one two three")
    field.fill("a b c d")
    press(page, "Enter")
    assert page.locator(f"{BOXES} th").all_text_contents() == list("abcd")
    assert (widget.head, widget.selected_query, widget.text) == (1, 0, "a b c d")
    expect(field).to_be_focused()
    field.fill("alone")
    button(page, "Attend").click()
    settle(page)
    expect(page.get_by_role("alert")).to_have_text("Two words at least.")
    assert page.locator(f"{BOXES} th").count() == 4  # the last answer stays
    assert "query “a”" in widget._repr_mimebundle_()[0]["text/html"]
    field.fill("x y")
    press(page, "Enter")
    expect(page.locator(".mlm-error")).to_be_empty()
    assert serious(page) == []


def test_without_python_own_text_is_refused_in_a_sentence(page):
    widget = AttentionExplorer(ask=of_words, text="one two")
    script = widget._esm
    answer = page.evaluate(
        """async (script) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          const { offline } = await import(url);
          return [offline({}, { text: "a b", asked: 3 }), offline({}, { head: 1 })];
        }""",
        script,
    )
    assert answer[0]["answered"] == 3 and "no Python" in answer[0]["error"] and answer[1] == {}


CUT = [
    "() => { window.silent = true }",
    "() => { model.send = () => { throw Error('Cannot send') } }",
]


@pytest.mark.parametrize("cut", CUT)
def test_where_python_is_gone_the_button_can_be_pressed_again_and_a_sentence_says_what_to_do(
    page, cut
):
    """After a restart Jupyter itself fails to send: that is nothing the reader has to see."""
    mount(page, AttentionExplorer(ask=of_words, text="one two"))
    page.evaluate("model.save_changes = () => {}")
    page.evaluate(cut)
    button(page, "Attend").click()
    expect(button(page, "Computing …")).to_be_visible()
    expect(page.get_by_text("run this cell again")).to_be_visible()
    expect(button(page, "Attend")).to_be_visible()


# ---------------------------------------------------------------- for everyone


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_output_and_what_is_held_have_no_serious_findings(page, theme):
    mount(page, layered(), theme)
    box(page, 2, 1).click()
    assert serious(page) == []
    button(page, "Lines").click()
    assert serious(page) == []


@pytest.mark.parametrize("start", range(0, len(HOSTILE), SIZE))
def test_hostile_tokens_stay_text_in_every_part(page, start):
    tokens = (HOSTILE + WORDS)[start : start + SIZE]
    mount(page, layered(tokens))
    box(page, 2, 1).click()
    saved(page)
    page.get_by_role("gridcell", name="layer 0, head 1").hover()
    button(page, "Lines").click()
    saved(page)
    assert page.locator(".mlm :is(b, img, script, svg svg)").count() == 0
    text = page.locator(".mlm-lines").text_content()
    assert all(label(token) in text for token in tokens)


@pytest.mark.parametrize("width", [320, 390])
def test_lines_and_output_stay_inside_a_phone(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    mount(page, layered([f"{word}-{'long' * 6}" for word in WORDS]))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    button(page, "Lines").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
