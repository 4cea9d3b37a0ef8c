"""Training curves: values by step, with the floor that no model can get below."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from mlm_course.views import chart, checks, table, text

Point = tuple[float, float | None]  # None: a gap
MOST = 300  # points a curve keeps; a picture is not wider
LARGEST = 1e100  # beyond this a value counts as infinite, so that differences stay finite


def training_curve(
    curves: Mapping[str, Iterable[Any]],
    *,
    floor: float | None = None,
    best: float | None = None,
    x: str = "step",
    y: str = "loss (nats)",
    title: str = "Training curve",
) -> dict[str, Any]:
    """View of values that change from step to step, one line a curve.

    curves, a mapping from a name to (step, value) pairs in the order of training, possibly none;
    values that are NaN or infinite leave a gap, and the summary says so. floor, in the unit of y,
    is drawn as a horizontal line; best, a step, is marked. ValueError for steps or a floor that
    are not finite numbers.
    """
    for name, value in (("floor", floor), ("best", best)):
        if value is not None and not math.isfinite(checks.number(name, value)):
            raise ValueError(f"{name} must be a finite number; it is {value}.")
    if not isinstance(curves, Mapping):
        kind = type(curves).__name__
        raise ValueError(f"curves must map a name to (step, value) pairs; it is {kind}.")
    read = [(text.label(str(name)), _points(name, pairs)) for name, pairs in curves.items()]
    view = {
        "kind": "training_curve",
        "title": text.heading(title),
        "x": text.heading(x),
        "y": text.heading(y),
        "floor": None if floor is None else checks.number("floor", floor),
        "best": None if best is None else checks.number("best", best),
        "curves": [{"name": name, "points": thinned(points)} for name, points in read],
    }
    return {**view, "summary": _summary(view, read)}


def _points(name: str, pairs: Any) -> list[Point]:
    try:
        plain = checks.plain("pairs", pairs if hasattr(pairs, "tolist") else list(pairs))
        points = [(float(step), float(value)) for step, value in plain]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"Curve {name!r} must hold (step, value) pairs of numbers.") from None
    if not all(math.isfinite(step) for step, _ in points):
        raise ValueError(f"Curve {name!r} has a step that is not a finite number.")
    return [(step, value if abs(value) < LARGEST else None) for step, value in points]


def thinned(points: list[Point]) -> list[Point]:
    """At most about MOST points: of each stretch the lowest and the highest, and every gap."""
    if len(points) <= MOST:
        return points
    width = math.ceil((len(points) - 2) / (MOST // 2 - 1))
    kept = points[:1]
    for start in range(1, len(points) - 1, width):
        kept += _ends(points[start : min(start + width, len(points) - 1)])
    return kept + points[-1:]


def _ends(stretch: list[Point]) -> list[Point]:
    """Lowest and highest point of a stretch in their order, and its first gap."""
    seen = [(value, i) for i, (_, value) in enumerate(stretch) if value is not None]
    gaps = [i for i, (_, value) in enumerate(stretch) if value is None]
    chosen = {*gaps[:1], *([min(seen)[1], max(seen)[1]] if seen else [])}
    return [stretch[i] for i in sorted(chosen)]


# ---------------------------------------------------------------- in words


def _summary(view: dict[str, Any], read: list[tuple[str, list[Point]]]) -> str:
    floor, best = view["floor"], view["best"]
    known = f"; floor {value_text(floor)}" if floor is not None else ""
    marked = f"; best at {step_text(best)}" if best is not None else ""
    lines = [f"{view['title']}: {view['y']} by {view['x']}{known}{marked}."]
    lines += [f"{text.isolated(name)}: {_told(points, floor)}" for name, points in read]
    return "\n".join(lines if read else [*lines, "No curve yet."])


def _told(points: list[Point], floor: float | None) -> str:
    seen = [(step, value) for step, value in points if value is not None]
    if not seen:
        return f"no value yet.{_missing(points)}"
    low = min(seen, key=lambda point: point[1])
    ends = {"first": seen[0], "last": seen[-1], "lowest": low}
    told = ", ".join(f"{k} {value_text(v)} ({step_text(s)})" for k, (s, v) in ends.items())
    return f"{told}{_distance(low[1], floor)}.{_missing(points)}"


def _distance(value: float, floor: float | None) -> str:
    if floor is None:
        return ""
    away = value_text(abs(value - floor))
    if away == value_text(0.0):
        return ", at the floor"
    return f", {away} {'above' if value > floor else 'below'} the floor"


def _missing(points: list[Point]) -> str:
    gaps = [step for step, value in points if value is None]
    if not gaps:
        return ""
    are = text.count(len(gaps), "value is", "values are")
    return f" {are} NaN or infinite, the first at {step_text(gaps[0])}: a gap in the line."


def value_text(value: float) -> str:
    """Three decimals with a real minus sign; powers of ten for what is very large."""
    if abs(value) >= 1e6:
        return f"{value:.3g}".replace("-", text.MINUS)
    nudged = round(abs(value) + 1e-7, 3)
    return (text.MINUS if value < 0 and nudged else "") + f"{nudged:.3f}"


def step_text(step: float) -> str:
    """A step as it is written in a sentence: step 1,200 or, for part of one, step 0.5."""
    return f"step {step:,.0f}" if step == int(step) else f"step {step:,.3g}"


def readings(view: dict[str, Any]) -> list[tuple[float, str]]:
    """What a curve says at its steps, at most about MOST of them: (place across the chart, sentence).

    Places go from 0 to 1. A curve without a point at a step says its last one before.
    """
    x, _ = chart.axes(view)
    every = sorted({step for curve in view["curves"] for step, _ in curve["points"]})
    steps = sorted({*every[:: math.ceil(len(every) / MOST) or 1], *every[-1:]})
    return [(round(x(step) / chart.WIDTH, 4), _reading(view["curves"], step)) for step in steps]


def _reading(curves: list[dict[str, Any]], step: float) -> str:
    """The values of all curves at a step in a sentence."""
    told = []
    for curve in curves:
        before = [(s, value) for s, value in curve["points"] if s <= step and value is not None]
        if before:
            last, value = before[-1]
            when = "" if last == step else f" ({step_text(last)})"
            told.append(f"{text.isolated(curve['name'])} {value_text(value)}{when}")
    return f"{step_text(step)[0].upper()}{step_text(step)[1:]}: {', '.join(told) or 'no value'}."


# ---------------------------------------------------------------- picture


def image(view: dict[str, Any]) -> str:
    """The chart as the address of a picture, which is all that an <img> needs."""
    return chart.address(chart.svg(view))


def alternative(view: dict[str, Any]) -> str:
    """What a screen reader says in place of the chart; the summary stands below it."""
    names = ", ".join(text.isolated(curve["name"]) for curve in view["curves"]) or "no curve yet"
    return f"Line chart, {view['title']}: {names}. The text below says the same in numbers."


def html(view: dict[str, Any]) -> str:
    """Static HTML of training curves.

    The chart is an SVG inside an <img>: JupyterLab removes an inline <svg> from a notebook that
    it does not trust, and leaves its letters behind.
    """
    words = escape(alternative(view), True)
    drawn = f'<img alt="{words}" src="{image(view)}" style="{STYLE}">'
    return table.figure(drawn, summary=view["summary"], title=view["title"])


STYLE = f"display:block;width:100%;max-width:{chart.WIDEST}px;height:auto;margin:0"
