"""Pictures of attention, masks and tokens: data -> plain dict -> static HTML, and words."""

from mlm_course.views.attention import attention_view
from mlm_course.views.curve import training_curve
from mlm_course.views.drawing import drawing_pad
from mlm_course.views.guesses import guesses_view
from mlm_course.views.heat import heat_map
from mlm_course.views.mask import mask_matrix
from mlm_course.views.patches import PatchFrame, PatchImage, patch_grid
from mlm_course.views.picture import Picture, render_html, show
from mlm_course.views.refinement import refinement_steps
from mlm_course.views.search import SearchResult, search_results
from mlm_course.views.strip import token_strip
from mlm_course.views.weights import weights_view

__all__ = [
    "PatchFrame",
    "PatchImage",
    "Picture",
    "SearchResult",
    "attention_view",
    "drawing_pad",
    "guesses_view",
    "heat_map",
    "mask_matrix",
    "patch_grid",
    "refinement_steps",
    "render_html",
    "search_results",
    "show",
    "token_strip",
    "training_curve",
    "weights_view",
]
