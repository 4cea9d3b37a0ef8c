"""A drawing, and beside it the pictures that were made of it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mlm_course.views import checks, pixels, table, text
from mlm_course.views.ink import SIDE
from mlm_course.views.style import LINE, hatch

Array = np.ndarray
Panel = dict[str, str]
MOST = 64  # pictures beside a drawing
ROUNDING = 0.005  # by which ink may leave 0..1 unsaid
SHAPES = f"({SIDE}, {SIDE}), (1, {SIDE}, {SIDE}) or (1, 1, {SIDE}, {SIDE})"


def drawing_pad(
    drawn: Any, pictures: Sequence[Panel] = (), title: str | None = None, said: str = "A drawing."
) -> dict[str, Any]:
    """View of a drawing (28, 28), floats from 0 (paper) to 1 (ink), and of pictures beside it.

    pictures, as `named_pictures` returns them; said, what is drawn, in a sentence. ValueError for
    another shape, and for ink outside 0..1.
    """
    view: dict[str, Any] = {
        "kind": "drawing",
        "title": text.heading(title),
        "drawn": panel("drawn", ink_of("drawn", drawn)),
        "pictures": list(pictures),
    }
    lines = [f"{view['title']}: {said}" if view["title"] else said]
    lines += [picture["said"] for picture in view["pictures"]]
    return {**view, "summary": "\n".join(lines)}


# ---------------------------------------------------------------- reading


def ink_of(name: str, values: Any) -> Array:
    """Ink (28, 28), 0 to 1, of a picture with or without axes of size 1 before; else ValueError."""
    array = checks.numbers(name, values)
    if array.shape not in [(1,) * axes + (SIDE, SIDE) for axes in range(3)]:
        raise ValueError(f"{name} must have shape {SHAPES}; it has {array.shape}.")
    if array.min() < -ROUNDING or array.max() > 1 + ROUNDING:
        ends = f"{text.number(array.min())} to {text.number(array.max())}"
        raise ValueError(f"{name} must hold 0 (paper) to 1 (ink); its numbers go from {ends}.")
    return np.clip(array, 0, 1).reshape(SIDE, SIDE)


def named_pictures(beside: Any) -> list[Panel]:
    """Panels of pictures: a mapping from names to them, or a list of (name, picture).

    A picture is (28, 28), or (N, 1, 28, 28) for N of them; numbers are clipped to 0..1, and NaN
    stands for a pixel that was removed. ValueError for other shapes, and for more than 64.
    """
    panels: list[Panel] = []
    for name, values in _pairs(beside):
        several = _pictures(f"The picture {text.quoted(text.label(name))}", values)
        numbered = [f"{name} {place}" for place in range(1, len(several) + 1)]
        names = [name] if len(several) == 1 else numbered
        panels += [panel(*named) for named in zip(names, several, strict=True)]
    checks.at_most("pictures beside a drawing", len(panels), MOST, "Return fewer of them.")
    return panels


def _pairs(beside: Any) -> list[tuple[str, Any]]:
    """Names and pictures of a mapping or of a list of pairs."""
    if isinstance(beside, str) or not isinstance(beside, Iterable):
        kind = type(beside).__name__
        raise ValueError(f"What stands beside a drawing is a dict of pictures, not {kind}.")
    pairs = list(beside.items()) if isinstance(beside, Mapping) else list(beside)
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
            kind = type(pair).__name__
            raise ValueError(f"Each picture needs a name, as in a dict or (name, it); got {kind}.")
    return [(name, picture) for name, picture in pairs]


def _pictures(name: str, values: Any) -> Array:
    """Pictures (N, 28, 28), clipped to 0..1, NaN where removed."""
    array = checks.numbers(name, values, allow_nan=True)
    fits = array.shape[-2:] == (SIDE, SIDE) and array.size and array.ndim <= 4
    if not fits or (array.ndim == 4 and array.shape[1] != 1):
        raise ValueError(
            f"{name} must have shape ({SIDE}, {SIDE}) or (N, 1, {SIDE}, {SIDE}); "
            f"it has {array.shape}."
        )
    return np.clip(array, 0, 1).reshape(-1, SIDE, SIDE)


# ---------------------------------------------------------------- one picture


def panel(name: str, ink: Array) -> Panel:
    """A picture (28, 28) as the page needs it: name, PNG, and what is to be seen in words."""
    removed = np.isnan(ink)
    paper = 1 - np.nan_to_num(ink)
    shown = pixels.colours(paper[..., None], ~removed)
    named = text.label(name)
    return {"name": named, "source": pixels.address(shown), "said": _said(named, ink, removed)}


def _said(name: str, ink: Array, removed: Array) -> str:
    """Name of a picture, what was removed, and between which rows and columns its ink lies."""
    gone = f"{int(removed.sum())} of {removed.size} pixels removed, " if removed.any() else ""
    dark = np.nan_to_num(ink) >= 0.5
    if not dark.any():
        return f"{text.isolated(name)}: {gone}no ink."
    rows, columns = (np.flatnonzero(dark.any(axis)) + 1 for axis in (1, 0))
    place = f"rows {rows[0]} to {rows[-1]}, columns {columns[0]} to {columns[-1]}"
    return f"{text.isolated(name)}: {gone}ink in {place}."


def html(view: dict[str, Any]) -> str:
    """Static HTML: the drawing, and the pictures beside it; what was removed is hatched."""
    panels = "".join(map(_figure, [view["drawn"], *view["pictures"]]))
    parts = f'<div style="{_ROW}">{panels}</div>'
    return table.figure(parts, summary=view["summary"], title=view["title"])


def _figure(one: Panel) -> str:
    source = pixels.address(pixels.enlarged(pixels.read(one["source"])))
    drawn = f'<img alt="{escape(one["said"], True)}" src="{source}" style="{_IMAGE};{hatch(0)}">'
    name = f'<div dir="auto" style="{_NAME}">{escape(one["name"], True)}</div>'
    return f'<div style="{_PANEL}">{name}{drawn}</div>'


_ROW = "width:100%;display:flex;flex-wrap:wrap;gap:12px;align-items:flex-end"
_PANEL = "flex:1 1 84px;max-width:150px"
_NAME = "font-size:12px;overflow-wrap:anywhere"
_IMAGE = f"display:block;width:100%;height:auto;margin:0;border:1px solid {LINE}"
