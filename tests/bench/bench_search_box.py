"""Time from a key press in the search box to the passages on the screen, in real JupyterLab.

5,000 passages of some 600 letters, each compared with the query as a vector of 384 dimensions; the
encoder is a stand-in that draws the query's vector from its letters, so that what is measured is
the way to Python and back, the product of 5,000 x 384, and the drawing. 20 keys, each after the
answer to the one before; "painted" ends with the first animation frame after the passages changed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from playwright.sync_api import Page
from reporting import NotMeasured, main

from mlm_course.results.benchmarks import Measurement

sys.path.append(str(Path(__file__).parents[1] / "browser"))

from chromium import MISSING, chromium_path
from lab import cell_in_lab

CELL = """
import zlib
import numpy as np
from mlm_course.widgets import SearchBox
vectors = np.random.default_rng(0).normal(size=(5000, 384)).astype(np.float32)
texts = [f"The passage with the number {i}. " * 18 for i in range(5000)]

def search(query):
    vector = np.random.default_rng(zlib.crc32(query.encode())).normal(size=384) / 384
    scores = vectors @ vector.astype(np.float32)
    return [(f"module.name_{i}", texts[i], scores[i]) for i in np.argsort(-scores)[:5]]

SearchBox(search)
"""
WATCH = """() => {
  window.times = [];
  document.addEventListener("keydown", () => {
    const start = performance.now();
    const watch = new MutationObserver(() => {
      if (!document.querySelector(".mlm-hits")) return;
      watch.disconnect();
      requestAnimationFrame((now) => window.times.push(performance.now() - start));
    });
    watch.observe(document.querySelector(".mlm-search > div:last-of-type"), { childList: true });
  }, { capture: true });
}"""
QUERY = "find the passages about rows"
WARM_UP, KEYS, BAR = 3, 20, 100


def key_to_paint(page: Page, keys: int) -> list[float]:
    """Milliseconds from each key to its painted answer, after some keys to warm up."""
    page.get_by_role("searchbox").click()
    for place, key in enumerate(QUERY.replace(" ", "")[: WARM_UP + keys]):
        page.keyboard.press(key)
        page.wait_for_function("(n) => window.times.length > n", arg=place)
        page.wait_for_timeout(100)
    return page.evaluate("window.times")[WARM_UP:]


def measure(small: bool) -> Iterator[Measurement]:
    if chromium_path() is None:
        raise NotMeasured(MISSING)
    with cell_in_lab(CELL) as page:
        page.wait_for_selector(".mlm-search")
        page.evaluate(WATCH)
        times = key_to_paint(page, 3 if small else KEYS)
        most = float(np.percentile(times, 95))
        yield Measurement(what="median: painted", ours=float(np.median(times)), unit="ms")
        yield Measurement(what="95 of 100: painted", ours=most, unit="ms", at_most=BAR)


if __name__ == "__main__":
    sys.exit(main(measure))
