"""Ink as MNIST's digits have it: 28 x 28 pixels, fitted into 20 x 20, centred by its mass.

Strokes are lists of points (x, y) in pixels, (0, 0) the upper left corner; ink goes from 0 (paper)
to 1. Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition".
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

Array = np.ndarray
Strokes = Sequence[Sequence[Sequence[float]]]
SIDE = 28  # pixels of a picture
BOX = 20  # pixels of the box that a digit is fitted into
RADIUS = 1.4  # pixels of the brush: lines as wide as most of MNIST's
FADE = 0.5  # pixels by which its edge is soft, inwards and outwards
SMALLEST = 4  # pixels: a drawing smaller than that, such as a dot, does not fill the box


def rendered(strokes: Strokes) -> Array:
    """Picture (28, 28) of strokes drawn with a round, soft brush."""
    ink = np.zeros((SIDE, SIDE))
    for stroke in strokes:
        for start, end in zip(stroke, stroke[1:] or stroke, strict=False):  # a point is a dot
            distance = _distances(np.asarray(start, float), np.asarray(end, float))
            ink = np.maximum(ink, np.clip(RADIUS + FADE - distance, 0, 1))
    return ink


def _distances(start: Array, end: Array) -> Array:
    """Distance (28, 28) of each pixel's middle from a straight line between two points (2,)."""
    y, x = np.indices((SIDE, SIDE)) + 0.5
    away = np.stack([x, y], -1) - start  # (28, 28, 2)
    line = end - start
    along = np.clip(away @ line / max(line @ line, 1e-9), 0, 1)
    return np.linalg.norm(away - along[..., None] * line, axis=-1)


def fitted(strokes: Strokes) -> list[list[list[float]]]:
    """Strokes made larger or smaller until they fill the box; the brush stays as it is."""
    points = np.concatenate([np.asarray(stroke, float) for stroke in strokes])
    low, high = points.min(0), points.max(0)
    scale = (BOX - 2 * (RADIUS + FADE)) / max((high - low).max(), SMALLEST)
    moved = [(np.asarray(s, float) - (low + high) / 2) * scale + SIDE / 2 for s in strokes]
    return [stroke.tolist() for stroke in moved]


def in_box(ink: Array) -> Array:
    """Picture (28, 28) whose ink, by its longer side, fills the box; one pixel off is left so."""
    top, bottom, left, right = edges(ink)
    height, width = bottom - top, right - left
    if abs(max(height, width) - BOX) <= 1:
        return ink
    high, wide = (max(1, round(n * BOX / max(height, width))) for n in (height, width))
    cut = Image.fromarray(ink[top:bottom, left:right].astype(np.float32))
    scaled = np.asarray(cut.resize((wide, high), Image.Resampling.BILINEAR), float)
    below, beside = (SIDE - high) // 2, (SIDE - wide) // 2
    return np.pad(scaled, ((below, SIDE - high - below), (beside, SIDE - wide - beside)))


def centred(ink: Array) -> Array:
    """Picture (28, 28) moved by whole pixels; no ink leaves it.

    Its centre of mass comes to row and column 14, counted from 0: there MNIST's digits have it.
    """
    top, bottom, left, right = edges(ink)
    middle = np.indices(ink.shape).reshape(2, -1) @ ink.ravel() / ink.sum()  # row, column
    down, across = np.ceil(SIDE / 2 - middle.round(6) - 0.5).astype(int)
    shift = np.clip(down, -top, SIDE - bottom), np.clip(across, -left, SIDE - right)
    return np.roll(ink, shift, (0, 1))


def edges(ink: Array) -> tuple[int, int, int, int]:
    """First row and the one behind the last, then the columns, of all that is not paper."""
    rows, columns = (np.flatnonzero(ink.max(axis) > 0) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
