"""What every widget of the course has in common: one view, one look, a twin without a kernel."""

import math
import os
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mlm_course.views import render_html
from mlm_course.views.text import lines

HERE = Path(__file__).parent
PAGE_MIME = "application/vnd.mlm-course.widget+json"  # a widget's name and state, for the book
FOR_PAGES = "MLM_COURSE_PAGES"  # environment variable that the builder sets for its kernels
NOT_OURS = ("layout", "tabbable", "tooltip")  # traits that every Jupyter widget has


def script(*names: str) -> str:
    """JavaScript module of a widget: the shared functions, then its own files."""
    return "\n".join((HERE / part).read_text("utf-8") for part in ("shared.js", *names))


class CourseWidget(anywidget.AnyWidget):
    """Widget over a view, a plain dict that crosses to the page as one traitlet.

    Beside the live widget it offers its static twin (text/html) and its summary (text/plain),
    which do not change from run to run and stay when the kernel is gone.
    """

    _css = (HERE / "shared.css").read_text("utf-8")
    # ipywidgets 7 shows a widget through _ipython_display_, and what is below would not be asked.
    _ipython_display_ = None

    view = traitlets.Dict().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda *_: self.send({"answer": "here"}))  # the page asks whether Python lives

    def picture(self) -> dict[str, Any]:
        """View of what the widget shows now, for its static twin."""
        return dict(self.view)

    def page_state(self) -> dict[str, Any]:
        """Every trait that the page sees, as JSON, for a page of the book, where no kernel is.

        Floats are rounded to four significant digits. A subclass may add, as "offline", what its
        JavaScript needs to answer without Python.
        """
        names = [name for name in self.keys if not name.startswith("_") and name not in NOT_OURS]
        return {name: rounded(getattr(self, name)) for name in names}

    def __repr__(self) -> str:
        return str(self.picture()["summary"])

    def twin(self) -> dict[str, str]:
        """What is there without a kernel, by MIME type; the same at every run."""
        return {"text/plain": repr(self), "text/html": render_html(self.picture())}

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = super()._repr_mimebundle_(**kwargs)
        data, metadata = live if isinstance(live, tuple) else (live or {}, {})
        return {**data, **self.twin(), **self._for_pages()}, metadata

    def _for_pages(self) -> dict[str, Any]:
        """Name and state by PAGE_MIME, while the builder runs a lesson; else nothing."""
        if not os.environ.get(FOR_PAGES):
            return {}
        return {PAGE_MIME: {"name": type(self).__name__, "state": self.page_state()}}


def rounded(value: Any) -> Any:
    """Plain data with its floats at four significant digits; None for what is not finite."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    return value


class AnsweringWidget(CourseWidget):
    """Widget whose page asks Python: each question gets one answer, or one sentence on what is wrong.

    A class of this kind says what the question is (`_question`) and answers it (`_respond`), and
    observes its parts with `_answer`. Where that fails, error says so and the last answer stays.
    """

    asked = traitlets.Int(0).tag(sync=True)  # number of the page's question, so far
    answered = traitlets.Int(0).tag(sync=True)  # number of the question that was answered last
    error = traitlets.Unicode().tag(sync=True)

    _key: tuple[Any, ...] = ()

    def _question(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _respond(self) -> None:
        raise NotImplementedError

    def _failure(self, problem: BaseException) -> str:
        return lines((str(problem) or type(problem).__name__).splitlines()[0])

    def _answer(self, change: Any = None) -> None:
        """Answers, once for each question; a failure becomes one sentence and changes nothing else."""
        key = *self._question(), self.asked
        if key == self._key:
            return
        self._key = key
        with self.hold_sync():
            try:
                self._respond()
                self.error = ""
            except (Exception, KeyboardInterrupt) as problem:
                self.error = self._failure(problem)
            self.answered = self.asked
