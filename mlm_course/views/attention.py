"""Attention before and after the mask and the softmax, for every head at once."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from mlm_course.views import checks, table, text
from mlm_course.views.heat import boxes
from mlm_course.views.style import LINE, MONO, bar, heat

STAGES = {"scores": "scores", "masked": "+ mask", "weights": "softmax"}
MOST_ROWS_IN_WORDS = 8
MOST_CELLS_BESIDE = 800  # of the heads that are not selected, in the static picture


def attention_view(
    tokens: Iterable[str],
    scores: Any,
    attention_mask: Any = None,
    keys: Iterable[str] | None = None,
    head: int = 0,
    query: int = 0,
) -> dict[str, Any]:
    """View of attention as three stages: scores, scores + mask, softmax.

    scores (T, S) or (H, T, S), before softmax; attention_mask bool, broadcast to them, True = may
    attend; tokens, T queries; keys, S strings (the tokens themselves if left out). A query that
    may attend to nothing gets zero weights. Minus infinity is None in the view. head and query
    are the ones selected at first. ValueError where lengths or shapes do not match.
    """
    raw = _scores(scores)
    names = checks.tokens_of("tokens", tokens, raw.shape[1])
    others = names if keys is None else list(keys)
    masked = raw
    if attention_mask is not None:
        allowed = checks.booleans("attention_mask", attention_mask, raw.shape)
        masked = np.where(allowed, raw, -np.inf)
    arrays = {"scores": raw, "masked": masked, "weights": softmax(masked)}
    view = {
        "kind": "attention",
        "tokens": [text.label(t) for t in names],
        "keys": [text.label(t) for t in checks.tokens_of("keys", others, raw.shape[2])],
        "has_mask": attention_mask is not None,
        "head": _within("head", head, raw.shape[0]),
        "query": _within("query", query, raw.shape[1]),
        "stages": [
            {"name": name, "label": STAGES[name], "values": _plain(array)}
            for name, array in arrays.items()
        ],
    }
    return {**view, "summary": _summary(view)}


def softmax(masked: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; a row of minus infinities gives zeros."""
    top = masked.max(-1, keepdims=True)
    shares = np.exp(masked - np.where(np.isinf(top), 0.0, top))
    return shares / np.maximum(shares.sum(-1, keepdims=True), np.finfo(float).tiny)


def _scores(scores: Any) -> np.ndarray:
    array = checks.numbers("scores", scores, allow_minus_infinity=True)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size:
        raise ValueError(
            "scores must be (T, S) or (H, T, S) and not empty; "
            f"its shape is {array.shape}. Pick one text first, as in scores[0]."
        )
    return array


def _within(name: str, index: int, size: int) -> int:
    if not 0 <= index < size:
        raise ValueError(f"{name} {index} does not exist; it must lie between 0 and {size - 1}.")
    return int(index)


def _plain(array: np.ndarray) -> list[list[list[float | None]]]:
    return [[[text.encoded(x) for x in row] for row in head] for head in array.tolist()]


def stage(view: dict[str, Any], name: str, head: int) -> list[list[float | None]]:
    """Matrix (T, S) of one stage and head."""
    return next(s["values"][head] for s in view["stages"] if s["name"] == name)


def _summary(view: dict[str, Any]) -> str:
    tokens, keys, head = view["tokens"], view["keys"], view["head"]
    heads = len(view["stages"][0]["values"])
    lead = f"Attention, {text.count(heads, 'head')}: {len(tokens)} queries by {len(keys)} keys"
    masked = stage(view, "masked", head)
    closed = sum(x is None for row in masked for x in row)
    lead += f"; {closed} of {len(tokens) * len(keys)} pairs masked." if closed else "; no mask."
    weights = stage(view, "weights", head)
    told = [_most(tokens[t], keys, weights[t]) for t in range(len(tokens))][:MOST_ROWS_IN_WORDS]
    more = ", …" if len(tokens) > len(told) else ""
    return f"{lead}\nHead {head}, largest weight: {', '.join(told)}{more}."


def _most(token: str, keys: list[str], row: list[float | None]) -> str:
    largest, where = max((w or 0.0, -s) for s, w in enumerate(row))
    if not largest:
        return f"{token} → nothing"
    return f"{token} → {keys[-where]} {text.number(largest)}"


def html(view: dict[str, Any]) -> str:
    """Static HTML: the stages of the selected head, its selected row, the other heads small."""
    head, query = view["head"], view["query"]
    small = max(len(view["tokens"]), len(view["keys"])) > 12
    names = ["weights"] if small else _stages_shown(view)
    parts = [_stage_table(view, name, head, selected=query) for name in names]
    parts.append(_row_table(view, head, query))
    parts.append(_other_heads(view, head))
    title = f"Head {head}, query “{view['tokens'][query]}”"
    return table.figure(*parts, summary=view["summary"], title=title)


def _stage_table(view: dict[str, Any], name: str, head: int, **how: Any) -> str:
    masked = stage(view, "masked" if name == "weights" else name, head)
    values = stage(view, name, head)
    how = {**how, "corner": table.AXES}
    return boxes(view["tokens"], view["keys"], values, STAGES[name], masked, **how)


def _other_heads(view: dict[str, Any], head: int) -> str:
    heads = range(len(view["stages"][0]["values"]))
    tiny = table.Size(14, 14, False)
    if (len(heads) - 1) * len(view["tokens"]) * len(view["keys"]) > MOST_CELLS_BESIDE:
        return f"<div>{text.count(len(heads) - 1, 'other head')}: see the live widget.</div>"
    blank = [""] * len(view["tokens"]), [""] * len(view["keys"])
    maps = "".join(
        boxes(*blank, stage(view, "weights", h), f"head {h}", size=tiny) for h in heads if h != head
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{maps}</div>' if maps else ""


def _stages_shown(view: dict[str, Any]) -> list[str]:
    """Names of the stages; without a mask the second would only repeat the first."""
    return [name for name in STAGES if name != "masked" or view["has_mask"]]


def _row_table(view: dict[str, Any], head: int, query: int) -> str:
    names = _stages_shown(view)
    columns = [stage(view, name, head)[query] for name in names]
    masked = stage(view, "masked", head)[query]
    top = max(w or 0.0 for w in columns[-1])
    heads = "".join(f'<th scope="col" style="{_HEAD}">{STAGES[n]}</th>' for n in names)
    body = "".join(
        _line(key, [column[s] for column in columns], masked[s] is None, top)
        for s, key in enumerate(view["keys"])
    )
    caption = escape(f"What “{view['tokens'][query]}” sees", True)
    return (
        f'<table style="{_ROW_TABLE}"><caption style="{_CAPTION}">{caption}</caption>'
        f'<tr style="background:none"><th scope="col" style="{_HEAD}">key</th>{heads}</tr>'
        f"{body}</table>"
    )


_ROW_TABLE = "border-collapse:collapse;width:auto;margin:0;font-size:12px;color:inherit"
_CAPTION = "caption-side:top;text-align:left;padding:0 0 4px 0;font-weight:600;color:inherit"
_CELL = "padding:3px 8px;text-align:right"
_HEAD = f"{_CELL};font-weight:600"
_KEY = f"{_CELL};font-family:{MONO};font-weight:normal;overflow-wrap:anywhere"


def _line(key: str, values: list[float | None], closed: bool, top: float) -> str:
    *scores, weight = values
    share = (weight or 0.0) / top if top else 0.0
    hatched = f";{heat(None, 1)}" if closed else ""
    boxes = "".join(
        f'<td style="{_CELL}{hatched if i or x is None else ""}">{text.number(x)}</td>'
        for i, x in enumerate(scores)
    )
    return (
        f'<tr style="background:none;border-top:1px solid {LINE}">'
        f'<th scope="row" dir="auto" style="{_KEY}">{escape(key, True)}</th>{boxes}'
        f'<td style="{_CELL};min-width:90px;{bar(share)}">{text.number(weight)}</td></tr>'
    )
