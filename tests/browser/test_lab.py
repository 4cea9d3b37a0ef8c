# ruff: noqa: RUF001
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nbformat
import pytest
import samples
from lab import open_notebook, run_all, running_lab
from playwright.sync_api import Browser, Page, expect
from samples import WIDGETS

from mlm_course.authoring.saving import states

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
CELLS = [
    f"import sys; sys.path.append({str(HERE)!r}); import samples",
    "explorer = samples.explorer(); explorer",
    "matrix = samples.matrix(); matrix",
    "playground = samples.playground(); playground",
    "curve = samples.curve(); curve",
    "patches = samples.patches(); patches",
    "refinement = samples.refinement(); refinement",
    "box = samples.box(); box",
    "gap_filler = samples.gap_filler(); gap_filler",
    "pad = samples.pad(); pad",
    "fill_mask = samples.fill_mask(); fill_mask",
    "diffuse = samples.diffuse(); diffuse",
    "import time; from mlm_course.widgets import progress_display\n"
    "running = progress_display(total=150, floor=0.352)\n"
    "for step, value in samples.learning(['loss'], 150)['loss']:\n"
    "    running.add(step=step, loss=value)\n"
    "    running.status(f'now at {step}')\n"
    "    time.sleep(0.01)\n"
    "running.finish()",
    "from mlm_course.views import show, token_strip\n"
    "show(token_strip(['$5', 'or', '$10', '\\\\(x\\\\)', '$$y$$', '**a**'], title='a $b$'))",
    "ran = globals().get('ran', 0) + 1",
]
WATCH = """() => {
  window.seen = new Set();
  const note = () => document.querySelectorAll(".mlm").forEach((e) => {
    const now = e.textContent.match(/now at [0-9]+/);
    if (now) seen.add(now[0]);
  });
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
STATE = """() => {
  const notebook = jupyterapp.shell.currentWidget.content;
  return JSON.stringify([notebook.model.toJSON().cells.map((c) => [c.id, c.source]),
    notebook.activeCellIndex]);
}"""
EVALUATE = """async (code) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code: "", user_expressions: { x: code } });
  const reply = await future.done;
  const answer = reply.content.user_expressions.x;
  return answer.data ? answer.data["text/plain"] : answer.evalue;
}"""


def write_notebook(path: Path) -> None:
    """A notebook with the widgets and a training, each widget with its static twin stored as its output."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    for cell, make in zip(cells[1:], WIDGETS.values(), strict=False):
        bundle, _ = make()._repr_mimebundle_()
        twin = {kind: bundle[kind] for kind in ("text/plain", "text/html")}
        cell.outputs = [nbformat.v4.new_output("execute_result", twin, execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab") / "widgets.ipynb"


@pytest.fixture(scope="module")
def url(path: Path) -> Iterator[str]:
    write_notebook(path)
    with running_lab(path.parent) as url:
        yield url


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The notebook in JupyterLab, opened and not yet run."""
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    open_notebook(page, url, "widgets.ipynb")
    yield page
    page.close()


@pytest.fixture(scope="module")
def ran(page: Page) -> Page:
    page.evaluate(WATCH)
    run_all(page)
    page.wait_for_selector(".mlm-strip")
    page.wait_for_selector(".mlm-attention table", state="attached")  # its model has arrived
    return page


def python(page: Page, code: str) -> str:
    """Value of an expression in the notebook's kernel, as its repr."""
    return page.evaluate(EVALUATE, code)


def expect_python(page: Page, code: str, value: str) -> None:
    """Waits until the kernel has heard of it."""
    for _ in range(50):
        if python(page, code) == value:
            return
        page.wait_for_timeout(100)
    assert python(page, code) == value


def test_a_stored_picture_survives_a_notebook_that_is_not_trusted(page):
    """JupyterLab's sanitiser leaves the numbers, the colours and the hatching."""
    boxes = page.locator(".jp-OutputArea-output figure").first.locator("td")
    expect(boxes.filter(has_text="−∞").first).to_be_visible()
    look = "e => [getComputedStyle(e).backgroundImage, getComputedStyle(e).backgroundColor]"
    looks = [box.evaluate(look) for box in boxes.all()]
    assert any("linear-gradient" in image for image, _ in looks)
    assert any("rgba(43, 123, 186" in colour for _, colour in looks)
    assert page.locator(".mlm").count() == 0


def test_a_stored_curve_survives_a_notebook_that_is_not_trusted(page):
    """JupyterLab's sanitiser drops inline SVG; the chart is a picture."""
    image = page.get_by_role("img", name="Line chart, Training")
    expect(image).to_have_count(1)
    assert image.evaluate("e => e.complete && e.naturalWidth > 0 && e.clientWidth > 300")


def test_stored_patches_survive_a_notebook_that_is_not_trusted(page):
    """JupyterLab's sanitiser leaves the pictures, and four of them side by side."""
    images = page.get_by_role("img", name=re.compile(r"^\[CLS\], "))
    expect(images).to_have_count(4)
    pictures = images.all()
    assert all(p.evaluate("e => e.complete && e.naturalWidth === 192") for p in pictures)
    boxes = [p.bounding_box() for p in pictures]
    assert len({box["y"] for box in boxes}) == 1
    assert all(90 <= box["width"] <= 300 for box in boxes)


def test_a_stored_refinement_survives_a_notebook_that_is_not_trusted(page):
    """JupyterLab's sanitiser leaves the hatching, the shades and the columns."""
    table = page.locator(".jp-OutputArea-output table").filter(has_text="✗")
    expect(table).to_have_count(1)
    boxes = table.locator("tr").nth(2).locator("td").all()
    styles = "e => [...e.querySelectorAll('div')].map((d) => getComputedStyle(d))"
    hatched = f"e => ({styles})(e).some((look) => look.backgroundImage.includes('gradient'))"
    assert [box.evaluate(hatched) for box in boxes] == [False, True, True, False, False, False]
    shades = [box.evaluate(f"e => ({styles})(e).at(-1)?.backgroundColor") for box in boxes]
    assert shades[:3] == [None, "rgba(43, 123, 186, 0.35)", "rgba(43, 123, 186, 0.4)"]
    assert len({round(box.bounding_box()["y"]) for box in boxes}) == 1


@pytest.mark.smoke
def test_explorer_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(0)
    caption = widget.locator(".mlm-row caption")
    widget.locator(".mlm-matrix tbody tr").nth(3).locator("td").nth(1).hover()
    expect(caption).to_have_text("What “sat” sees")
    widget.locator(".mlm-matrix tbody tr").nth(1).locator("td").nth(1).click()
    before = ran.evaluate(STATE)
    ran.keyboard.press("ArrowDown")
    expect(caption).to_have_text("What “cat” sees")
    expect_python(ran, "explorer.selected_query", "2")
    widget.get_by_role("radio", name="2").click()
    ran.keyboard.press("ArrowLeft")
    expect_python(ran, "explorer.head", "1")
    assert ran.evaluate(STATE) == before


def test_python_moves_the_explorer_in_jupyterlab(ran):
    python(ran, "setattr(explorer, 'stage', 'scores')")
    expect(ran.locator(".mlm").nth(0).get_by_role("radio", name="scores")).to_be_checked()


def test_matrix_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(1)
    words = widget.locator(".mlm-words")
    widget.locator(".mlm-matrix tbody tr").nth(1).locator("td").nth(5).hover()
    expect(words).to_have_text("query “the” may not attend to key “[PAD]”: padding and future.")
    widget.locator(".mlm-matrix tbody tr").nth(2).locator("td").nth(2).click()
    before = ran.evaluate(STATE)
    ran.keyboard.press("ArrowRight")
    expect(words).to_have_text("query “cat” may not attend to key “sat”: future.")
    assert ran.evaluate(STATE) == before


@pytest.mark.smoke
def test_playground_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(2)
    field = widget.get_by_role("spinbutton", name="Ratio as a number")
    field.press("Control+a")
    ran.keyboard.type("1")
    expect(field).to_have_value("1")
    ran.keyboard.press("Enter")
    expect(widget.locator("[aria-live]")).to_contain_text("4 of 4 tokens")
    expect_python(ran, "sum(playground.masked)", "4")
    widget.get_by_role("button", name="cat").click()
    expect_python(ran, "playground.masked[2]", "False")
    before = ran.evaluate(STATE)
    ran.keyboard.press("ArrowRight")
    ran.keyboard.press("Enter")
    expect_python(ran, "playground.masked[3]", "False")
    ran.keyboard.press(" ")
    expect_python(ran, "playground.masked[3]", "True")
    widget.get_by_role("combobox").select_option("spans")
    expect(widget.get_by_role("alert")).to_contain_text("no room for a span of 9")
    expect_python(ran, "playground.masked[3]", "True")
    widget.get_by_role("combobox").select_option("bernoulli")
    expect(widget.locator(".mlm-error")).to_be_empty()
    assert ran.evaluate(STATE) == before


def test_patches_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(4)
    slider = widget.get_by_role("slider")
    slider.focus()
    before = ran.evaluate(STATE)
    ran.keyboard.press("ArrowLeft")
    words = widget.locator("[aria-live]")
    expect(words).to_contain_text("[CLS], ratio 0.50: 8 of 16 patches removed")
    ran.keyboard.press("Tab")
    ran.keyboard.press("ArrowDown")
    expect(widget.locator(".mlm-words").nth(1)).to_contain_text("Row 2, column 1: removed")
    assert ran.evaluate(STATE) == before


@pytest.mark.smoke
def test_refinement_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(5)
    words, told = widget.locator(".mlm-words").nth(0), widget.locator(".mlm-words").nth(1)
    widget.get_by_role("slider").focus()
    before = ran.evaluate(STATE)
    ran.keyboard.press("ArrowRight")
    expect(words).to_contain_text("Step 2 of 3: 2 of 5 tokens filled in, 2 of them changed")
    expect(words).to_contain_text("Masked again: the 2 least confident of 5.")
    expect_python(ran, "refinement.step", "2")
    for key in ("Tab", "Tab", "Enter"):
        ran.keyboard.press(key)
    expect(words).to_contain_text("Step 3 of 3")
    for key in ("Tab", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowUp"):
        ran.keyboard.press(key)
    expect(told).to_have_text("Token 4: step 1 chose “down” (0.50); masked again before step 3.")
    expect_python(ran, "refinement.step", "2")
    assert ran.evaluate(STATE) == before
    python(ran, "setattr(refinement, 'step', 1)")
    expect(words).to_contain_text("Step 1 of 3: all 5 tokens filled in")


@pytest.mark.smoke
def test_search_box_in_jupyterlab(ran):
    """Letters are typed and insert no cell; Esc clears, and only then leads back to the cell."""
    widget = ran.locator(".mlm").nth(6)
    field, passages = (
        widget.get_by_role("searchbox", name="Documentation"),
        widget.locator("article"),
    )
    expect(field).to_have_value("the")
    expect(passages).to_have_count(len(samples.WORDS))
    field.click()
    cell = ran.evaluate(ACTIVE)["cell"]
    before = ran.evaluate(STATE)
    ran.keyboard.press("Escape")
    expect(passages).to_have_count(0)
    expect_python(ran, "(box.query, box.hits)", "('', [])")
    ran.keyboard.type("a bad m", delay=20)
    expect(widget.locator("[aria-live]")).to_have_text("6 passages for “a bad m”, words.")
    expect_python(ran, "box.query", "'a bad m'")
    ran.keyboard.press("ArrowDown")
    expect(passages.first).to_be_focused()
    ran.keyboard.press("Enter")
    expect(passages.first.get_by_role("button")).to_have_text("less")
    ran.keyboard.press("Escape")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    assert ran.evaluate(STATE) == before
    ran.keyboard.press("Escape")
    assert ran.evaluate(ACTIVE) == {"cell": cell, "focused": True}
    python(ran, "setattr(box, 'query', 'cat')")
    expect(field).to_have_value("cat")


def test_drawing_pad_in_jupyterlab(ran):
    """A line by keys is drawn, read by Python, cleared; and no cell is cut or run."""
    widget = ran.locator(".mlm").nth(8)
    pictures = widget.locator("figure img")
    expect(pictures).to_have_count(1 + len(samples.WORDS))
    widget.get_by_role("button", name="Clear").click()
    expect(pictures).to_have_count(0)
    before = ran.evaluate(STATE)
    for key in ("Shift+Tab", "Enter", "ArrowDown", "ArrowDown", " "):
        ran.keyboard.press(key)
    expect_python(ran, "pad.strokes", "[[[13, 13], [13, 15], [13, 17]]]")
    expect(pictures).to_have_count(1 + len(samples.WORDS))
    ran.keyboard.press("Backspace")
    expect_python(ran, "(pad.strokes, pad.pictures)", "([], [])")
    assert ran.evaluate(STATE) == before
    python(ran, "setattr(pad, 'with_picture', True)")
    expect(widget.locator(".mlm-words")).to_have_text("On the pad: a given picture.")


@pytest.mark.smoke
def test_a_training_moves_and_leaves_its_curve_behind_once(ran):
    """While the cell ran the page followed; then the static picture took the widget's place."""
    cell = ran.locator(".jp-CodeCell").nth(1 + len(WIDGETS))
    expect(cell.get_by_role("img", name="Line chart, Training curve: loss")).to_have_count(1)
    assert cell.get_by_role("img").evaluate("e => e.complete && e.naturalWidth > 0")
    expect(cell.locator(".mlm")).to_have_count(0)
    expect(cell).to_contain_text("last 0.400 (step 150)")
    assert 4 <= ran.evaluate("seen.size") <= 12  # a second and a half


ACTIVE = """() => {
  const { content } = jupyterapp.shell.currentWidget;
  return { cell: content.activeCellIndex, focused: document.activeElement === content.activeCell.node };
}"""
RING = """(node) => {
  const shown = node.type === "radio" ? node.nextSibling : node;
  const { outlineWidth: width, outlineStyle: style, outlineColor: colour } = getComputedStyle(shown);
  return { width, style, colour, text: getComputedStyle(node.closest(".mlm")).color };
}"""
STOPS = {
    "explorer": 8,
    "matrix": 2,
    "playground": 6,
    "patches": 8,
    "refinement": 4,
    "box": 5,
    "gap_filler": 7,
    "pad": 2,
    "fill_mask": 8,
    "diffuse": 19,
}  # a curve has no keys


@pytest.mark.smoke
@pytest.mark.parametrize("name", STOPS)
def test_no_key_reaches_the_notebook(ran, name):
    """Each element that can have the focus keeps the letters that insert, cut or merge cells."""
    focusable = "input, select, button, :is(td, canvas, article, [role=gridcell])[tabindex]"
    widget = ran.locator(".mlm").nth(list(WIDGETS).index(name))
    widget.scroll_into_view_if_needed()
    stops = widget.locator(focusable).all()
    stops = [s for s in stops if s.evaluate("e => e.tabIndex >= 0")]
    assert len(stops) == STOPS[name]  # heads, stages 3 + 3, images 6, strip, buttons, grids 1
    stops[0].click(force=True)
    before = ran.evaluate(STATE)
    is_text = "e => ['text', 'search'].includes(e.type)"  # last: what is typed makes other stops
    for stop in sorted(stops, key=lambda stop: stop.evaluate(is_text)):
        stop.focus()
        for key in ("a", "b", "x", "m", "y", "d", "d", "ArrowDown", "ArrowUp", "Shift+M"):
            ran.keyboard.press(key)
    assert json.loads(ran.evaluate(STATE)) == json.loads(before)


@pytest.mark.smoke
def test_nothing_that_a_press_of_the_mouse_focuses_lets_a_key_through(ran):
    """A button that is pressed and not let go of has the focus, though it is no Tab stop."""
    own = "button, input, select, [tabindex]"
    deaf = "[data-lm-suppress-shortcuts]"
    loud = ran.locator(f".mlm :is({own}):not({deaf})")
    assert loud.evaluate_all("es => es.map((e) => e.outerHTML.slice(0, 200))") == []


@pytest.mark.smoke
def test_weights_cross_to_the_page_and_guesses_back(ran):
    widget = ran.locator(".mlm").nth(list(WIDGETS).index("fill_mask"))
    widget.get_by_role("textbox").fill("the cat sat")
    widget.get_by_role("button", name="cat").last.click()
    expect_python(ran, "(fill_mask.text, fill_mask.masked)", "('the cat sat', [2])")
    expect_python(ran, "len(fill_mask.answer['guesses'])", "8")
    expect_python(ran, "fill_mask.answer['gaps']", "[2]")


def test_a_text_is_written_in_jupyterlab(ran):
    widget = ran.locator(".mlm").nth(list(WIDGETS).index("diffuse"))
    button = partial(widget.get_by_role, "button", exact=True)
    button(name="Start again").click()
    expect(widget.locator(".mlm-written")).to_have_text("___ ___ ___ ___")
    widget.get_by_role("slider", name="Steps").fill("2")
    button(name="Next").click()
    button(name="Next").click()
    expect(widget.locator(".mlm-where")).to_have_text("2 of 2")
    expect(widget.locator(".mlm-written")).to_have_text("the cat sat down")
    expect_python(ran, "diffuse.steps", "2")


def test_no_text_of_a_picture_becomes_a_formula(ran):
    figure = ran.locator("figure.mlm-picture").filter(has_text="$5")
    expect(figure).to_contain_text("a $b$: $5 or $10 \\(x\\) $$y$$ **a**")
    assert ran.locator("mjx-container").count() == 0


@pytest.mark.smoke
def test_run_save_and_escape_work_after_a_click_in_a_widget(ran):
    ran.set_viewport_size({"width": 1200, "height": 1400})
    last = f"jupyterapp.shell.currentWidget.content.activeCellIndex = {len(CELLS) - 1}"
    ran.evaluate(f"() => {{ {last} }}")  # any other cell than the widget's
    spots = {
        0: ".mlm-matrix tbody td",
        1: "tbody td",
        2: "input[type=number]",
        4: "[role=gridcell]",
        5: "button",
        8: "canvas",
    }
    for place, spot in spots.items():
        ran.locator(".mlm").nth(place).locator(spot).last.click()
        cell = ran.evaluate(ACTIVE)["cell"]
        ran.keyboard.press("Escape")
        assert ran.evaluate(ACTIVE)["focused"]
        ran.locator(".mlm").nth(place).locator(spot).last.click()
        assert ran.evaluate(ACTIVE) == {"cell": cell, "focused": False}
        ran.keyboard.press("Shift+Enter")
        ran.wait_for_function(f"({ACTIVE})().cell === {cell + 1}")
        ran.wait_for_function(f"document.querySelectorAll('.mlm').length === {len(WIDGETS)}")
    widget = ran.locator(".mlm").nth(0)
    expect_python(ran, "explorer.head", "0")  # a new one, of the cell that ran again
    widget.get_by_role("radio", name="1").click()
    before = ran.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt").text_content()
    ran.keyboard.press("Control+Enter")
    expect(ran.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt")).not_to_have_text(before)
    ran.locator(".mlm").nth(0).locator(".mlm-matrix tbody td").last.click()
    ran.keyboard.press("Control+s")
    ran.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")


def test_a_click_in_a_static_picture_leaves_the_keys_to_the_notebook(ran):
    ran.locator("figure.mlm-picture li").last.click()
    cell = ran.evaluate(ACTIVE)["cell"]
    ran.keyboard.press("Shift+Enter")
    ran.wait_for_function(f"({ACTIVE})().cell === {cell + 1}")


THEMES = ["JupyterLab Light", "JupyterLab Dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_what_has_the_focus_has_a_ring_in_jupyterlab(ran, theme):
    ran.evaluate(
        "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    ran.wait_for_function(f"document.body.dataset.jpThemeName === {theme!r}")
    focusable = "input:not([type=radio]), select, button, [tabindex='0'], input:checked"
    in_sight = f":is({focusable}):enabled:not([hidden] *), [tabindex='0']:not([hidden] *)"
    for stop in ran.locator(".mlm").locator(in_sight).all():
        stop.focus()
        ran.keyboard.press("Shift")  # a key, so that the browser shows the focus
        look = stop.evaluate(RING)
        assert look["width"] == "3px" and look["style"] == "solid", (stop, look)
        assert look["colour"] == look["text"], (stop, look)
    ran.evaluate(
        "jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })"
    )


def save(page: Page, path: Path) -> dict:
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_kernel_that_was_restarted_is_told_of(ran):
    expect(ran.locator(".mlm-note").first).to_have_text("")
    ran.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    note = ran.locator(".mlm").nth(2).locator(".mlm-note")
    expect(note).to_contain_text("Python does not answer.", timeout=20_000)
    run_all(ran)
    expect(ran.locator(".mlm").nth(2).locator(".mlm-note")).to_have_text("")


@pytest.mark.smoke
def test_the_day_after_every_widget_is_there_before_any_cell_runs(ran, browser, url, path):
    """Saved, kernel shut down, opened again; then the same once more, with nothing run in between."""
    stored = save(ran, path)
    assert path.stat().st_size < 100_000 * len(WIDGETS)  # most of it their scripts, and no weights:
    assert not any(state.get("buffers") for state in states(stored).values())
    ran.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    for _ in range(2):
        page = browser.new_page(viewport={"width": 1200, "height": 1400})
        open_notebook(page, url, "widgets.ipynb")
        expect(page.locator(".mlm")).to_have_count(len(WIDGETS), timeout=120_000)
        expect(page.get_by_text("model not found")).to_have_count(0)
        alive(page)
        again = save(page, path)
        assert states(again).keys() == states(stored).keys()
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.close()


def alive(page: Page) -> None:
    """Each widget answers in the page; what only Python can do says so."""
    widgets = page.locator(".mlm")
    widgets.nth(0).locator("tbody tr").nth(3).locator("td").nth(1).click()
    expect(widgets.nth(0).locator(".mlm-row caption")).to_have_text("What “sat” sees")
    widgets.nth(1).locator("tbody tr").nth(1).locator("td").nth(5).hover()
    expect(widgets.nth(1).locator(".mlm-words")).to_contain_text("padding and future")
    expect(widgets.nth(2).locator(".mlm-note")).to_contain_text(
        "run this cell again", timeout=20_000
    )
    expect(widgets.nth(3).get_by_role("img")).to_have_count(1)
    slider = widgets.nth(4).get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(widgets.nth(4).locator("[aria-live]")).to_contain_text("ratio 0.25")
    widgets.nth(5).get_by_role("button", name="Next").click()
    expect(widgets.nth(5).locator(".mlm-words").first).to_contain_text("Step 2 of 3")
    expect(widgets.nth(6).get_by_role("searchbox")).to_have_value("the")
    expect(widgets.nth(6).locator("mark")).to_have_text("the")
    expect(widgets.nth(6).locator(".mlm-note")).to_contain_text("run this cell again")
    expect(widgets.nth(8).locator("figure img")).to_have_count(1 + len(samples.WORDS))
    expect(widgets.nth(8).locator(".mlm-words")).to_contain_text("a given picture")
    for model in (widgets.nth(9), widgets.nth(10)):
        expect(model.locator(".mlm-note").first).to_contain_text("run this cell again")
        expect(model.get_by_text("The model is on its way")).to_have_count(0)
    widgets.nth(9).get_by_role("button", name="cat").first.click()  # an example, no piece masked
    expect(widgets.nth(9).locator(".mlm-guesses li")).to_have_count(0)


def test_an_exported_notebook_needs_no_network(path, browser):
    """With the state of its widgets in the file too, each is the picture beside it."""
    config = str(Path(__file__).parents[2] / "jupyter")
    out = path.with_suffix(".html")
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", str(path), "--output", out.name],
        env={**os.environ, "JUPYTER_CONFIG_PATH": config}, check=True, capture_output=True,
    )  # fmt: skip
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(out.as_uri())
    expect(page.locator("figure.mlm-picture")).to_have_count(len(WIDGETS) + 2)
    context.close()
