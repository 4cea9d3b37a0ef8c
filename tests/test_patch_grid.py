import json
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from anywidget import AnyWidget
from hostile import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_sample_images

from mlm_course.views import PatchFrame, PatchImage, patch_grid, render_html
from mlm_course.views import pixels as paint
from mlm_course.views.patches import patch_errors
from mlm_course.views.style import BLUE, GREY
from mlm_course.views.text import label
from mlm_course.widgets import PatchGrid

NAN = float("nan")
DIGIT = load_digits().images[0] / 16  # (8, 8)
CORNER = np.array([[1, 0, 0, 0], *[[0] * 4] * 3])
MOST = 1 - CORNER[::-1, ::-1]  # 15 of 16 removed


def digit(name="nought", frames=None):
    ours = [PatchFrame(0.0625, CORNER, DIGIT + 0.5), PatchFrame(0.9375, MOST, DIGIT * 0)]
    return PatchImage(name, DIGIT, ours if frames is None else frames)


def noisy(image, patch, ratios, seed=0):
    """Frames with a blurred and slightly noisy image in place of what a model makes."""
    random = np.random.default_rng(seed)
    rows, columns = (n // patch for n in image.shape[:2])
    order = random.permutation(rows * columns)
    wide = np.pad(image, [(2, 2), (2, 2)] + [(0, 0)] * (image.ndim - 2), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (5, 5), (0, 1))
    blurred = windows.mean((-2, -1))
    frames = []
    for ratio in ratios:
        mask = np.zeros(rows * columns)
        mask[order[: round(ratio * mask.size)]] = 1
        made = blurred + random.normal(size=image.shape) * 0.01
        frames.append(PatchFrame(ratio, mask, made))
    return frames


class Images(HTMLParser):
    """The <img> elements of a piece of HTML, by their alternative texts; the text around them."""

    def __init__(self, html):
        super().__init__()
        self.images, self.texts = {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images[dict(attrs)["alt"]] = paint.read(dict(attrs)["src"])

    def handle_data(self, data):
        self.texts.append(data)


def painted(view):
    return list(Images(render_html(view)).images.values())


# ---------------------------------------------------------------- errors


def test_errors_are_means_over_the_pixels_of_a_removed_patch():
    frame = patch_grid(digit(), 2, chosen=0)["images"][0]["frames"][0]
    assert (frame["removed"], frame["patches"], frame["error"]) == (1, 16, 0.25)
    assert frame["errors"][0] == [0.25, None, None, None]
    frame = patch_grid(digit(), 2)["images"][0]["frames"][1]
    by_hand = np.array(
        [[(DIGIT[i : i + 2, j : j + 2] ** 2).mean() for j in (0, 2, 4, 6)] for i in (0, 2, 4, 6)]
    )
    assert frame["error"] == pytest.approx(by_hand[MOST == 1].mean(), abs=1e-6)
    expected = np.where(MOST == 1, by_hand, NAN)
    np.testing.assert_allclose(np.array(frame["errors"], float), expected, atol=1e-6)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.sampled_from([1, 3]))
def test_errors_of_any_size_and_colour(rows, columns, patch, channels):
    random = np.random.default_rng(rows + 5 * columns)
    shape = (rows * patch, columns * patch, channels)
    image, made = random.random(shape), random.random(shape)
    errors = patch_errors(image, made, patch)
    for t in range(rows):
        for s in range(columns):
            cut = np.s_[t * patch : (t + 1) * patch, s * patch : (s + 1) * patch]
            assert errors[t, s] == pytest.approx(((image - made)[cut] ** 2).mean())


def test_the_error_is_taken_before_clipping_and_the_picture_after():
    frame = PatchFrame(0.5, CORNER, np.full((8, 8), 3.0))
    image = patch_grid(PatchImage("black", np.zeros((8, 8)), [frame]), 2)["images"][0]
    assert image["frames"][0]["error"] == image["largest"] == 9.0
    assert paint.read(image["frames"][0]["restored"])[0, 0].tolist() == [255] * 4


def test_what_the_model_says_of_visible_patches_is_not_shown():
    made = np.where(paint.each_pixel(CORNER == 1, 2), 1.0, 0.5)
    image = patch_grid(PatchImage("black", np.zeros((8, 8)), [PatchFrame(0.1, CORNER, made)]), 2)
    restored = paint.read(image["images"][0]["frames"][0]["restored"])
    assert (restored[:2, :2] == 255).all()
    restored[:2, :2] = 0
    assert not restored.any()


# ---------------------------------------------------------------- what it takes


def test_arrays_tensors_and_lists_make_the_same_view():
    frames = [PatchFrame(0.25, CORNER.tolist(), (DIGIT / 2).tolist())]
    plain = patch_grid(PatchImage("a", DIGIT.tolist(), frames), 2)
    image = torch.tensor(DIGIT, requires_grad=True)
    for mask in (torch.tensor(CORNER).bool(), torch.tensor(CORNER).float().flatten()):
        made = image[None] / 2  # (1, 8, 8)
        assert (
            patch_grid([PatchImage("a", image[None], [PatchFrame(0.25, mask, made)])], 2) == plain
        )


def test_colours_may_come_first_or_last():
    image = np.random.default_rng(0).random((4, 6, 3))
    frames = [PatchFrame(0.5, [[1, 0, 1], [0, 0, 1]], 1 - image)]
    last = patch_grid(PatchImage("a", image, frames), 2)
    first = [frames[0]._replace(reconstruction=torch.tensor(1 - image).permute(2, 0, 1))]
    assert patch_grid(PatchImage("a", torch.tensor(image).permute(2, 0, 1), first), 2) == last
    original = paint.read(last["images"][0]["original"])
    np.testing.assert_array_equal(original[..., :3], np.rint(image * 255))


def test_frames_are_sorted_and_the_nearest_is_chosen():
    view = patch_grid(digit(frames=digit().frames[::-1]), 2, chosen=0.2)
    assert (view["ratios"], view["frame"]) == ([0.0625, 0.9375], 0)
    assert view == patch_grid(digit(), 2, chosen=0)
    assert patch_grid(digit(), 2)["frame"] == 1


def test_nothing_removed_and_everything_removed():
    ends = [PatchFrame(0, CORNER * 0, DIGIT), PatchFrame(1, CORNER * 0 + 1, DIGIT)]
    view = patch_grid(digit(frames=ends), 2, chosen=0)
    assert view["images"][0]["frames"][0]["error"] is None
    assert view["images"][0]["frames"][0]["words"] == "nought, ratio 0.00: 0 of 16 patches removed."
    assert "nothing removed at 0.00, 0.000 at 1.00." in view["summary"]
    assert len(painted(view)) == 4  # no error anywhere, no division by zero


GREY_IMAGE = np.full((8, 8), 0.5)
ONE = [PatchFrame(0.5, CORNER, GREY_IMAGE)]


def wrong(pixels=GREY_IMAGE, patch=2, name="x", **frame):
    return lambda: patch_grid(PatchImage(name, pixels, [ONE[0]._replace(**frame)]), patch)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: patch_grid([], 2), "at least one image"),
        (lambda: patch_grid(digit(frames=[]), 2), "“nought” has no frames"),
        (lambda: patch_grid(digit(frames=ONE * 2), 2), "two frames for one ratio"),
        (lambda: patch_grid([digit(), digit("b", ONE)], 2), "“b” has frames for other ratios"),
        (lambda: patch_grid(digit(), 2, chosen=75), "chosen must be one number from 0 to 1; it is 75"),
        (wrong(ratio=1.5), "ratio must be one number from 0 to 1; it is 1.5"),
        (wrong(ratio=NAN), "ratio holds NaN"),
        (wrong(patch=3), "8 by 8 pixels, which patches of 3 do not divide"),
        (wrong(patch=0), "patch_size must be an integer, in pixels; it is 0"),
        (wrong(patch=2.0), "patch_size must be an integer, in pixels; it is 2.0"),
        (wrong(mask=np.zeros((2, 2))), r"one number a patch, \(4, 4\) or \(16,\), not \(2, 2\)"),
        (wrong(mask=np.full((4, 4), 0.5)), "0 .visible. and 1 .removed. only"),
        (wrong(mask=[[0], [0, 1]]), "rectangular"),
        (wrong(reconstruction=np.zeros((4, 4))), "another shape than the image"),
        (wrong(reconstruction=np.zeros((8, 8, 3))), "another shape than the image"),
        (wrong(reconstruction=GREY_IMAGE * NAN), "reconstruction of “x” at ratio 0.50 holds NaN"),
        (wrong(reconstruction=GREY_IMAGE * np.inf), "infinite"),
        (wrong(reconstruction=GREY_IMAGE * 1e200), "too large"),
        (wrong(pixels=GREY_IMAGE * 16), "floats from 0 to 1; they go from 8.000 to 8.000"),
        (wrong(pixels=GREY_IMAGE - 1), "must be floats from 0 to 1"),
        (wrong(pixels=np.zeros((8, 8, 2))), r"must be \(H, W\)"),
        (wrong(pixels=np.zeros((0, 8))), "not empty"),
        (wrong(pixels=[["a"]]), "must hold numbers"),
        (wrong(name=None), "name of an image.* must be a string"),
        (wrong(name="a\nb", patch=3), "“a↵b” has 8 by 8"),
    ],
)  # fmt: skip
def test_what_does_not_fit_ends_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- in words


def test_the_summary_tells_each_image_and_each_ratio():
    view = patch_grid([digit(), digit("zero")], 2, chosen=0, title="Digits")
    said = "ratio 0.06: 1 of 16 patches removed, mean squared error 0.250; largest 0.250 in row 1, column 1."
    error = view["images"][0]["frames"][1]["error"]
    assert view["summary"] == (
        f"Digits: 2 images in patches of 2 by 2 pixels.\nnought, {said}\nzero, {said}\n"
        f"Mean squared error by ratio: 0.250 at 0.06, {error:.3f} at 0.94."
    )


def test_every_panel_says_what_it_shows():
    html = Images(render_html(patch_grid(digit(), 2, chosen=0)))
    assert list(html.images) == [
        "nought, original: 8 by 8 pixels.",
        "nought, what the encoder saw: 1 of 16 patches removed, 15 visible.",
        "nought, reconstruction: 1 of 16 patches removed and filled in by the model, "
        "mean squared error 0.250.",
        "nought, error of each removed patch: 1 of 16 patches removed, "
        "mean squared error 0.250; largest 0.250 in row 1, column 1.",
    ]
    largest = patch_grid(digit(), 2)["images"][0]["largest"]
    assert {"original", "reconstruction", f"error, 0 to {largest:.3f}"} <= set(html.texts)


def test_many_images_are_told_in_a_few_lines():
    lines = patch_grid([digit(str(n)) for n in range(40)], 2)["summary"].splitlines()
    assert len(lines) == 15
    assert lines[-2] == "And 28 more images."


# ---------------------------------------------------------------- panels


def test_the_panels_show_what_they_should():
    original, seen, filled, errors = painted(patch_grid(digit(), 2, chosen=0))
    assert original.shape == seen.shape == filled.shape == errors.shape == (192, 192, 4)
    inner = np.s_[2:46, 2:46]  # the removed patch without the grid
    middle = original[12::24, 12::24, 0]
    np.testing.assert_array_equal(middle, np.rint(DIGIT * 255))
    np.testing.assert_array_equal(seen[12::24, 12::24, 0][2:], middle[2:])
    np.testing.assert_array_equal(filled[12::24, 12::24, 0][2:], middle[2:])
    expected = np.rint(np.clip(DIGIT[:2, :2] + 0.5, 0, 1) * 255)
    np.testing.assert_array_equal(filled[12:48:24, 12:48:24, 0], expected)
    assert (filled[..., 3] == 255).all()
    alphas, shares = np.unique(seen[inner][..., 3], return_counts=True)
    assert alphas.tolist() == [0, 255]  # the page behind, and lines
    assert 0.15 < shares[1] / shares.sum() < 0.45
    strokes = seen[inner][seen[inner][..., 3] == 255]
    assert (strokes == (paint.INK,) * 3 + (255,)).all()  # neither black nor white
    largest = patch_grid(digit(), 2)["images"][0]["largest"]
    assert errors[24, 24, :3].tolist() == list(BLUE)
    assert errors[24, 24, 3] == round(round(0.25 / largest * 20) / 20 * 255)
    assert errors[24, 72].tolist() == [*GREY, 255]  # a dot
    assert errors[10, 60, 3] == 0
    assert errors[0, 60].tolist() == [*GREY, 128]  # the grid


def test_patches_are_told_apart_by_a_thin_grid():
    filled = painted(patch_grid(PatchImage("x", GREY_IMAGE * 0, ONE), 2))[2][..., 0]
    lines = np.flatnonzero(filled[100] > 0)
    assert lines.tolist() == [0, 48, 96, 144, 191]
    assert filled[100][lines].tolist() == [round(GREY[0] / 2)] * 5


def test_an_image_need_not_be_square():
    image = np.zeros((4, 12, 3))
    view = patch_grid(PatchImage("x", image, [PatchFrame(0.2, np.eye(2, 6), image + 0.5)]), 2)
    assert {panel.shape for panel in painted(view)} == {(64, 192, 4)}
    assert np.array(view["images"][0]["frames"][0]["errors"]).shape == (2, 6)


@pytest.fixture(scope="module")
def photographs():
    """Six crops of photographs, each at five ratios."""
    corners = [(100, 100), (150, 300), (200, 200), (60, 250), (300, 400), (200, 400)]
    photos = [photo / 255 for photo in load_sample_images().images]
    crops = [photos[n % 2][y : y + 96, x : x + 96] for n, (y, x) in enumerate(corners)]
    ratios = (0.25, 0.5, 0.65, 0.75, 0.9)
    return [PatchImage(f"crop {n}", c, noisy(c, 8, ratios)) for n, c in enumerate(crops)]


@pytest.mark.slow
def test_six_photographs_at_five_ratios_stay_small(photographs):
    view = patch_grid(photographs, 8)
    assert len(json.dumps(view, allow_nan=False)) < 600_000
    assert len(render_html(view)) < 600_000


def test_a_reconstruction_keeps_its_colours(photographs):
    image = patch_grid(photographs[:1], 8)["images"][0]
    restored = paint.read(image["frames"][3]["restored"])
    shown = restored[..., 3] == 255
    assert shown.mean() == image["frames"][3]["removed"] / 144
    made = np.clip(photographs[0].frames[3].reconstruction, 0, 1) * 255
    assert len(np.unique(restored[..., 0])) <= 64
    assert np.abs(restored[..., :3] - made)[shown].max() <= 2.6  # 64 shades


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.booleans())
def test_a_png_keeps_every_byte(height, width, grey, opaque):
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 4), np.uint8)
    if grey:
        pixels[..., :3] = pixels[..., :1]
    if opaque:
        pixels[..., 3] = 255
    np.testing.assert_array_equal(paint.read(paint.address(pixels)), pixels)


# ---------------------------------------------------------------- the page


def test_hostile_names_stay_text():
    view = patch_grid([digit(name) for name in HOSTILE], 2, title=HOSTILE[0])
    json.dumps(view).encode()
    html = render_html(view)
    assert "<b id" not in html and "<svg" not in html and "<img src=x" not in html
    assert len(Images(html).images) == 4 * len({label(name) for name in HOSTILE})


def test_the_widget_is_its_view_and_nothing_else_crosses():
    widget = PatchGrid([digit()], 2, chosen=0, title="Digits")
    assert widget.view == patch_grid([digit()], 2, 0, "Digits")
    ours = [name for name in widget.keys if name not in AnyWidget().keys and name[0] != "_"]
    assert ours == ["view"]
    assert "send(" not in widget._esm.split("const SIDE")[1]  # nothing goes back to Python
