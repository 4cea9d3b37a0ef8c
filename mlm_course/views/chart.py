"""A line chart as SVG that stands for itself: no script, no font, no style from the page.

It is read on light and on dark paper and cannot ask which: every colour has a luminance of about
0.18, so that it reaches a contrast of 4 on white and on JupyterLab's black. Curves differ by
dash and marker as well as by hue. Below 420 pixels the letters grow, and there is room for them.
"""

import base64
import math
import re
from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from mlm_course.views.style import BLUE, RUST

WIDTH, HEIGHT, WIDEST = 520, 290, 640  # of the drawing, and of its picture in a page
LEFT, TOP, BOTTOM = 62, 34, 46
LETTER = 8.6  # width of a letter at its largest
ROW = 18.0  # height of a line of text at its largest
SHORTENED = 16  # letters of a label at the end of a line
INK = "#767676"
STYLE = (
    "text{font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}"
    "@media(max-width:420px){text{font-size:16px}}"
)
HUES = (BLUE, RUST, (46, 133, 64), (150, 90, 190), (196, 72, 130))
DASHES = ("", "7 4", "2 3", "10 3 2 3", "14 5")
MARKS = (  # paths around 0, 0
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0Z",
    "M-3 -3H3V3H-3Z",
    "M0 -4L4 3H-4Z",
    "M0 -4.5L4.5 0L0 4.5L-4.5 0Z",
    "M-3.5 -1H-1V-3.5H1V-1H3.5V1H1V3.5H-1V1H-3.5Z",
)


class Axis(NamedTuple):
    """Numbers from low to high onto pixels from start to end, straight or by powers of ten."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Place of a value, in pixels."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value


class Look(NamedTuple):
    """How one curve differs from the others."""

    colour: str
    dash: str
    mark: str


def look(place: int) -> Look:
    """Hue, dash and marker of the curve at a place; a second round mixes them anew."""
    again = place + place // len(HUES)
    colour = "#{:02x}{:02x}{:02x}".format(*HUES[place % len(HUES)])
    return Look(colour, DASHES[again % len(DASHES)], MARKS[again % len(MARKS)])


# ---------------------------------------------------------------- axes


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between low and high: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def powers(low: float, high: float) -> list[float]:
    """Powers of ten between low and high, at most about six."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**n for n in range(first, last + 1, 1 + (last - first) // 6)]


def tick_texts(values: list[float]) -> list[str]:
    """Numbers as short as they can be and still differ."""
    if any(abs(v) >= 1e6 or 0 < abs(v) < 1e-4 for v in values):
        return [f"{v:.4g}".replace("e+0", "e").replace("e+", "e") for v in values]
    digits = next(d for d in range(9) if all(math.isclose(v, round(v, d)) for v in values) or d > 7)
    return [f"{v:,.{digits}f}" for v in values]


def axes(view: dict[str, Any]) -> tuple[Axis, Axis]:
    """Steps and values of a training_curve view onto the pixels of its drawing."""
    longest = max(
        [len(_short(c["name"])) + 2 for c in view["curves"]] + [len(_floor_text(view)), 2]
    )
    right = WIDTH - longest * LETTER - 8
    points = [(s, v) for c in view["curves"] for s, v in c["points"] if v is not None]
    floor = [] if view["floor"] is None else [view["floor"]]
    best = [] if view["best"] is None else [view["best"]]
    steps = [s for s, _ in points] + best or [0.0]
    values = [v for _, v in points] + floor or [0.0, 1.0]
    log = min(values) > 0 and max(values) > 1000 * min(values)
    horizontal = Axis(min(steps), max(max(steps), min(steps) + 1.0), LEFT, right)
    low, high = _wide(min(values), max(values))
    if log:
        low, high = min(values) / 1.3, max(values) * 1.3
    return horizontal, Axis(low, high, HEIGHT - BOTTOM, TOP, log)


def _wide(low: float, high: float) -> tuple[float, float]:
    """A range with some room at both ends, also around a single value."""
    room = (high - low) * 0.05
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        room = abs(low) * 0.1 or 1.0
    return low - room, high + room


# ---------------------------------------------------------------- drawing


def svg(view: dict[str, Any]) -> str:
    """The whole chart of a training_curve view as the text of an SVG file."""
    names = [_short(curve["name"]) for curve in view["curves"]]
    x, y = axes(view)
    parts = [*_grid(view, x, y), *_floor(view, x, y), *_best(view, x)]
    for place, curve in enumerate(view["curves"]):
        parts += _curve(curve["points"], look(place), x, y)
    parts += _labels(view, names, x, y)
    if not any(v is not None for curve in view["curves"] for _, v in curve["points"]):
        parts.append(_text((LEFT + x.end) / 2, HEIGHT / 3, "no values yet", anchor="middle"))
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f"<title>{_clean(view['title'])}</title><desc>{_clean(view['summary'])}</desc>"
    space = 'xmlns="http://www.w3.org/2000/svg" role="img"'
    return f"<svg {space} {size}>{head}<style>{STYLE}</style>{''.join(parts)}</svg>"


def address(drawing: str) -> str:
    """The text of an SVG file as an address that an <img> shows without asking a network."""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


def _short(name: str) -> str:
    return name if len(name) <= SHORTENED else name[: SHORTENED - 1] + "…"


def _clean(words: str) -> str:
    """Text that XML can hold."""
    return escape(
        re.sub("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", words), True
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(x: float, y: float, words: str, colour: str = INK, anchor: str = "start") -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" dominant-baseline="central"'
    return f'<text {place} text-anchor="{anchor}" fill="{colour}">{_clean(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, how: str = "") -> str:
    ends = f"M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"
    return f'<path d="{ends}" stroke="{INK}" fill="none" {how}/>'


def _grid(view: dict[str, Any], x: Axis, y: Axis) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    values = powers(y.low, y.high) if y.log else ticks(y.low, y.high)
    for value, words in zip(values, tick_texts(values), strict=True):
        yield _line(LEFT, y(value), x.end, y(value), 'stroke-opacity="0.3"')
        yield _text(LEFT - 8, y(value), words, anchor="end")
    steps = ticks(x.low, x.high)
    for step, words in zip(steps, tick_texts(steps), strict=True):
        yield _line(x(step), bottom, x(step), bottom + 5)
        yield _text(x(step), bottom + 15, words, anchor="middle")
    yield _line(LEFT, bottom, x.end, bottom)
    yield _text(4, 12, view["y"] + (", powers of ten" if y.log else ""))
    yield _text((LEFT + x.end) / 2, HEIGHT - 10, view["x"], anchor="middle")


def _floor_text(view: dict[str, Any]) -> str:
    floor = view["floor"]
    return "" if floor is None else f"floor: {floor:.3f}" if abs(floor) < 1e6 else "floor"


def _floor(view: dict[str, Any], x: Axis, y: Axis) -> Iterator[str]:
    if view["floor"] is not None:
        place = y(view["floor"])
        yield _line(LEFT, place, x.end, place, 'stroke-width="2" stroke-dasharray="6 5"')


def _best(view: dict[str, Any], x: Axis) -> Iterator[str]:
    if view["best"] is None:
        return
    place = x(view["best"])
    after = place > (x.start + x.end) / 2  # then its words stand to the left of the line
    yield _line(place, TOP, place, HEIGHT - BOTTOM, 'stroke-width="1.5" stroke-dasharray="2 4"')
    words = f"best: {tick_texts([view['best']])[0]}"
    yield _text(place + (-6 if after else 6), TOP + 2, words, anchor="end" if after else "start")


def runs(points: list[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    """The stretches of points between gaps."""
    run: list[tuple[float, float]] = []
    for step, value in points:
        if value is not None:
            run.append((step, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _curve(points: list[Any], how: Look, x: Axis, y: Axis) -> Iterator[str]:
    """One line, broken at its gaps, with about seven markers along it."""
    places = [[(x(s), y(v)) for s, v in run] for run in runs(points)]
    lines = "".join("M" + "L".join(f"{_n(a)} {_n(b)}" for a, b in run) for run in places)
    dash = f' stroke-dasharray="{how.dash}"' if how.dash else ""
    if lines:
        pen = f'stroke="{how.colour}" stroke-width="2" stroke-linejoin="round"{dash}'
        yield f'<path d="{lines}" fill="none" {pen}/>'
    every = [place for run in places for place in run]
    alone = [run[0] for run in places if len(run) == 1]
    spread = every[:: max(1, math.ceil(len(every) / 7))] + every[-1:]
    for a, b in dict.fromkeys(alone + spread):
        yield _mark(a, b, how)


def _mark(x: float, y: float, how: Look) -> str:
    return f'<path d="{how.mark}" fill="{how.colour}" transform="translate({_n(x)} {_n(y)})"/>'


def _labels(view: dict[str, Any], names: list[str], x: Axis, y: Axis) -> Iterator[str]:
    """Names beside the ends of their lines, moved apart where they would touch."""
    wanted = []
    for place, (curve, name) in enumerate(zip(view["curves"], names, strict=True)):
        values = [v for _, v in curve["points"] if v is not None]
        if values:
            wanted.append((y(values[-1]), name, look(place)))
    if view["floor"] is not None:
        wanted.append((y(view["floor"]), _floor_text(view), Look(INK, "", "")))
    wanted.sort(key=lambda label: label[0])
    for height, (_, words, how) in zip(apart([w[0] for w in wanted]), wanted, strict=True):
        if how.mark:
            yield _mark(x.end + 12, height, how)
        yield _text(x.end + (20 if how.mark else 6), height, words, how.colour)


def apart(places: list[float]) -> list[float]:
    """Places in rising order, moved so that they stand at least a row apart inside the chart."""
    bottom = HEIGHT - BOTTOM - 6.0  # above the numbers of the steps
    row = min(ROW, (bottom - TOP) / max(len(places) - 1, 1))
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + row if moved else TOP))
    limit = bottom
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - row
    return moved
