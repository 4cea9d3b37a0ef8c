import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import MISSING, chromium_path, open_browser
from playwright.sync_api import Browser, Page

sys.path.append(str(Path(__file__).parents[1]))  # hostile.py lies beside the unit tests


@pytest.fixture(scope="module")  # not longer: while it runs, no other test can use asyncio
def browser() -> Iterator[Browser]:
    if chromium_path() is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; a script error or a dialog in it fails the test."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(10_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    yield page
    page.close()
    assert problems == []
