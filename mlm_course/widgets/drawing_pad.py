"""The drawing pad: a digit drawn by the reader, and beside it what a model makes of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import traitlets
from torch import Tensor

from mlm_course.views import drawing_pad, ink
from mlm_course.views.drawing import ink_of, named_pictures
from mlm_course.views.text import count, heading
from mlm_course.widgets.base import AnsweringWidget, script

Pictures = Mapping[str, Any] | Iterable[tuple[str, Any]]
MOST_POINTS = 4000  # of all strokes; a digit has one or two hundred


class PageModel(NamedTuple):
    """What restores a drawing in a page of the book, which has no Python: an ImageMAE of the course.

    checkpoint, its name; kept, the places of the patches that stay; mean and spread, what is taken
    out of the pixels; names, of what is left of a drawing and of what the model makes of that.
    """

    checkpoint: str
    kept: Sequence[int]
    mean: float
    spread: float
    names: tuple[str, str]


class DrawingPad(AnsweringWidget):
    """A pad of 28 x 28 pixels to draw a digit on, by pointer or by keys; `image` reads it.

    image, a picture to begin with, floats 0 (paper) to 1 (ink), with or without axes of size 1
    before (28, 28). restore, a function of the drawing (1, 1, 28, 28), centred, that returns
    pictures by their names: a dict, or a list of (name, picture), each (28, 28) or (N, 1, 28, 28),
    NaN where a pixel was removed. It is called without gradients whenever the drawing changes, and
    its pictures stand beside the pad; where it fails, error says so. strokes, lists of points
    [x, y] in pixels from the upper left corner, and with_picture, whether the picture to begin with
    still lies under them, follow what the reader does and may be set. in_page does what restore
    does where there is no Python. ValueError for other shapes.
    """

    _esm = script("model.js", "mae.js", "drawn_ink.js", "drawing_pad.js")

    strokes: Any = traitlets.List().tag(sync=True)
    with_picture = traitlets.Bool(False).tag(sync=True)
    pictures: Any = traitlets.List().tag(sync=True)

    def __init__(
        self,
        image: Any = None,
        restore: Callable[[Tensor], Pictures] | None = None,
        title: str | None = None,
        in_page: PageModel | None = None,
    ) -> None:
        if restore is not None and not callable(restore):
            kind = type(restore).__name__
            raise ValueError(f"restore must be a function of a picture; it is {kind}.")
        blank = np.zeros((ink.SIDE, ink.SIDE))
        self._picture = blank if image is None else ink_of("image", image)
        self._restore, self._in_page = restore, in_page
        shades = np.rint(self._picture * 255).astype(int).ravel().tolist()
        brush = {"side": ink.SIDE, "box": ink.BOX, "radius": ink.RADIUS, "fade": ink.FADE}
        view = {"title": heading(title), **brush, "start": shades, "most": MOST_POINTS}
        super().__init__(view=view, with_picture=bool(self._picture.any()))
        self._answer()
        self.observe(self._answer, ["strokes", "with_picture", "asked"])

    def image(self) -> Tensor:
        """What is drawn, as MNIST's digits are: (1, 1, 28, 28), float32, 0 (paper) to 1 (ink).

        It fits into 20 x 20 pixels and its centre of mass lies in the middle; strokes alone keep
        the width of the brush. ValueError for an empty pad. Source: LeCun et al. 1998.
        """
        drawn = self._drawn()
        if not drawn.any():
            raise ValueError("The pad is empty: draw a digit on it first.")
        digit = ink.in_box(drawn) if self.with_picture else ink.rendered(ink.fitted(self.strokes))
        return torch.tensor(ink.centred(digit), dtype=torch.float32)[None, None]

    def page_state(self) -> dict[str, Any]:
        """State with what the page needs to restore a drawing by itself."""
        if self._in_page is None:
            return {**super().page_state(), "offline": {"restores": self._restore is None}}
        checkpoint, kept, mean, spread, names = self._in_page
        about = {"kept": [int(place) for place in kept], "mean": mean, "spread": spread}
        offline = {**about, "names": list(names), "restores": True}
        return {**super().page_state(), "checkpoint": checkpoint, "offline": offline}

    def _drawn(self) -> np.ndarray:
        """Ink (28, 28) as it lies on the pad."""
        drawn = ink.rendered(self.strokes)
        return np.maximum(drawn, self._picture) if self.with_picture else drawn

    def _question(self) -> tuple[Any, ...]:
        return repr(self.strokes), self.with_picture

    def _respond(self) -> None:
        """Makes the pictures beside the pad; where restore fails, the centred drawing stays."""
        self.pictures = []
        if not self._drawn().any():
            return
        image = self.image()
        self.pictures = named_pictures({"centred": image})
        if self._restore is not None:
            with torch.no_grad():
                restored = self._restore(image.clone())
            self.pictures = [*self.pictures, *named_pictures(restored)]

    def _failure(self, problem: BaseException) -> str:
        return f"restore could not answer: {super()._failure(problem)}"

    @traitlets.validate("strokes")
    def _readable(self, proposal: dict[str, Any]) -> Any:
        strokes = proposal["value"]
        if not all(map(_is_stroke, strokes)) or sum(map(len, strokes)) > MOST_POINTS:
            raise traitlets.TraitError(
                f"strokes must be lists of points [x, y] from 0 to {ink.SIDE}, none of them empty, "
                f"with at most {MOST_POINTS:,} points in all."
            )
        return strokes

    def picture(self) -> dict[str, Any]:
        """View of what is drawn and of the pictures beside it."""
        view = drawing_pad(self._drawn(), self.pictures, self.view["title"], self._said())
        return {**view, "summary": "\n".join([view["summary"], *self.error.splitlines()])}

    def _said(self) -> str:
        """What lies on the pad, in a sentence; the same as in drawing_pad.js."""
        strokes = [count(len(self.strokes), "stroke")] if self.strokes else []
        parts = [*(["a given picture"] if self.with_picture else []), *strokes]
        return f"On the pad: {' and '.join(parts) or 'nothing yet'}."


def _is_stroke(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_on_pad, value))


def _is_on_pad(point: Any) -> bool:
    pair = isinstance(point, list | tuple) and len(point) == 2
    return pair and all(isinstance(x, int | float) and 0 <= x <= ink.SIDE for x in point)
