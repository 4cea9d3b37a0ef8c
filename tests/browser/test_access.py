import pytest
from alone import blank, mount
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from samples import WIDGETS, playground, views

from mlm_course.views import render_html

pytestmark = pytest.mark.browser

THEMES = ["light", "dark", "none"]


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the element it found."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.smoke
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_has_no_serious_findings(page, name, theme):
    mount(page, WIDGETS[name](), theme)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.evaluate("window.settled")
    assert serious(page) == []


@pytest.mark.parametrize("theme", THEMES)
def test_scores_in_both_hues_have_no_serious_findings(page, theme):
    mount(page, WIDGETS["explorer"](stage="scores"), theme)
    assert serious(page) == []


def test_a_failure_has_no_serious_findings(page):
    widget = playground()
    mount(page, widget, "dark")
    page.get_by_role("combobox").select_option("spans")
    page.evaluate("window.settled")
    assert page.get_by_role("alert").text_content()
    assert serious(page) == []


@pytest.mark.parametrize(("theme", "width"), [("light", 1200), ("dark", 1200), ("none", 320)])
def test_static_pictures_have_no_serious_findings(page, theme, width):
    page.set_viewport_size({"width": width, "height": 800})
    blank(page, "".join(map(render_html, views().values())), theme)
    assert page.locator("figure").count() == len(views())
    assert serious(page) == []


def test_axe_finds_something_where_there_is_something(page):
    blank(page, '<button></button><p style="color:#ccc;background:#fff">pale</p>')
    assert {line.split()[1] for line in serious(page)} == {"button-name:", "color-contrast:"}
