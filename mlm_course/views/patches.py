"""Images with patches removed: what was seen, what the model put there, how far off it is."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from mlm_course.views import checks, pixels, table, text
from mlm_course.views.curve import LARGEST, value_text

Array = np.ndarray
MOST_PATCHES = 64 * 64  # of one image, each a box in the page
MOST_PIXELS = 10_000_000  # of all images and frames
MOST_IN_WORDS = 12  # images that the summary tells of
FEWER_SHADES = 64  # of each colour in a reconstruction: a third less to store, and not seen


class PatchFrame(NamedTuple):
    """What a model made of one image at one ratio.

    ratio, 0 to 1, the share of patches removed; mask (rows, columns), or (L,) in reading order,
    1 or True = removed; reconstruction in the shape of the image, floats, looked at where a patch
    is removed. It may leave 0..1: the picture is clipped, the error is not.
    """

    ratio: float
    mask: Any
    reconstruction: Any


class PatchImage(NamedTuple):
    """An image and its frames, one a ratio.

    pixels (H, W), (H, W, C) or (C, H, W), C 1 or 3, floats from 0 (black) to 1.
    """

    name: str
    pixels: Any
    frames: Sequence[PatchFrame]


def patch_grid(
    images: PatchImage | Iterable[PatchImage],
    patch_size: int,
    chosen: float = 0.75,
    title: str | None = None,
) -> dict[str, Any]:
    """View of images with patches removed, at several ratios.

    Every image has one frame for each ratio, the same ratios in all; the frame nearest to the
    ratio chosen is the one shown at first, and the one of the static picture. Errors are mean
    squared errors of a removed patch over its pixels and channels, before clipping. ValueError
    for sizes that patch_size (in pixels) does not divide, shapes that differ, NaN, no frame.
    """
    alone = isinstance(images, PatchImage) or not isinstance(images, Iterable)
    given: list[Any] = [images] if alone else [*images]
    if not given:
        raise ValueError("A patch grid needs at least one image.")
    for place, image in enumerate(given):
        if not isinstance(image, PatchImage):
            raise ValueError(f"images[{place}] must be a PatchImage; it is {type(image).__name__}.")
    size = checks.whole("patch_size", patch_size, ", in pixels")
    if size < 1:
        raise ValueError(f"patch_size must be an integer, in pixels; it is {patch_size!r}.")
    ratios = _ratios(given)
    view: dict[str, Any] = {
        "kind": "patch_grid",
        "title": text.heading(title),
        "patch": size,
        "ratios": ratios,
        "frame": _nearest(ratios, chosen),
        "images": [_image(image, size) for image in given],
    }
    drawn = sum(i["height"] * i["width"] * (1 + len(i["frames"])) for i in view["images"])
    checks.at_most("pixels of all frames", drawn, MOST_PIXELS, "Pass fewer or smaller images.")
    return {**view, "summary": _summary(view)}


# ---------------------------------------------------------------- reading


def _ratios(images: list[PatchImage]) -> list[float]:
    """The ratios in rising order; every image has each of them once."""
    ratios = []
    for image in images:
        frames: list[Any] = [*image.frames] if isinstance(image.frames, list | tuple) else [None]
        if not all(isinstance(frame, PatchFrame) for frame in frames):
            raise ValueError(f"{_said(image)} needs a list of PatchFrame, one for each ratio.")
        if not frames:
            raise ValueError(f"{_said(image)} has no frames; it needs one for each ratio.")
        ratios.append(sorted(_share("ratio", frame.ratio) for frame in image.frames))
        if len(set(ratios[-1])) < len(ratios[-1]):
            raise ValueError(f"{_said(image)} has two frames for one ratio; keep one of them.")
        if ratios[-1] != ratios[0]:
            raise ValueError(
                f"{_said(image)} has frames for other ratios than {_said(images[0])}; "
                "give every image the same."
            )
    return ratios[0]


def _share(name: str, value: Any) -> float:
    number = checks.numbers(name, value)
    if number.ndim or not 0 <= number <= 1:
        raise ValueError(f"{name} must be one number from 0 to 1; it is {text.label(str(value))}.")
    return round(float(number), 6)


def _nearest(ratios: list[float], chosen: float) -> int:
    wanted = _share("chosen", chosen)
    return min(range(len(ratios)), key=lambda place: abs(ratios[place] - wanted))


def _said(image: PatchImage) -> str:
    return text.quoted(_name(image))


def _name(image: PatchImage) -> str:
    return text.label(checks.tokens_of("name of an image", [image.name])[0])


def _image(image: PatchImage, patch: int) -> dict[str, Any]:
    """One image as the page needs it: its PNG, and its frames by rising ratio."""
    original = _pixels(f"pixels of {_said(image)}", image.pixels)
    height, width = original.shape[:2]
    if original.min() < 0 or original.max() > 1:
        ends = f"from {value_text(original.min())} to {value_text(original.max())}"
        raise ValueError(f"pixels of {_said(image)} must be floats from 0 to 1; they go {ends}.")
    if height % patch or width % patch:
        sides = f"{height} by {width} pixels"
        raise ValueError(f"{_said(image)} has {sides}, which patches of {patch} do not divide.")
    patches = height * width // patch**2
    instead = "Take larger patches, or a part of the image."
    checks.at_most(f"patches of {_said(image)}", patches, MOST_PATCHES, instead)
    frames = sorted(image.frames, key=lambda frame: _share("ratio", frame.ratio))
    read = [_frame(_said(image), original, frame, patch) for frame in frames]
    return {
        "name": _name(image),
        "height": height,
        "width": width,
        "original": pixels.address(pixels.colours(original)),
        "alternative": f"{text.isolated(_name(image))}, original: {height} by {width} pixels.",
        "largest": max((e for frame in read for e, _, _ in _told(frame)), default=0.0),
        "frames": [{**frame, **_words(text.isolated(_name(image)), frame)} for frame in read],
    }


def _pixels(name: str, values: Any) -> Array:
    """Floats (H, W, C) of an image; C is 1 or 3."""
    array = checks.numbers(name, values)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3 and array.shape[-1] not in (1, 3) and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.ndim != 3 or array.shape[-1] not in (1, 3) or not array.size:
        raise ValueError(
            f"{name} must be (H, W), (H, W, 3) or (3, H, W) and not empty; "
            f"the shape is {np.shape(array)}."
        )
    return array


def _frame(said: str, original: Array, frame: PatchFrame, patch: int) -> dict[str, Any]:
    where = f"of {said} at ratio {text.number(float(frame.ratio))}"
    rows, columns = (n // patch for n in original.shape[:2])
    removed = _mask(f"mask {where}", frame.mask, rows, columns)
    made = _pixels(f"reconstruction {where}", frame.reconstruction)
    if made.shape != original.shape:
        shapes = f"{made.shape}, the image {original.shape}"
        raise ValueError(f"reconstruction {where} has another shape than the image: {shapes}.")
    if np.abs(made).max() > LARGEST:
        raise ValueError(f"reconstruction {where} holds numbers too large for their squares.")
    errors = patch_errors(original, made, patch)
    shades = 256 if original.shape[-1] == 1 else FEWER_SHADES
    return {
        "ratio": _share("ratio", frame.ratio),
        "removed": int(removed.sum()),
        "patches": removed.size,
        "error": text.encoded(errors[removed].mean()) if removed.any() else None,
        "errors": [
            [text.encoded(e) if gone else None for e, gone in zip(*pair, strict=True)]
            for pair in zip(errors.tolist(), removed.tolist(), strict=True)
        ],
        "restored": pixels.address(pixels.colours(made, pixels.each_pixel(removed, patch), shades)),
    }


def _mask(name: str, values: Any, rows: int, columns: int) -> Array:
    """Boolean (rows, columns), True = removed."""
    array = checks.numbers(name, values)
    if array.shape not in ((rows, columns), (rows * columns,)):
        wanted = f"({rows}, {columns}) or ({rows * columns},)"
        raise ValueError(f"{name} must have one number a patch, {wanted}, not {array.shape}.")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must hold 0 (visible) and 1 (removed) only.")
    return array.reshape(rows, columns) == 1


def patch_errors(original: Array, made: Array, patch: int) -> Array:
    """Mean squared error of each patch (rows, columns), of images (H, W, C)."""
    squares = ((made - original) ** 2).mean(-1)
    rows, columns = (n // patch for n in squares.shape)
    return squares.reshape(rows, patch, columns, patch).mean((1, 3))


# ---------------------------------------------------------------- in words


def _words(name: str, frame: dict[str, Any]) -> dict[str, Any]:
    """The frame as a sentence, and what a screen reader says in place of its panels."""
    removed, patches, ratio = frame["removed"], frame["patches"], text.number(frame["ratio"])
    gone = f"{removed} of {text.count(patches, 'patch', 'patches')} removed"
    missed = ""
    if removed:
        missed = f", mean squared error {value_text(frame['error'])}"
    return {
        "words": f"{name}, ratio {ratio}: {gone}{missed}{_worst(frame)}.",
        "alternatives": {
            "seen": f"{name}, what the encoder saw: {gone}, {patches - removed} visible.",
            "restored": f"{name}, reconstruction: {gone} and filled in by the model{missed}.",
            "errors": f"{name}, error of each removed patch: {gone}{missed}{_worst(frame)}.",
        },
    }


def _worst(frame: dict[str, Any]) -> str:
    """The patch with the largest error, counted from 1."""
    told = _told(frame)
    if not told:
        return ""
    error, row, column = max(told, key=lambda cell: cell[0])
    return f"; largest {value_text(error)} in row {row + 1}, column {column + 1}"


def _told(frame: dict[str, Any]) -> list[tuple[float, int, int]]:
    """Error, row and column of each removed patch."""
    cells = ((e, r, c) for r, row in enumerate(frame["errors"]) for c, e in enumerate(row))
    return [cell for cell in cells if cell[0] is not None]


def _summary(view: dict[str, Any]) -> str:
    images, place = view["images"], view["frame"]
    lead = f"{view['title']}: " if view["title"] else ""
    patch = view["patch"]
    lines = [f"{lead}{text.count(len(images), 'image')} in patches of {patch} by {patch} pixels."]
    lines += [image["frames"][place]["words"] for image in images[:MOST_IN_WORDS]]
    if len(images) > MOST_IN_WORDS:
        lines.append(f"And {text.count(len(images) - MOST_IN_WORDS, 'more image')}.")
    if len(view["ratios"]) > 1:
        lines.append(f"Mean squared error by ratio: {_by_ratio(view)}.")
    return "\n".join(lines)


def _by_ratio(view: dict[str, Any]) -> str:
    """Error at each ratio, the mean of the images."""
    told = []
    for place, ratio in enumerate(view["ratios"]):
        errors = [image["frames"][place]["error"] for image in view["images"]]
        known = [e for e in errors if e is not None]
        mean = value_text(sum(known) / len(known)) if known else "nothing removed"
        told.append(f"{mean} at {text.number(ratio)}")
    return ", ".join(told)


# ---------------------------------------------------------------- picture


def html(view: dict[str, Any]) -> str:
    """Static HTML: for each image four panels at the chosen ratio, two and two side by side."""
    widest = 620 if len(view["images"]) > 1 else 860
    parts = [_row(image, view["frame"], view["patch"], widest) for image in view["images"]]
    ratio = f"ratio {text.number(view['ratios'][view['frame']])}"
    title = f"{view['title']}, {ratio}" if view["title"] else ratio.capitalize()
    return table.figure(*parts, _legend(view), summary=view["summary"], title=title)


def _legend(view: dict[str, Any]) -> str:
    words = "Hatched: removed, not seen by the encoder. Dot: visible, so no error is counted."
    if len(view["ratios"]) > 1:
        words += f" The live widget shows {len(view['ratios'])} ratios."
    return f'<div style="width:100%;font-size:12px">{words}</div>'


def _row(image: dict[str, Any], place: int, patch: int, widest: int) -> str:
    frame = image["frames"][place]
    alternatives = {"original": image["alternative"], **frame["alternatives"]}
    painted = zip(_painted(image, frame, patch), _captions(image), strict=True)
    panels = [_panel(said, pixels.address(p), alternatives[name]) for (name, p), said in painted]
    pairs = "".join(f'<div style="{_PAIR}">{a}{b}</div>' for a, b in (panels[:2], panels[2:]))
    name = f'<div dir="auto" style="font-weight:600">{escape(image["name"], True)}</div>'
    style = f"flex:1 1 520px;min-width:0;max-width:{widest}px"
    return f'<div style="{style}">{name}<div style="{_PAIRS}">{pairs}</div></div>'


def _painted(image: dict[str, Any], frame: dict[str, Any], patch: int) -> list[tuple[str, Array]]:
    original, restored = pixels.read(image["original"]), pixels.read(frame["restored"])
    errors = np.array([[np.nan if e is None else e for e in row] for row in frame["errors"]])
    removed, top = ~np.isnan(errors), image["largest"] or 1.0
    return [
        ("original", pixels.plain(original)),
        ("seen", pixels.seen(original, removed, patch)),
        ("restored", pixels.filled(original, restored, patch)),
        ("errors", pixels.errors(np.nan_to_num(errors) / top, removed, patch)),
    ]


def _captions(image: dict[str, Any]) -> list[str]:
    scale = f"error, 0 to {value_text(image['largest'])}"
    return ["original", "what the encoder saw", "reconstruction", scale]


def _panel(caption: str, source: str, alternative: str) -> str:
    drawn = f'<img alt="{escape(alternative, True)}" src="{source}" style="{_IMAGE}">'
    return f'<div style="{_PANEL}"><div style="font-size:12px">{caption}</div>{drawn}</div>'


_PAIRS = "display:flex;flex-wrap:wrap;gap:12px"
_PAIR = "display:flex;gap:12px;flex:1 1 240px;min-width:0;align-items:flex-end"
_PANEL = "flex:1 1 0;min-width:0"
_IMAGE = "display:block;width:100%;height:auto;margin:0"
