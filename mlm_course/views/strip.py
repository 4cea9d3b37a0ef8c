"""A text as a strip of tokens, the hidden ones marked."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mlm_course.views import checks, table, text
from mlm_course.views.style import BLUE, LINE, MONO, PAPER, RUST, hatch, tint

MASK = "[MASK]"
MOST = 4096  # tokens of a strip: a text fits, a corpus does not


def token_strip(
    tokens: Iterable[str],
    masked: Any = None,
    shown: Sequence[str | None] | None = None,
    numbers: Any = None,
    maskable: Any = None,
    title: str | None = None,
) -> dict[str, Any]:
    """View of a row of tokens, with those that are hidden and what stands in their place.

    tokens, T strings; masked bool (T,), True = removed from view; shown, T strings or None, what
    is seen where a token is hidden ("[MASK]" if left out); numbers (T,), one below each token,
    None for no number; maskable bool (T,), True = candidate for hiding. Without masked and
    maskable the summary says nothing of a ratio. ValueError where lengths do not match or a token
    that may not be hidden is.
    """
    names = checks.tokens_of("tokens", tokens)
    size = len(names)
    checks.at_most("tokens", size, MOST, "Pass a part of the text, such as tokens[:512].")
    candidates = _flags("maskable", maskable, size, True)
    removed = hidden_of(names, masked, candidates)
    view = {
        "kind": "token_strip",
        "title": text.heading(title),
        "tokens": [text.label(t) for t in names],
        "masked": removed,
        "shown": _shown(shown, size),
        "numbers": _numbers(numbers, size),
        "maskable": candidates,
    }
    asked = masked is not None or maskable is not None
    return {**view, "summary": _summary(view, asked)}


def hidden_of(tokens: Sequence[str], masked: Any, maskable: Sequence[bool]) -> list[bool]:
    """Which tokens are hidden, a boolean each; ValueError for one that may not be."""
    removed = _flags("masked", masked, len(tokens), False)
    for token, place, candidate in zip(tokens, range(len(tokens)), maskable, strict=True):
        if removed[place] and not candidate:
            raise ValueError(f"Token {place} ({text.label(token)}) may not be hidden.")
    return removed


def _flags(name: str, values: Any, size: int, default: bool) -> list[bool]:
    if values is None:
        return [default] * size
    plain = checks.entries(name, values, size)
    return checks.booleans(name, plain, (size,)).tolist() if size else []


def _shown(shown: Sequence[str | None] | None, size: int) -> list[str]:
    places = [None] * size if shown is None else checks.entries("shown", shown, size)
    filled = [MASK if s is None else s for s in places]
    return [text.label(s) for s in checks.tokens_of("shown", filled, size)]


def _numbers(values: Any, size: int) -> list[float | None] | None:
    if values is None:
        return None
    plain = checks.entries("numbers", values, size)
    array = checks.numbers("numbers", [x for x in plain if x is not None])
    if array.ndim != 1:
        raise ValueError(f"numbers must have one axis (one number a token), not {array.ndim}.")
    return [None if x is None else text.encoded(x) for x in plain]


def counts(masked: Sequence[bool], maskable: Sequence[bool]) -> str:
    """How many tokens are hidden, and the share of those that may be."""
    candidates = sum(maskable)
    ratio = text.number(sum(masked) / candidates if candidates else 0.0)
    of = f"{sum(masked)} of {text.count(candidates, 'token')}"
    fixed = len(maskable) - candidates
    rest = f" that may be hidden ({fixed} may not)" if fixed else ""
    return f"{of}{rest} hidden: a ratio of {ratio}."


def _summary(view: dict[str, Any], asked: bool) -> str:
    pairs = zip(view["tokens"], view["shown"], view["masked"], strict=True)
    seen = " ".join(text.isolated(s if gone else t) for t, s, gone in pairs)
    lead = f"{view['title']}: " if view["title"] else ""
    lines = [lead + seen, *([counts(view["masked"], view["maskable"])] if asked else [])]
    if view["numbers"]:
        named = zip(view["tokens"], view["numbers"], strict=True)
        told = ", ".join(f"{text.isolated(t)} {text.number(x)}" for t, x in named if x is not None)
        lines.append(f"Numbers: {told}.")
    return "\n".join(lines)


def html(view: dict[str, Any]) -> str:
    """Static HTML of a token strip."""
    return table.figure(items(view), summary=view["summary"], title=view["title"])


def items(view: dict[str, Any]) -> str:
    """The tokens of a strip as a list, for another picture too."""
    boxes = "".join(_item(view, place) for place in range(len(view["tokens"])))
    return f'<ul role="list" style="{_LIST}">{boxes}</ul>'


_LIST = "list-style:none;display:flex;flex-wrap:wrap;gap:6px;margin:0;padding:0"
_ITEM = (
    "display:flex;flex-direction:column;align-items:center;justify-content:center;margin:0;"
    f"min-width:28px;padding:4px 8px;border-radius:5px;font-family:{MONO};font-size:13px;"
    "overflow-wrap:anywhere;max-width:100%"
)


_WAS = f"font-size:11px;padding:0 4px;border-radius:3px;background-color:{PAPER}"


def _item(view: dict[str, Any], place: int) -> str:
    token, gone = view["tokens"][place], view["masked"][place]
    lines = [f'<span dir="auto">{escape(view["shown"][place] if gone else token, True)}</span>']
    if gone:
        lines.append(f'<span dir="auto" style="{_WAS}">{escape(token, True)}</span>')
    number = (view["numbers"] or [None] * (place + 1))[place]
    if number is not None:
        lines.append(f'<span style="font-size:11px">{text.number(number)}</span>')
    return f'<li style="{_ITEM};{_border(gone, view["maskable"][place])}">{"".join(lines)}</li>'


def _border(gone: bool, candidate: bool) -> str:
    if gone:
        return f"border:2px solid {tint(RUST, 1)};{hatch(0)};background-color:{tint(RUST, 0.15)}"
    if not candidate:
        return f"border:1px dotted {LINE};background-color:rgba(0, 0, 0, 0)"
    return f"border:1px solid {LINE};background-color:{tint(BLUE, 0.1)}"
