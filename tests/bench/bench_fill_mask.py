"""Time of one pass of the course's models in a page, by `widgets/model.js`, in Chromium.

One pass is what `FillMask` does for a text with one masked piece: the encoder with all its attention
weights, the scores of the whole vocabulary there, the eight likeliest, and the same after each block
(logit lens). Median of 30 passes after 10 to warm up; "first" is the one right after the file was read.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page
from reporting import NotMeasured, main

from mlm_course.models.pretrained import CHECKPOINTS
from mlm_course.results.benchmarks import Measurement
from mlm_course.widgets.base import script

sys.path.append(str(Path(__file__).parents[1] / "browser"))

from chromium import MISSING, chromium_path, open_browser

BARS = {"tinyworld": (20, 60), "python_docs": (32, 250)}  # tokens, and milliseconds at most
CORE = script("model.js") + "\nexport { loadModel, topAnswers, logitLens };"
TIME = """async ([core, base64, size, warmUp, passes]) => {
  const url = URL.createObjectURL(new Blob([core], { type: "text/javascript" }));
  const { loadModel, topAnswers, logitLens } = await import(url);
  const file = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer;
  const timed = (work) => { const start = performance.now(); work(); return performance.now() - start; };
  let model = null;
  const load = timed(() => { model = loadModel(file); });
  const ids = Array.from({ length: size }, (_, n) => (n === 5 ? 4 : 5 + ((n * 37) % 190)));
  const pass = () => {
    const { logits, states } = model.forward(ids, [5]);
    topAnswers(logits[0], 8);
    logitLens(model, states, 5).forEach((scores) => topAnswers(scores, 1));
  };
  const times = Array.from({ length: warmUp + passes }, () => timed(pass));
  const sorted = times.slice(warmUp).sort((a, b) => a - b);
  return { load, first: times[0], median: sorted[sorted.length >> 1] };
}"""


def passes(page: Page, name: str, small: bool) -> dict[str, float]:
    """Milliseconds for reading the file, for the first pass, and the median of the others."""
    file = (CHECKPOINTS / name / "model.safetensors").read_bytes()
    rounds = (0, 1) if small else (10, 30)
    return page.evaluate(TIME, [CORE, b64encode(file).decode(), BARS[name][0], *rounds])


def measure(small: bool) -> Iterator[Measurement]:
    if chromium_path() is None:
        raise NotMeasured(MISSING)
    with open_browser() as browser:
        page = browser.new_page()
        for name, (tokens, bar) in BARS.items():
            took = passes(page, name, small)
            what = f"{name}, {tokens} tokens"
            yield Measurement(what=f"{what}: file read", ours=took["load"], unit="ms")
            yield Measurement(what=f"{what}: first pass", ours=took["first"], unit="ms")
            yield Measurement(what=f"{what}: pass", ours=took["median"], unit="ms", at_most=bar)


if __name__ == "__main__":
    sys.exit(main(measure))
