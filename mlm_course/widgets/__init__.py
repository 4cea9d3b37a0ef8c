"""Live pictures: thin widgets over the views, each with a static twin."""

from .attention_explorer import AttentionExplorer
from .mask_matrix import MaskMatrix
from .mask_playground import MaskPlayground

__all__ = ["AttentionExplorer", "MaskMatrix", "MaskPlayground"]
