"""Live pictures: thin widgets over the views, each with a static twin."""

from mlm_course.widgets.attention_explorer import AttentionExplorer
from mlm_course.widgets.diffuse import Diffuse
from mlm_course.widgets.drawing_pad import DrawingPad, PageModel
from mlm_course.widgets.fill_mask import FillMask
from mlm_course.widgets.gap_filler import GapFiller
from mlm_course.widgets.mask_matrix import MaskMatrix
from mlm_course.widgets.mask_playground import MaskPlayground
from mlm_course.widgets.patch_grid import PatchGrid
from mlm_course.widgets.progress import progress_display
from mlm_course.widgets.refinement import RefinementSteps
from mlm_course.widgets.search_box import SearchBox
from mlm_course.widgets.training_curve import TrainingCurve

__all__ = [
    "AttentionExplorer",
    "Diffuse",
    "DrawingPad",
    "FillMask",
    "GapFiller",
    "MaskMatrix",
    "MaskPlayground",
    "PageModel",
    "PatchGrid",
    "RefinementSteps",
    "SearchBox",
    "TrainingCurve",
    "progress_display",
]
