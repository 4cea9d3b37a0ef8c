"""The mask matrix: who may attend to whom, pair by pair, with the reason in words."""

from collections.abc import Iterable
from typing import Any

from mlm_course.views import mask_matrix
from mlm_course.widgets.base import CourseWidget, script


class MaskMatrix(CourseWidget):
    """Attention mask to walk through: each pair says whether it is open, and why not.

    rows, T queries; columns, S keys; allowed bool (T, S), True = may attend; reasons, a mapping
    from a name to the mask that it stands for (bool, True = may attend), or T lists of S strings.
    ValueError where shapes differ or a reason closes a pair that is allowed.
    """

    _esm = script("save.js", "mask_matrix.js")

    def __init__(
        self,
        rows: Iterable[str],
        columns: Iterable[str],
        allowed: Any,
        reasons: Any = None,
        title: str | None = None,
    ) -> None:
        super().__init__(view=mask_matrix(rows, columns, allowed, reasons, title))
