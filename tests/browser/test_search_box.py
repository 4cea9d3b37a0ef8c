"""The search box in a page: by keyboard alone, one question at a time, and what stays without Python."""

import pytest
from alone import blank, mount
from hostile import HOSTILE
from playwright.sync_api import Page, expect
from samples import WORDS, box, hits
from test_access import serious

from mlm_course.views import SearchResult, render_html, search_results
from mlm_course.views.text import label
from mlm_course.widgets import SearchBox

pytestmark = pytest.mark.browser

PASSAGES = {
    "csv.reader": "Read rows of a CSV file.",
    "json.load": "Read a JSON document from a file." + "\nAnd more of it." * 9,
    "re.match": "Match a pattern at the start of a text.",
}
HOLD = """() => {
  window.held = [];
  window.to_python = (sent) => new Promise((settle) => {
    if (sent.asked) held.push([sent.query, (hits) => settle({ hits, said: sent.query, answered: sent.asked })]);
    else settle({});
  });
}"""
HIT = {"score": "1.00", "share": 1, "excerpt": [["text", False]], "full": []}


def by_words(query: str) -> list[tuple[str, str, float]]:
    words = query.lower().split()
    scored = [(n, t, sum(w in t.lower() for w in words) / len(words)) for n, t in PASSAGES.items()]
    return sorted(scored, key=lambda hit: -hit[2])


def docs(**how) -> SearchBox:
    searches = {"words": by_words, "backwards": lambda query: by_words(query)[::-1]}
    return SearchBox(searches, examples=["json", "csv rows"], title="Documentation", **how)


def shown(page: Page) -> list[str]:
    return page.locator("article strong").all_text_contents()


def said(page: Page):
    return page.locator("[aria-live=polite]")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page):
    return page.locator(":focus")


@pytest.mark.smoke
def test_a_query_is_answered_by_keyboard_alone(page):
    widget = docs()
    mount(page, widget)
    expect(said(page)).to_have_text("Type a query, or choose an example.")
    press(page, "Tab")
    assert focused(page).get_attribute("type") == "search"
    expect(page.get_by_role("searchbox", name="Documentation")).to_be_focused()
    page.keyboard.type("json file")
    expect(said(page)).to_have_text("3 passages for “json file”, words.")
    assert shown(page) == [hit["name"] for hit in widget.hits]
    assert shown(page) == ["json.load", "csv.reader", "re.match"]
    assert widget.query == "json file"
    first = page.locator("article").first
    assert first.locator("mark").all_text_contents() == ["JSON", "file"]
    expect(first.locator(".mlm-score")).to_have_text("1.00")
    press(page, "ArrowDown")
    expect(focused(page)).to_have_attribute("aria-label", "1. json.load, score 1.00")
    press(page, "Enter")
    expect(first.locator("p")).to_contain_text("And more of it.\nAnd more of it.")
    press(page, "Tab")
    expect(focused(page)).to_have_accessible_name("less of json.load")
    press(page, " ")
    expect(focused(page)).to_have_text("more")
    press(page, "ArrowDown", "ArrowDown", "ArrowDown")
    expect(focused(page)).to_have_attribute("aria-label", "3. re.match, score 0.00")
    press(page, "Home", "ArrowUp")
    expect(page.get_by_role("searchbox")).to_be_focused()
    press(page, "ArrowDown", "Escape")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("")
    assert shown(page) == []
    press(page, "ArrowDown", "ArrowRight", "Enter")
    expect(said(page)).to_have_text("3 passages for “csv rows”, words.")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_searches_are_compared_on_the_same_query(page):
    widget = docs(query="match")
    mount(page, widget)
    assert shown(page)[0] == "re.match"
    press(page, "Tab", "Tab", "ArrowRight")
    expect(said(page)).to_have_text("3 passages for “match”, backwards.")
    assert shown(page)[-1] == "re.match" and widget.method == "backwards"
    expect(page.get_by_role("radio", name="backwards")).to_be_focused()


def test_one_question_is_under_way_and_the_newest_wins(page):
    mount(page, docs())
    page.evaluate(HOLD)
    press(page, "Tab", "a")
    page.wait_for_function("held.length === 1")
    press(page, "b", "c", "Enter")
    page.wait_for_timeout(50)
    assert page.evaluate("held.map(([query]) => query)") == ["a"]
    page.evaluate("(hit) => held[0][1]([{ ...hit, name: 'stale' }])", HIT)
    page.wait_for_function("held.length === 2")
    assert page.evaluate("held[1][0]") == "abc"
    assert shown(page) == []  # the answer to "a" is not to be seen
    page.evaluate("(hit) => held[1][1]([{ ...hit, name: 'right' }])", HIT)
    expect(page.locator("article strong")).to_have_text("right")
    page.wait_for_timeout(50)
    assert page.evaluate("held.length") == 2


def test_what_was_cleared_does_not_come_back(page):
    mount(page, docs())
    page.evaluate(HOLD)
    press(page, "Tab", "a")
    page.wait_for_function("held.length === 1")
    press(page, "Escape")
    page.evaluate("(hit) => held[0][1]([{ ...hit, name: 'stale' }])", HIT)
    page.wait_for_function("held.length === 2")
    assert page.evaluate("held[1][0]") == ""
    assert shown(page) == []
    expect(page.get_by_role("button", name="json")).to_be_visible()


def test_after_a_slow_search_the_next_one_waits_for_a_pause_unless_enter_is_pressed(page):
    page.clock.install(time=0)
    mount(page, docs())
    page.clock.pause_at(1000)
    page.evaluate(HOLD)
    press(page, "Tab", "a")
    page.clock.run_for(2000)
    expect(said(page)).to_have_text("Searching …")
    page.evaluate("held[0][1]([])")
    expect(said(page)).to_have_text("a")
    for key in "bcd":
        press(page, key)
        page.clock.run_for(300)
    assert page.evaluate("held.length") == 1
    page.clock.run_for(200)
    assert page.evaluate("held.at(-1)[0]") == "abcd"
    page.evaluate("held[1][1]([])")
    press(page, "e", "Enter")
    assert page.evaluate("held.at(-1)[0]") == "abcde"


@pytest.mark.smoke
def test_without_python_the_last_answer_stays_and_a_sentence_says_what_to_do(page):
    """As a notebook is reopened the day after."""
    page.add_init_script("window.silent = true")
    page.clock.install()
    page.goto("about:blank")
    mount(page, docs(query="json file"))
    expect(page.get_by_role("searchbox")).to_have_value("json file")
    assert shown(page) == ["json.load", "csv.reader", "re.match"]
    page.clock.run_for(3100)
    note = page.get_by_role("status")
    expect(note).to_contain_text("run this cell again")
    page.evaluate(HOLD)
    press(page, "Tab", "End", "s")
    page.clock.run_for(4000)
    expect(page.get_by_role("searchbox")).to_have_value("json files")
    assert shown(page) == ["json.load", "csv.reader", "re.match"]
    press(page, "Enter")  # the answer seems lost: asks once more
    assert page.evaluate("held.length") == 2
    page.evaluate("(hit) => held[1][1]([{ ...hit, name: 'late' }])", HIT)
    expect(page.locator("article strong")).to_have_text("late")


def test_a_failure_is_a_sentence_beside_the_last_answer(page):
    mount(page, box())
    before = shown(page)
    page.get_by_role("radio", name="broken").check(force=True)
    expect(page.get_by_role("alert")).to_have_text("“broken” could not answer: no such checkpoint")
    assert shown(page) == before == WORDS
    page.get_by_role("radio", name="words").check(force=True)
    expect(page.locator(".mlm-error")).to_be_empty()


def test_the_box_follows_python(page):
    widget = docs()
    mount(page, widget)
    before = page.evaluate("listeners()")
    widget.query, widget.method = "csv", "backwards"
    widget.push()
    expect(page.get_by_role("searchbox")).to_have_value("csv")
    expect(page.get_by_role("radio", name="backwards")).to_be_checked()
    assert shown(page)[-1] == "csv.reader"
    widget.view = {**widget.view, "methods": ["words"], "examples": []}
    widget.query = ""
    widget.push()
    expect(said(page)).to_have_text("Type a query.")
    expect(page.get_by_role("radio")).to_have_count(0)
    assert page.evaluate("listeners()") == before
    page.evaluate("leave()")
    assert page.evaluate("listeners()") == 0


def test_letters_that_are_being_composed_are_no_question(page):
    widget = docs()
    mount(page, widget)
    page.get_by_role("searchbox").focus()
    session = page.context.new_cdp_session(page)
    session.send(
        "Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2}
    )
    page.wait_for_timeout(50)
    assert widget.query == ""
    session.send("Input.insertText", {"text": "日本"})
    expect(said(page)).to_have_text("3 passages for “日本”, words.")


@pytest.mark.smoke
@pytest.mark.parametrize("theme", ["light", "dark", "none"])
def test_passages_and_a_failure_have_no_serious_findings(page, theme):
    mount(page, box(), theme)
    press(page, "Tab", "ArrowDown", "Enter")
    page.get_by_role("radio", name="broken").check(force=True)
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert page.locator("mark").count() == 1
    assert serious(page) == []


@pytest.mark.smoke
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text_where_words_are_marked(page, name):
    visible = label(name, 80)
    passages = [(name, f"{name} and {name}" * 2, 0.5), (visible, visible, 0.4)]
    mount(page, SearchBox({name: lambda query: passages}, examples=[name], query=name))
    page.get_by_role("searchbox").fill(f"alert {name}"[:200].replace("\ud800", ""))
    expect(page.locator("article")).to_have_count(2)
    press(page, "ArrowDown", "Enter")
    assert page.locator(".mlm :is(b, img, svg, script), #x").count() == 0
    assert visible in page.locator("article").last.text_content()


def test_nothing_sticks_out_of_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    long = [(f"xml.etree.{'ElementTree' * 9}", f"{'word' * 99} {'a b ' * 200}", 0.5)]
    mount(
        page, SearchBox({"TF-IDF": lambda q: long, "published model": lambda q: long}, query="word")
    )
    press(page, "Tab", "ArrowDown", "Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    field = page.get_by_role("searchbox").bounding_box()
    assert field["width"] > 300 and field["height"] >= 32


def test_a_static_answer_opens_by_keyboard(page):
    view = search_results([SearchResult("cat", hits(), "words")], k=6)
    blank(page, render_html(view))
    rest = page.locator("details > div")
    expect(rest).to_be_hidden()
    press(page, "Tab", "Enter")
    expect(rest).to_be_visible()
    expect(page.locator("mark")).to_have_text("cat")
