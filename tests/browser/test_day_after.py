"""Every lesson that has widgets, run, saved and opened again the day after. Slow: lessons train."""

import re
import shutil
from pathlib import Path

import pytest
from lab import open_notebook, run_all, running_lab
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]

LESSONS = Path(__file__).parents[2] / "lessons"
HAS_WIDGETS = re.compile(
    "AttentionExplorer|Diffuse|DrawingPad|FillMask|GapFiller|MaskMatrix|MaskPlayground|PatchGrid|RefinementSteps"
    "|SearchBox"
)
NAMES = [
    p.name for p in sorted(LESSONS.glob("[0-9]*.ipynb")) if HAS_WIDGETS.search(p.read_text("utf-8"))
]
IN_SIGHT = ".mlm:not(:empty)"
MEGABYTE = 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_every_widget_of_a_lesson_is_there_the_day_after(
    browser: Browser, tmp_path: Path, name: str
):
    shutil.copy(LESSONS / name, tmp_path)
    fast = {"MLM_COURSE_FAST": "1", "MLM_COURSE_PROGRESS": str(tmp_path / "progress.json")}
    with running_lab(tmp_path, env=fast) as url:
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        open_notebook(page, url, name)
        run_all(page, timeout=600)
        shown = page.locator(IN_SIGHT).count()
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
        assert (tmp_path / name).stat().st_size < 3 * MEGABYTE
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.close()
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        open_notebook(page, url, name)
        assert shown > 0
        expect(page.locator(IN_SIGHT)).to_have_count(shown, timeout=60_000)
        expect(page.get_by_text("model not found")).to_have_count(0)
        page.close()
