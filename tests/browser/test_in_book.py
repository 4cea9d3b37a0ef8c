"""Every widget in a page of the book: its stored state, the book's runtime, no Python."""

import inspect
import json
import os
import random
import re
import shutil
import textwrap
from functools import partial

import numpy as np
import pytest
import torch
from alone import mount_in_book
from hostile import HOSTILE
from playwright.sync_api import ConsoleMessage, Page, expect
from samples import CAN_HIDE, DIGIT, SIZE, WIDGETS, WORDS, bernoulli, curve, gap_filler, playground
from test_access import serious
from test_standalone import INTRUDERS

from mlm_course import widgets
from mlm_course.diffusion import fill_gaps
from mlm_course.models.image_mae import filled_in, patchify, random_masking, unpatchify
from mlm_course.models.pretrained import load_pretrained
from mlm_course.practice.exercise import find_question
from mlm_course.practice.questions import Quiz
from mlm_course.practice.quiz_widget import QuizWidget
from mlm_course.search import WordIndex
from mlm_course.views.pixels import read
from mlm_course.views.search import SearchResult, result_view, shown_text
from mlm_course.views.text import label
from mlm_course.widgets import Diffuse, DrawingPad, FillMask, GapFiller, PageModel, SearchBox
from mlm_course.widgets.base import CourseWidget

pytestmark = pytest.mark.browser

IN_BOOK = {
    **WIDGETS,
    "quiz": lambda: QuizWidget(Quiz((find_question("1.q1"),))),
    # A page loads no model but those that come with the course.
    "fill_mask": lambda: FillMask(*load_pretrained("tinyworld"), "some [MASK] see a cat ."),
    "diffuse": lambda: Diffuse(*load_pretrained("diffusion"), length=5),
}
HOSTILES = [name for name in WIDGETS if name not in ("fill_mask", "diffuse")]
# What a key and a click go to; each has to change what is to be seen.
KEYED = {
    "explorer": ("td[tabindex='0']", "ArrowDown"),
    "matrix": ("td[tabindex='0']", "ArrowRight"),
    "playground": ("[type=range]", "ArrowRight"),
    "curve": ("[type=range]", "ArrowLeft"),
    "patches": ("[type=range], [type=radio]", "ArrowRight"),
    "refinement": ("[type=range]", "ArrowRight"),
    "box": ("[type=search]", "Escape"),
    "gap_filler": ("[type=range]", "ArrowRight"),
    "pad": ("canvas", "Enter"),
    "quiz": ("button", "Enter"),
    "fill_mask": (".mlm-strip button >> nth=1", "Enter"),
    "diffuse": ("button:text('Previous')", "Enter"),
}
CLICKED = {
    "explorer": "tbody td >> nth=8",
    "matrix": "tbody td >> nth=9",
    "playground": ".mlm-strip button >> nth=2",
    "curve": "img",
    "patches": "[role=gridcell] >> nth=3",
    "refinement": "button:text('Next')",
    "box": ".mlm-strip button >> nth=0",
    "gap_filler": ".mlm-strip button >> nth=1",
    "pad": "button:text('Clear')",
    "quiz": "button >> nth=1",
    "fill_mask": ".mlm-strip button >> nth=3",
    "diffuse": "button:text('Next')",
}
NOT_HERE = ["Python does not answer", "restarted", "Not recorded", "run this cell"]
SEEN = """() => [document.querySelector(".mlm").innerHTML,
  ...[...document.querySelectorAll("canvas")].map((c) => c.toDataURL()),
  ...[...document.querySelectorAll("input")].map((i) => i.value + i.checked)].join()"""


@pytest.fixture
def page(page: Page):
    """A page whose console stays without errors, and which asks no other host."""
    problems: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in str(message.location):
            problems.append(message.text)

    page.on("console", listen)
    page.on(
        "request", lambda request: problems.append(request.url) if is_foreign(request.url) else None
    )
    yield page
    assert problems == []


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://book.test/", "data:", "blob:"))


def changes(page: Page, act) -> None:
    """Fails unless what is to be seen is another after act()."""
    before = page.evaluate(SEEN)
    act()
    page.wait_for_function(f"(before) => ({SEEN})() !== before", arg=before)


def test_every_widget_is_tried():
    classes = [getattr(widgets, name) for name in widgets.__all__]
    kinds = [kind for kind in classes if isinstance(kind, type) and issubclass(kind, CourseWidget)]
    tried = {type(make()).__name__ for make in IN_BOOK.values()}
    assert {kind.__name__ for kind in kinds} == tried - {"QuizWidget"}


@pytest.mark.smoke
@pytest.mark.parametrize(("theme", "width"), [("light", 1200), ("dark", 390)])
@pytest.mark.parametrize("name", IN_BOOK)
def test_a_widget_lives_in_a_page_without_python(page, name, theme, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.clock.install()
    mount_in_book(page, IN_BOOK[name](), theme)
    assert page.locator(".mlm").inner_text().strip()
    element, key = KEYED[name]
    page.locator(element).first.focus()
    changes(page, lambda: page.keyboard.press(key))
    changes(page, lambda: page.locator(CLICKED[name]).click())
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.clock.fast_forward(4000)  # longer than a widget waits for Python
    assert not [words for words in NOT_HERE if words in page.locator("main").inner_text()]


@pytest.mark.parametrize("name", HOSTILES)
@pytest.mark.parametrize("start", range(0, len(HOSTILE), SIZE))
def test_hostile_tokens_stay_text_in_the_book(page, name, start):
    tokens = (HOSTILE + WORDS)[start : start + SIZE]
    mount_in_book(page, WIDGETS[name](tokens))
    text = page.locator(".mlm").text_content()
    page.locator(KEYED[name][0]).first.focus()
    page.keyboard.press(KEYED[name][1])
    page.locator(CLICKED[name]).click()
    page.wait_for_timeout(100)
    assert page.locator(f".mlm {INTRUDERS}").count() == 0
    assert page.locator("#x").count() == 0
    text += page.locator(".mlm").text_content()
    assert all(label(token) in text for token in tokens)


# ---------------------------------------------------------------- what stands in Python's place


def test_draws_of_a_strategy_are_those_of_the_notebook(page):
    widget = playground(ratio=0.3)  # between two steps of the slider
    mount_in_book(page, widget)
    buttons = page.locator(".mlm-strip button")

    def expect_draw(ratio: float, seed: int) -> None:
        for place, gone in enumerate(bernoulli(ratio, seed)):
            if CAN_HIDE[place]:
                expect(buttons.nth(place)).to_have_attribute("aria-pressed", str(gone).lower())

    ratio, seed = page.get_by_label("Ratio as a number"), page.get_by_label("Seed", exact=True).last
    note = page.locator(".mlm-hint")
    for r, s in [(0.3, 7), (0.85, 7), (0.85, 0), (0.05, 19), (1, 1), (0, 2)]:
        ratio.fill(str(r))
        seed.fill(str(s))
        expect_draw(r, s)
        expect(note).to_have_text("")
    ratio.fill("0.62")
    seed.fill("23")
    expect_draw(0.6, 3)
    expect(note).to_contain_text(
        "what you see is ratio 0.60, seed 3. The notebook makes every draw."
    )
    page.get_by_role("button", name="Draw again").click()
    expect_draw(0.6, 4)
    page.get_by_role("combobox").select_option("spans")
    expect(page.get_by_role("alert")).to_have_text(
        "“spans” could not choose: no room for a span of 9"
    )
    before = buttons.nth(1).get_attribute("aria-pressed") == "true"
    buttons.nth(1).click()  # the reader's own choice asks nobody
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", str(not before).lower())


def library() -> list[tuple[str, str]]:
    modules = (os, random, re, json, shutil, textwrap)
    docs = [
        (f"{m.__name__}.{n}", inspect.getdoc(getattr(m, n)))
        for m in modules
        for n in sorted(vars(m))
    ]
    return [(name, text) for name, text in docs if text]


def test_typed_words_find_what_the_word_search_of_lesson_8_finds(page):
    passages = library()
    texts = [text for _, text in passages]
    ours = WordIndex([shown_text(text) for text in texts])
    by_words = WordIndex(texts)

    def search(query: str) -> list[tuple[str, str, float]]:
        return [(*passages[i], float(by_words.scores([query])[0, i])) for i in (2, 5)]

    box = SearchBox(
        {"some": search, "other": search}, k=9, examples=["copy a file"], passages=passages
    )
    assert len(json.dumps(box.page_state())) < 300_000
    mount_in_book(page, box)
    expect(page.locator(".mlm-hint").first).to_contain_text("by shared words, in all passages")
    field = page.get_by_role("searchbox")
    for query in [
        "remove a directory",
        "Random elements?",
        "json.dumps",
        "the path of a file",
        "zzz",
    ]:
        field.fill(query)
        expect(page.locator(".mlm-words")).to_contain_text(f"{query}\u2069”, by shared words.")
        scores = ours.scores([query])[0]
        hits = [
            (*passages[i], float(scores[i]))
            for i in scores.argsort(descending=True)[:9]
            if scores[i] > 0
        ]
        view = result_view(SearchResult(query, hits), 9)
        articles = page.locator("article")
        expect(articles).to_have_count(len(hits))
        shown = page.locator(".mlm-score").all_text_contents()
        assert shown == [hit["score"] for hit in view["hits"]]
        assert sorted(page.locator("article strong").all_text_contents()) == sorted(
            h["name"] for h in view["hits"]
        )
        for article in articles.all():
            name = article.locator("strong").text_content()
            hit = next(h for h in view["hits"] if h["name"] == name)
            assert article.locator("p").text_content() == "".join(
                part for part, _ in hit["excerpt"]
            )
            marks = [part for part, is_marked in hit["excerpt"] if is_marked]
            assert article.locator("mark").all_text_contents() == marks
    field.fill("copy a file")
    expect(page.locator(".mlm-words")).to_have_text("2 passages for “copy a file”, some.")
    page.get_by_role("radio", name="other").check()
    expect(page.locator(".mlm-words")).to_have_text("2 passages for “copy a file”, other.")


def test_a_sentence_that_is_not_stored_is_left_to_the_notebook(page):
    mount_in_book(page, gap_filler())
    page.get_by_role("textbox").fill("my own ___")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("run the notebook of this lesson")
    page.locator(".mlm-strip button").nth(1).click()
    expect(page.locator(".mlm-error")).to_be_empty()
    expect(page.get_by_role("textbox")).to_have_value("cat")


def test_a_typed_sentence_is_filled_by_the_model_as_in_python(page):
    fill = partial(fill_gaps, *load_pretrained("python_docs"))
    sentences = [
        "Returns ___ if the two ___ are ___, False ___.",
        "Open the ___ and ___ its ___ as a ___.",
        "Raised when ___ ___ [MASK].",
    ]
    widget = GapFiller(fill, sentences[:1], checkpoint="python_docs")
    mount_in_book(page, widget)
    field, words = page.get_by_role("textbox"), page.locator(".mlm-words")
    for sentence in sentences:
        widget.text = sentence
        field.fill(sentence + "  ")
        page.keyboard.press("Enter")
        expect(words.first).to_have_text(widget.said, timeout=20_000)
        for step, now in enumerate(widget.filled["steps"], start=1):
            expect(words.nth(1)).to_have_text(f"{now['words']} {now['why']}")
            for place, (told, *_) in enumerate(h[0] for h in widget.filled["history"]):
                token = page.locator(".mlm-refined button").nth(place)
                token.focus()
                if step == 1:
                    expect(words.nth(2)).to_contain_text(told)
            if step < len(widget.filled["steps"]):
                page.get_by_role("button", name="Next").click()
    for wrong in ["no gap", "☃☃ ___", " "]:
        field.fill(wrong)
        page.keyboard.press("Enter")
        with pytest.raises(ValueError) as problem:
            fill(wrong)
        expect(page.get_by_role("alert")).to_have_text(str(problem.value))


def test_the_value_under_the_pointer_or_at_a_key_is_said(page):
    mount_in_book(page, curve(["train", "held out"]))
    words, slider = page.locator(".mlm-reading .mlm-words"), page.get_by_role("slider", name="step")
    expect(words).to_have_text("Step 50: train 0.415, held out 0.465.")
    slider.press("Home")
    expect(words).to_have_text("Step 1: train 3.100, held out 3.150.")
    expect(slider).to_have_attribute("aria-valuetext", "Step 1: train 3.100, held out 3.150.")
    slider.press("ArrowRight")
    expect(words).to_contain_text("Step 2:")
    box = page.locator("img").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + 50)
    expect(words).to_contain_text("Step 50:")


def test_answers_to_a_quiz_stay_in_the_browser(page):
    widget = IN_BOOK["quiz"]()
    mount_in_book(page, widget)
    page.get_by_role("button").nth(1).click()
    said = page.get_by_role("status").first.text_content()
    assert said
    mount_in_book(page, widget)
    expect(page.get_by_role("status").first).to_have_text(said)
    page.evaluate(
        'localStorage.setItem(\'mlm-course-quiz\', \'{"1.q1": "<b>", "9": [], "x": null}\')'
    )
    mount_in_book(page, widget)
    expect(page.get_by_role("status").first).to_be_empty()
    page.evaluate("localStorage.setItem('mlm-course-quiz', 'no JSON')")
    mount_in_book(page, widget)
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('none'); } })"
    )
    mount_in_book(page, widget)
    page.get_by_role("button").nth(1).click()
    expect(page.get_by_role("status").first).to_have_text(said)


def pixels_of(address: str) -> np.ndarray:
    return read(address).astype(int)


@pytest.mark.parametrize("case", ["picture", "picture and strokes", "large", "small", "dot"])
def test_a_drawing_is_restored_as_in_python(page, case):
    mae, _ = load_pretrained("mnist_mae")
    noise = torch.rand(1, 49, generator=torch.Generator().manual_seed(4))

    def restore(drawn: torch.Tensor) -> dict[str, torch.Tensor]:
        gone = random_masking(noise[..., None], 0.75, noise).mask[..., None] > 0
        left = unpatchify(patchify(drawn, 4).masked_fill(gone, torch.nan), 4, 28, 28)
        standard = (drawn - 0.13) / 0.31
        made = filled_in(standard, mae(standard, 0.75, noise), mae.config)
        return {"left": left, "restored": made * 0.31 + 0.13}

    kept = noise.argsort(1)[0, :12].tolist()
    model = PageModel("mnist_mae", kept, 0.13, 0.31, ("left", "restored"))
    pad = DrawingPad(DIGIT if "picture" in case else None, restore, in_page=model)
    line = [[3.0, 2.5], [20.3, 4.1], [9.9, 25.2], [22.2, 27.0]]
    pad.strokes = {
        "picture and strokes": [line], "large": [line, [[1.0, 1.0]]],
        "small": [[[round(12 + x / 9, 1), round(13 + y / 9, 1)] for x, y in line]],
    }.get(case, [])  # fmt: skip
    mount_in_book(page, pad)
    page.locator("canvas").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # a dot
    pad.strokes = [*pad.strokes, [[13, 13]]]
    expect(page.locator(".mlm-beside-pad.mlm-old")).to_have_count(0)
    page.wait_for_function("document.querySelectorAll('.mlm-beside-pad img').length === 3")
    page.wait_for_function(
        f"document.querySelector('.mlm-words').textContent.includes('{len(pad.strokes)} stroke')"
    )
    page.wait_for_timeout(300)
    images = page.locator(".mlm-beside-pad img")
    for place, panel in enumerate(pad.pictures):
        made, theirs = pixels_of(images.nth(place).get_attribute("src")), pixels_of(panel["source"])
        assert (made[..., 3] == theirs[..., 3]).all()
        seen = theirs[..., 3] > 0
        assert abs(made - theirs)[seen].max() <= 2, panel["name"]
        assert images.nth(place).get_attribute("alt") == panel["said"]
