"""What every widget of the course has in common: one view, one look, a twin without a kernel."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mlm_course.views import render_html
from mlm_course.views.text import lines

HERE = Path(__file__).parent


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

    def __repr__(self) -> str:
        return str(self.picture()["summary"])

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        live = super()._repr_mimebundle_(**kwargs)
        data, metadata = live if isinstance(live, tuple) else (live or {}, {})
        twin = {"text/plain": repr(self), "text/html": render_html(self.picture())}
        return {**data, **twin}, metadata


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
