"""The patch grid: what an image model was shown, what it made of it, and how far that is off."""

from collections.abc import Iterable

from mlm_course.views import PatchImage, patch_grid
from mlm_course.widgets.base import CourseWidget, script


class PatchGrid(CourseWidget):
    """Images with patches removed, at a ratio that a slider chooses among those given.

    images, one or more PatchImage, each with one PatchFrame a ratio, the same ratios in all;
    patch_size in pixels; chosen, the ratio shown at first, or the nearest to it. All of it is
    computed before: the slider never waits for Python. ValueError where sizes do not match.
    """

    _esm = script("patch_grid.js")

    def __init__(
        self,
        images: PatchImage | Iterable[PatchImage],
        patch_size: int,
        chosen: float = 0.75,
        title: str | None = None,
    ) -> None:
        super().__init__(view=patch_grid(images, patch_size, chosen, title))
