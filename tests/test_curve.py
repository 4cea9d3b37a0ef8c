# ruff: noqa: RUF001
import base64
import io
import itertools
import json
import math
import os
import pty
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbval.plugin import IPyNbCell

from mlm_course.views import render_html, show, training_curve
from mlm_course.views.chart import apart, tick_texts, ticks
from mlm_course.views.curve import MOST, value_text
from mlm_course.widgets import TrainingCurve, progress_display
from mlm_course.widgets.progress import Log, TerminalLine
from mlm_course.widgets.status import duration

NAN, INF = float("nan"), float("inf")
SVG = "{http://www.w3.org/2000/svg}"
LIVE = "application/vnd.jupyter.widget-view+json"
FALLING = [(step, 4 - step / 100) for step in range(100, 301, 100)]


def drawing(view):
    """The chart as a browser reads it: the parsed SVG inside the picture."""
    (code,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', render_html(view))
    return ElementTree.fromstring(base64.b64decode(code))


def written(view):
    return [node.text for node in drawing(view).iter(f"{SVG}text")]


def lines(view):
    """The coloured lines as lists of stretches of (x, y), the axes left out."""
    paths = [p for p in drawing(view).iter(f"{SVG}path") if p.get("stroke-linejoin")]
    stretches = [[s.split("L") for s in p.get("d")[1:].split("M")] for p in paths]
    return [[[tuple(map(float, p.split())) for p in s] for s in line] for line in stretches]


# ---------------------------------------------------------------- the view


def test_a_curve_in_words():
    curves = {"train": FALLING, "validation": [(100, 3.5), (200, 2.0), (300, 2.5)]}
    view = training_curve(curves, floor=0.352, best=200, title="TinyWorld")
    assert view["summary"] == (
        "TinyWorld: loss (nats) by step; floor 0.352; best at step 200.\n"
        "train: first 3.000 (step 100), last 1.000 (step 300), lowest 1.000 (step 300), "
        "0.648 above the floor.\n"
        "validation: first 3.500 (step 100), last 2.500 (step 300), lowest 2.000 (step 200), "
        "1.648 above the floor."
    )
    json.dumps(view, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.352, "at the floor"), (0.3524, "at the floor"), (0.3, "0.052 below the floor")],
)
def test_a_curve_that_reaches_the_floor(value, told):
    assert training_curve({"a": [(1, value)]}, floor=0.352)["summary"].endswith(f", {told}.")


def test_the_line_is_where_the_values_are():
    view = training_curve({"a": [(0, 4.0), (50, 2.0), (100, 0.0)]})
    (((x0, y0), (x1, y1), (x2, y2)),) = lines(view)[0]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.11)
    assert x0 < x1 and y0 < y1  # down the page


def test_the_floor_is_drawn_at_its_height_and_labelled():
    view = training_curve({"a": [(0, 4.0), (100, 0.352)]}, floor=0.352)
    assert "floor: 0.352" in written(view)
    (floor,) = [p for p in drawing(view).iter(f"{SVG}path") if p.get("stroke-dasharray") == "6 5"]
    y = float(floor.get("d").split("L")[1].split()[1])
    assert y == lines(view)[0][0][-1][1]


def test_a_floor_outside_the_values_is_inside_the_picture():
    for floor in (-5.0, 0.352, 99.0):
        view = training_curve({"a": FALLING}, floor=floor)
        heights = [float(n.get("y")) for n in drawing(view).iter(f"{SVG}text")]
        assert min(heights) > 0 and max(heights) < 290
        assert f"floor: {floor:.3f}" in written(view)


def test_the_best_step_is_marked():
    view = training_curve({"a": FALLING}, best=200)
    (mark,) = [p for p in drawing(view).iter(f"{SVG}path") if p.get("stroke-dasharray") == "2 4"]
    assert float(mark.get("d")[1:].split()[0]) == lines(view)[0][0][1][0]
    assert "best: 200" in written(view)
    assert "best" not in " ".join(written(training_curve({"a": FALLING})))


def test_curves_differ_by_more_than_colour():
    names = [f"curve {i}" for i in range(10)]
    root = drawing(training_curve(dict.fromkeys(names, FALLING)))
    paths = [p for p in root.iter(f"{SVG}path") if p.get("stroke-linejoin")]
    assert len({(p.get("stroke"), p.get("stroke-dasharray")) for p in paths}) == 10
    assert len({p.get("stroke-dasharray") for p in paths[:5]}) == 5
    marks = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("transform")]
    assert len(set(marks)) == 5
    labels = [n for n in root.iter(f"{SVG}text") if n.text in names]
    heights = sorted(float(n.get("y")) for n in labels)
    assert len(heights) == 10
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 17.9


def test_nan_and_infinity_leave_a_gap_and_the_words_say_so():
    values = [4.0, 3.0, NAN, INF, 2.0, -INF, 1.0, 0.5]
    view = training_curve({"a": list(enumerate(values))})
    assert [len(stretch) for stretch in lines(view)[0]] == [2, 1, 2]
    assert view["summary"].endswith(
        "3 values are NaN or infinite, the first at step 2: a gap in the line."
    )
    assert "nan" not in render_html(view).split("base64")[0]


def test_no_value_at_all():
    for curves in ({}, {"a": []}, {"a": [(1, NAN)]}):
        view = training_curve(curves, floor=0.352)
        assert "no values yet" in written(view)
        assert lines(view) == []
    assert training_curve({})["summary"].endswith("\nNo curve yet.")
    assert "a: no value yet. 1 value is NaN" in training_curve({"a": [(1, NAN)]})["summary"]


def test_one_point_is_a_marker():
    root = drawing(training_curve({"a": [(7, 2.5)]}))
    assert len([p for p in root.iter(f"{SVG}path") if p.get("transform")]) == 2  # and its label's


def test_a_long_curve_keeps_its_ends_its_extremes_and_its_gaps():
    values = np.random.default_rng(0).normal(size=10_000)
    values[1234], values[5678], values[8000] = 99.0, -99.0, NAN
    points = list(enumerate(values.tolist()))
    view = training_curve({"a": points})
    kept = view["curves"][0]["points"]
    assert len(kept) <= MOST + 1
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert {(1234, 99.0), (5678, -99.0), (8000, None)} <= set(kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)
    assert len(render_html(view)) < 12_000
    assert "lowest −99.000 (step 5,678)" in view["summary"]


def test_huge_values_are_drawn_by_powers_of_ten():
    view = training_curve({"a": [(step, 10.0**step) for step in range(0, 31, 10)]})
    assert "loss (nats), powers of ten" in written(view)
    (stretch,) = lines(view)[0]
    falls = [a[1] - b[1] for a, b in itertools.pairwise(stretch)]
    assert max(falls) - min(falls) < 0.25
    assert "last 1e+30 (step 30)" in view["summary"]


@pytest.mark.parametrize(
    "values",
    [[0.0], [5.0, 5.0], [-3.0, 2.0], [1e99, -1e99], [1e-12, 2e-12], [1e9, 1e9 + 1], [0, 1e8]],
)
def test_any_range_has_ticks(values):
    words = written(training_curve({"a": list(enumerate(values))}))
    assert len(words) >= 7  # two names, the curve's label, two numbers on each axis


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats()), max_size=8), st.floats(-1e9, 1e9))
def test_every_curve_becomes_a_picture_inside_its_frame(points, floor):
    view = training_curve({"a": points}, floor=floor)
    json.dumps(view, allow_nan=False)
    for stretch in itertools.chain(*lines(view)):
        assert all(61.9 <= x <= 520 and 33.9 <= y <= 244.1 for x, y in stretch)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 4.4, [0, 1, 2, 3, 4]), (0, 3000, [0, 1000, 2000, 3000]), (-1, 1, [-1, -0.5, 0, 0.5, 1])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.0, 0.5, 1.0], ["0.0", "0.5", "1.0"]),
        ([0.0, 1000.0], ["0", "1,000"]),
        ([1e6, 1e9], ["1e6", "1e9"]),
    ],
)
def test_ticks_are_short(values, texts):
    assert tick_texts(values) == texts


def test_labels_stand_apart_and_near_their_lines():
    assert apart([100.0, 150.0]) == [100.0, 150.0]
    moved = apart([230.0, 231.0, 300.0])
    assert moved == [202.0, 220.0, 238.0]
    assert apart([-50.0]) == [34]


def test_numbers_are_short_and_the_same_everywhere():
    assert [value_text(v) for v in (0.0005, 0.0005 - 1e-9, -0.0004, -1.5, 2.5e9)] == [
        "0.001", "0.001", "0.000", "−1.500", "2.5e+09",
    ]  # fmt: skip


def test_hostile_names_stay_text_in_the_drawing():
    names = [*HOSTILE, "\ufffe\uffff"]
    view = training_curve(dict.fromkeys(names, FALLING), title=names[0], x=names[1], y=names[3])
    root = drawing(view)  # well-formed, or this fails
    assert {n.tag.removeprefix(SVG) for n in root.iter()} == {
        "svg", "title", "desc", "style", "path", "text",
    }  # fmt: skip
    assert not [a for n in root.iter() for a in n.attrib if a.startswith("on")]
    assert names[1] in written(view) and "שלום" in written(view)


def test_names_that_are_cut_alike_stay_two_curves():
    view = training_curve({"x" * 40 + "a": FALLING, "x" * 40 + "b": FALLING})
    assert len(lines(view)) == 2


def test_the_drawing_says_what_it_shows():
    view = training_curve({"train": FALLING}, title="TinyWorld")
    root = drawing(view)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "TinyWorld"
    assert root.find(f"{SVG}desc").text == view["summary"]
    assert 'alt="Line chart, TinyWorld: train.' in render_html(view)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: training_curve({"a": [1.0, 2.0]}), r"'a' must hold \(step, value\) pairs"),
        (lambda: training_curve({"a": [(1, "x")]}), r"'a' must hold \(step, value\) pairs"),
        (lambda: training_curve({"a": [(NAN, 1.0)]}), "step that is not a finite number"),
        (lambda: training_curve({"a": FALLING}, floor=NAN), "floor must be a finite number"),
        (lambda: training_curve({"a": FALLING}, best=INF), "best must be a finite number"),
    ],
)
def test_what_is_no_curve_ends_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_arrays_are_curves_too():
    assert training_curve({"a": np.array(FALLING)}) == training_curve({"a": FALLING})


# ---------------------------------------------------------------- the widget


class Clock:
    """A clock that only moves when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def watched(**how):
    """A widget, its clock, and the pictures that it sent to the page."""
    clock, sent = Clock(), []
    widget = TrainingCurve(clock=clock, **how)
    widget.observe(lambda change: sent.append(change["new"]["summary"]), "view")
    return widget, clock, sent


def test_the_page_gets_five_pictures_a_second_and_the_last_one():
    widget, clock, sent = watched()
    for step in range(1000):  # ten seconds
        clock.now = step / 100
        widget.add(step, train=5 - step / 1000)
        widget.status("so far")
    assert 45 <= len(sent) <= 51
    assert "(step 999)" not in sent[-1]
    widget.finish()
    assert "last 4.001 (step 999)" in sent[-1]
    assert repr(widget) == sent[-1]


def test_pictures_take_little_of_the_time_however_long_they_take():
    widget, clock, sent = watched()
    draw = widget._drawn

    def slow():
        clock.now += 0.5
        return draw()

    widget._drawn = slow
    for step in range(300):
        clock.now += 0.1
        widget.add(step, train=float(step))
    assert len(sent) <= 4  # half a second each, in half a minute


def test_time_and_speed_are_shown_but_not_stored():
    widget, clock, _ = watched(floor=0.352, total=3000)
    widget.add(300, train=0.8125, validation=None)
    clock.now = 1
    widget.status(loss=0.8125, floor=0.352, rate=12345.6, left=80.4)
    assert widget.status_text == (
        "step 300 of 3,000, loss 0.813, floor 0.352, 12,346 tokens/s, 1 min 20 s left"
    )
    clock.now = 2
    widget.status("a text · of fit's own")
    assert widget.status_text == "a text · of fit's own"
    clock.now = 3
    widget.status()
    assert widget.status_text == "step 300 of 3,000, train 0.813"
    stored = widget._repr_mimebundle_()[0]
    assert "tokens" not in stored["text/plain"] + stored["text/html"]


def test_the_best_step_comes_with_the_end():
    widget, _, sent = watched()
    widget.add(1, train=2.0)
    widget.finish(best=1)
    assert "best at step 1" in sent[-1]


def test_only_losses_where_only_losses_are_wanted():
    widget = TrainingCurve(only="loss")
    widget.add(step=1, loss=2.0, validation_loss=2.1, validation_accuracy=0.3)
    assert [c["name"] for c in widget.picture()["curves"]] == ["loss", "validation loss"]


def displayed(monkeypatch):
    import mlm_course.widgets.training_curve as module

    shown = []
    monkeypatch.setattr(module, "display", lambda *what, **how: shown.append((what[0], how)))
    return shown


def test_live_then_static(monkeypatch):
    shown = displayed(monkeypatch)
    widget = TrainingCurve(floor=1.0).live()
    (data, how), *rest = shown
    assert set(data) == {LIVE} and how["raw"] and not rest
    for step in range(50):
        widget.add(step, train=2.0)
    widget.finish()
    assert len(shown) == 2
    assert repr(shown[1][0]) == repr(show(widget.picture()))
    assert "(step 49)" in repr(shown[1][0])
    assert widget.view["gone"]  # the page leaves its place to the picture
    widget.add(99, train=1.0)
    widget.finish()
    assert len(shown) == 2 and widget.view["gone"]


CELLS = [
    "import time\nfrom mlm_course.widgets import TrainingCurve, progress_display",
    "shown = progress_display(total=60, floor=0.352)\n"
    "for step in range(60):\n"
    "    shown.add(step=step, loss=4 - step / 20)\n"
    "    shown.status(f'{time.time()} tokens/s')\n"
    "    time.sleep(0.01)\n"
    "shown.finish()",
    "shown",  # gone by now
    "curve = TrainingCurve()\ncurve.add(1, train=2.0)\ncurve.finish()\ncurve",
]


@pytest.fixture(scope="module")
def run():
    """A notebook that trains, run in a kernel without a page, as the builder does."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


def test_a_stored_notebook_holds_the_finished_curve_once(run):
    outputs = run.cells[1].outputs
    assert [sorted(o.data) for o in outputs] == [[LIVE], ["text/html", "text/plain"]]
    points = [(step, 4 - step / 20) for step in range(60)]
    expected = show(training_curve({"loss": points}, floor=0.352))
    assert outputs[1].data == expected._repr_mimebundle_()  # the same each time, no clock in it
    (again,) = run.cells[2].outputs
    assert set(again.data) == {"text/html", "text/plain"}
    assert again.data["text/html"] == outputs[1].data["text/html"]
    (plain,) = run.cells[3].outputs
    assert "last 2.000 (step 1)" in plain.data["text/plain"]


@pytest.mark.parametrize(("new", "passes"), [("1.050", True), ("1.051", False)])
def test_strict_nbval_compares_the_curve(run, new, passes):
    """nbval's own comparison, of this run with what the builder stores of it."""
    stored = nbformat.from_dict(json.loads(json.dumps(run.cells[1].outputs)))
    for output in stored:
        output.data.pop(LIVE, None)
    stored = [output for output in stored if output.data]
    stored[0].data["text/plain"] = stored[0].data["text/plain"].replace("1.050", new)
    nbval = SimpleNamespace(
        colors=defaultdict(str), sanitize=str, parent=SimpleNamespace(skip_compare=SKIPPED)
    )
    nbval.format_output_compare = lambda *what: None
    assert IPyNbCell.compare_outputs(nbval, run.cells[1].outputs, stored) is passes


SKIPPED = ("metadata", "output_type", "execution_count", LIVE)


# ---------------------------------------------------------------- without a notebook


def steps(display, total=200):
    for step in range(1, total + 1):
        display.add(step, loss=5 - step / 100)
        display.status(rate=1000.0, left=(total - step) / 2)
    display.finish()


def test_a_log_gets_a_line_now_and_then():
    out = io.StringIO()
    steps(Log(200, out))
    log_lines = out.getvalue().splitlines()
    assert log_lines[0] == "step 1 of 200, loss 4.990, 1,000 tokens/s, 1 min 40 s left"
    assert [int(line.split()[1]) for line in log_lines] == [1, *range(20, 201, 20)]


def test_a_log_without_a_total_gets_fewer_and_fewer():
    out = io.StringIO()
    steps(Log(None, out), total=100)
    logged_steps = [int(line.split()[1].rstrip(",")) for line in out.getvalue().splitlines()]
    assert logged_steps == [1, 2, 4, 8, 16, 32, 64, 100]


def test_a_log_of_points_alone():
    out = io.StringIO()
    log = Log(10, out)
    for step in range(1, 11):
        log.add(step, loss=1.0)
    log.finish(best=7)
    assert len(out.getvalue().splitlines()) == 11
    assert out.getvalue().endswith("step 10 of 10, loss 1.000\nbest: step 7\n")


def test_a_terminal_line_is_written_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    out, clock = io.StringIO(), Clock()
    line = TerminalLine(200, out, clock)
    for step in range(200):
        clock.now = step / 100  # two seconds
        line.add(step, loss=2.0)
        line.status(left=10.0 ** (3 - step // 50))
    line.finish(best=5)
    assert out.getvalue().count("\n") == 1 and out.getvalue().endswith("\n")
    pieces = out.getvalue().rstrip("\n").split("\r")[1:]
    assert 18 <= len(pieces) <= 23
    assert max(map(len, pieces)) == 29  # a full line would wrap


def test_a_shorter_line_covers_the_longer_one_before():
    out, clock = io.StringIO(), Clock()
    line = TerminalLine(None, out, clock)
    for clock.now, words in enumerate(("a long status", "short")):
        line.status(words)
    assert out.getvalue() == "\ra long status\rshort        "


def test_letters_that_a_terminal_cannot_write_do_not_end_a_training():
    raw = io.BytesIO()
    log = Log(1, io.TextIOWrapper(raw, encoding="ascii"))
    log.add(1, loss=1.0)
    log.status("loss 1.0 · 5 tokens/s")
    log.finish()
    assert b"loss 1.0 ? 5 tokens/s\n" in raw.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (4200, "1 h 10 min"),
     (INF, "unknown time"), (NAN, "unknown time"), (-1, "unknown time")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


CHOICE = "from mlm_course.widgets import progress_display as p; print(type(p(10)).__name__)"


def test_a_pipe_gets_a_log_and_a_terminal_its_line():
    done = subprocess.run([sys.executable, "-c", CHOICE], capture_output=True, text=True)
    assert done.stdout.strip() == "Log"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", CHOICE], stdout=theirs, check=True)
    assert os.read(ours, 100).strip() == b"TerminalLine"
    os.close(ours), os.close(theirs)


def test_outside_a_kernel_nothing_is_displayed(monkeypatch):
    shown = displayed(monkeypatch)
    assert isinstance(progress_display(10, floor=0.3), Log)
    assert shown == []


def test_in_a_kernel_the_axis_says_what_the_loss_is(monkeypatch):
    import mlm_course.widgets.progress as module

    displayed(monkeypatch)
    monkeypatch.setattr(module, "get_ipython", lambda: SimpleNamespace(kernel=True))
    assert progress_display(10).picture()["y"] == "loss (nats)"
    assert progress_display(10, y="squared error").picture()["y"] == "squared error"


def test_no_clock_and_no_chance_in_a_picture():
    view = training_curve({"a": [(s, math.sin(s)) for s in range(999)]}, floor=-1.0, best=5)
    again = training_curve({"a": [(s, math.sin(s)) for s in range(999)]}, floor=-1.0, best=5)
    assert show(view)._repr_mimebundle_() == show(again)._repr_mimebundle_()
