"""The drawing pad in a page: by mouse, by finger, by keyboard alone, and what stays without Python."""

import numpy as np
import pytest
from alone import mount, press, settle
from playwright.sync_api import Page, expect
from samples import DIGIT, WORDS, pad
from test_access import serious

from mlm_course.views import ink
from mlm_course.widgets import DrawingPad

pytestmark = pytest.mark.browser

SHOWN = """() => {
  const { data } = document.querySelector("canvas").getContext("2d").getImageData(0, 0, 28, 28);
  return [...data].filter((_, i) => i % 4 === 0).map((grey) => 1 - grey / 255);
}"""


def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the pad, in its pixels, lies in the page."""
    box = page.locator("canvas").bounding_box()
    return box["x"] + x / 28 * box["width"], box["y"] + y / 28 * box["height"]


def draw_line(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*spot(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*spot(page, *point))
    page.mouse.up()
    settle(page)


def on_the_canvas(page: Page) -> np.ndarray:
    return np.array(page.evaluate(SHOWN)).reshape(28, 28)


def words(page: Page):
    return page.locator("[aria-live=polite]")


def names(page: Page) -> list[str]:
    return page.locator("figcaption").all_text_contents()


def halved(**how) -> DrawingPad:
    return DrawingPad(restore=lambda image: {"half": image / 2}, **how)


@pytest.mark.smoke
def test_a_digit_is_drawn_by_mouse_and_restored(page):
    widget = halved()
    mount(page, widget)
    expect(words(page)).to_have_text("On the pad: nothing yet.")
    assert names(page) == []
    draw_line(page, (8, 4), (20, 4), (11, 24))
    draw_line(page, (10, 14), (19, 14))
    assert [[round(x) for x in point] for point in widget.strokes[0]] == [[8, 4], [20, 4], [11, 24]]
    expect(words(page)).to_have_text("On the pad: 2 strokes.")
    assert names(page) == ["centred", "half"]
    np.testing.assert_allclose(on_the_canvas(page), ink.rendered(widget.strokes), atol=1 / 255)
    assert widget.image().sum() > 50
    sources = page.locator("figure img").evaluate_all("all => all.map((image) => image.src)")
    assert sources == [picture["source"] for picture in widget.pictures]
    page.get_by_role("button", name="Clear").click()
    settle(page)
    assert (widget.strokes, names(page)) == ([], [])
    assert not on_the_canvas(page).any()


@pytest.mark.smoke
def test_a_digit_is_drawn_by_keyboard_alone(page):
    widget = halved(image=DIGIT)
    mount(page, widget)
    press(page, "Tab")
    surface = page.get_by_role("application", name="Draw a digit")
    expect(surface).to_be_focused()
    expect(page.locator(".mlm-cursor")).to_be_visible()
    press(page, "Delete")
    expect(words(page)).to_have_text("On the pad: nothing yet.")
    assert not widget.with_picture and not on_the_canvas(page).any()
    press(page, *["ArrowUp"] * 9, "ArrowLeft")
    expect(words(page)).to_have_text("Row 1, column 6 of 14, pen up.")
    press(page, " ", "PageDown", "ArrowDown")
    expect(words(page)).to_have_text("Row 3, column 7 of 14, pen down.")
    assert widget.strokes == []  # Python hears of it when the pen is lifted
    assert on_the_canvas(page)[5, 13] == 1
    press(page, "Enter")
    expect(words(page)).to_have_text("Pen up. On the pad: 1 stroke.")
    assert widget.strokes == [[[11, 1], [13, 3], [13, 5]]]
    assert names(page) == ["centred", "half"]
    press(page, "ArrowDown", " ", "Tab")  # leaving lifts it too
    assert widget.strokes[1] == [[13, 7]]
    expect(page.get_by_role("button", name="Clear")).to_be_focused()
    expect(page.locator(".mlm-cursor")).to_be_hidden()
    press(page, "Enter")
    assert widget.strokes == []


def test_a_finger_draws_and_does_not_scroll(page):
    widget = halved()
    mount(page, widget)
    assert page.locator("canvas").evaluate("e => getComputedStyle(e).touchAction") == "none"
    session = page.context.new_cdp_session(page)
    for kind, *point in (("touchStart", 6, 6), ("touchMove", 20, 20), ("touchEnd",)):
        x, y = spot(page, *point) if point else (0, 0)
        points = [{"x": x, "y": y}] if point else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    settle(page)
    assert [len(stroke) for stroke in widget.strokes] == [2]


def test_a_stroke_that_leaves_the_pad_stays_inside_and_another_button_draws_nothing(page):
    widget = halved()
    mount(page, widget)
    draw_line(page, (20, 14), (60, 14), (60, -30))
    assert [[round(x) for x in p] for p in widget.strokes[0]] == [[20, 14], [28, 14], [28, 0]]
    page.mouse.move(*spot(page, 5, 5))
    page.mouse.down(button="right")
    page.mouse.up(button="right")
    assert len(widget.strokes) == 1


def test_the_pad_says_the_same_as_python_and_follows_it(page):
    widget = pad()
    mount(page, widget)
    before = page.evaluate("listeners()")
    for strokes, start in (([], True), ([[[3, 3]]], True), ([[[3, 3]]] * 2, False), ([], False)):
        widget.strokes, widget.with_picture = strokes, start
        widget.push()
        expect(words(page)).to_have_text(widget.picture()["summary"].splitlines()[0][9:])
        drawn = np.maximum(ink.rendered(strokes), DIGIT * start)
        np.testing.assert_allclose(on_the_canvas(page), drawn, atol=1 / 255)
    widget.view = {**widget.view, "title": "Another"}
    widget.push()
    expect(page.get_by_role("application", name="Another")).to_be_visible()
    assert page.evaluate("listeners()") == before
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


@pytest.mark.smoke
def test_without_python_the_drawing_stays_and_older_pictures_are_pale(page):
    """As a notebook is reopened the day after."""
    page.add_init_script("window.silent = true")
    page.clock.install()
    page.goto("about:blank")
    widget = pad()
    widget.strokes = [[[4, 4], [24, 4]]]
    mount(page, widget)
    page.clock.run_for(3100)
    expect(page.get_by_role("status")).to_contain_text("run this cell again")
    assert on_the_canvas(page)[4, 10] == 1
    assert names(page) == ["centred", *WORDS]
    page.evaluate("() => { window.to_python = () => new Promise(() => {}); }")
    draw_line_without_python(page)
    page.clock.run_for(400)
    expect(page.locator(".mlm-old img")).to_have_count(1 + len(WORDS))
    assert on_the_canvas(page)[20, 10] == 1
    page.evaluate("receive({ answered: 1 })")
    expect(page.locator(".mlm-old")).to_have_count(0)


def draw_line_without_python(page: Page) -> None:
    page.mouse.move(*spot(page, 4, 20.5))
    page.mouse.down()
    page.mouse.move(*spot(page, 24, 20.5))
    page.mouse.up()


def failing(image):
    raise RuntimeError("no such checkpoint")


@pytest.mark.parametrize("theme", ["light", "dark", "none"])
def test_a_failure_is_a_sentence_beside_the_drawing(page, theme):
    mount(page, DrawingPad(DIGIT, failing), theme)
    expect(page.get_by_role("alert")).to_have_text("restore could not answer: no such checkpoint")
    assert names(page) == ["centred"]
    press(page, "Tab", " ", "ArrowDown")
    assert serious(page) == []
