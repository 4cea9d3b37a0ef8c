"""The gap filler in a page: by keyboard alone, what cannot be filled, and what stays without Python."""

import re

import pytest
from alone import mount
from playwright.sync_api import Page, expect
from samples import WORDS, fillings, gap_filler

from mlm_course.widgets import GapFiller

pytestmark = pytest.mark.browser


def fill(text: str) -> tuple:
    """The sample's steps for any text with a gap; they end in the text's first word."""
    if "___" not in text:
        raise ValueError("There is no gap: write ___.")
    return fillings([*WORDS[:-1], text.split()[0]])


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def said(page: Page):
    return page.locator("[aria-live=polite]").first


@pytest.mark.smoke
def test_a_sentence_is_filled_by_keyboard_alone(page):
    widget = GapFiller(fill, ["one ___", "two ___"], title="Yours")
    mount(page, widget)
    field = page.get_by_role("textbox", name="Yours")
    expect(field).to_have_value("one ___")
    expect(said(page)).to_have_text(re.compile("5 gaps filled in 3 steps. Result: .* one$"))
    press(page, "Tab", "Control+a")
    page.keyboard.type("mine ___")
    press(page, "Enter")
    expect(said(page)).to_have_text(re.compile("mine$"))
    expect(field).to_be_focused()
    assert (widget.text, widget.step) == ("mine ___", 1)
    press(page, "Tab", "Tab", "ArrowRight", "Enter")  # the button, then the examples
    expect(field).to_have_value("two ___")
    expect(said(page)).to_have_text(re.compile("two$"))
    press(page, "Tab", "End")  # the slider
    page.wait_for_function("document.querySelector('[type=range]').value === '3'")
    assert widget.step == 3
    press(page, *["Tab"] * 3, "ArrowRight")
    told = page.locator("[aria-live=polite]").last
    expect(told).to_contain_text("step 2 chose “the” (0.60), before “cat” (0.25)")


@pytest.mark.smoke
def test_what_cannot_be_filled_is_said_and_the_last_answer_stays(page):
    widget = GapFiller(fill, ["one ___"])
    mount(page, widget)
    press(page, "Tab", "Control+a")
    page.keyboard.type("no gap")
    press(page, "Enter")
    expect(page.get_by_role("alert")).to_have_text("There is no gap: write ___.")
    expect(page.get_by_role("textbox")).to_have_value("no gap")
    expect(page.locator(".mlm-refined li")).to_have_count(len(WORDS))
    page.keyboard.type(" ___")
    press(page, "Enter")
    expect(page.locator(".mlm-error")).to_be_hidden()
    expect(said(page)).to_have_text(re.compile("no$"))


def test_what_python_sets_is_shown(page):
    widget = gap_filler()
    mount(page, widget)
    widget.text = "set by Python"
    widget.push()
    expect(page.get_by_role("textbox")).to_have_value("set by Python")


def test_a_new_answer_listens_once(page):
    """The steps of an earlier answer, no longer in the page, do not follow the slider."""
    widget = GapFiller(fill, ["one ___"])
    mount(page, widget)
    for _ in range(3):
        page.get_by_role("button", name="Fill").click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".mlm-refined")).to_have_count(1)
    expect(page.locator(".mlm-field [aria-hidden]")).to_have_text("2 of 3")
    assert widget.step == 2
