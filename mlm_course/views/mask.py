"""Who may attend to whom, and why not."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import numpy as np

from mlm_course.views import checks, large, table, text
from mlm_course.views.style import BLUE, LINE, hatch, tint

ALLOWED = "✓"
PATTERNS = {"padding": 0, "future": 1}  # the same hatching in every picture of the course


def mask_matrix(
    rows: Iterable[str],
    columns: Iterable[str],
    allowed: Any,
    reasons: Any = None,
    title: str | None = None,
) -> dict[str, Any]:
    """View of an attention mask: queries down, keys across, closed pairs hatched by reason.

    allowed bool (T, S), True = may attend; rows, T queries; columns, S keys. reasons is either a
    mapping from a name to the mask that it stands for, such as {"padding": ..., "future": ...}
    (bool, broadcast to (T, S), True = may attend), or T lists of S strings ("" where allowed).
    ValueError where shapes differ or a reason closes a pair that is allowed.
    """
    queries, keys = checks.tokens_of("rows", rows), checks.tokens_of("columns", columns)
    if not queries or not keys:
        raise ValueError("A mask needs at least one query and one key.")
    open_ = checks.booleans("allowed", allowed, (len(queries), len(keys)))
    names, why = _reasons(reasons, open_)
    view = {
        "kind": "mask_matrix",
        "title": text.heading(title),
        "rows": [text.label(t) for t in queries],
        "columns": [text.label(t) for t in keys],
        "allowed": open_.tolist(),
        "reasons": [text.label(name) for name in names],
        "letters": _letters(names),
        "patterns": _patterns(names),
        "why": why,
        "image": None,
    }
    view["summary"] = _summary(view)
    if large.too_large(len(queries), len(keys), large.MOST_LIVE):
        view |= {"image": _image(view, large.MOST_LIVE), "allowed": [], "why": []}
    return view


def _reasons(reasons: Any, allowed: np.ndarray) -> tuple[list[str], list[list[list[int]]]]:
    """Names of the reasons, and for each pair the numbers of those that close it."""
    if isinstance(reasons, Mapping):
        closing = {
            n: ~checks.booleans(f"reasons[{n!r}]", m, allowed.shape) for n, m in reasons.items()
        }
    else:
        closing = _from_words(reasons, allowed.shape)
    for name, closed in closing.items():
        if (closed & allowed).any():
            t, s = np.argwhere(closed & allowed)[0]
            raise ValueError(
                f"{text.label(name)!r} closes query {t}, key {s}, which `allowed` leaves open."
            )
    unexplained = ~allowed & ~np.any([np.zeros_like(allowed), *closing.values()], axis=0)
    if unexplained.any():
        closing["blocked"] = unexplained | closing.get("blocked", False)
    layers = np.stack([*closing.values()]) if closing else np.zeros((0, *allowed.shape), bool)
    pairs = layers.transpose(1, 2, 0).tolist()
    why = [[[r for r, closes in enumerate(pair) if closes] for pair in row] for row in pairs]
    return list(closing), why


def _from_words(reasons: Any, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """One boolean layer per distinct word, in the order in which they first appear."""
    if reasons is None:
        return {}
    read = checks.plain("reasons", reasons)
    words = [list(row) for row in read if isinstance(row, list)] if isinstance(read, list) else []
    if (len(words), *{len(row) for row in words}) != shape:
        raise ValueError(f"reasons must hold {shape[0]} rows of {shape[1]} strings.")
    names = dict.fromkeys(w for row in words for w in row if w)
    return {str(n): np.array([[w == n for w in row] for row in words]) for n in names}


def _letters(names: list[str]) -> list[str]:
    """One sign per reason: its first letter, or a digit where two would look the same."""
    first = [name[:1].upper() if name[:1].isalpha() else "" for name in names]
    unique = len(set(first)) == len(first) and all(first)
    return first if unique else [str(n + 1) for n in range(len(names))]


def _patterns(names: list[str]) -> list[int]:
    """Number of a hatching for each reason: its own one, or the next that is free."""
    taken = {PATTERNS[name] for name in names if name in PATTERNS}
    free = (p for p in range(len(names) + len(PATTERNS)) if p not in taken)
    return [PATTERNS[name] if name in PATTERNS else next(free) for name in names]


def sentence(view: dict[str, Any], t: int, s: int) -> str:
    """One pair in words."""
    query, key = text.quoted(view["rows"][t]), text.quoted(view["columns"][s])
    if view["allowed"][t][s]:
        return f"query {query} may attend to key {key}."
    reasons = " and ".join(text.isolated(view["reasons"][r]) for r in view["why"][t][s])
    return f"query {query} may not attend to key {key}: {reasons}."


def _counts(view: dict[str, Any]) -> list[int]:
    """How many pairs each reason closes."""
    cells = [reasons for row in view["why"] for reasons in row]
    return [sum(r in cell for cell in cells) for r in range(len(view["reasons"]))]


def _summary(view: dict[str, Any]) -> str:
    total = len(view["rows"]) * len(view["columns"])
    closed = sum(not cell for row in view["allowed"] for cell in row)
    lead = f"{view['title']}: " if view["title"] else ""
    shape = f"{len(view['rows'])} queries by {len(view['columns'])} keys"
    causes = ", ".join(
        f"{text.isolated(n)} {c}" for n, c in zip(view["reasons"], _counts(view), strict=True)
    )
    tail = f" ({causes})" if causes else ""
    lines = [f"{lead}{shape}: {total - closed} pairs allowed, {closed} masked{tail}."]
    alone = [
        text.isolated(view["rows"][t]) for t, row in enumerate(view["allowed"]) if not any(row)
    ]
    if alone:
        lines.append(f"Nothing to attend to: {', '.join(alone)}.")
    return "\n".join(lines)


def html(view: dict[str, Any]) -> str:
    """Static HTML of a mask, with its legend."""

    def cell(t: int, s: int) -> table.TableCell:
        words = sentence(view, t, s)
        if view["allowed"][t][s]:
            return table.TableCell(ALLOWED, f"background-color:{tint(BLUE, 0.35)}", words)
        why = view["why"][t][s]
        style = hatch(*(view["patterns"][r] for r in why))
        return table.TableCell("".join(view["letters"][r] for r in why), style, words)

    look: Callable[[int], str] = hatch
    if large.too_large(len(view["rows"]), len(view["columns"])):
        picture, look = large.element(**(view["image"] or _image(view))), large.reason
    else:
        size = table.size_for(len(view["columns"]))
        size = table.Size(36, 26, True) if size.text else size
        picture = table.matrix(view["rows"], view["columns"], cell, size=size, corner=table.AXES)
    legend = _legend(view, look)
    return table.figure(picture, legend, summary=view["summary"], title=view["title"])


def _image(view: dict[str, Any], most: int = large.MOST_BOXES) -> dict[str, str]:
    """The mask with one pixel a pair, coloured by the first of the reasons."""
    patterns = view["patterns"]
    first = [[patterns[cell[0]] if cell else 0 for cell in row] for row in view["why"]]
    shape = len(first), len(first[0])
    named = zip(view["reasons"], patterns, strict=True)
    told = "".join(f", {large.NAMES[p % 4]} masked: {text.isolated(n)}" for n, p in named)
    instead = "Pass a part of it to see each pair."
    return {
        "source": large.mask_image(np.array(view["allowed"]), np.array(first)),
        "alternative": f"Attention mask, {shape[0]} queries by {shape[1]} keys, as an image.",
        "said": f"{large.sentence(*shape, instead, most)} Blue may attend{told}.",
    }


def _legend(view: dict[str, Any], look: Callable[[int], str]) -> str:
    entries = [(ALLOWED, f"background-color:{tint(BLUE, 0.35)}", "may attend")]
    for letter, which, name in zip(view["letters"], view["patterns"], view["reasons"], strict=True):
        entries.append((letter, look(which), f"masked: {name}"))
    lines = "".join(
        f'<tr style="background:none"><td style="{_SWATCH};{style}">{escape(sign, True)}</td>'
        f'<td style="padding:4px 10px;text-align:left">{escape(words, True)}</td></tr>'
        for sign, style, words in entries
    )
    return f'<table style="{_LEGEND}">{lines}</table>'


_SWATCH = f"width:32px;height:22px;padding:0;text-align:center;border:1px solid {LINE}"
_LEGEND = (
    "border-collapse:separate;border-spacing:0 4px;width:auto;margin:0;font-size:12px;color:inherit"
)
