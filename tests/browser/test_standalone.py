# ruff: noqa: RUF001
import base64
import re

import numpy as np
import pytest
from alone import blank, mount, press, settle
from hostile import HOSTILE
from playwright.sync_api import Page, expect
from samples import (
    CAN_HIDE,
    SIZE,
    WIDGETS,
    WORDS,
    bernoulli,
    curve,
    explorer,
    images,
    matrix,
    patches,
    playground,
    refinement,
    views,
)

from mlm_course.views import attention_view, refinement_steps, render_html
from mlm_course.views.curve import value_text
from mlm_course.views.mask import sentence
from mlm_course.views.text import label, number
from mlm_course.widgets import AttentionExplorer, MaskMatrix, PatchGrid, RefinementSteps

pytestmark = pytest.mark.browser


def seen_row(page: Page) -> list[list[str]]:
    """The table of the selected query, without its head."""
    rows = page.locator(".mlm-row tbody tr").all()
    return [row.locator("th, td").all_text_contents() for row in rows]


def expected_row(widget, query: int) -> list[list[str]]:
    stages = [number_row(stage["values"][widget.head][query]) for stage in widget.view["stages"]]
    return [list(cells) for cells in zip(widget.view["keys"], *stages, strict=True)]


def number_row(values) -> list[str]:
    return [number(value) for value in values]


def boxes(page: Page) -> list[list[str]]:
    rows = page.locator(".mlm-matrix tbody tr").all()
    return [row.locator("td").all_text_contents() for row in rows]


# ---------------------------------------------------------------- attention explorer


def test_explorer_shows_every_stage_and_head(page):
    widget = explorer()
    mount(page, widget)
    for stage in widget.view["stages"]:
        page.get_by_role("radio", name=stage["label"], exact=True).click()
        for head in range(3):
            page.get_by_role("radio", name=str(head)).click()
            settle(page)
            assert boxes(page) == [number_row(row) for row in stage["values"][head]]
            assert (widget.stage, widget.head) == (stage["name"], head)
            closed = page.locator(".mlm-matrix .mlm-closed").count()
            assert closed == (0 if stage["name"] == "scores" else 16)


@pytest.mark.smoke
def test_explorer_by_keyboard(page):
    widget = explorer()
    mount(page, widget)
    press(page, "Tab", "ArrowRight")  # heads
    assert widget.head == 1
    press(page, "Tab", "ArrowLeft")  # stages
    assert widget.stage == "masked"
    press(page, "Tab", "Tab", "ArrowDown", "ArrowDown", "ArrowRight")  # the buttons, the grid
    assert widget.selected_query == 2
    assert seen_row(page) == expected_row(widget, 2)
    expect(page.locator(".mlm-row caption")).to_have_text("What “cat” sees")
    expect(page.locator("tr[aria-selected=true] th")).to_have_text("cat")
    expect(page.locator("tr.mlm-current th")).to_have_text("the")
    score = number(widget.view["stages"][0]["values"][1][2][1])
    words = page.locator(".mlm-words")
    expect(words).to_contain_text(f"cat → the: scores {score}, + mask {score}, softmax ")
    press(page, "End", "ArrowRight")
    expect(words).to_contain_text("cat → [PAD]")
    press(page, "Home", "ArrowLeft", *["ArrowDown"] * 9)
    expect(words).to_contain_text("[PAD] → [CLS]")
    assert widget.selected_query == SIZE - 1


def test_explorer_has_four_tab_stops(page):
    mount(page, explorer())
    stops = []
    for _ in range(5):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.tagName"))
    assert stops == ["INPUT", "INPUT", "BUTTON", "TD", "BODY"]


def test_explorer_by_mouse(page):
    widget = explorer(selected_query=1)
    mount(page, widget)
    caption = page.locator(".mlm-row caption")
    page.locator(".mlm-matrix tbody tr").nth(3).locator("td").nth(2).hover()
    expect(caption).to_have_text("What “sat” sees")
    expect(page.locator("tr.mlm-current th")).to_have_text("cat")
    page.mouse.move(1100, 700)
    expect(caption).to_have_text("What “the” sees")  # a look only
    page.locator(".mlm-matrix tbody th").nth(4).click()
    page.mouse.move(1100, 700)
    settle(page)
    assert widget.selected_query == 4
    expect(caption).to_have_text("What “down” sees")
    page.locator(".mlm-matrix tbody tr").nth(2).locator("td").nth(1).click()
    press(page, "ArrowUp")
    assert widget.selected_query == 1


def test_explorer_follows_python(page):
    widget = explorer()
    mount(page, widget)
    widget.head, widget.selected_query, widget.stage = 2, 3, "scores"
    widget.push()
    assert seen_row(page) == expected_row(widget, 3)
    assert page.locator("input:checked").count() == 2
    stage = widget.view["stages"][0]["values"][2]
    assert boxes(page) == [number_row(row) for row in stage]


def test_explorer_takes_a_smaller_view(page):
    widget = explorer(head=2, selected_query=5)
    mount(page, widget)
    before = page.evaluate("listeners()")
    widget.view = attention_view(["a", "b"], np.zeros((2, 2)))
    widget.push()
    assert boxes(page) == [["0.50", "0.50"]] * 2
    assert page.locator("input[type=radio]").count() == 2  # one head, no mask: two stages
    assert page.evaluate("listeners()") == before
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


def test_a_row_without_keys_shows_zeros(page):
    mask = np.array([[True, True], [False, False]])
    mount(page, AttentionExplorer(["a", "b"], np.ones((2, 2)), mask, selected_query=1))
    assert boxes(page) == [["0.50", "0.50"], ["0.00", "0.00"]]
    assert seen_row(page) == [["a", "1.00", "−∞", "0.00"], ["b", "1.00", "−∞", "0.00"]]


def test_explorer_with_many_tokens_keeps_numbers_for_the_focused_box(page):
    words = [f"w{i}" for i in range(32)]
    mount(page, AttentionExplorer(words, np.zeros((32, 32))))
    press(page, "Tab", "Tab", "Tab", "ArrowDown")
    focused = page.locator(":focus")
    expect(focused).to_have_text("")
    expect(focused).to_have_attribute("aria-label", "w1 → w0: scores 0.00, softmax 0.03")


def test_many_tokens_are_painted_behind_their_boxes(page):
    scores = np.where(np.eye(32) == 1, 5.0, np.where(np.tri(32) == 1, -5.0, 0.0))
    mount(page, AttentionExplorer([f"w{i}" for i in range(32)], scores, np.tri(32) == 1))
    colour = """([t, s]) => {
      const box = document.querySelectorAll(".mlm-matrix tbody tr")[t].cells[s + 1];
      const canvas = document.querySelector(".mlm-backdrop");
      const [b, c] = [box.getBoundingClientRect(), canvas.getBoundingClientRect()];
      const data = canvas.getContext("2d").getImageData(b.x - c.x + 3, b.y - c.y + 5, 1, 1).data;
      const drawn = canvas.getContext("2d").getImageData(b.x - c.x, b.y - c.y, 16, 16).data;
      const hatched = new Set(drawn.filter((_, i) => i % 4 === 3)).size > 1;
      return [...data, hatched];
    }"""
    blue, rust, nothing = [43, 123, 186, 255], [193, 87, 27, 255], [0, 0, 0, 0]

    def near(painted, expected):
        return np.abs(np.subtract(painted[:4], expected)).max() <= 2 and not painted[4]

    page.get_by_role("radio", name="scores").click()
    assert near(page.evaluate(colour, [31, 31]), blue)
    assert near(page.evaluate(colour, [31, 30]), rust)
    assert near(page.evaluate(colour, [0, 31]), nothing)
    page.get_by_role("radio", name="+ mask").click()
    assert near(page.evaluate(colour, [31, 31]), blue)
    assert page.evaluate(colour, [0, 31])[4]  # hatched
    page.get_by_role("radio", name="softmax").click()
    assert near(page.evaluate(colour, [31, 31]), blue)
    assert near(page.evaluate(colour, [31, 30]), nothing)
    assert page.evaluate(colour, [0, 31])[4]


def test_a_box_that_is_pointed_at_tells_its_value_beside_the_pointer(page):
    widget = explorer(head=1)
    mount(page, widget)
    tip = page.locator(".mlm-tip")
    expect(tip).to_be_hidden()
    box = page.locator(".mlm-matrix tbody tr").nth(2).locator("td").nth(1)
    box.hover()
    expect(tip).to_have_text(f"cat → the {number(widget.view['stages'][2]['values'][1][2][1])}")
    at, place = tip.bounding_box(), box.bounding_box()
    assert abs(at["x"] - place["x"]) < 60 and 0 <= at["y"] - place["y"] < 60
    page.mouse.move(1100, 700)
    expect(tip).to_be_hidden()


def test_a_click_holds_a_row_until_the_next_one(page):
    mount(page, explorer())
    caption, rows = page.locator(".mlm-row caption"), page.locator(".mlm-matrix tbody tr")
    rows.nth(2).locator("td").nth(1).click()
    rows.nth(4).locator("td").nth(3).hover()
    expect(caption).to_have_text("What “cat” sees")
    expect(page.locator(".mlm-tip")).to_contain_text("down → sat")
    rows.nth(2).locator("td").nth(1).click()
    rows.nth(4).locator("td").nth(3).hover()
    expect(caption).to_have_text("What “down” sees")


@pytest.mark.smoke
@pytest.mark.parametrize(("width", "height"), [(830, 560), (916, 610), (360, 640)])
def test_the_sentence_stands_above_a_matrix_that_scrolls_beside_its_table(page, width, height):
    """What is left of 1280 x 720 and 1366 x 768 beside JupyterLab's file browser, and a phone."""
    page.set_viewport_size({"width": width, "height": height})
    words = "[CLS] the old farmer saw a small dog and the small dog saw him there [SEP]".split()
    size = len(words)
    mount(page, AttentionExplorer(words, np.random.default_rng(0).normal(size=(4, size, size))))
    sentence, grid, side = (
        page.locator(f".mlm-{c}").first.bounding_box() for c in ("words", "scroll", "side")
    )
    assert sentence["y"] + sentence["height"] <= grid["y"] + 8
    assert grid["height"] <= 400 and side["height"] <= 400
    if width > 800:
        assert grid["y"] + grid["height"] <= height and side["y"] + side["height"] <= height
        assert side["x"] >= grid["x"] + grid["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".mlm-matrix tbody td").first.click()
    press(page, *["ArrowDown"] * (size - 1), "End")
    focused = page.locator(":focus").bounding_box()
    head, key = (page.locator(f".mlm-matrix {part}").first for part in ("thead th", "tbody th"))
    box = page.locator(".mlm-scroll").bounding_box()
    assert head.bounding_box()["y"] == pytest.approx(box["y"], abs=2)  # the heads stay
    assert key.bounding_box()["x"] == pytest.approx(box["x"], abs=2)
    assert focused["x"] + focused["width"] <= box["x"] + box["width"] + 1
    press(page, "Home", *["ArrowUp"] * (size - 1))
    focused, top = page.locator(":focus").bounding_box(), head.bounding_box()
    assert focused["y"] >= top["y"] + top["height"] - 1  # not under them
    said = page.locator(".mlm-row tr.mlm-current").bounding_box()
    side = page.locator(".mlm-side").bounding_box()
    assert side["y"] <= said["y"] and said["y"] + said["height"] <= side["y"] + side["height"] + 1


def test_weights_as_given_have_one_stage(page):
    weights = [[0.9, 0.1], [0.25, 0.75]]
    mount(page, AttentionExplorer(["a", "b"], weights=weights))
    assert boxes(page) == [["0.90", "0.10"], ["0.25", "0.75"]]
    assert seen_row(page) == [["a", "0.90"], ["b", "0.10"]]
    assert page.locator(".mlm-closed").count() == 0
    expect(page.get_by_role("note")).to_have_count(0)


def test_scores_that_look_like_weights_are_pointed_out(page):
    widget = AttentionExplorer(["a", "b"], [[0.9, 0.1], [0.25, 0.75]])
    mount(page, widget)
    expect(page.get_by_role("note")).to_have_text(widget.view["note"])
    assert boxes(page)[0] == ["0.69", "0.31"]


@pytest.mark.parametrize("name", ["explorer", "matrix"])
def test_512_tokens_are_an_image_with_a_sentence(page, name):
    words, causal = [f"w{i}" for i in range(512)], np.tri(512) == 1
    large = {
        "explorer": lambda: AttentionExplorer(words, np.zeros((2, 512, 512)), causal),
        "matrix": lambda: MaskMatrix(words, words, causal, {"future": causal}, title="Large"),
    }
    mount(page, large[name]())
    images = page.get_by_role("img")
    assert all(image.evaluate("e => e.complete && e.naturalWidth > 0") for image in images.all())
    assert images.first.evaluate("e => e.naturalWidth") == 512
    expect(page.locator(".mlm")).to_contain_text(
        re.compile("too many to walk through|are more than")
    )
    assert page.locator("td").count() == 0


# ---------------------------------------------------------------- mask matrix


def test_matrix_says_the_same_as_python_about_every_pair(page):
    widget = matrix()
    mount(page, widget)
    words = page.locator(".mlm-words")
    rows = page.locator(".mlm-matrix tbody tr")
    for t in range(SIZE):
        for s in range(SIZE):
            rows.nth(t).locator("td").nth(s).hover()
            assert words.text_content() == sentence(widget.view, t, s)


@pytest.mark.smoke
def test_matrix_by_keyboard(page):
    widget = matrix()
    mount(page, widget)
    words = page.locator(".mlm-words")
    page.keyboard.press("Tab")
    expect(words).to_have_text("query “[CLS]” may attend to key “[CLS]”.")
    press(page, "ArrowDown", "End")
    expect(words).to_have_text("query “the” may not attend to key “[PAD]”: padding and future.")
    expect(page.locator(":focus")).to_have_attribute("aria-label", sentence(widget.view, 1, 5))
    press(page, *["ArrowDown"] * 9)
    expect(words).to_have_text("query “[PAD]” may not attend to key “[PAD]”: padding.")
    assert page.locator(".mlm [tabindex='0']").count() == 1  # one stop
    for tag in ("BUTTON", "BODY"):  # it saves the picture
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == tag


def test_matrix_hatches_by_reason(page):
    mount(page, matrix())
    row = page.locator(".mlm-matrix tbody tr").nth(3).locator("td")
    image = "e => getComputedStyle(e).backgroundImage.replaceAll(/none,? ?/g, '')"
    looks = [row.nth(s).evaluate(image) for s in (0, 4, 5)]
    legend = page.locator(".mlm-legend li span:first-child")
    padding, future = (legend.nth(i).evaluate(image) for i in (1, 2))
    assert padding != future
    assert looks[0] == ""
    assert looks[1].rstrip(", ") == future.rstrip(", ")
    assert looks[2].count("gradient") == 2  # both reasons lie over one another
    assert row.all_text_contents() == ["✓", "✓", "✓", "✓", "F", "PF"]


# ---------------------------------------------------------------- mask playground


def strip(page: Page) -> list[bool]:
    buttons = page.locator(".mlm-strip button").all()
    return [button.get_attribute("aria-pressed") == "true" for button in buttons]


def test_playground_draws_by_strategy_ratio_and_seed(page):
    widget = playground()
    mount(page, widget)
    assert strip(page) == widget.masked == bernoulli(0.5, 0)
    ratio = page.get_by_label("Ratio as a number")
    ratio.press("Control+a")
    page.keyboard.type("1")
    settle(page)
    assert strip(page) == widget.masked == CAN_HIDE
    expect(page.locator(".mlm-words")).to_have_text(
        "4 of 4 tokens that may be hidden (2 may not) hidden: a ratio of 1.00."
    )
    page.get_by_role("slider").focus()
    press(page, "Home", *["ArrowRight"] * 8)
    assert widget.ratio == pytest.approx(0.4)
    assert ratio.input_value() == "0.4"
    page.get_by_role("button", name="Draw again").click()
    settle(page)
    assert (widget.seed, strip(page)) == (1, bernoulli(widget.ratio, 1))
    seed = page.get_by_label("Seed", exact=True).last
    seed.fill("7")
    seed.press("Enter")
    settle(page)
    assert strip(page) == widget.masked == bernoulli(widget.ratio, 7)


@pytest.mark.parametrize(
    ("name", "text"), [("Ratio as a number", "2"), ("Seed", "-1"), ("Seed", "")]
)
def test_playground_puts_an_impossible_number_back(page, name, text):
    widget = playground()
    mount(page, widget)
    field = page.get_by_role("spinbutton", name=name)
    before = field.input_value()
    field.fill(text)
    field.press("Enter")
    assert field.input_value() == before
    assert (widget.ratio, widget.seed) == (0.5, 0)


def test_playground_lets_a_number_be_typed_digit_by_digit(page):
    widget = playground()
    mount(page, widget)
    ratio = page.get_by_label("Ratio as a number")
    ratio.press("Control+a")
    for key, now in [("0", 0.0), (".", 0.0), ("2", 0.2), ("5", 0.25)]:
        press(page, key)
        assert widget.ratio == now
    assert ratio.input_value() == "0.25"
    press(page, "Tab")
    assert page.get_by_role("slider").input_value() == "0.25"


@pytest.mark.smoke
def test_playground_toggles_by_click_and_by_key(page):
    widget = playground(ratio=0.0)
    mount(page, widget)
    page.get_by_role("button", name="cat").click()
    settle(page)
    assert widget.masked == strip(page) == [False, False, True, False, False, False]
    press(page, "ArrowRight", "Enter", "ArrowDown", " ")
    assert widget.masked == strip(page) == [False, False, True, True, True, False]
    press(page, "ArrowLeft", "ArrowUp", "Enter")
    assert widget.masked == strip(page) == [False, False, False, True, True, False]
    expect(page.locator(".mlm-strip button").nth(3)).to_have_text("[MASK]sat")
    live = page.locator("[aria-live=polite]")
    expect(live).to_have_text(
        "2 of 4 tokens that may be hidden (2 may not) hidden: a ratio of 0.50."
    )


def test_playground_does_not_hide_special_tokens(page):
    widget = playground(ratio=0.0)
    mount(page, widget)
    special = page.locator(".mlm-strip button").first
    expect(special).to_have_attribute("aria-disabled", "true")
    special.click(force=True)  # Playwright waits for what is disabled
    press(page, "Enter", " ")
    assert widget.masked == strip(page) == [False] * SIZE


def test_playground_says_what_a_strategy_could_not_do(page):
    widget = playground()
    mount(page, widget)
    before = strip(page)
    page.get_by_role("combobox").select_option("spans")
    settle(page)
    expect(page.get_by_role("alert")).to_have_text(
        "“spans” could not choose: no room for a span of 9"
    )
    assert strip(page) == before
    page.get_by_role("combobox").select_option("bernoulli")
    settle(page)
    expect(page.locator(".mlm-error")).to_be_empty()


def test_playground_strip_is_one_tab_stop(page):
    mount(page, playground())
    names = []
    for _ in range(7):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.tagName"))
    assert names == ["SELECT", "INPUT", "INPUT", "INPUT", "BUTTON", "BUTTON", "BODY"]


@pytest.mark.smoke
def test_playground_says_where_python_is_silent(page):
    page.clock.install()
    mount(page, playground())
    page.clock.run_for(5000)
    silence = page.get_by_role("status")
    expect(silence).to_be_empty()
    page.evaluate("window.silent = true")
    page.get_by_role("button", name="Draw again").click()
    page.clock.run_for(1500)
    expect(silence).to_be_empty()  # Python may take a moment
    page.clock.run_for(2000)
    expect(silence).to_contain_text("Python does not answer.")
    expect(silence).to_contain_text("run this cell again")
    page.evaluate("window.silent = false")
    page.get_by_role("button", name="Draw again").click()
    expect(silence).to_be_empty()


# ---------------------------------------------------------------- training curve

SEEN = "e => e.complete && e.naturalWidth > 0"


def test_curve_is_drawn_and_follows_python(page):
    widget = curve()
    mount(page, widget)
    image = page.get_by_role("img")
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate(SEEN)
    assert image.get_attribute("alt") == widget.view["alternative"]
    expect(page.locator(".mlm")).to_contain_text("floor 0.352; best at step 40.")
    expect(page.locator(".mlm > p")).to_have_text(widget.status_text)
    element, before = image.element_handle(), image.get_attribute("src")
    widget.add(51, the=9.0)
    widget.finish()
    widget.status_text = "the end"
    widget.push()
    assert image.get_attribute("src") == widget.view["image"] != before
    assert image.element_handle().evaluate("(e, old) => e === old", element)  # in its place
    expect(page.locator(".mlm > p")).to_have_text("the end")
    expect(page.locator(".mlm")).to_contain_text("last 9.000 (step 51)")
    widget.view = {"kind": "training_curve", "gone": True}
    widget.push()
    assert page.locator("#here > *").count() == 0
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


def test_curve_speaks_at_most_every_ten_seconds(page):
    page.clock.install()
    widget = curve()
    mount(page, widget)
    said = page.locator("[aria-live=polite]")
    heard = []
    for second in range(1, 33):
        widget.status_text = f"second {second}"
        widget.push()
        page.clock.run_for(1000)
        heard.append(said.text_content())
    assert len(set(heard)) == 4  # silence, and three sentences in 32 seconds
    assert heard[-1] == "second 30"
    expect(page.locator(".mlm > p")).to_have_text("second 32")
    assert page.locator("[aria-live]").count() == 1


def test_a_stored_curve_is_drawn_with_hostile_names(page):
    for start in range(0, len(HOSTILE), SIZE):
        blank(page, render_html(views((HOSTILE + WORDS)[start : start + SIZE])["curve"]))
        page.wait_for_function("document.images[0].complete")
        assert page.get_by_role("img").evaluate(SEEN)


@pytest.mark.parametrize("width", [360, 1200])
def test_letters_of_a_curve_stay_legible(page, width):
    """The drawing shrinks with the page; its letters grow in the drawing, and stay inside."""
    page.set_viewport_size({"width": width, "height": 800})
    blank(page, render_html(views()["curve"]))
    shown = page.get_by_role("img").bounding_box()["width"]
    page.set_viewport_size({"width": round(shown), "height": 800})
    page.goto("about:blank")
    code = render_html(views()["curve"]).split("base64,")[1].split('"')[0]
    page.set_content(base64.b64decode(code).decode().replace(' width="520" height="290"', ""))
    page.add_style_tag(content="body { margin: 0 }")
    sizes = page.evaluate(
        """() => [...document.querySelectorAll("text")].map((text) => {
          const [box, zoom] = [text.getBBox(), text.getScreenCTM().a];
          return [parseFloat(getComputedStyle(text).fontSize) * zoom, box.x, box.x + box.width];
        })"""
    )
    assert min(size for size, _, _ in sizes) >= 9.5
    assert min(left for _, left, _ in sizes) >= 0 and max(right for *_, right in sizes) <= 520


# ---------------------------------------------------------------- patch grid

PIXELS = """canvas => {
  const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const size = canvas.width / 8;
  return Array.from({ length: 8 }, (_, y) => Array.from({ length: 8 }, (_, x) => {
    const at = 4 * (Math.floor((y + 0.5) * size) * canvas.width + Math.floor((x + 0.5) * size));
    return [...all.slice(at, at + 4)];
  }));
}"""
DRAWN = """() => [...document.querySelectorAll("canvas")].every((canvas) =>
  canvas.getContext("2d").getImageData(5, canvas.height - 5, 1, 1).data[3])"""
SHADES = np.rint(np.arange(16).reshape(4, 4).repeat(2, 0).repeat(2, 1) / 15 * 255)


def drawn(page: Page) -> list[np.ndarray]:
    """Middle of each pixel of the original, of what was seen and of the reconstruction."""
    page.wait_for_function(DRAWN)
    return [np.array(canvas.evaluate(PIXELS)) for canvas in page.locator("canvas").all()]


def test_patches_are_drawn_and_the_slider_steps_through_them(page):
    mount(page, patches(chosen=0.25))
    page.get_by_role("slider").focus()
    for place, (count, shade) in enumerate([(4, 0), (8, 128), (12, 255)]):
        if place:
            press(page, "ArrowRight")
        original, seen, restored = drawn(page)
        rows = count // 2  # of pixels: the patches of the first rows are removed
        assert (original[..., 0] == SHADES).all() and (original[..., 3] == 255).all()
        assert (seen[rows:] == original[rows:]).all()
        assert set(seen[:rows, :, 3].flat) - {255}  # the page shows through the hatching
        assert (restored[rows:] == original[rows:]).all()
        assert (restored[:rows, :, :3] == shade).all()
        expect(page.locator(".mlm-kept")).to_have_count(16 - count)
        expect(page.locator("[aria-live]")).to_contain_text(f"{count} of 16 patches removed")
        name = f"[CLS], what the encoder saw: {count} of 16 patches removed"
        expect(page.get_by_role("img", name=name)).to_have_count(1)
    press(page, "ArrowRight")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", "0.75")
    assert page.evaluate("window.settled") is None  # Python was never asked


@pytest.mark.smoke
def test_patches_by_keyboard(page):
    widget = patches()
    mount(page, widget)
    press(page, "Tab", "ArrowRight")
    expect(page.locator("[aria-live]")).to_contain_text("the, ratio 0.75")
    press(page, "Tab", "ArrowLeft")
    expect(page.locator("[aria-live]")).to_contain_text("the, ratio 0.50")
    press(page, "Tab", "ArrowDown", "ArrowRight")
    errors = widget.view["images"][1]["frames"][1]["errors"]
    said = f"Row 2, column 2: removed, mean squared error {value_text(errors[1][1])}."
    expect(page.locator(".mlm-words").nth(1)).to_have_text(said)
    assert page.evaluate("document.activeElement.ariaLabel") == said
    press(page, *["ArrowDown"] * 5)
    said = "Row 4, column 2: visible, no error is counted."
    expect(page.locator(".mlm-words").nth(1)).to_have_text(said)
    press(page, "Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_a_patch_is_marked_in_every_panel(page):
    mount(page, patches())
    page.get_by_role("gridcell").nth(6).hover()
    expect(page.locator(".mlm-words").nth(1)).to_contain_text("Row 2, column 3: removed")
    places = []
    for panel in page.locator(".mlm-panel > div").all():
        mark, box = panel.locator(".mlm-mark").bounding_box(), panel.bounding_box()
        places.append([round((mark[k] - box[k]) / box["width"], 2) for k in ("x", "y")])
        assert mark["width"] == pytest.approx(box["width"] / 4, abs=1)
    assert places == [[0.5, 0.25]] * 4
    page.mouse.move(1100, 700)
    expect(page.locator(".mlm-mark").first).to_be_hidden()


def test_errors_of_patches_are_numbers_and_shades(page):
    widget = patches()
    mount(page, widget)
    errors = [e for row in widget.view["images"][0]["frames"][2]["errors"] for e in row]
    shown = page.get_by_role("gridcell").all_text_contents()
    assert shown == ["" if e is None else value_text(e).removeprefix("0") for e in errors]
    look = "all => all.map((e) => getComputedStyle(e).backgroundColor)"
    colours = page.get_by_role("gridcell").evaluate_all(look)
    assert colours[0] == "rgb(43, 123, 186)"  # 1, the largest of all ratios
    assert colours[11].startswith("rgba(43, 123, 186, 0.")
    assert page.locator(".mlm-kept").evaluate_all(look) == ["rgba(0, 0, 0, 0)"] * 4


def test_errors_are_written_as_in_python(page):
    widget = patches()
    mount(page, widget)
    values = [0.0, 0.0005, 0.0004999, 0.0125, 1.0005, 12.3456, 999_999.4, 1e6, 2.5e9, 1.234e12]
    script = widget._esm.split("// Calls each(x, y)")[0] + "\nexport { three };"
    written = page.evaluate(
        """async ([script, values]) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          return values.map((await import(url)).three);
        }""",
        [script, values],
    )
    assert written == [value_text(value) for value in values]


def test_one_image_at_one_ratio_needs_no_controls(page):
    only = images()[0]
    mount(page, PatchGrid(only._replace(frames=only.frames[:1]), 2))
    assert page.locator("input").count() == 0
    assert page.get_by_role("gridcell").count() == 16
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


# ---------------------------------------------------------------- refinement steps


def lines(page: Page) -> list[list[str]]:
    """What the model saw, what stands there after the step, and the line of numbers."""
    tokens = page.locator(".mlm-refined button").all()
    each = [token.locator("> *").all_text_contents() for token in tokens]
    return [list(line) for line in zip(*each, strict=True)]


def expected_lines(view, step: int) -> list[list[str]]:
    now, last = view["steps"][step - 1], step == len(view["steps"])
    places = range(len(now["tokens"]))
    seen = ["[MASK]" if now["masked"][n] else now["tokens"][n] for n in places]
    sure = ["given" if view["given"][n] else number(now["confidences"][n]) for n in places]
    arrows = [" ↓" if now["again"][n] else "" for n in places]
    marks = [(" ✓" if right else " ✗") if last else "" for right in view["right"]]
    return [
        seen,
        now["tokens"],
        ["".join(parts) for parts in zip(sure, arrows, marks, strict=True)],
    ]


def story(view, place: int, step: int) -> str:
    parts = [words for words, a, b in view["history"][place] if a <= step <= b]
    return f"Token {place + 1}: {'; '.join(parts)}."


def test_refinement_by_slider_and_buttons(page):
    widget = refinement(title="Three steps")
    mount(page, widget)
    words, slider = page.locator(".mlm-words").first, page.get_by_role("slider")
    back, forth = (
        page.get_by_role("button", name="Previous"),
        page.get_by_role("button", name="Next"),
    )

    def expect_step(step):
        settle(page)
        assert widget.step == step
        assert lines(page) == expected_lines(widget.view, step)
        now = widget.view["steps"][step - 1]
        expect(words).to_have_text(f"{now['words']} {now['why']}")
        expect(slider).to_have_value(str(step))
        expect(slider).to_have_attribute("aria-valuetext", f"step {step} of 3")
        expect(back).to_have_attribute("aria-disabled", str(step == 1).lower())
        expect(forth).to_have_attribute("aria-disabled", str(step == 3).lower())

    expect_step(1)
    forth.click()
    expect_step(2)
    forth.click()
    forth.click(force=True)  # there is no step 4
    expect_step(3)
    back.click()
    expect_step(2)
    slider.focus()
    press(page, "ArrowRight")
    expect_step(3)
    press(page, "Home")
    expect_step(1)
    back.click(force=True)
    expect_step(1)
    expect(page.locator(".mlm > strong")).to_have_text("Three steps")


@pytest.mark.smoke
def test_refinement_by_keyboard(page):
    widget = refinement()
    mount(page, widget)
    told = page.locator(".mlm-words").nth(1)
    expect(told).to_have_text("")
    stops = []
    for _ in range(4):
        press(page, "Tab")
        stops.append(page.evaluate("document.activeElement.textContent || 'slider'"))
    assert stops[:3] == ["slider", "Previous", "Next"]
    expect(told).to_have_text(story(widget.view, 0, 1))
    press(page, "ArrowRight", "ArrowRight")
    expect(told).to_have_text(story(widget.view, 2, 1))
    expect(told).to_contain_text("step 1 chose “the” (0.20); masked again before step 2.")
    press(page, "ArrowDown")
    assert widget.step == 2
    expect(told).to_have_text(story(widget.view, 2, 2))
    expect(page.locator(":focus")).to_have_attribute("aria-label", "cat, 0.70, was masked, changed")
    press(page, "ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight")
    assert widget.step == 3
    expect(told).to_have_text(story(widget.view, 4, 3))
    expect(told).to_contain_text("this is wrong.")
    press(page, "ArrowUp", "End")
    assert widget.step == 2
    expect(told).to_have_text(story(widget.view, 5, 2))
    press(page, "Home")
    expect(told).to_have_text("Token 1: “[CLS]” is given, never masked.")
    assert page.locator(".mlm-refined [tabindex='0']").count() == 1
    assert page.locator("[aria-live=polite]").count() == 2
    press(page, "Tab")
    assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_a_token_tells_its_history_to_the_pointer_too(page):
    widget = refinement(step=2)
    mount(page, widget)
    told, tokens = page.locator(".mlm-words").nth(1), page.locator(".mlm-refined button")
    tokens.nth(1).hover()
    expect(told).to_have_text(story(widget.view, 1, 2))
    page.mouse.move(1100, 700)
    expect(told).to_have_text("")
    tokens.nth(3).click()
    tokens.nth(1).hover()
    page.mouse.move(1100, 700)
    expect(told).to_have_text(story(widget.view, 3, 2))
    page.get_by_role("button", name="Next").click()
    expect(told).to_have_text(story(widget.view, 3, 3))
    press(page, "Shift+Tab", "Tab", "Tab")
    expect(page.locator(":focus")).to_have_attribute(
        "aria-label", "sat, 0.80, was masked, changed, right"
    )


def test_refinement_looks_of_masks_confidences_and_what_goes_again(page):
    widget = refinement()
    mount(page, widget)
    tokens = page.locator(".mlm-refined button")
    for step, now in enumerate(widget.view["steps"], start=1):
        widget.step = step
        widget.push()
        hatched = "e => getComputedStyle(e.children[0]).backgroundImage !== 'none'"
        shade = "e => getComputedStyle(e.children[1]).backgroundColor"
        dashed = "e => getComputedStyle(e.children[1]).outlineStyle === 'dashed'"
        bold = "e => getComputedStyle(e.children[1]).fontWeight === '700'"
        assert [t.evaluate(hatched) for t in tokens.all()] == now["masked"]
        assert [t.evaluate(dashed) for t in tokens.all()] == now["again"]
        assert [t.evaluate(bold) for t in tokens.all()] == now["changed"]
        shades = [round(sure * 0.6 * 20) / 20 for sure in now["confidences"]]
        expected = [f"rgba(43, 123, 186, {s:g})" for s in shades]
        assert [t.evaluate(shade) for t in tokens.all()] == ["rgba(0, 0, 0, 0)", *expected[1:]]


@pytest.mark.parametrize("width", [400, 1000])
def test_each_row_of_refined_tokens_has_the_names_of_its_lines(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    mount(page, refinement())
    tops = {round(li.bounding_box()["y"]) for li in page.locator(".mlm-refined li").all()}
    names = page.locator(".mlm-sides > div")
    expect(names).to_have_count(len(tops))
    assert len(tops) == (2 if width == 400 else 1)
    assert {round(name.bounding_box()["y"]) for name in names.all()} == tops
    expect(names.last).to_have_text("model seesafter the stepconfidence")
    tokens = page.locator(".mlm-refined button").first.locator("> *").all()
    for name, line in zip(names.first.locator("span").all(), tokens, strict=True):
        assert abs(name.bounding_box()["y"] - line.bounding_box()["y"]) < 6


def test_the_title_of_a_patch_grid_stands_above_its_controls(page):
    mount(page, patches(title="Digits"))
    title, legend = (
        page.locator(f".mlm {part}").first.bounding_box() for part in ("> strong", "legend")
    )
    assert title["y"] + title["height"] <= legend["y"]


def test_shades_are_those_of_the_static_picture(page):
    values = [*np.random.default_rng(2).random(200).round(3).tolist(), 0.0, 0.5, 1.0]
    view = refinement_steps([["a"] * 203], [values], [[True] * 203])
    mount(page, RefinementSteps([["a"] * 203], [values], [[True] * 203]))
    live = "all => all.map((e) => getComputedStyle(e.children[1]).backgroundColor)"
    shown = page.locator(".mlm-refined button").evaluate_all(live)
    colours = [colour.replace("rgb(", "rgba(") for colour in shown]
    html = render_html(view)
    assert [html.count(f'background-color:{colour}"') for colour in dict.fromkeys(colours)] == [
        colours.count(colour) for colour in dict.fromkeys(colours)
    ]


def test_nothing_moves_while_the_steps_go_by(page):
    mount(page, refinement(["a", "a long word", "b", "c", "another word", "日本語の言葉"]))
    tokens = page.locator(".mlm-refined li")
    places = []
    for _ in range(3):
        places.append([tuple(token.bounding_box().values()) for token in tokens.all()])
        page.get_by_role("button", name="Next").click(force=True)
    assert places[0] == places[1] == places[2]


def test_refinement_follows_python_and_takes_a_smaller_view(page):
    widget = refinement()
    mount(page, widget)
    before = page.evaluate("listeners()")
    widget.step = 3
    widget.push()
    assert lines(page) == expected_lines(widget.view, 3)
    widget.view = refinement_steps([["a", "b"]], [[0.5, 0.6]], [[True, True]], [True, False])
    widget.push()
    assert lines(page) == [["[MASK]"] * 2, ["a", "b"], ["0.50 ✓", "0.60 ✗"]]
    assert page.locator("input").count() == 0  # one step: nothing to choose
    assert page.evaluate("listeners()") == before
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


def test_a_stored_refinement_scrolls_inside_itself(page):
    page.set_viewport_size({"width": 320, "height": 800})
    blank(page, render_html(views(LONG)["refinement"]))
    region = page.get_by_role("region")
    assert region.first.evaluate("e => e.scrollWidth > e.clientWidth")
    press(page, "Tab", "ArrowRight", "ArrowRight")
    page.wait_for_function("document.querySelector('[role=region]').scrollLeft > 0")
    step = page.locator("th[scope=row]").first
    assert 0 <= step.bounding_box()["x"] <= 40  # its number stays in sight


# ---------------------------------------------------------------- all alike


@pytest.mark.parametrize("name", WIDGETS)
def test_every_focusable_element_keeps_its_keys(page, name):
    mount(page, WIDGETS[name]())
    missing = page.evaluate(
        """() => [...document.querySelectorAll(".mlm *")]
          .filter((e) => e.tabIndex >= 0 && e.dataset.lmSuppressShortcuts !== "true")
          .map((e) => e.outerHTML)"""
    )
    assert missing == []


PICTURES = ":is([src^='data:image/svg+xml;base64,'], [src^='data:image/png;base64,'])"
INTRUDERS = f":is(b, img:not({PICTURES}), svg, script)"


@pytest.mark.smoke
@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("start", range(0, len(HOSTILE), SIZE))
def test_hostile_tokens_stay_text(page, name, start):
    tokens = (HOSTILE + WORDS)[start : start + SIZE]
    mount(page, WIDGETS[name](tokens))
    press(page, "Tab", "Tab", "Tab", "ArrowRight", "ArrowDown")
    if name not in ("curve", "patches", "box", "pad"):
        page.locator(":is(.mlm-matrix tbody td, .mlm-strip button):visible").nth(1).hover()
    assert page.locator(f".mlm {INTRUDERS}").count() == 0
    assert page.locator("#x").count() == 0
    text = page.locator(".mlm").text_content()
    assert all(label(token) in text for token in tokens)


@pytest.mark.parametrize("kind", views())
def test_hostile_tokens_stay_text_in_static_html(page, kind):
    for start in range(0, len(HOSTILE), SIZE):
        tokens = (HOSTILE + WORDS)[start : start + SIZE]
        blank(page, render_html(views(tokens)[kind]))
        assert page.locator(f"figure {INTRUDERS}").count() == 0
        assert page.locator("#x").count() == 0


LONG = [f"{word}-{'long' * 6}" for word in WORDS]


@pytest.mark.smoke
@pytest.mark.parametrize("tokens", [WORDS, LONG], ids=["short", "long"])
@pytest.mark.parametrize("name", WIDGETS)
def test_nothing_sticks_out_of_a_narrow_page(page, name, tokens):
    page.set_viewport_size({"width": 320, "height": 800})
    mount(page, WIDGETS[name](tokens))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("kind", views())
def test_no_static_picture_sticks_out_of_a_narrow_page(page, kind):
    page.set_viewport_size({"width": 320, "height": 800})
    for tokens in (WORDS, LONG):
        blank(page, render_html(views(tokens)[kind]))
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_numbers_are_written_as_in_python(page):
    widget = explorer()
    mount(page, widget)
    values = [0.125, 0.1249999, -0.004, -0.0, 1.005, -1.005, 2.675, 1e6, 0.0049999, 0.005, None]
    values += np.random.default_rng(1).normal(size=200).round(3).tolist()
    script = widget._esm.split("// A head at a glance")[0] + "\nexport { number };"
    written = page.evaluate(
        """async ([script, values]) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          return values.map((await import(url)).number);
        }""",
        [script, values],
    )
    assert written == number_row(values)
