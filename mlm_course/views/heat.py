"""A table of numbers, coloured."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mlm_course.views import checks, large, table, text
from mlm_course.views.style import heat

Matrix = list[list[float | None]]


def heat_map(
    rows: Iterable[str], columns: Iterable[str], values: Any, title: str | None = None
) -> dict[str, Any]:
    """View of a matrix of numbers as coloured boxes.

    values (T, S), T row labels, S column labels; minus infinity is allowed and drawn hatched.
    ValueError for NaN, plus infinity or lengths that do not match.
    """
    array = checks.numbers("values", values, allow_minus_infinity=True)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"values must have two axes (rows, columns); its shape is {array.shape}.")
    view = {
        "kind": "heat_map",
        "title": text.heading(title),
        "rows": [text.label(r) for r in checks.tokens_of("rows", rows, array.shape[0])],
        "columns": [text.label(c) for c in checks.tokens_of("columns", columns, array.shape[1])],
        "values": [[text.encoded(x) for x in row] for row in array.tolist()],
    }
    return {**view, "summary": _summary(view)}


def _summary(view: dict[str, Any]) -> str:
    rows, columns, values = view["rows"], view["columns"], view["values"]
    lead = f"{view['title']}: " if view["title"] else ""
    lead += f"{text.count(len(rows), 'row')} by {text.count(len(columns), 'column')} of numbers"
    cells = [(x, t, s) for t, row in enumerate(values) for s, x in enumerate(row) if x is not None]
    missing = len(rows) * len(columns) - len(cells)
    if not cells:
        return f"{lead}, all of them minus infinity."
    low, high = min(cells, key=lambda c: c[0]), max(cells, key=lambda c: c[0])
    ends = " to ".join(
        f"{text.number(x)} ({_pair(rows[t], columns[s])})" for x, t, s in (low, high)
    )
    tail = f"; {text.count(missing, 'cell is', 'cells are')} minus infinity" if missing else ""
    return f"{lead}, from {ends}{tail}."


def _pair(row: str, column: str) -> str:
    return f"{text.isolated(row)}, {text.isolated(column)}"


def largest(values: Matrix) -> float:
    """Largest absolute value, which gets the strongest colour."""
    return max((abs(x) for row in values for x in row if x is not None), default=0.0)


def boxes(
    rows: list[str],
    columns: list[str],
    values: Matrix,
    caption: str = "",
    masked: Matrix | None = None,
    **how: Any,
) -> str:
    """HTML table of numbers, coloured by their size, hatched where masked is None.

    A matrix too large for boxes becomes an image, with a sentence.
    """
    top = largest(values)
    closed = values if masked is None else masked
    if large.too_large(len(rows), len(columns)):
        gone = np.array([[x is None for x in row] for row in closed])
        numbers = np.array([[x or 0.0 for x in row] for row in values])
        name = f"{caption or 'Numbers'}: {len(rows)} rows by {len(columns)} columns, as an image."
        said = large.sentence(len(rows), len(columns), "Pass a part of it to see the numbers.")
        return large.element(large.heat_image(numbers, gone), name, said)

    def cell(t: int, s: int) -> table.TableCell:
        value = values[t][s]
        words = text.number(value)
        style = heat(value if closed[t][s] is not None else None, top)
        return table.TableCell(words, style, f"{rows[t]} → {columns[s]}: {words}")

    return table.matrix(rows, columns, cell, caption, **how)


def html(view: dict[str, Any]) -> str:
    """Static HTML of a heat map."""
    picture = boxes(view["rows"], view["columns"], view["values"])
    return table.figure(picture, summary=view["summary"], title=view["title"])
