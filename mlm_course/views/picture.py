"""From a view to something a notebook shows: static HTML, and the same in words."""

from typing import Any

from mlm_course.views import (
    attention,
    curve,
    drawing,
    guesses,
    heat,
    mask,
    refinement,
    search,
    strip,
    weights,
)
from mlm_course.views.patches import html as patch_grid_html

View = dict[str, Any]

RENDERERS = {
    "token_strip": strip.html,
    "heat_map": heat.html,
    "mask_matrix": mask.html,
    "attention": attention.html,
    "weights": weights.html,
    "training_curve": curve.html,
    "patch_grid": patch_grid_html,
    "refinement": refinement.html,
    "search": search.html,
    "drawing": drawing.html,
    "guesses": guesses.html,
}


def render_html(view: View) -> str:
    """Static HTML of a view, without scripts; every piece of data is escaped."""
    if view.get("kind") not in RENDERERS:
        known = ", ".join(sorted(RENDERERS))
        raise ValueError(f"There is no picture of kind {view.get('kind')!r}; there are: {known}.")
    return RENDERERS[view["kind"]](view)


class Picture:
    """A view as a notebook shows it: HTML where there is a page, the summary elsewhere."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __repr__(self) -> str:
        return str(self.view["summary"])

    def _repr_html_(self) -> str:
        return render_html(self.view)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def show(view: View) -> Picture:
    """Picture of a view, for the last line of a notebook cell."""
    render_html(view)  # an unknown kind fails here, in the learner's own line
    return Picture(view)
