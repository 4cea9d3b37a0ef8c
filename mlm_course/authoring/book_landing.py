"""The book's first page: what this is, a model at work, three pictures, the map of lessons."""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape

from mlm_course.authoring.book_lists import Row, section_of
from mlm_course.authoring.book_pages import html_cell, markdown_cell, placeholder
from mlm_course.authoring.notebooks import METADATA, Notebook, code_cells
from mlm_course.models.pretrained import load_pretrained
from mlm_course.widgets import FillMask
from mlm_course.widgets.base import CourseWidget

PICTURES = (  # page, words of the cell that draws it, what is to be seen
    ("02_attention_masks", "reasons={", "Lesson 2: who may look at whom, and why not"),
    (
        "09_masked_autoencoders",
        '"Eight digits of MNIST',
        "Lesson 9: digits, the quarter that is left of each, and what a model makes of that",
    ),
    (
        "12_masked_diffusion",
        "a held-out sentence",
        "Lesson 12: gaps in a sentence, filled in steps",
    ),
)
BUTTONS = (
    '<p class="book-buttons"><a class="book-button" href="01_attention.html">Start here: lesson 1</a> '
    '<a class="book-button book-second" href="#install-in-two-commands">Install in two commands</a></p>'
)
WHAT = (
    "*Masked modelling*: hide parts of a text or a picture, and train a network to guess them. BERT "
    "learned that way. There are {} lessons, of about three hours each, for readers who know Python and "
    "have seen a training loop."
)
LIVE = (
    "**A model that this course trains, at work in this page.** The colour is masked twice, so the model "
    "weighs all colours. Click the second `[MASK]`: its word is shown, and the model is sure of the first. "
    "Mask any other word, or type another sentence in its made-up language of 200 words, such as "
    "*emma met her aunt at the lake , and emma showed her aunt an old map .*"
)
INSTALL = """\
In the folder of the course, unpacked or cloned:

```
make lab     # installs the course, opens JupyterLab on lesson 1
make test    # runs its tests
```

You need Python 3.11 or newer; [how to start](start.html) says the rest. Reading needs no installation:
begin with [lesson 1](01_attention.html), look up words in the [glossary](glossary.html), and what articles
get wrong in the [myths](myths.html)."""


def live_model() -> CourseWidget:
    """The widget that the book opens with: a model that ships with the course, and a sentence."""
    text = "anna gave tom a red towel , and he thanked her for the red towel ."
    return FillMask(*load_pretrained("tinyworld"), text=text, masked=[5, 14])


def landing_page(
    readme: str, rows: Iterable[Row], solved: Mapping[str, Notebook], live: CourseWidget
) -> Notebook:
    """The first page as a notebook; it opens with the widget `live`."""
    title, lead = _beginning(readme)
    drawn = placeholder(type(live).__name__, live.page_state(), live.twin()["text/html"])
    rows = list(rows)
    opening = f'# {title}\n\n<p class="book-lead">{lead}</p>\n\n{WHAT.format(len(rows))}\n\n{BUTTONS}\n\n{LIVE}'
    cells = [
        markdown_cell("opening", opening),
        html_cell("live", drawn),
        markdown_cell("pictures", "## What you will see"),
        html_cell("three", f'<div class="book-pictures">{"".join(_pictures(solved))}</div>'),
        markdown_cell("map", f"## The lessons\n\n{_map(rows)}\n\n{_branches(readme)}"),
        markdown_cell("install", f"## Install in two commands\n\n{INSTALL}"),
    ]
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _beginning(readme: str) -> tuple[str, str]:
    """Title and first sentence of README.md."""
    match = re.match(r"# (.+)\n\n(.+?\.)\s", readme)
    if match is None:
        raise ValueError("README.md has to begin with a title and a sentence.")
    return match[1], match[2]


def _pictures(solved: Mapping[str, Notebook]) -> Iterator[str]:
    """Outputs of lessons, each with what is to be seen and a link."""
    for page, words, caption in PICTURES:
        html = next(filter(None, (_drawn_by(cell, words) for cell in code_cells(solved[page]))), "")
        if not html:
            raise ValueError(f"No picture in lesson {page} is drawn by a cell with {words!r}.")
        link = f'<a href="{page}.html">{escape(caption)}</a>'
        yield f"<figure><figcaption>{link}</figcaption><div>{html}</div></figure>"


def _drawn_by(cell: dict, words: str) -> str:
    """The picture of a cell whose code has some words, "" where it is another cell."""
    if words not in cell["source"]:
        return ""
    shown = [output.get("data", {}).get("text/html", "") for output in cell["outputs"]]
    return next((html for html in shown if "<img" in html or "mlm-picture" in html), "")


def _map(rows: Iterable[Row]) -> str:
    """README's table of lessons, with links to the pages."""
    head = "| | Lesson | You will | Hours | Needs |\n|---|---|---|---|---|"
    lines = [
        f"| {row.number} | [{row.title}]({row.name}.html) | {row.will} | {row.hours} | {row.needs} |"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _branches(readme: str) -> str:
    """Which lesson needs which, as README draws it."""
    match = re.search(
        r"^A lesson needs .*?^```$.*?^```$", section_of(readme, "Lessons"), re.M | re.S
    )
    return match[0] if match else ""
