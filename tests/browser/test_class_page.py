"""class.html and the students' pages in a browser: sorted, read, printed, and not led astray."""

import pytest
from hostile import HOSTILE
from playwright.sync_api import Page
from test_access import serious

from mlm_course.practice.exercise import exercises
from mlm_course.teaching.grading import Graded
from mlm_course.teaching.judging import STATUSES, Result
from mlm_course.teaching.pages import class_page, feedback_page, feedback_pages, file_name
from mlm_course.teaching.submissions import Submission

pytestmark = pytest.mark.browser


def a_class(names: list[str], text: str = "All 3 entries `differ`.") -> list[Graded]:
    """Notebooks of lesson 4 with every status, mistakes, groups and things to look at."""
    return [_notebook(n, name, text) for n, name in enumerate(names)]


def _notebook(n: int, name: str, text: str) -> Graded:
    results = tuple(_result(n, i, text) for i in range(len(exercises(4))))
    return Graded(Submission(name, f"{name}.ipynb", 4, digest=str(n)), results)


def _result(n: int, i: int, text: str) -> Result:
    exercise = exercises(4)[i]
    status = STATUSES[(n * (i + 1)) % len(STATUSES)] if n % 3 else "passed"
    if status == "failed" and (n + i) % 2:
        mistake = (n * i) % len(exercise.mistakes)
        sentence = exercise.mistakes[mistake].sentence
        return Result(exercise.id, status, sentence, misconception=f"{exercise.id}-{mistake + 1}")
    failed = status == "failed"
    flag = "imports gc" if status == "look" else ""
    details = (f"Input 1: {text}",) if failed else ()
    source = f"def f(x):\n    return x  # {text}"
    cluster = "one" if failed else ""
    return Result(exercise.id, status, text, details, "", 0.1, flag, cluster, source)


NAMES = [f"s-{n:04x}" for n in range(4000, 4024)]
THEMES = ["light", "dark"]


def show(page: Page, html: str, theme: str = "light", width: int = 1200) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    page.set_content(html)


def both(names: list[str], text: str = "All 3 entries `differ`.") -> tuple[str, str]:
    whole = a_class(names, text)
    ids = {name: name for name in names}
    return class_page(whole, ids), feedback_page(names[1], whole[1:2])


@pytest.mark.smoke
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [1200, 390])
def test_the_pages_have_no_serious_findings(page, theme, width):
    for html in both(NAMES):
        show(page, html, theme, width)
        page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def column(page: Page, table: str, index: int) -> list[str]:
    rows = page.get_by_role("region", name=table).locator("tbody tr")
    return [row.locator("th, td").nth(index).inner_text() for row in rows.all()]


@pytest.mark.smoke
def test_a_table_is_sorted_from_the_keyboard(page):
    show(page, both(NAMES)[0])
    button = page.get_by_role("region", name="Students").get_by_role("button", name="Points")
    button.focus()
    page.keyboard.press("Enter")
    points = [int(text) for text in column(page, "Students", 1)]
    assert points == sorted(points)
    page.keyboard.press("Space")
    assert [int(text) for text in column(page, "Students", 1)] == sorted(points, reverse=True)
    head = page.get_by_role("columnheader", name="Points")
    assert head.get_attribute("aria-sort") == "descending"


def test_names_and_ids_are_sorted_as_people_count(page):
    whole = a_class(["s-10", "s-9", "s-1"])
    show(page, class_page(whole, {g.submission.student: g.submission.student for g in whole}))
    page.get_by_role("region", name="Students").get_by_role("button", name="Student").click()
    assert column(page, "Students", 0) == ["s-1", "s-9", "s-10"]


def test_what_students_write_stays_text(page):
    for text in HOSTILE:
        for html in both([text, f"{text}2", f"{text}3"], text):
            html.encode()
            show(page, html)
            assert page.locator("img, svg, #x, iframe").count() == 0
            assert page.locator("script").count() <= 1


def test_the_pages_ask_nothing_of_the_network(page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for html in both(NAMES):
        show(page, html)
    assert asked == []


def test_printed_pages_unfold(page):
    show(page, both(NAMES)[0])
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator(".scroll").first.evaluate("e => getComputedStyle(e).overflow") == "visible"


def test_a_link_leads_to_each_students_page(page):
    names = [*NAMES[:3], "Ada / ../x", "ü", ".."]
    whole = a_class(names)
    show(page, class_page(whole, {name: name for name in names}))
    links = page.get_by_role("region", name="Students").get_by_role("link").all()
    leads = {link.get_attribute("href") for link in links}
    written = {f"feedback/{stem}.html" for stem in feedback_pages(whole, {n: n for n in names})}
    assert leads == written and len(written) == len(names)
    assert not any("/" in file_name(name) or file_name(name).startswith(".") for name in names)


def test_a_student_reads_the_notebooks_own_sentences(page):
    whole = a_class(NAMES)
    results = whole[1].results
    show(page, feedback_page(NAMES[1], whole[1:2]))
    for result in results:
        card = page.locator("section", has=page.get_by_role("heading", name=f"{result.exercise}:"))
        wanted = (
            "teacher will look" if result.status == "look" else result.sentence.replace("`", "")
        )
        assert wanted in card.inner_text()
    assert "imports gc" not in page.content()
