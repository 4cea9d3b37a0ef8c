"""Figures of matplotlib with words, for those who see them and those who do not.

The picture is an <img> in HTML: JupyterLab leaves out the alternative text of an image/png output.
"""

import base64
import io
from html import escape

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

INCH = 96  # pixels of a page
FINE = 1.5  # pixels of the picture for each of them
NARROW = 440  # pixels of a page, below which letters would get too small: it scrolls instead


class Drawing:
    """A figure and its sentence, as a notebook shows them."""

    def __init__(self, figure: Figure, words: str) -> None:
        self.source = _source(figure)
        self.width = round(figure.get_figwidth() * INCH)
        self.words = words

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        size = f"width:{self.width}px;max-width:100%;min-width:{min(self.width, NARROW)}px"
        words = escape(self.words, True)
        return (
            '<div class="mathjax_ignore"><div style="overflow-x:auto">'
            f'<img alt="{words}" src="{self.source}" style="{size};border-radius:6px"></div>'
            f'<div aria-hidden="true" style="max-width:{self.width}px">{words}</div></div>'
        )


def show_figure(figure: Figure, words: str) -> None:
    """A figure, and below it a sentence that says what is to be seen.

    The sentence is the picture's alternative text, too, and stands alone where there are no
    pictures. The figure is closed; ValueError if the sentence is missing.
    """
    if not isinstance(figure, Figure) or not isinstance(words, str):
        raise ValueError("show_figure takes a figure and a sentence: show_figure(fig, 'The ...').")
    if len(words.split()) < 4:
        raise ValueError(f"{words!r} does not say what is to be seen; write a sentence.")
    display(Drawing(figure, words))
    plt.close(figure)


def _source(figure: Figure) -> str:
    """A PNG in at most 256 colours, a third of the size, as the address that an <img> shows."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=FINE * INCH)
    Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()
