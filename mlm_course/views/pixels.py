"""Pixels as the address of a PNG, and panels of patches painted pixel by pixel.

Pillow writes the PNG: matplotlib depends on it, and every viewer of notebooks shows the result.
What is transparent shows the reader's own background, light or dark.
"""

import base64
import io

import numpy as np
from PIL import Image

from mlm_course.views.style import BLUE, GREY, STEPS

Array = np.ndarray
PREFIX = "data:image/png;base64,"
WIDE = 192  # pixels of a panel, at least
FINE = 64  # pixels of a side from which on single ones are not looked at
INK = 118  # of the hatching: a contrast of 4 on white and on JupyterLab's black


def address(pixels: Array) -> str:
    """PNG of bytes (H, W, 4), red, green, blue and alpha, as the address that an <img> shows."""
    grey = bool((pixels[..., :3] == pixels[..., :1]).all())
    opaque = bool((pixels[..., 3] == 255).all())
    colours = pixels[..., :1] if grey else pixels[..., :3]
    kept = colours if opaque else np.concatenate([colours, pixels[..., 3:]], -1)
    out = io.BytesIO()
    Image.fromarray(kept[..., 0] if kept.shape[-1] == 1 else kept).save(out, "PNG")
    return PREFIX + base64.b64encode(out.getvalue()).decode()


def read(source: str) -> Array:
    """Bytes (H, W, 4) of an address that address() made."""
    data = base64.b64decode(source.removeprefix(PREFIX))
    return np.array(Image.open(io.BytesIO(data)).convert("RGBA"))


def colours(image: Array, shown: Array | None = None, shades: int = 256) -> Array:
    """Bytes (H, W, 4) of floats (H, W, C), clipped to 0..1, in so many shades of each colour.

    Transparent where shown (H, W) is False.
    """
    steps = np.rint(np.clip(image, 0, 1) * (shades - 1)) / (shades - 1)
    values = np.rint(steps * 255).astype(np.uint8)
    alpha = np.full(image.shape[:2], 255, np.uint8)
    if shown is not None:
        alpha[~shown] = 0
        values[~shown] = 0  # what is not seen takes no room in the file
    return np.concatenate([np.broadcast_to(values, (*alpha.shape, 3)), alpha[..., None]], -1)


def each_pixel(patches: Array, size: int) -> Array:
    """A value for each patch (rows, columns) as a value for each pixel (H, W)."""
    return patches.repeat(size, 0).repeat(size, 1)


def zoom(height: int, width: int) -> int:
    """How many times a panel is enlarged, each pixel a square."""
    return -(-WIDE // max(height, width))


# ---------------------------------------------------------------- panels, bytes (H, W, 4)


def seen(original: Array, removed: Array, patch: int) -> Array:
    """The original where it is visible; nothing but hatching where removed (rows, columns)."""
    panel = enlarged(original)
    y, x = np.indices(panel.shape[:2])
    gone = each_pixel(removed, patch * zoom(*original.shape[:2]))
    period = max(panel.shape[:2]) // 24  # about 6 pixels of the page
    panel[gone] = 0
    panel[gone & ((x + y) % period < max(1, round(period * 0.3)))] = (INK, INK, INK, 255)
    return _ruled(panel, patch * zoom(*original.shape[:2]))


def filled(original: Array, restored: Array, patch: int) -> Array:
    """The original with what was restored over it, and a thin grid between the patches."""
    panel = enlarged(np.where(restored[..., 3:] > 0, restored, original))
    return _ruled(panel, patch * zoom(*original.shape[:2]))


def errors(strength: Array, removed: Array, patch: int) -> Array:
    """A shade for each removed patch, strength (rows, columns) 0 to 1; a dot where none is."""
    side = patch * zoom(*(n * patch for n in strength.shape))
    shade = np.rint(np.rint(strength * STEPS) / STEPS * 255).astype(np.uint8)
    panel = np.zeros((side * strength.shape[0], side * strength.shape[1], 4), np.uint8)
    panel[..., :3], panel[..., 3] = BLUE, each_pixel(np.where(removed, shade, 0), side)
    y, x = (axis % side - (side - 1) / 2 for axis in np.indices(panel.shape[:2]))
    dots = (y**2 + x**2 <= max(side / 10, 1) ** 2) & ~each_pixel(removed, side)
    panel[dots] = (*GREY, 255)
    return _ruled(panel, side)


def plain(original: Array) -> Array:
    """The original; a photograph as it is, since a page enlarges it without being asked."""
    return original if min(original.shape[:2]) >= FINE else enlarged(original)


def enlarged(pixels: Array) -> Array:
    """Each pixel as a square of pixels."""
    return each_pixel(pixels, zoom(*pixels.shape[:2]))


def _ruled(panel: Array, side: int) -> Array:
    """The panel with thin lines between its patches and around them all."""
    y, x = np.indices(panel.shape[:2])
    ends = (y == panel.shape[0] - 1) | (x == panel.shape[1] - 1)
    lines = (y % side == 0) | (x % side == 0) | ends
    below = panel[lines] / 255
    alpha = 0.5 + below[:, 3:] / 2  # of grey, half transparent, laid over what is there
    mixed = (np.array(GREY) / 255 + below[:, :3] * below[:, 3:]) / 2 / alpha
    panel[lines] = np.rint(np.concatenate([mixed, alpha], -1) * 255).astype(np.uint8)
    return panel
