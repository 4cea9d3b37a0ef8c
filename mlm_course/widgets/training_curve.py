"""The training curve: one picture, updated in its place while a model learns."""

import time
from collections.abc import Callable
from typing import Any

import traitlets
from IPython.display import display

from mlm_course.views import chart, checks, training_curve
from mlm_course.views.curve import alternative, image, readings
from mlm_course.widgets.base import CourseWidget, script
from mlm_course.widgets.status import said, status_line

LIVE = "application/vnd.jupyter.widget-view+json"
PAUSE = 0.2  # seconds between two pictures, at least
SHARE = 0.05  # of the time may go into pictures


class TrainingCurve(CourseWidget):
    """Curves of a training that is running, with the floor that no model can get below.

    floor, in the unit of y; total, the number of steps to come, None where it is open; only, the
    word that a curve's name must end with to be drawn ("loss": no accuracy on the same axis), None
    for all. add() and status() may be called after each step: the page gets at most five pictures
    a second, and the last one at finish(). The status line is for the reader who watches; it is no
    part of the static twin, since time and speed are never the same twice.
    """

    _esm = script("training_curve.js")

    status_text = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        floor: float | None = None,
        total: float | None = None,
        title: str = "Training curve",
        x: str = "step",
        y: str = "loss (nats)",
        only: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._how: dict[str, Any] = {"floor": floor, "title": title, "x": x, "y": y}
        self._curves: dict[str, list[tuple[float, float]]] = {}
        self._total, self._step, self._status = total, 0.0, ""
        self._only = only or ""
        self._clock, self._next = clock, 0.0
        self._is_live, self._has_left, self._is_open = False, False, True
        super().__init__(view=self._drawn())

    def add(self, step: float, **values: float | None) -> None:
        """New points, one a curve: add(300, train=0.81, validation=0.79); None adds none."""
        self._step = checks.number("step", step)
        for name, value in values.items():
            if value is not None and name.endswith(self._only):
                point = (self._step, checks.number(name, value))
                self._curves.setdefault(said(name), []).append(point)
        self._refresh()

    def status(self, text: str = "", **values: Any) -> None:
        """The line below the chart: a text, or loss=, floor=, rate= (tokens/s), left= (seconds)."""
        newest = {} if values else {name: pairs[-1][1] for name, pairs in self._curves.items()}
        self._status = text or status_line(self._step, self._total, newest, values)
        self._refresh()

    def finish(self, best: float | None = None) -> None:
        """Shows the last state, with the best step marked; after live(), as a static picture.

        The static picture takes the widget's place, so that a stored notebook holds it, once. The
        widget goes empty and stays open: a page that is loaded anew would miss a closed one.
        """
        if self._has_left:
            return
        self._how["best"] = best
        self._is_open = False
        self._refresh(now=True)
        if self._is_live:
            self._has_left = True
            self.view = {"kind": "training_curve", "gone": True}
            display(self)

    def live(self) -> "TrainingCurve":
        """Shows the widget now, without the static twin, which finish() adds when it is complete."""
        data, metadata = self._repr_mimebundle_()
        self._is_live = True
        display({LIVE: data[LIVE]}, metadata=metadata, raw=True)
        return self

    def picture(self) -> dict[str, Any]:
        """View of all that was added so far."""
        return training_curve(self._curves, **self._how)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self._has_left:
            return {**self.twin(), **self._for_pages()}, {}
        return super()._repr_mimebundle_(**kwargs)

    def page_state(self) -> dict[str, Any]:
        """State of the finished curve, with what a reader is told at each step of it."""
        view = self.picture()
        kept = {
            "x": view["x"],
            "top": chart.TOP / chart.HEIGHT,
            "bottom": chart.BOTTOM / chart.HEIGHT,
            "readings": readings(view),
        }
        drawn = {**self._drawn(), "open": False}
        return {**super().page_state(), "view": drawn, "status_text": "", "offline": kept}

    def _refresh(self, now: bool = False) -> None:
        start = self._clock()
        if self._has_left or (start < self._next and not now):
            return
        self.view = self._drawn()
        self.status_text = self._status
        end = self._clock()
        self._next = start + max(PAUSE, (end - start) / SHARE)

    def _drawn(self) -> dict[str, Any]:
        """What the page needs: it shows the same picture as the static twin."""
        view = self.picture()
        kept = {key: view[key] for key in ("kind", "title", "summary")}
        more = {"image": image(view), "alternative": alternative(view), "open": self._is_open}
        return {**kept, **more}
