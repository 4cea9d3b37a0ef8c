"""Passages that a search puts first: their names, their scores, and the query's words marked."""

import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

from mlm_course.views import checks, table, text
from mlm_course.views.style import LINE, MONO, RUST, bar, tint

MOST = 50  # hits of a query
LONGEST_NAME = 80  # letters of a name or a query
LONGEST = 4000  # letters of a passage
EXCERPT = 280  # letters of a passage that are seen at once
EXCERPT_LINES = 6
WORD = re.compile(r"[^\W_]+")  # the parts of read_csv are words of their own
SHORTEST_STEM = 3  # letters of a word of the query that also marks longer words
COMMON = frozenset(
    "a an and are as at be by can do does for from how i in is it of on or that the this to what "
    "when where which with".split()
)

Part = tuple[str, bool]


class SearchResult(NamedTuple):
    """A query and its hits, best first: (name, text, score) each, and the name of the search."""

    query: str
    hits: Iterable[Any]
    method: str = ""


def search_results(
    results: Iterable[SearchResult], title: str | None = None, k: int = 5
) -> dict[str, Any]:
    """View of what one or several searches put first.

    results, a SearchResult each; of each the first k hits are shown. Scores are finite numbers of
    any scale, larger is better; a bar is full at 1, or at the best score of its query where that
    is above 1 or below 0.1. ValueError where a hit is not (name, text, score).
    """
    read = [result_view(result, k) for result in results]
    view = {"kind": "search", "title": text.heading(title), "results": read}
    return {**view, "summary": _summary(view)}


def result_view(result: SearchResult, k: int = 5) -> dict[str, Any]:
    """One result as the page needs it: query, method, hits, and their number in a sentence."""
    if not 1 <= checks.whole("k", k) <= MOST:
        raise ValueError(f"k must lie between 1 and {MOST}; it is {k}.")
    query, hits, method = SearchResult(*result)
    read = [_read(place, hit) for place, hit in enumerate(first_hits(hits, k), start=1)]
    best = max((score for _, _, score in read), default=0.0)
    scale = best if best > 1 + 1e-6 or 0 < best < 0.1 else 1.0
    decimals = 4 if 0 < best < 0.1 else 2
    named = {
        "query": text.label(query, LONGEST_NAME),
        "method": text.label(method, LONGEST_NAME) if method else "",
        "hits": [
            {
                "name": shown_name(name),
                "score": _score(score, decimals),
                "share": round(min(max(score / scale, 0.0), 1.0), 4),
                **_passage(passage, stems(query)),
            }
            for name, passage, score in read
        ],
    }
    return {**named, "said": _said(named)}


def first_hits(hits: Any, k: int) -> list[Any]:
    """The first k hits of whatever a search returns; ValueError where it returns no hits."""
    if isinstance(hits, str | dict) or not isinstance(hits, Iterable):
        kind = type(hits).__name__
        raise ValueError(f"A search must return a list of (name, text, score), not {kind}.")
    return [hit for _, hit in zip(range(k), hits, strict=False)]


def _read(place: int, hit: Any) -> tuple[str, str, float]:
    if isinstance(hit, str) or not isinstance(hit, Sequence) or len(hit) != 3:
        raise ValueError(f"Hit {place} must be (name, text, score); it is {type(hit).__name__}.")
    name, passage, score = hit
    for what, value in (("name", name), ("text", passage)):
        if not isinstance(value, str):
            kind = type(value).__name__
            raise ValueError(f"The {what} of hit {place} must be a string; it is {kind}.")
    value = checks.number(f"The score of hit {place}", score)
    if not math.isfinite(value):
        raise ValueError(f"The score of hit {place} must be a finite number; it is {value}.")
    return name, passage, value


def _score(score: float, decimals: int) -> str:
    """The number of a hit: scores of a fusion of ranks, all below 0.1, need more decimals."""
    if decimals == 2:
        return text.number(score)
    return f"{score:.{decimals}f}".replace("-", text.MINUS)


# ---------------------------------------------------------------- words of the query


def stems(query: str) -> list[str]:
    """Beginnings of the words that a query marks: its words without a plural's s."""
    words = [word.casefold() for word in WORD.findall(query)]
    telling = [word for word in words if word not in COMMON] or words
    return [
        word[:-1] if len(word) > SHORTEST_STEM and word[-1] == "s" else word for word in telling
    ]


def parts(passage: str, stems: Sequence[str]) -> list[Part]:
    """A text in pieces, each with whether it is a word of the query."""
    pieces: list[Part] = []
    end = 0
    for match in WORD.finditer(passage):
        if _is_marked(match[0].casefold(), stems):
            pieces += [(passage[end : match.start()], False), (match[0], True)]
            end = match.end()
    return [(piece, marked) for piece, marked in [*pieces, (passage[end:], False)] if piece]


def _is_marked(word: str, stems: Sequence[str]) -> bool:
    return any(
        word == stem or (len(stem) >= SHORTEST_STEM and word.startswith(stem)) for stem in stems
    )


def shown_name(name: str) -> str:
    """A passage's name as it is shown."""
    return text.label(name, LONGEST_NAME)


def shown_text(passage: str) -> str:
    """A passage's text as it is shown when all of it is."""
    trimmed = passage.strip("\n")
    return text.lines(trimmed[:LONGEST]) + ("…" if len(trimmed) > LONGEST else "")


def _passage(passage: str, stems: Sequence[str]) -> dict[str, list[Part]]:
    """A passage in pieces: what is seen at once, and all of it where that is more."""
    full = shown_text(passage)
    if len(full) <= EXCERPT * 1.2 and full.count("\n") < EXCERPT_LINES:
        return {"excerpt": parts(full, stems), "full": []}
    return {"excerpt": parts(_excerpt(full), stems), "full": parts(full, stems)}


def _excerpt(passage: str) -> str:
    """The first letters of a passage in one line, up to the end of a word if it can be."""
    flowing = " ".join(passage.split())
    if len(flowing) <= EXCERPT:
        return flowing
    end = flowing.rfind(" ", EXCERPT // 2, EXCERPT)
    return flowing[: end if end > 0 else EXCERPT] + " …"


# ---------------------------------------------------------------- in words


def _said(result: dict[str, Any]) -> str:
    """Number of the passages and what they were asked for, in a sentence."""
    number = len(result["hits"])
    count = text.count(number, "passage") if number else "No passage"
    method = f", {text.isolated(result['method'])}" if result["method"] else ""
    return f"{count} for {text.quoted(result['query'])}{method}."


def _summary(view: dict[str, Any]) -> str:
    lines = [view["title"]] if view["title"] else []
    for result in view["results"]:
        lines.append(result["said"])
        for place, hit in enumerate(result["hits"], start=1):
            opening = " ".join("".join(piece for piece, _ in hit["excerpt"]).split())
            words = f": {text.isolated(text.label(opening, LONGEST_NAME))}" if opening else ""
            lines.append(f"{place}. {text.isolated(hit['name'])} ({hit['score']}){words}")
    return "\n".join(lines or ["No search yet."])


# ---------------------------------------------------------------- static HTML


def html(view: dict[str, Any]) -> str:
    """Static HTML of results; a long passage opens by itself, without a script."""
    lists = "".join(map(_result, view["results"]))
    note = "Words of the query are marked. Bars show the score."
    has_hits = any(result["hits"] for result in view["results"])
    empty = "" if view["results"] else view["summary"]
    return table.figure(
        f'<div style="{_LISTS}">{lists}</div>',
        summary=note if has_hits else empty,
        title=view["title"],
    )


def _result(result: dict[str, Any]) -> str:
    items = "".join(_item(place, hit) for place, hit in enumerate(result["hits"], start=1))
    said = f'<div style="font-weight:600">{escape(result["said"], True)}</div>'
    listed = f'<ul role="list" style="{_LIST}">{items}</ul>' if items else ""
    return f'<div style="min-width:0">{said}{listed}</div>'


def _item(place: int, hit: dict[str, Any]) -> str:
    name = f'<span dir="auto" style="{_NAME}">{escape(hit["name"], True)}</span>'
    score = f'<span style="{_SCORE};{bar(hit["share"])}">{hit["score"]}</span>'
    head = f'<div style="{_HEAD}"><span>{place}.</span>{name}{score}</div>'
    rest = ""
    if hit["full"]:
        label = f'<summary style="{_MORE}" {_KEYS}>more</summary>'
        rest = f"<details>{label}{_lines(hit['full'])}</details>"
    return f'<li style="{_ITEM}">{head}{_lines(hit["excerpt"])}{rest}</li>'


def _lines(pieces: list[Part]) -> str:
    words = "".join(
        f'<mark style="{_MARK}">{escape(piece, True)}</mark>' if marked else escape(piece, True)
        for piece, marked in pieces
    )
    return f'<div dir="auto" style="{_TEXT}">{words}</div>'


_KEYS = 'data-lm-suppress-shortcuts="true"'
_LISTS = "display:grid;gap:16px;min-width:0;max-width:760px;width:100%"
_LIST = "list-style:none;display:grid;gap:6px;margin:6px 0 0 0;padding:0;min-width:0"
_ITEM = f"margin:0;padding:6px 0 0 0;border-top:1px solid {LINE};min-width:0"
_HEAD = "display:flex;flex-wrap:wrap;gap:2px 8px;align-items:baseline"
_NAME = f"font-family:{MONO};font-weight:600;overflow-wrap:anywhere;min-width:0"
_SCORE = "min-width:90px;padding:0 6px;margin-left:auto;text-align:right"
_TEXT = "white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0 0 0"
_MARK = f"background-color:{tint(RUST, 0.2)};color:inherit;font-weight:600"
_MORE = "cursor:pointer;width:max-content;text-decoration:underline"
