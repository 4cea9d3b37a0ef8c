"""The book, built once and served on this machine: every page, both themes, two widths, no other host."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

pytest.importorskip("sphinx", reason="the extra `book` is not installed")

from mlm_course.authoring.book import build_book

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 2_500_000  # of a lesson's page
QUICK = {"resultTypes": ["violations"], "preload": False}  # style sheets are not fetched again
COLOURS = {**QUICK, "runOnly": ["color-contrast"]}  # all that a theme changes
TESTED = [[".mlm-picture table"], [".mlm-matrix"], [".mlm-row"]]  # a thousand boxes: test_access.py
MANY = {
    "results": [".pst-scrollable-table-container"]
}  # tables as on other pages, thousands of cells
CODE = [".highlight"]  # thousands of words: looked at on the page of WITH_CODE
WITH_CODE = "03_tokens"
KEYED = (  # what a key may change
    "[tabindex='0']:visible, input:not([type=search]):not([type=text]):not([disabled]), select, "
    "button:not([disabled]):visible"
)
CLICKED = (
    "tbody td:visible, [role=gridcell]:visible, button:not([disabled]):visible, label:visible, "
    "canvas:visible"
)
DRAWN = """(part) => part.innerHTML + [...part.querySelectorAll("canvas")].map((c) => c.toDataURL()).join()
  + [...part.querySelectorAll("input, select")].map((i) => i.value + i.checked).join()"""


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The folder of the book's pages."""
    return build_book(ROOT, to=tmp_path_factory.mktemp("book"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def site(book: Path) -> Iterator[str]:
    """Address of the book, served on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(book))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def reader(page: Page, site: str) -> Iterator[Page]:
    """A page without any other host; an error in its console, or a failed request, fails the test."""
    problems: list[str] = []

    def only_here(route) -> None:
        if route.request.url.startswith((site, "data:", "blob:")):
            return route.continue_()
        problems.append(f"asks for {route.request.url}")
        return route.abort()

    page.route("**/*", only_here)
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: problems.append(r.url) if r.status >= 400 else None)
    page.emulate_media(reduced_motion="reduce")
    yield page
    assert problems == []


LESSONS = [path.stem for path in sorted((ROOT / "course").glob("[0-9]*.py"))]
OTHERS = (
    "index start glossary myths exercises figures results outlooks your_own_text search".split()
)


def left_out(name: str) -> list[list[str]]:
    """Parts of a page that axe-core need not look at again."""
    many = [MANY[name]] if name in MANY else []
    code = [CODE] if name in LESSONS and name != WITH_CODE else []
    return [*TESTED, *many, *code]


def serious(page: Page, name: str, options: dict) -> list[str]:
    """What axe-core calls serious or critical on a page."""
    violations = Axe().run(page, {"exclude": left_out(name)}, options).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for rule in violations
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def answers(widget: Locator) -> None:
    """Fails unless a widget is drawn and answers a key and a click."""
    widget.scroll_into_view_if_needed()
    widget.page.wait_for_function("(part) => part.dataset.live", arg=widget.element_handle())
    note = widget.locator(".book-note")
    assert widget.get_attribute("data-live") == "yes", note.all_inner_texts()
    box = widget.locator(".mlm").bounding_box()
    assert box and box["width"] > 100 and box["height"] > 30
    keyed = widget.locator(KEYED).all()
    if not keyed:
        return  # a picture that only shows
    assert any(changes(widget, partial(press_keys, part)) for part in keyed[:8]), (
        "no answer to keys"
    )
    clicked = widget.locator(CLICKED).all()
    assert any(changes(widget, partial(click, part)) for part in clicked[:8]), "no answer to clicks"


def changes(widget: Locator, act: Callable[[], None]) -> bool:
    """Whether what a widget shows is another after an act, at once or within a second."""
    before = widget.evaluate(DRAWN)
    act()
    for _ in range(10):
        if widget.evaluate(DRAWN) != before:
            return True
        widget.page.wait_for_timeout(100)
    return False


def press_keys(part: Locator) -> None:
    part.focus()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        part.page.keyboard.press(key)


def click(part: Locator) -> None:
    """In the middle, then near the right end: a slider may stand in the middle already."""
    box = part.bounding_box()
    assert box
    for share in (0.5, 0.9):
        part.click(force=True, position={"x": share * box["width"], "y": box["height"] / 2})


@pytest.mark.parametrize("name", [*OTHERS, *LESSONS])
def test_a_page_in_both_themes_and_widths(reader: Page, site: str, name: str):
    reader.set_viewport_size({"width": 1400, "height": 900})
    reader.goto(f"{site}{name}.html")
    reader.evaluate("localStorage.setItem('mode', 'light')")
    for widget in reader.locator(".mlm-widget").all():
        answers(widget)
    assert overflow(reader) <= 0
    assert serious(reader, name, QUICK) == []
    reader.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert serious(reader, name, COLOURS) == []
    reader.set_viewport_size({"width": 390, "height": 800})
    assert overflow(reader) <= 0


def test_lesson_pages_are_small(book: Path):
    sizes = {name: (book / f"{name}.html").stat().st_size for name in LESSONS}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES} == {}


class Addresses(HTMLParser):
    """Ids of a page, and all that it links to or shows."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.ids |= {named[key] for key in ("id", "name") if named.get(key)}
        self.targets |= {named[key] for key in ("href", "src") if named.get(key)}


def test_no_link_and_no_picture_is_broken(book: Path):
    pages = {}
    for path in book.glob("*.html"):
        pages[path.name] = Addresses()
        pages[path.name].feed(path.read_text("utf-8"))
    broken = [
        f"{name}: {target}"
        for name, page in pages.items()
        for target in page.targets
        if not leads_somewhere(book, pages, name, target)
    ]
    assert broken == []


def leads_somewhere(book: Path, pages: dict[str, Addresses], name: str, target: str) -> bool:
    parts = urlsplit(target)
    if parts.scheme:
        return True
    place = unquote(parts.path) or name
    if parts.fragment and place in pages:
        return unquote(parts.fragment) in pages[place].ids
    return (book / place).is_file()


def test_nothing_comes_from_another_host(book: Path):
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]+")
    for path in book.glob("*.html"):
        assert loads.findall(path.read_text("utf-8")) == [], path.name


def test_the_first_page_runs_the_model(reader: Page, site: str):
    """Within two seconds on a machine that does nothing else; more is allowed to a busy one."""
    reader.goto(f"{site}index.html")
    guesses = reader.locator(".mlm-widget .mlm-guesses li")
    guesses.first.wait_for(timeout=10_000)
    before = guesses.all_inner_texts()
    reader.locator(".mlm-widget .mlm-strip button", has_text="[MASK]").last.click()
    expect(guesses.first).not_to_have_text(before[0])


def test_hints_open_one_after_the_other(reader: Page, site: str):
    reader.goto(f"{site}01_attention.html")
    hints = reader.locator(".book-hints").first.locator("details")
    assert [hint.is_visible() for hint in hints.all()] == [True] + [False] * (hints.count() - 1)
    hints.first.locator("summary").click()
    assert hints.nth(1).is_visible()


def test_a_solution_is_folded(reader: Page, site: str):
    reader.goto(f"{site}01_attention.html")
    solution = reader.locator("details", has_text="Solution of exercise 1.1").first
    code = solution.locator("pre")
    assert not code.is_visible()
    solution.locator("summary").click()
    assert code.is_visible()


def test_the_search_finds_a_word(reader: Page, site: str):
    reader.goto(f"{site}search.html?q=calibration")
    reader.locator("ul.search li a", has_text="Reading a model").first.wait_for()


def test_from_the_disk_the_picture_stays_with_a_sentence(page: Page, book: Path):
    page.goto((book / "index.html").as_uri())
    page.locator(".mlm-widget .book-note", has_text="opened from the disk").wait_for()
    assert page.locator(".mlm-widget .mlm-picture").is_visible()
