"""check, quiz and the lessons' frames in JupyterLab, as a learner meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from alone import mount
from lab import open_notebook, running_lab
from playwright.sync_api import Browser, Page, expect
from test_access import serious

from mlm_course.authoring.generated import framed
from mlm_course.authoring.practice_data import PracticeData
from mlm_course.practice import quiz
from mlm_course.practice.exercise import Question, exercises, find_question
from mlm_course.practice.questions import Option, Quiz, options
from mlm_course.practice.quiz_widget import QuizWidget

pytestmark = pytest.mark.browser

LOST = "Not recorded yet: the kernel is busy or gone."
PROMPT = "Before.\n\n### Exercise 1.1: averages\nWrite $2."
CELLS = (
    ("markdown", framed(PROMPT, PracticeData({"1.1": 4}))),
    ("markdown", "## 3. Words"),
    ("code", "late = 1"),
    ("code", "from mlm_course.practice import check, progress, quiz"),
    ("code", "quiz('1')"),
    ("code", "progress('1')"),
    ("code", "late + 1"),
)
RUN = """async (index) => {
  jupyterapp.shell.currentWidget.content.activeCellIndex = index;
  await jupyterapp.commands.execute("notebook:run-cell");
}"""
LINES = """(node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  return new Set([...range.getClientRects()].map((box) => box.top)).size;
}"""
SHUT_DOWN = """async () => {
  await jupyterapp.commands.execute("docmanager:save");
  await jupyterapp.shell.currentWidget.sessionContext.shutdown();
}"""


def right_and_wrong(question: Question) -> tuple[Option, Option]:
    """The right option of a question as it is shown, and the first wrong one."""
    by_right = {option.right: option for option in reversed(options(question))}
    return by_right[True], by_right[False]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("lesson")


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[str]:
    """A JupyterLab that saves what widgets show, as `make lab` is set to."""
    widgets = folder / "settings" / "@jupyter-widgets" / "jupyterlab-manager"
    widgets.mkdir(parents=True)
    (widgets / "plugin.jupyterlab-settings").write_text('{"saveState": true}')
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    with running_lab(folder, {**settings, "MLM_COURSE_PROGRESS": str(folder / "p.json")}) as url:
        yield url


@pytest.fixture(scope="module")
def lesson(browser: Browser, lab: str, folder: Path) -> Iterator[Page]:
    """The notebook, run from the cell behind `late` on."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook = nbformat.v4.new_notebook(cells=[make[kind](text) for kind, text in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "lesson.ipynb")
    lesson = browser.new_page(viewport={"width": 1280, "height": 720})
    open_notebook(lesson, lab, "lesson.ipynb")
    for index in range(3, len(CELLS)):
        lesson.evaluate(RUN, index)
    lesson.set_default_timeout(10_000)
    lesson.wait_for_selector(".mlm-quiz")
    yield lesson
    lesson.close()


def recorded(folder: Path) -> dict[str, list[str]]:
    path = folder / "p.json"
    return json.loads(path.read_text()) if path.exists() else {"solved": [], "tried": []}


def wait_until_solved(lesson: Page, folder: Path, solved: list[str]) -> None:
    for _ in range(50):
        if recorded(folder)["solved"] == solved:
            return
        lesson.wait_for_timeout(100)
    assert recorded(folder)["solved"] == solved


def test_the_prompt_of_an_exercise_has_its_frame(lesson):
    """JupyterLab's sanitiser leaves the line at its left; the text before it stays outside."""
    frame = lesson.locator(".jp-RenderedMarkdown div").filter(has_text="averages (4 minutes)").last
    look = frame.evaluate("e => [getComputedStyle(e).borderLeftWidth, e.textContent]")
    assert look[0] == "4px" and "Before." not in look[1] and "Write $2." in look[1]


def test_a_missing_name_is_followed_by_the_section_that_makes_it(lesson):
    expect(lesson.locator(".jp-CodeCell").last).to_contain_text(
        "late gets its value in a cell of the section “3. Words”, which has not run"
    )


def test_a_status_does_not_wrap_in_half_a_page(lesson):
    lesson.set_viewport_size({"width": 640, "height": 720})
    lines = [cell.evaluate(LINES) for cell in lesson.locator("td", has_text="not yet").all()]
    lesson.set_viewport_size({"width": 1280, "height": 720})
    assert lines == [1] * len(exercises(1))


@pytest.mark.smoke
def test_a_click_judges_and_is_recorded(lesson, folder):
    question = lesson.get_by_role("group", name="1.q1")
    right, wrong = right_and_wrong(find_question("1.q1"))
    question.get_by_role("button", name=f"{wrong.letter})").click()
    said = f"{wrong.letter} is not it. {wrong.feedback.replace('`', '')}"
    expect(question.get_by_role("status").first).to_have_text(said)
    question.get_by_role("button", name=f"{right.letter})").click()
    expect(question.get_by_role("status").first).to_contain_text(f"{right.letter} is right.")
    expect(question.get_by_role("button", pressed=True)).to_have_count(1)
    wait_until_solved(lesson, folder, ["1.q1"])
    lesson.wait_for_timeout(3500)
    expect(question).not_to_contain_text(LOST)


def test_a_question_is_answered_with_the_keyboard(lesson, folder):
    """Tab goes from option to option, Enter and the space bar choose; no cell runs or changes."""
    before = lesson.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex")
    buttons = lesson.get_by_role("group", name="1.q2").get_by_role("button")
    right = "abcdef".index(right_and_wrong(find_question("1.q2"))[0].letter)
    beside, key = (right - 1, "Tab") if right else (1, "Shift+Tab")
    buttons.nth(beside).focus()
    lesson.keyboard.press(" ")
    expect(buttons.nth(beside)).to_have_attribute("aria-pressed", "true")
    lesson.keyboard.press(key)
    lesson.keyboard.press("Enter")
    expect(buttons.nth(right)).to_have_attribute("aria-pressed", "true")
    outline = buttons.nth(right).evaluate("e => getComputedStyle(e).outlineWidth")
    assert outline == "3px"
    wait_until_solved(lesson, folder, ["1.q1", "1.q2"])
    assert lesson.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex") == before


def test_the_day_after_the_answers_are_there_and_a_click_says_it_is_not_recorded(lesson, lab):
    lesson.evaluate(SHUT_DOWN)
    lesson.get_by_role("group", name="1.q3").get_by_role("button", name="c)").click()
    expect(lesson.get_by_role("group", name="1.q3")).to_contain_text(LOST)
    address, token = lab.split("?")
    lesson.goto(f"{address}/tree/lesson.ipynb?reset&{token}")
    question = lesson.get_by_role("group", name="1.q1")
    right, _ = right_and_wrong(find_question("1.q1"))
    expect(question).to_contain_text(f"{right.letter} is right.", timeout=30_000)


TEXT = "`<b>` costs $5, <img src=x onerror=alert(1)> $6"  # tries to be HTML, or mathematics
HOSTILE = Question(prompt=TEXT, right=(TEXT, TEXT), wrong=(("No.", TEXT),), id="1.q1")


@pytest.mark.parametrize("theme", ["light", "dark", "none"])
def test_a_quiz_has_no_serious_findings_and_its_text_stays_text(page, theme, monkeypatch, tmp_path):
    monkeypatch.setenv("MLM_COURSE_PROGRESS", str(tmp_path / "p.json"))
    page.set_viewport_size({"width": 390, "height": 800})
    mount(page, QuizWidget(Quiz((HOSTILE,))), theme)
    right, wrong = right_and_wrong(HOSTILE)
    page.get_by_role("button", name=f"{wrong.letter})").click()
    page.get_by_role("button", name=f"{right.letter})").click()
    page.evaluate("window.settled")
    expect(page.get_by_role("status").first).to_have_text(
        f"{right.letter} is right. <b> costs $5, <img src=x onerror=alert(1)> $6"
    )
    assert page.locator("img, b").count() == 0 and page.locator("code").count() == 3
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_a_kernel_options_open(page):
    page.set_content(quiz("1.q1")._repr_html_())
    right = [option.right for option in options(find_question("1.q1"))].index(True)
    page.locator("summary").nth(right).click()
    expect(page.locator("details").nth(right)).to_contain_text("✓ Right.")
