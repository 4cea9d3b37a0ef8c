"""The table under every matrix picture: a real one, so that it reads without any style."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from mlm_course.views.style import LINE, MONO, PAPER, SANS, TEXT


class TableCell(NamedTuple):
    """What one box shows: its text, its inline style, and the words for a pointer."""

    text: str
    style: str
    tip: str


class Size(NamedTuple):
    """Pixels of one box, and whether a number fits into it."""

    width: int
    height: int
    text: bool


def size_for(columns: int) -> Size:
    """Boxes with numbers up to 20 columns, small plain boxes beyond."""
    if columns <= 12:
        return Size(44, 28, True)
    return Size(38, 26, True) if columns <= 20 else Size(16, 16, False)


def matrix(
    rows: list[str],
    columns: list[str],
    cell: Callable[[int, int], TableCell],
    caption: str = "",
    selected: int | None = None,
    size: Size | None = None,
    corner: str = "",
) -> str:
    """HTML table of labelled boxes; cell(row, column) says what each one shows.

    corner holds the words above the row labels, one line each.
    """
    size = size or size_for(len(columns))
    turned = any(len(column) * 7 > size.width for column in columns)
    head = "".join(_column_label(column, size, turned) for column in columns)
    body = "".join(
        _row(rows[t], [cell(t, s) for s in range(len(columns))], size, t == selected)
        for t in range(len(rows))
    )
    words = escape(corner, True).replace("\n", "<br>")
    title = f'<caption style="{_CAPTION}">{escape(caption, True)}</caption>' if caption else ""
    first = f'<td style="{_CORNER}">{words}</td>'
    drawn = f'<table style="{_TABLE}">{title}<tr style="{_ROW}">{first}{head}</tr>{body}</table>'
    return scrolling(drawn, caption) if len(columns) * size.width > 200 else drawn


def scrolling(content: str, name: str) -> str:
    """Content that scrolls inside itself where the page is narrow, by keyboard too."""
    said = escape(name or "Table", True)
    # A stop for Tab that keeps the arrow keys from JupyterLab, beside the content and not around it:
    # a click on the content leaves the focus with the cell, and Shift+Enter runs.
    keys = 'tabindex="0" data-lm-suppress-shortcuts="true" role="group"'
    stop = f'<div {keys} aria-label="{said}: the arrow keys scroll it" style="{_STOP}"></div>'
    return f'<div role="region" aria-label="{said}" style="{_SCROLL}">{stop}{content}</div>'


_SCROLL = "max-width:100%;overflow-x:auto;padding:2px"
_STOP = "height:0;position:sticky;left:0"


_CAPTION = "caption-side:top;text-align:left;padding:0 0 4px 0;font-weight:600;color:inherit"
_TABLE = (
    "border-collapse:collapse;table-layout:auto;width:auto;margin:0;font-size:12px;color:inherit"
)
_ROW = "background:none;border:0"


def _column_label(text: str, size: Size, turned: bool) -> str:
    style = f"width:{size.width}px;min-width:{size.width}px;padding:3px 0;{_LABEL};{_BOTTOM}"
    turn = f' style="{_TURNED}"' if turned else ""
    words = escape(text, True)
    kind = 'th scope="col"' if text else "td"
    return f'<{kind} style="{style}"><span dir="auto"{turn}>{words}</span></{kind[:2]}>'


_BOTTOM = "text-align:center;vertical-align:bottom"
_TURNED = "display:inline-block;writing-mode:vertical-rl;transform:rotate(180deg)"
_CORNER = (
    "padding:0 8px 3px 0;font-size:10px;line-height:1.3;text-align:right;vertical-align:bottom;"
    "white-space:nowrap"
)
AXES = "key →\nquery ↓"
_LABEL = f"font-family:{MONO};font-weight:normal;font-size:11px;line-height:1.2;white-space:nowrap"


def _row(text: str, cells: list[TableCell], size: Size, selected: bool) -> str:
    style = f"{_LABEL};padding:0 8px 0 4px;text-align:right;height:{size.height}px"
    if selected:
        style = style.replace("font-weight:normal", "font-weight:bold")
        text = f"▸ {text}"
    kind = 'th scope="row"' if text else "td"
    head = f'<{kind} dir="auto" style="{style}">{escape(text, True)}</{kind[:2]}>'
    outline = f";outline:2px solid;outline-color:{TEXT}" if selected else ""
    boxes = "".join(_box(cell, size) for cell in cells)
    return f'<tr style="{_ROW}{outline}">{head}{boxes}</tr>'


def _box(cell: TableCell, size: Size) -> str:
    fixed = f"padding:0;border:1px solid {LINE};text-align:center" if size.text else "padding:0"
    style = f"{fixed};{cell.style}" if cell.style else fixed
    tip = f' title="{escape(cell.tip, True)}"' if cell.tip and not size.text else ""
    return f'<td style="{style}"{tip}>{escape(cell.text, True) if size.text else ""}</td>'


def figure(*parts: str, summary: str, title: str = "") -> str:
    """Parts side by side under a title, with the summary in words below them."""
    head = f'<div style="font-weight:600;margin:0 0 8px 0">{escape(title, True)}</div>'
    words = "<br>".join(escape(line, True) for line in summary.splitlines())
    return (
        f'<figure class="{_CLASSES}" style="{_FIGURE}">{head if title else ""}'
        f'<div style="{_PARTS}">{"".join(parts)}</div>'
        f'<figcaption style="margin:10px 0 0 0;font-size:12px">{words}</figcaption></figure>'
    )


# Two names by which pages that typeset mathematics let a text be: its $ stands for itself.
_CLASSES = "mlm-picture mathjax_ignore tex2jax_ignore"
_FIGURE = (
    f"margin:4px 0;padding:10px 12px;font-family:{SANS};font-size:13px;line-height:1.4;"
    f"color:{TEXT};background-color:{PAPER};max-width:100%"
)
_PARTS = "display:flex;flex-wrap:wrap;gap:20px;align-items:flex-start"
