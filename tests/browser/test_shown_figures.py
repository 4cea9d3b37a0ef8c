"""Figures in a real JupyterLab, dark, in a notebook that is not trusted."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from lab import open_notebook, running_lab
from playwright.sync_api import Browser, Locator, Page, expect

from mlm_course.views.figures import NARROW, Drawing

pytestmark = pytest.mark.browser

WORDS = "The loss falls from $5 to $1 and stays there."


def write_notebook(path: Path) -> None:
    with plt.style.context(["default", "mlm_course.views.figures"]):
        fig, ax = plt.subplots(figsize=(6.8, 3))
        ax.plot([5, 2, 1, 1], label="loss")
        fig.legend(loc="outside upper left")
        drawing = Drawing(fig, WORDS)
        plt.close(fig)
    data = {"text/plain": repr(drawing), "text/html": drawing._repr_html_()}
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", data)])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("figures")
    write_notebook(folder / "figure.ipynb")
    with running_lab(folder, dark=True) as url:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        open_notebook(page, url, "figure.ipynb")
        yield page
        page.close()


def picture(page: Page) -> Locator:
    return page.get_by_role("img", name=WORDS)


def test_the_picture_is_read_aloud_and_said_below(page):
    expect(picture(page)).to_have_count(1)
    assert picture(page).evaluate("e => e.complete && e.naturalWidth > 0")
    expect(page.locator(".jp-OutputArea-output").get_by_text(WORDS)).to_be_visible()


def test_it_has_its_own_size_where_there_is_room(page):
    assert picture(page).bounding_box()["width"] == pytest.approx(6.8 * 96, abs=1)


def test_on_a_phone_it_scrolls_before_letters_get_too_small(page):
    page.set_viewport_size({"width": 400, "height": 700})
    page.wait_for_timeout(300)
    assert picture(page).bounding_box()["width"] >= NARROW - 1
    around = picture(page).locator("xpath=..")
    assert around.evaluate("e => e.scrollWidth > e.clientWidth && e.clientWidth < 400")
