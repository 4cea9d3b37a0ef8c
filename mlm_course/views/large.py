"""Matrices too large for boxes: a pixel a number, and a sentence that says what to pass instead."""

from html import escape

import numpy as np

from mlm_course.views import pixels
from mlm_course.views.style import BLUE, GREY, RUST, STEPS

Array = np.ndarray
MOST_BOXES = 64 * 64  # of one matrix as HTML, about half a megabyte
MOST_LIVE = 128 * 128  # of one matrix to walk through in a page
WIDEST = 512  # pixels of an image; what is larger is sampled
HUES = np.array([GREY, RUST, (46, 133, 64), (150, 90, 190)])  # of the reasons of a mask
NAMES = ("grey", "rust", "green", "violet")  # of these colours


def too_large(rows: int, columns: int, most: int = MOST_BOXES) -> bool:
    """Whether a page should not get a box for each pair."""
    return rows * columns > most


def sentence(rows: int, columns: int, instead: str, most: int = MOST_BOXES) -> str:
    """Why there is an image in place of boxes, and what to pass for boxes."""
    step = _step(rows, columns)
    each = "One pixel a pair" if step == 1 else f"One pixel for {step} by {step} pairs"
    return f"{each}: {rows:,} by {columns:,} are more than {most:,} boxes. {instead}"


def heat_image(values: Array, closed: Array | None = None, widest: int = WIDEST) -> str:
    """Address of a picture: blue above zero, rust below, grey where closed, a pixel a number."""
    top = np.abs(values).max(initial=0.0) or 1.0
    step = -(-max(values.shape) // widest)
    small = _strongest(values / top, step)
    colours = np.where(small[..., None] > 0, BLUE, RUST)
    alpha = np.rint(np.sqrt(np.abs(small)) * STEPS) / STEPS  # the root makes faint ones visible
    if closed is not None:
        grey = closed[::step, ::step]
        colours, alpha = np.where(grey[..., None], GREY, colours), np.where(grey, 0.3, alpha)
    return _address(colours, alpha)


def mask_image(allowed: Array, why: Array) -> str:
    """Address of a picture of a mask: blue = may attend, else the colour of pattern why (T, S)."""
    step = _step(*allowed.shape)
    small, reasons = allowed[::step, ::step], why[::step, ::step]
    colours = np.where(small[..., None], BLUE, HUES[reasons % 4])
    return _address(colours, np.where(small, 0.35, 0.6))


def reason(pattern: int) -> str:
    """Style of a reason of a mask, in the legend of its picture."""
    red, green, blue = HUES[pattern % 4]
    return f"background-color:rgba({red}, {green}, {blue}, 0.6)"


def element(source: str, alternative: str, said: str, width: int = WIDEST) -> str:
    """HTML of such a picture with its sentence."""
    style = f"display:block;width:{width}px;max-width:100%;height:auto;margin:0;image-rendering:pixelated"
    image = f'<img alt="{escape(alternative, True)}" src="{source}" style="{style}">'
    return f'<div style="min-width:0">{image}<div style="font-size:12px">{escape(said, True)}</div></div>'


def _step(rows: int, columns: int) -> int:
    return -(-max(rows, columns) // WIDEST)


def _strongest(values: Array, step: int) -> Array:
    """Of each square of step by step numbers the one farthest from zero."""
    rows, columns = (-(-size // step) for size in values.shape)
    room = np.zeros((rows * step, columns * step))
    room[: values.shape[0], : values.shape[1]] = values
    squares = room.reshape(rows, step, columns, step).swapaxes(1, 2).reshape(rows, columns, -1)
    chosen = np.abs(squares).argmax(-1, keepdims=True)
    return np.take_along_axis(squares, chosen, -1)[..., 0]


def _address(colours: Array, alpha: Array) -> str:
    opaque = np.rint(alpha * 255)[..., None]
    return pixels.address(np.concatenate([colours, opaque], -1).astype(np.uint8))
