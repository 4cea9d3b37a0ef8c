"""Pictures of attention, masks and tokens: data -> plain dict -> static HTML, and words."""

from .attention import attention_view
from .heat import heat_map
from .mask import mask_matrix
from .picture import Picture, render_html, show
from .strip import token_strip
from .weights import weights_view

__all__ = [
    "Picture",
    "attention_view",
    "heat_map",
    "mask_matrix",
    "render_html",
    "show",
    "token_strip",
    "weights_view",
]
