"""What cannot be read in a figure; the builder looks at each one that a lesson shows."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 9  # points
WIDEST = 7.0  # inches
MANY = 40  # markers on a curve
SLACK = 1.0  # pixels by which two boxes may touch


def watch() -> None:
    """From now on in this process, saving a figure that cannot be read is an AssertionError."""
    save = Figure.savefig

    def savefig(self: Figure, *arguments, **options):  # type: ignore[no-untyped-def]
        problems = list(unreadable(self))
        if problems:
            raise AssertionError("The figure cannot be read: " + "; ".join(problems) + ".")
        return save(self, *arguments, **options)

    Figure.savefig = savefig  # type: ignore[method-assign]


def unreadable(figure: Figure) -> Iterator[str]:
    """A few words for each thing in a figure that hides another, or is too small or too wide."""
    figure.canvas.draw()
    if figure.get_figwidth() > WIDEST:
        yield f"it is {figure.get_figwidth():g} inches wide, at most {WIDEST:g} fit a page"
    texts = {text: _box(text) for text in _texts(figure)}
    for text, box in texts.items():
        if (points := float(text.get_fontsize())) < SMALLEST:
            yield f"{text.get_text()!r} has {points:g} points"
        if not _covers(figure.bbox.padded(SLACK), box):
            yield f"{text.get_text()!r} leaves the figure"
    for (one, a), (other, b) in combinations(texts.items(), 2):
        if _meet(a, b):
            yield f"{one.get_text()!r} and {other.get_text()!r} overlap"
    for axes in figure.axes:
        yield from _covered(axes, _legends(figure))
        yield from _alike(axes)
        yield from _crowded(axes)


def _texts(figure: Figure) -> Iterator[Text]:
    """Every text that is drawn."""
    unseen = {id(text) for axes in figure.axes for text in _undrawn(axes)}
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen:
            yield text


def _undrawn(axes: Axes) -> Iterator[Text]:
    """Labels of ticks beyond the ends of an axis, and all of an axis that is off."""
    for axis, side in ((axes.xaxis, 0), (axes.yaxis, 1)):

        def pixels(value: float, side: int = side) -> float:
            return float(axes.transData.transform((value, 1) if side == 0 else (1, value))[side])

        off = not (axes.axison and axes.get_visible() and axis.get_visible())
        low, high = sorted(map(pixels, axis.get_view_interval()))
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if off or not low - SLACK <= pixels(tick.get_loc()) <= high + SLACK:
                yield from (tick.label1, tick.label2)
        if off:
            yield from (axis.label, axis.offsetText)


def _box(artist: Text | Legend) -> Bbox:
    return artist.get_window_extent()


def _meet(a: Bbox, b: Bbox) -> bool:
    """Whether two boxes share more than their edges."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > SLACK and min(a.y1, b.y1) - max(a.y0, b.y0) > SLACK


def _covers(outer: Bbox, inner: Bbox) -> bool:
    return (
        outer.x0 <= inner.x0
        and inner.x1 <= outer.x1
        and outer.y0 <= inner.y0
        and inner.y1 <= outer.y1
    )


def _legends(figure: Figure) -> list[Legend]:
    return figure.findobj(Legend)  # type: ignore[return-value]


def _covered(axes: Axes, legends: list[Legend]) -> Iterator[str]:
    """Legends over a curve, a bar or a dot of these axes."""
    for legend in legends:
        box = _box(legend)
        curves = [line.get_transform().transform_path(line.get_path()) for line in axes.lines]
        dots = [c.get_offset_transform().transform(c.get_offsets()) for c in axes.collections]
        if (
            any(len(path) and path.intersects_bbox(box, filled=False) for path in curves)
            or any(_meet(patch.get_window_extent(), box) for patch in axes.patches)
            or any(box.contains(*dot) for group in dots for dot in group)
        ):
            yield f"a legend ({legend.get_texts()[0].get_text()!r}, ...) lies over data"


def _alike(axes: Axes) -> Iterator[str]:
    """Named curves that only their colour tells apart."""
    named = [line for line in axes.lines if not str(line.get_label()).startswith("_")]
    for one, other in combinations(named, 2):
        if (one.get_marker(), _dashes(one)) == (other.get_marker(), _dashes(other)):
            yield f"{one.get_label()!r} and {other.get_label()!r} differ by colour alone"


def _crowded(axes: Axes) -> Iterator[str]:
    """Curves with so many markers that they cover the dashes."""
    for line in axes.lines:
        n = np.size(line.get_xdata())
        joined = line.get_linestyle() != "None" and line.get_marker() not in ("None", "", None)
        if joined and line.get_markevery() is None and n > MANY:
            yield f"{n} markers run into each other on {line.get_label()!r}"


def _dashes(line: object) -> object:
    return getattr(line, "_unscaled_dash_pattern", None) or line.get_linestyle()  # type: ignore
