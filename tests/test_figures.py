"""Figures of the lessons: what they look like, what is said of them, and what the builder refuses."""

import ast
import base64
import io
import re
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mlm_course.authoring.cells import place
from mlm_course.authoring.overprints import unreadable
from mlm_course.authoring.source import read_source
from mlm_course.views import figures
from mlm_course.views.figures import Drawing, show_figure

ROOT = Path(__file__).resolve().parents[1]
STYLE = "mlm_course.views.figures"
LESSONS = [read_source(path) for path in sorted((ROOT / "course").glob("[0-9]*.py"))]


@pytest.fixture(autouse=True)
def course_style():
    """The look that the set-up cell gives every lesson, for one test, without a screen."""
    plt.switch_backend("agg")
    with plt.style.context(["default", STYLE]):
        yield
    plt.close("all")


# ---------------------------------------------------------------- the look


def linear(colour) -> np.ndarray:
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other) -> float:
    """WCAG 2.2: from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_ink_and_curves_stand_out_from_the_card_on_every_page():
    """The card is opaque, so what lies around it, light or dark, does not matter."""
    card, ink = plt.rcParams["figure.facecolor"], plt.rcParams["text.color"]
    assert len(to_rgb(card)) == 3 and plt.rcParams["axes.facecolor"] == card
    for name in ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
        assert plt.rcParams[name] == ink
    assert contrast(ink, card) >= 7
    for look in plt.rcParams["axes.prop_cycle"]:
        assert contrast(look["color"], card) >= 3, look


def test_no_ink_could_be_read_on_light_and_dark_pages_without_a_card():
    """Equally far from white and from JupyterLab's #111 is 4.35, and 4.5 is needed."""
    best = max(min(contrast(str(g), "w"), contrast(str(g), "#111")) for g in np.linspace(0, 1, 999))
    assert best < 4.5


# Machado, Oliveira and Fernandes 2009: severity 1.0, on linear red, green and blue.
SEEN_BY = {
    "everyone": np.eye(3),
    "deuteranopes": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopes": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_colours_of_curves_stay_apart(eyes):
    """In Oklab, where .02 can just be told apart side by side."""
    to_cones = [[0.412, 0.536, 0.051], [0.212, 0.681, 0.107], [0.088, 0.282, 0.630]]
    to_lab = [[0.210, 0.794, -0.004], [1.978, -2.429, 0.451], [0.026, 0.783, -0.809]]
    looks = [look["color"] for look in plt.rcParams["axes.prop_cycle"]]
    seen = [np.clip(np.array(SEEN_BY[eyes]) @ linear(c), 0, 1) for c in looks]
    labs = [np.array(to_lab) @ np.cbrt(np.array(to_cones) @ rgb) for rgb in seen]
    assert min(np.linalg.norm(a - b) for a, b in combinations(labs, 2)) > 0.06


def test_curves_differ_without_colour():
    cycle = list(plt.rcParams["axes.prop_cycle"])
    for key in ("linestyle", "marker"):
        assert len({str(look[key]) for look in cycle}) == len(cycle) >= 6


def test_no_text_is_smaller_than_nine_points():
    fig, ax = plt.subplots()
    ax.plot([1, 2], label="a")
    ax.set(xlabel="x", ylabel="y", title="t")
    fig.legend(loc="outside upper left")
    assert list(unreadable(fig)) == []
    width, dots = Image.open(pixels(fig)).width, round(fig.get_figwidth() * figures.INCH)
    assert f"width:{dots}px" in html(fig) and width == dots * figures.FINE  # shown at its size


def test_the_default_style_takes_it_off_again():
    plt.style.use("default")
    assert plt.rcParams["figure.facecolor"] == "white"


# ---------------------------------------------------------------- words


WORDS = 'The curve of "x" falls < y & costs $5.'


class Reader(HTMLParser):
    """The opening tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.starts = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.starts.append((tag, attrs))


def html(figure) -> str:
    return Drawing(figure, WORDS)._repr_html_()


def pixels(figure) -> io.BytesIO:
    source = re.search(r'src="data:image/png;base64,([^"]+)"', html(figure))[1]
    return io.BytesIO(base64.b64decode(source))


def test_the_sentence_is_alternative_text_and_caption():
    page = html(plt.figure())
    escaped = "The curve of &quot;x&quot; falls &lt; y &amp; costs $5."
    assert f'alt="{escaped}"' in page and f">{escaped}</div>" in page
    assert 'class="mathjax_ignore"' in page
    assert repr(Drawing(plt.figure(), WORDS)) == WORDS


def test_a_figure_is_shown_once(monkeypatch):
    shown = []
    monkeypatch.setattr(figures, "display", shown.append)
    show_figure(plt.figure(), WORDS)
    assert [drawing.words for drawing in shown] == [WORDS] and not plt.get_fignums()


@pytest.mark.parametrize("words", ["", "  ", "a curve"])
def test_a_figure_without_a_sentence_is_refused(words):
    with pytest.raises(ValueError, match="does not say what is to be seen"):
        show_figure(plt.figure(), words)


def test_figure_and_sentence_in_the_wrong_order_are_told_so():
    with pytest.raises(ValueError, match="a figure and a sentence"):
        show_figure(WORDS, plt.figure())


def test_colours_of_the_figure_survive_the_small_file():
    image = np.asarray(Image.open(pixels(plt.figure())).convert("RGB"))
    assert (image == np.rint(255 * np.array(to_rgb(plt.rcParams["figure.facecolor"])))).all()


def calls(cell, name: str) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(cell.text))
    return [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == name]


def typed(words: ast.expr, cell) -> str:
    """What of a sentence stands in the source; a name stands for what it is given above."""
    if isinstance(words, ast.Name):
        given = [n for n in ast.walk(ast.parse(cell.text)) if isinstance(n, ast.Assign)]
        words = next(n.value for n in given if ast.unparse(n.targets[0]) == words.id)
    strings = [n.value for n in ast.walk(words) if isinstance(n, ast.Constant)]
    return "".join(text for text in strings if isinstance(text, str))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_figure_of_a_lesson_comes_with_a_sentence(lesson):
    for cell in (cell for cell in lesson.cells if cell.kind == "code"):
        where = place(lesson.name, cell)
        assert not calls(cell, "plt.show"), f"{where}: show_figure(fig, 'What is to be seen.')"
        assert len(calls(cell, "plt.subplots")) == len(calls(cell, "show_figure")), where
        sentences = [c.args[1] for n in ("show_figure", "pictures") for c in calls(cell, n)]
        for words in sentences:
            if ast.unparse(words) != "words" or "def pictures" not in cell.text:
                assert len(typed(words, cell)) > 20, where
                titles = {k.value for c in ast.walk(ast.parse(cell.text)) for k in titles_in(c)}
                assert typed(words, cell).strip(" .") not in titles, where


def titles_in(node: ast.AST) -> list[ast.Constant]:
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return [k.value for k in keywords if k.arg == "title" and isinstance(k.value, ast.Constant)]


def test_every_stored_picture_has_its_words():
    """In solutions/, and so in whatever is exported from them."""
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                data = output.get("data", {})
                assert "image/png" not in data, path.name  # no viewer but nbconvert reads its alt
                page = data.get("text/html", "")
                pictures = re.findall(r"<img [^>]*>", page)
                words = re.findall(r'<img [^>]*\balt="([^"]{21,})"', page)
                assert len(words) == len(pictures), path.name


def test_exported_pages_keep_the_words():
    exporters = pytest.importorskip("nbconvert")
    output = nbformat.v4.new_output("display_data", {"text/html": html(plt.figure())})
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    page, _ = exporters.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    images = [dict(tag) for name, tag in Reader(page).starts if name == "img"]
    assert [image["alt"] for image in images] == [WORDS]


def test_pixels_are_not_compared():
    """They differ between versions of matplotlib; the sentence does not."""
    config = (ROOT / "tests/sanitize.cfg").read_text()
    pattern = re.search(r"\[figures\]\nregex: (.+)\nreplace: (.+)", config)
    first, second = plt.figure(), plt.figure()
    second.text(0.5, 0.5, "other")
    same = {re.sub(pattern[1], pattern[2], html(figure)) for figure in (first, second)}
    assert len(same) == 1 and 'alt="The curve' in same.pop()


# ---------------------------------------------------------------- what cannot be read


def crowded_ticks(fig, ax):
    ax.set_xticks(range(40), [f"tick {i}" for i in range(40)])


def small_title(fig, ax):
    ax.set_title("small", fontsize=8)


def legend_over_curve(fig, ax):
    ax.plot([0, 1], [0, 1], label="rising")
    ax.legend(loc="upper right")


def legend_over_bars(fig, ax):
    ax.bar([0, 1], [1, 1], label="bars")
    ax.legend(loc="upper right")


def legend_over_dots(fig, ax):
    ax.scatter(*np.meshgrid(range(9), range(9)), label="dots")
    ax.legend(loc="upper right")


def titles_that_meet(fig, ax):
    ax.remove()
    for one in fig.subplots(1, 3):
        one.set_title("a title too long for a third")


def two_annotations(fig, ax):
    ax.text(0.5, 0.5, "one")
    ax.text(0.5, 0.5, "two")


def text_outside(fig, ax):
    fig.text(0.98, 0.5, "cut off")


def too_wide(fig, ax):
    fig.set_figwidth(9)


def told_apart_by_colour(fig, ax):
    ax.plot([1, 2], "o-", label="a")
    ax.plot([2, 1], "o-", label="b")


def markers_in_a_row(fig, ax):
    ax.plot(range(200), "o-")


FAULTS = {
    crowded_ticks: "'tick 0' and 'tick 1' overlap",
    small_title: "'small' has 8 points",
    legend_over_curve: "a legend .* lies over data",
    legend_over_bars: "a legend .* lies over data",
    legend_over_dots: "a legend .* lies over data",
    titles_that_meet: "'a title too long for a third' and",
    two_annotations: "'one' and 'two' overlap",
    text_outside: "'cut off' leaves the figure",
    too_wide: "it is 9 inches wide",
    told_apart_by_colour: "'a' and 'b' differ by colour alone",
    markers_in_a_row: "200 markers",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_of_a_figure_is_named(fault):
    fig, ax = plt.subplots()
    fault(fig, ax)
    assert re.search(FAULTS[fault], "; ".join(unreadable(fig)))


def fine_legend(fig, ax):
    ax.plot(range(9), label="a")
    ax.plot(range(9)[::-1], label="b")
    fig.legend(loc="outside upper left", ncols=2)


def fine_log_axes(fig, ax):
    ax.loglog([1, 10, 1000], [1, 2, 3])


def fine_diagram(fig, ax):
    ax.set_xlim(0, 1)
    ax.axis("off")
    ax.text(0.5, 0.5, "in a box", bbox={"boxstyle": "round"})


@pytest.mark.parametrize("draw", [fine_legend, fine_log_axes, fine_diagram])
def test_a_readable_figure_passes(draw):
    fig, ax = plt.subplots()
    draw(fig, ax)
    assert list(unreadable(fig)) == []
