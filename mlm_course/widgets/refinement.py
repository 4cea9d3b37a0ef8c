"""The refinement steps: a text that is filled in, masked again in part, and filled in again."""

from collections.abc import Iterable
from typing import Any

import traitlets

from mlm_course.views import checks, refinement_steps
from mlm_course.widgets.base import CourseWidget, script


class RefinementSteps(CourseWidget):
    """Steps of a refinement to walk through: what was masked, what was filled in, what goes again.

    tokens, T steps of N strings, as they stand after the step; confidences (T, N), 0 to 1, each
    from the step that chose the token; masked bool (T, N), True = masked when the step began;
    right bool (N,), whether each of the last tokens is right; others, for each step and token a
    list of (token, probability), what else the step thought of. step, 1 to T, follows what the
    reader chooses and may be set. All of it is computed before: the slider never waits for
    Python. ValueError where shapes differ or a token changes without being masked.
    """

    _esm = script("steps.js", "refinement.js")

    step = traitlets.Int(1).tag(sync=True)

    def __init__(
        self,
        tokens: Iterable[Iterable[str]],
        confidences: Any,
        masked: Any,
        right: Any = None,
        title: str = "",
        step: int = 1,
        others: Any = None,
    ) -> None:
        view = refinement_steps(tokens, confidences, masked, right, title, others)
        super().__init__(view=view, step=checks.whole("step", step))

    @traitlets.validate("step")
    def _exists(self, proposal: dict[str, Any]) -> int:
        value, last = proposal["value"], len(self.view["steps"])
        if not 1 <= value <= last:
            raise traitlets.TraitError(f"step must lie between 1 and {last}; got {value}.")
        return value
