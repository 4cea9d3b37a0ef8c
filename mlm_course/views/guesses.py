"""A text with masked pieces: what a model guesses at one of them, and how the guess grows."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mlm_course.views import checks, strip, table, text
from mlm_course.views.style import MONO, bar

Guess = tuple[str, float]


def guesses_view(
    pieces: Iterable[str],
    masked: Iterable[int],
    place: int | None = None,
    guesses: Sequence[Any] = (),
    lens: Sequence[Any] = (),
    title: str = "",
) -> dict[str, Any]:
    """View of a text with masked pieces and a model's guesses at one of them.

    pieces, T strings; masked, the places of those that the model does not see; place, the one that
    is guessed, None for none. guesses, (piece, probability) each, the likeliest first; lens, the
    likeliest (piece, probability) after each block. ValueError for places that do not exist, and
    for what is no probability.
    """
    names = checks.tokens_of("pieces", pieces)
    away = sorted(checks.whole("masked", n) for n in masked)
    for n in away if place is None else [*away, checks.whole("place", place)]:
        if not 0 <= n < len(names):
            raise ValueError(f"There is no piece {n}: the text has {len(names)}, from 0.")
    shown = strip.token_strip(names, [n in away for n in range(len(names))])
    view = {
        "kind": "guesses",
        "title": text.heading(title),
        "strip": {**shown, "numbers": None},
        "place": place,
        "guesses": _read("guesses", guesses),
        "lens": _read("lens", lens),
    }
    return {**view, "summary": _summary(view)}


def _read(name: str, pairs: Sequence[Any]) -> list[Guess]:
    """Pairs with visible pieces. Errors: ValueError for what is no probability."""
    read = []
    for piece, chance in pairs:
        value = checks.number(f"A probability of {name}", chance)
        if not 0 <= value <= 1 + 1e-6:
            raise ValueError(f"{name} must hold probabilities from 0 to 1, not {value}.")
        read.append((text.label(str(piece)), value))
    return read


def percent(chance: float) -> str:
    """A probability in per cent, with one decimal. The same as widgets/fill_mask.js."""
    return f"{100 * chance:.1f} %" if chance >= 5e-4 else "< 0.1 %"


def _summary(view: dict[str, Any]) -> str:
    """The text as the model sees it, its guesses, and the likeliest after each block."""
    shown = view["strip"]
    seen = zip(shown["tokens"], shown["shown"], shown["masked"], strict=True)
    lines = [" ".join(text.isolated(mask if gone else piece) for piece, mask, gone in seen)]
    if view["title"]:
        lines.insert(0, view["title"])
    if view["place"] is None:
        return "\n".join([*lines, "No piece is masked: there is nothing to guess."])
    told = ", ".join(f"{text.isolated(piece)} {percent(p)}" for piece, p in view["guesses"])
    lines.append(f"Guesses at piece {view['place'] + 1}: {told}.")
    grown = ", ".join(
        f"{n} {text.isolated(piece)} {percent(p)}" for n, (piece, p) in enumerate(view["lens"], 1)
    )
    return "\n".join([*lines, *([f"Likeliest after block {grown}."] if grown else [])])


# ---------------------------------------------------------------- picture


def html(view: dict[str, Any]) -> str:
    """Static HTML: the pieces, and below them the guesses and the likeliest after each block."""
    parts = [f'<div style="width:100%">{strip.items(view["strip"])}</div>']
    if view["place"] is not None:
        heads = [str(n) for n in range(1, len(view["guesses"]) + 1)]
        parts.append(_table(f"Guesses at piece {view['place'] + 1}", heads, view["guesses"]))
    if view["lens"]:
        blocks = [f"block {n}" for n in range(1, len(view["lens"]) + 1)]
        parts.append(_table("Likeliest after", blocks, view["lens"]))
    return table.figure(*parts, summary=view["summary"], title=view["title"])


def _table(caption: str, heads: list[str], pairs: list[Guess]) -> str:
    rows = "".join(map(_row, heads, pairs))
    head = f'<caption style="{_CAPTION}">{escape(caption, True)}</caption>'
    return table.scrolling(f'<table style="{_TABLE}">{head}{rows}</table>', caption)


def _row(head: str, pair: Guess) -> str:
    piece, chance = pair
    name = f'<td dir="auto" style="{_PIECE}">{escape(piece, True)}</td>'
    number = f'<td style="{_NUMBER};{bar(min(chance, 1.0))}">{percent(chance)}</td>'
    return f'<tr style="{_LINE}"><th scope="row" style="{_HEAD}">{head}</th>{name}{number}</tr>'


_TABLE = "border-collapse:separate;border-spacing:0 3px;width:auto;margin:0;color:inherit"
_CAPTION = "caption-side:top;text-align:left;padding:0 0 4px 0;font-weight:600;color:inherit"
_LINE = "background:none;border:0"
_HEAD = "padding:0 8px 0 0;border:0;font-weight:normal;font-size:12px;text-align:right"
_PIECE = f"padding:0 12px 0 0;border:0;font-family:{MONO};font-size:13px;text-align:left"
_NUMBER = "min-width:120px;padding:1px 6px;border:0;font-size:12px;text-align:right"
