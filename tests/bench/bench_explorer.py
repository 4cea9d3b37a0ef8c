"""Time from a key press to the repainted attention explorer, in real JupyterLab.

32 tokens, 4 heads; the median of 20 presses of each kind. "page changed" ends with the last change
of the page, "painted" with the second animation frame after the key, which is when the picture is on
screen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from playwright.sync_api import Page
from reporting import NotMeasured, main

from mlm_course.results.benchmarks import Measurement

sys.path.append(str(Path(__file__).parents[1] / "browser"))

from chromium import MISSING, chromium_path
from lab import cell_in_lab

CELL = """
import numpy as np
from mlm_course.widgets import AttentionExplorer
words = [f"word{i}" for i in range(32)]
scores = np.random.default_rng(0).normal(size=(4, 32, 32)) * 2
AttentionExplorer(words, scores, np.tril(np.ones((32, 32), bool)))
"""
WATCH = """() => {
  window.times = [];
  document.addEventListener("keydown", () => {
    const start = performance.now();
    let changed = start;
    const watch = new MutationObserver(() => { changed = performance.now(); });
    watch.observe(document.querySelector(".mlm"),
      { subtree: true, childList: true, attributes: true, characterData: true });
    requestAnimationFrame(() => requestAnimationFrame(() => {
      watch.disconnect();
      window.times.push([changed - start, performance.now() - start]);
    }));
  }, { capture: true });
}"""
PRESSES, BAR = 20, 50
KINDS = {  # what to focus, and the keys that then go round
    "another query": (".mlm-matrix td[tabindex='0']", ["ArrowDown", "ArrowDown", "ArrowUp"]),
    "another head": (".mlm-choice >> nth=0 >> input:checked", ["ArrowRight"]),
    "another stage": (".mlm-choice >> nth=1 >> input:checked", ["ArrowRight"]),
}


def key_to_paint(page: Page, focus: str, keys: list[str], presses: int) -> tuple[float, float]:
    """Median milliseconds until the page has changed and until it is painted."""
    page.locator(focus).focus()
    page.evaluate("() => { window.times = []; }")
    for press in range(presses):
        page.keyboard.press(keys[press % len(keys)])
        page.wait_for_function("(n) => window.times.length > n", arg=press)
    changed, painted = zip(*page.evaluate("window.times"), strict=True)
    assert min(changed) > 0, "a key press changed nothing"
    return median(changed), median(painted)


def measure(small: bool) -> Iterator[Measurement]:
    if chromium_path() is None:
        raise NotMeasured(MISSING)
    with cell_in_lab(CELL) as page:
        page.wait_for_selector(".mlm-row")
        page.evaluate(WATCH)
        for kind, (focus, keys) in KINDS.items():
            changed, painted = key_to_paint(page, focus, keys, 3 if small else PRESSES)
            yield Measurement(what=f"{kind}: page changed", ours=changed, unit="ms")
            yield Measurement(what=f"{kind}: painted", ours=painted, unit="ms", at_most=BAR)


if __name__ == "__main__":
    sys.exit(main(measure))
