"""What every widget of the course has in common: one view, one look, a twin without a kernel."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from mlm_course.views import render_html

HERE = Path(__file__).parent


def script(name: str) -> str:
    """JavaScript module of a widget: the shared functions, then its own file."""
    return "\n".join((HERE / part).read_text("utf-8") for part in ("shared.js", name))


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
