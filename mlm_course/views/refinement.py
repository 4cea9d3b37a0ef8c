"""A text written in several steps: what was masked, what was filled in, how sure the model was."""

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from math import ceil
from typing import Any

from mlm_course.views import checks, table, text
from mlm_course.views.style import BLUE, LINE, MONO, PAPER, RUST, SANS, hatch, tint

MOST = 20_000  # steps times tokens, about a megabyte in the page
MOST_TOKENS = 1024
MOST_BOXES = 2_000  # of the static picture; beyond it some of the steps
MOST_IN_WORDS = 12  # steps that the summary tells of
WIDEST = 800  # pixels of one table; what does not fit goes on in another below it
STRONGEST = 0.6  # shade of a confidence of 1: most tokens end there, and are to be read
SLACK = 1e-6  # what a softmax in 32 bits may exceed 1 by

Step = dict[str, Any]


def refinement_steps(
    tokens: Iterable[Iterable[str]],
    confidences: Any,
    masked: Any,
    right: Any = None,
    title: str = "",
    others: Any = None,
) -> dict[str, Any]:
    """View of a text that was filled in step by step, with what each step masked again.

    tokens, T steps of N strings, as they stand after the step; confidences (T, N), 0 to 1, each
    from the step that chose the token; masked bool (T, N), True = masked when the step began, and
    so filled in by it; right bool (N,), whether each of the last tokens is right. A token that no
    step masked counts as given. others, for each step and token a list of (token, probability): what
    else the step thought of, likeliest first. ValueError for shapes that differ, confidences outside
    0..1, and a token that changes without being masked.
    """
    words = _tokens(tokens)
    shape = (len(words), len(words[0]))
    checks.at_most("tokens of a step", shape[1], MOST_TOKENS, "Pass a part of the text.")
    instead = "Pass every second step, as in tokens[::2], or a part of the text."
    checks.at_most("steps times tokens", shape[0] * shape[1], MOST, instead)
    sure = _confidences(_plain("confidences", confidences), shape)
    gone = _flags("masked", _plain("masked", masked), shape)
    _only_masked_tokens_change(words, gone)
    labels = [[text.label(token) for token in row] for row in words]
    view: dict[str, Any] = {
        "kind": "refinement",
        "title": text.heading(title),
        "given": [not any(column) for column in zip(*gone, strict=True)],
        "right": None if right is None else _flags("right", _plain("right", right), shape[1:]),
        "steps": [_step(labels, sure, gone, place) for place in range(shape[0])],
    }
    view["steps"] = [{**step, **_words(view, place)} for place, step in enumerate(view["steps"])]
    besides = _besides(others, shape)
    view["history"] = [_history(view, place, besides) for place in range(shape[1])]
    return {**view, "summary": _summary(view, others is not None)}


# ---------------------------------------------------------------- reading


def _plain(name: str, values: Any) -> list[Any]:
    """Lists in place of whatever has .tolist(), at both levels."""
    read = checks.plain(name, values) if hasattr(values, "tolist") else values
    if isinstance(read, str) or not isinstance(read, Iterable):
        kind = type(values).__name__
        raise ValueError(f"{name} must be a list or an array; it is {kind}.")
    return [checks.plain(name, row) for row in read]


def _tokens(tokens: Any) -> list[list[str]]:
    rows: list[list[str]] = []
    for place, row in enumerate(_plain("tokens", tokens), start=1):
        name = f"tokens of step {place}"
        if not isinstance(row, Iterable):
            raise ValueError(f"{name} must be a list of strings; it is {type(row).__name__}.")
        rows.append(checks.tokens_of(name, row, len(rows[0]) if rows else None))
    if not rows or not rows[0]:
        raise ValueError("A refinement needs at least one step and one token.")
    return rows


def _shaped(name: str, values: Any, shape: tuple[int, ...]) -> Any:
    array = checks.numbers(name, values)
    if array.shape != shape:
        wanted = "one entry for each step and token" if len(shape) == 2 else "one entry a token"
        raise ValueError(f"{name} must have {wanted}, {shape}; the shape is {array.shape}.")
    return array


def _confidences(values: Any, shape: tuple[int, ...]) -> list[list[float | None]]:
    array = _shaped("confidences", values, shape)
    if array.min() < -SLACK or array.max() > 1 + SLACK:
        ends = f"{text.number(array.min())} to {text.number(array.max())}"
        logs = " These look like logarithms: use .exp()." if array.max() <= 0 else ""
        raise ValueError(
            f"confidences must be probabilities from 0 to 1; they go from {ends}.{logs}"
        )
    return [[text.encoded(x) for x in row] for row in array.clip(0, 1).tolist()]


def _flags(name: str, values: Any, shape: tuple[int, ...]) -> Any:
    _shaped(name, values, shape)
    return checks.booleans(name, values, shape).tolist()


def _besides(others: Any, shape: tuple[int, ...]) -> list[list[str]]:
    """What else was thought of, in words, for each step and token; empty where nothing was."""
    if others is None:
        return [[""] * shape[1]] * shape[0]
    rows = enumerate(checks.entries("others", others, shape[0]), start=1)
    of_tokens = [checks.entries(f"others of step {n}", row, shape[1]) for n, row in rows]
    return [[_listed(pairs) for pairs in row] for row in of_tokens]


def _listed(pairs: Any) -> str:
    """Tokens with their probabilities, as a clause."""
    try:
        named = [f"{text.quoted(text.label(str(t)))} ({text.number(float(p))})" for t, p in pairs]
    except (TypeError, ValueError):
        raise ValueError(
            f"others must hold lists of (token, probability), not {pairs!r}."
        ) from None
    return f", before {', '.join(named)}" if named else ""


def _only_masked_tokens_change(words: list[list[str]], masked: list[list[bool]]) -> None:
    for step in range(1, len(words)):
        for place, gone in enumerate(masked[step]):
            before, after = words[step - 1][place], words[step][place]
            if before != after and not gone:
                raise ValueError(
                    f"Token {place + 1} changes from {text.quoted(text.label(before))} to "
                    f"{text.quoted(text.label(after))} in step {step + 1}, but masked says that it "
                    "was not masked."
                )


def _step(labels: list[list[str]], sure: Any, masked: list[list[bool]], place: int) -> Step:
    """One step as the page needs it; again: what the next step will find masked."""
    now, before = labels[place], labels[max(place - 1, 0)]
    return {
        "tokens": now,
        "confidences": sure[place],
        "masked": masked[place],
        "changed": [a != b for a, b in zip(now, before, strict=True)],
        "again": masked[place + 1] if place + 1 < len(masked) else [False] * len(now),
    }


# ---------------------------------------------------------------- in words


def _words(view: dict[str, Any], place: int) -> dict[str, str]:
    """What a step did, and what is masked again after it and why, each as a sentence."""
    steps, given = view["steps"], view["given"]
    step, total = steps[place], given.count(False)
    filled = step["masked"].count(True)
    done = "nothing was masked, nothing is filled in"
    if filled:
        done = f"{_share(filled, total)} {'token' if total == 1 else 'tokens'} filled in"
        if place:
            done += f", {step['changed'].count(True) or 'none'} of them changed"
    words = f"Step {place + 1} of {len(steps)}: {done}{_lowest(step, given)}."
    return {"words": words, "why": _why(step, given, place + 1 == len(steps))}


def _lowest(step: Step, given: list[bool]) -> str:
    """The least confident of the tokens that are the model's own."""
    told = [
        (sure, token)
        for sure, token, free in zip(step["confidences"], step["tokens"], given, strict=True)
        if not free
    ]
    if not told:
        return ""
    sure, token = min(told, key=lambda pair: pair[0])
    return f"; lowest confidence {text.number(sure)}, {text.quoted(token)}"


def _why(step: Step, given: list[bool], last: bool) -> str:
    """Which tokens are masked again, by what the confidences and the places say of them."""
    again, own = _places(step["again"]), [n for n, free in enumerate(given) if not free]
    fresh = _places(step["masked"])
    if last:
        return "This was the last step."
    if not again:
        return "Nothing is masked again."
    if again == own:
        return f"Masked again: {_share(len(again), len(own))}."
    if least(step["confidences"], again, own):
        return f"Masked again: the {_least_confident(len(again))} of {len(own)}."
    among = f"the {len(fresh)} just filled in"
    if again == fresh:
        return f"Masked again: {among}."
    if least(step["confidences"], again, fresh):
        return f"Masked again: the {_least_confident(len(again))} of {among}."
    of = among if set(again) <= set(fresh) else str(len(own))
    return f"Masked again: {len(again)} of {of}, and not the least confident."


def least(confidences: Sequence[float], chosen: list[int], among: list[int]) -> bool:
    """Whether the places chosen are the least confident ones among some; equal ones may stay."""
    rest = set(among) - set(chosen)
    if not chosen or not set(chosen) <= set(among):
        return False
    top = max(confidences[n] for n in chosen)
    return all(confidences[n] >= top for n in rest)


def _places(flags: list[bool]) -> list[int]:
    return [place for place, flag in enumerate(flags) if flag]


def _share(n: int, of: int) -> str:
    return f"all {of}" if n == of > 1 else f"{n} of {of}"


def _least_confident(n: int) -> str:
    return "least confident" if n == 1 else f"{n} least confident"


def _history(view: dict[str, Any], place: int, besides: list[list[str]]) -> list[list[Any]]:
    """What happened to one token: words, and the first and last step at which they are said."""
    steps, last = view["steps"], len(view["steps"])
    told: list[list[Any]] = []
    for number, step in enumerate(steps, start=1):
        if step["masked"][place] or number == 1:
            also = besides[number - 1][place] if step["masked"][place] else ""
            told.append([_choice(view, place, number) + also, number, last])
        if step["again"][place]:
            told.append([f"masked again before step {number + 1}", number, number])
    if view["right"]:
        told.append(["this is right" if view["right"][place] else "this is wrong", last, last])
    return told


def _choice(view: dict[str, Any], place: int, number: int) -> str:
    """What a step put in the place of one token, or what stood there when the first began."""
    step = view["steps"][number - 1]
    token, sure = text.quoted(step["tokens"][place]), text.number(step["confidences"][place])
    if view["given"][place]:
        return f"{token} is given, never masked"
    if not step["masked"][place]:
        return f"{token} ({sure}) from the start"
    if number == 1:
        return f"step 1 chose {token} ({sure})"
    same = token if step["changed"][place] else f"{token} again"
    return f"masked again, step {number} chose {same} ({sure})"


def _summary(view: dict[str, Any], tokens_too: bool) -> str:
    """What every step did, and the result; tokens_too: also what became of each token, last said."""
    steps, given = view["steps"], view["given"]
    free = f", {given.count(True)} of them given" if any(given) else ""
    lead = f"{view['title']}: " if view["title"] else ""
    told = [f"{step['words']} {step['why']}" for step in steps]
    if len(told) > MOST_IN_WORDS:
        more = text.count(len(told) - MOST_IN_WORDS, "more step")
        told = [*told[: MOST_IN_WORDS - 1], f"And {more}.", told[-1]]
    counted = f"{text.count(len(given), 'token')}{free}, {text.count(len(steps), 'step')}."
    chosen = _last_choices(view) if tokens_too else []
    return "\n".join([lead + counted, *told, *chosen, _result(view)])


def _last_choices(view: dict[str, Any]) -> list[str]:
    """Of each of the first tokens that were filled in, what its last step chose and thought of."""
    filled = [place for place, given in enumerate(view["given"]) if not given][:MOST_IN_WORDS]
    choices = [[part for part, *_ in view["history"][place]] for place in filled]
    last = -2 if view["right"] else -1  # whether it is right is said behind it
    return [f"Token {n + 1}: {parts[last]}." for n, parts in zip(filled, choices, strict=True)]


def _result(view: dict[str, Any]) -> str:
    tokens, right = view["steps"][-1]["tokens"], view["right"]
    letters = all(len(token) == 1 for token in tokens)  # a word, not a row of them
    said = "Result: " + ("" if letters else " ").join(map(text.isolated, tokens))
    if not right:
        return said
    return f"{said}\nRight: {right.count(True)} of {text.count(len(right), 'token')}."


# ---------------------------------------------------------------- picture


def html(view: dict[str, Any]) -> str:
    """Static HTML: a row a step, a column a token; many tokens in several tables."""
    drawn = "".join(_block(view, places) for places in _blocks(view))
    column = f'<div style="display:grid;gap:14px;min-width:0;max-width:100%">{drawn}</div>'
    return table.figure(column, _legend(view), summary=view["summary"], title=view["title"])


def _blocks(view: dict[str, Any]) -> list[list[int]]:
    """Places of the tokens, in tables of about the same width, none wider than a page."""
    widths = [max(_width(s["tokens"][n]) for s in view["steps"]) for n in range(len(view["given"]))]
    n_blocks = ceil(sum(widths) / WIDEST)
    blocks: list[list[int]] = [[] for _ in range(n_blocks)]
    before = 0
    for place, width in enumerate(widths):
        middle = (before + width / 2) / sum(widths)
        blocks[int(middle * n_blocks)].append(place)
        before += width
    return [block for block in blocks if block]


def _shown(view: dict[str, Any]) -> list[int]:
    """Numbers of the steps that the static picture shows: all, or as many as it has room for."""
    last = len(view["steps"])
    room = max(2, MOST_BOXES // len(view["given"]))
    if last <= room:
        return list(range(1, last + 1))
    return sorted({1 + round(place * (last - 1) / (room - 1)) for place in range(room)})


def _width(label: str) -> int:
    """Pixels of a box: letters of a typewriter, some of them twice as wide."""
    cells = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in label)
    return max(40, 7 * cells) + 17


def _block(view: dict[str, Any], places: list[int]) -> str:
    heads = "".join(f'<th scope="col" style="{_HEAD}">{n + 1}</th>' for n in places)
    rows = [f'<tr style="{_ROW}"><td style="{_SIDE}">step</td>{heads}</tr>']
    for number in _shown(view):
        step = view["steps"][number - 1]
        boxes = "".join(_box(step, n, view["given"][n]) for n in places)
        rows.append(f'<tr style="{_ROW}"><th scope="row" style="{_SIDE}">{number}</th>{boxes}</tr>')
    if view["right"]:
        marks = "".join(
            f'<td style="{_MARK}">{"✓" if view["right"][n] else "✗"}</td>' for n in places
        )
        rows.append(f'<tr style="{_ROW}"><th scope="row" style="{_SIDE}">right</th>{marks}</tr>')
    name = f"Tokens {places[0] + 1} to {places[-1] + 1}"
    return table.scrolling(f'<table style="{_TABLE}">{"".join(rows)}</table>', name)


def _box(step: Step, place: int, given: bool) -> str:
    token, sure = step["tokens"][place], step["confidences"][place]
    weight = ";font-weight:700" if step["changed"][place] else ""
    words = f'<span dir="auto" style="display:block{weight}">{escape(token, True)}</span>'
    if given:
        return f'<td style="{_CELL};border:1px dotted {LINE}">{words}</td>'
    arrow = " ↓" if step["again"][place] else ""
    number = f'<span style="display:block;font-size:11px">{text.number(sure)}{arrow}</span>'
    ink = tint(BLUE, STRONGEST * sure)
    inner = f'<div style="{_INSIDE};background-color:{ink}">{words} {number}</div>'
    return _framed(inner, step["masked"][place])


def _framed(inner: str, filled: bool) -> str:
    """Box of a token; a border and hatching, as of a mask everywhere, where it was filled in."""
    border, band = tint(RUST, 0), ""
    if filled:
        border, band = tint(RUST, 1), f"{hatch(0)};background-color:{tint(RUST, 0.15)}"
    above = f'<div style="height:7px;{band}"></div>'  # not behind the letters
    return f'<td style="{_CELL};border:2px solid {border}">{above}{inner}</td>'


def _legend(view: dict[str, Any]) -> str:
    words = (
        "Each row: the text after a step. Frame and hatching: masked when the step began, filled in by "
        "it. Number and shade: the confidence from the step that chose the token. "
        "Bold: another token than before. ↓: masked again for the next step."
    )
    if any(view["given"]):
        words += " Dotted: given, never masked."
    if len(_shown(view)) < len(view["steps"]):
        words += f" {len(_shown(view))} of {len(view['steps'])} steps are shown."
    return f'<div style="width:100%;font-size:12px">{words}</div>'


_TABLE = (
    "border-collapse:separate;border-spacing:2px;width:auto;margin:0;color:inherit;"
    f"font-family:{MONO};font-size:12px;line-height:1.3"
)
_ROW = "background:none;border:0"
_HEAD = "padding:0;font-weight:normal;font-size:11px;text-align:center"
_SIDE = (
    "padding:0 6px 0 0;font-weight:normal;text-align:right;white-space:nowrap;"
    f"position:sticky;left:0;background-color:{PAPER};font-family:{SANS}"
)
_CELL = "padding:2px;border-radius:5px;text-align:center;white-space:nowrap;vertical-align:middle"
_INSIDE = "padding:1px 3px;border-radius:3px"
_MARK = "padding:0;border:0;text-align:center;font-size:14px"
