"""Attention before and after the mask and the softmax, and what it delivers, for every head at once."""

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from mlm_course.views import checks, large, table, text
from mlm_course.views.heat import boxes
from mlm_course.views.style import LINE, MONO, bar, heat

STAGES = {"scores": "scores", "masked": "+ mask", "weights": "softmax"}
MOST_ROWS_IN_WORDS = 8
MOST_CELLS_BESIDE = 800  # of the heads that are not selected, in the static picture
MOST_NUMBERS = 200_000  # weights of all heads in a page, about five megabytes; more as an image
FEW = 20_000  # numbers that are kept to the sixth decimal
MOST_IMAGES = 24  # heads that are shown as images
CLOSE = 0.02  # what a row of weights in 16 bits may miss 1 by


def attention_view(
    tokens: Iterable[str],
    scores: Any = None,
    attention_mask: Any = None,
    keys: Iterable[str] | None = None,
    head: int = 0,
    query: int = 0,
    weights: Any = None,
    values: Any = None,
    layer: int = 0,
) -> dict[str, Any]:
    """View of attention as three stages: scores, scores + mask, softmax; or of weights alone.

    scores (T, S) or (H, T, S), before softmax, or in their place weights of the same shape, after
    it, in rows that sum to 1 (or 0); a list of such arrays (H, T, S) holds one for each layer.
    attention_mask bool, broadcast to the scores, True = may attend; tokens, T queries; keys, S
    strings (the tokens themselves if left out); values (S, D) of all heads, or (H, S, D), or a list
    with such an array for each layer: what the weights average, the output (T, D) of each head. A
    query that may attend to nothing gets zero weights. Minus infinity is None in the view. layer,
    head and query are the ones selected at first. More than 200,000 weights, or 128 by 128 a head,
    become images. ValueError where lengths or shapes do not match, or rows of weights do not sum to 1.
    """
    n_layers = len(_layers(weights if scores is None else scores))
    arrays = _stages(scores, attention_mask, weights)
    n_all, n_queries, n_keys = arrays["weights"].shape
    n_heads = n_all // n_layers
    averaged = _values(values, n_layers, (n_all, n_keys))
    names = checks.tokens_of("tokens", tokens, n_queries)
    others = checks.tokens_of("keys", names if keys is None else keys, n_keys)
    view: dict[str, Any] = {
        "kind": "attention",
        "layers": n_layers,
        "shape": [n_heads, n_queries, n_keys],
        "tokens": [text.label(t) for t in names],
        "keys": [text.label(t) for t in others],
        "has_mask": attention_mask is not None,
        "note": TWICE if weights is None and _look_like_weights(arrays["scores"]) else "",
        "layer": _within("layer", layer, n_layers),
        "head": _within("head", head, n_heads),
        "query": _within("query", query, n_queries),
    }
    if large.too_large(n_queries, n_keys, large.MOST_LIVE) or arrays["weights"].size > MOST_NUMBERS:
        view |= _images(arrays["weights"], view["layer"] * n_heads + view["head"], n_layers)
    else:
        view["stages"] = [
            {"name": name, "label": STAGES[name], "values": _plain(array)}
            for name, array in arrays.items()
        ]
        if averaged is not None:
            view |= _output(arrays["weights"], averaged, view["note"])
    return {**view, "summary": _summary(view, arrays)}


TWICE = (
    "Each row of these scores sums to 1, as weights do, after the softmax. It has now been taken a "
    "second time. If they are weights, pass them by name: weights=..."
)


def _stages(scores: Any, attention_mask: Any, weights: Any) -> dict[str, np.ndarray]:
    """Arrays (H, T, S) of each stage; of weights that are given there is one."""
    if (scores is None) == (weights is None):
        raise ValueError("Pass scores, before the softmax, or weights, after it, and not both.")
    if weights is not None:
        if attention_mask is not None:
            raise ValueError("weights are what the mask has left; leave attention_mask out.")
        return {"weights": _weights(_matrices("weights", weights))}
    raw = _matrices("scores", scores)
    masked = raw
    if attention_mask is not None:
        allowed = checks.booleans("attention_mask", attention_mask, raw.shape)
        masked = np.where(allowed, raw, -np.inf)
    return {"scores": raw, "masked": masked, "weights": softmax(masked)}


def _output(weights: np.ndarray, values: np.ndarray, note: str) -> dict[str, Any]:
    """Values (1 or all heads, S, D) and what each head makes of them, (all heads, T, D)."""
    output = weights @ values
    n_shown, most = values.size + output.size, MOST_NUMBERS
    if n_shown <= most and not large.too_large(output.shape[1], output.shape[2], large.MOST_LIVE):
        return {"values": _plain(values), "output": _plain(output)}
    said = f"The output is left out: {n_shown:,} values and outputs are more than a page can show "
    said += f"({most:,} in all, {large.MOST_LIVE:,} a head). Pass fewer heads, such as values[:1]."
    return {"note": f"{note} {said}".strip()}


def _layers(values: Any) -> list[Any]:
    """The arrays of a list, one for each layer; anything else is one layer.

    An array of four axes is no list of layers: its first axis may as well hold the texts of a batch.
    """
    several = isinstance(values, list | tuple) and bool(values)
    if several and all(len(getattr(v, "shape", ())) >= 3 for v in values):
        return list(values)
    return [values]


def _values(values: Any, n_layers: int, size: tuple[int, int]) -> np.ndarray | None:
    """Values as an array (1 or all heads, S, D); size is how many heads and keys there are."""
    if values is None:
        return None
    given = _layers(values)
    array = _stacked("values", values) if len(given) > 1 else checks.numbers("values", values)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    array = array[None] if array.ndim == 2 else array
    n_all, n_keys = size
    fits = array.ndim == 3 and array.shape[0] in (1, n_all) and array.shape[1] == n_keys
    if not fits or not array.size:
        layers = f", or a list of {n_layers} such arrays" if n_layers > 1 else ""
        raise ValueError(
            f"values must be (S, D) or (H, S, D){layers}, S = {n_keys} keys, H = {n_all // n_layers} "
            f"heads; the shape is {array.shape}."
        )
    return array


def _stacked(name: str, layers: Any) -> np.ndarray:
    """The heads of all layers one after the other, as one array."""
    arrays = [_matrices(f"{name}[{place}]", layer) for place, layer in enumerate(layers)]
    if len({array.shape for array in arrays}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays[:4])
        raise ValueError(f"Each layer of {name} must have the same shape; they are {shapes}.")
    return np.concatenate(arrays)


def _weights(array: np.ndarray) -> np.ndarray:
    """Weights whose rows sum to 1, or to 0 where a query may attend to nothing."""
    if (array < 0).any():
        raise ValueError(
            "weights must be zero or more; negative numbers are scores=... before the softmax."
        )
    sums = array.sum(-1)
    off = np.argwhere((np.abs(sums - 1) > CLOSE) & (sums > 0))
    if len(off):
        head, query = off[0]
        raise ValueError(
            f"Each row of weights must sum to 1; that of head {head}, query {query} sums to "
            f"{text.number(sums[head, query])}. Numbers before the softmax are scores=...; dropout "
            "changes the sum too, which model.eval() switches off."
        )
    return array


def _look_like_weights(scores: np.ndarray) -> bool:
    """Whether rows of several scores are all such that they could come out of a softmax."""
    sums_to_one = np.abs(scores.sum(-1) - 1) < 0.5 * CLOSE
    return scores.shape[-1] > 1 and bool((scores >= 0).all() and sums_to_one.all())


def _images(weights: np.ndarray, head: int, n_layers: int = 1) -> dict[str, Any]:
    """Images in place of numbers: the selected head, and the others small."""
    n_heads, n_queries, n_keys = weights.shape
    most = large.MOST_LIVE
    instead = f"{text.count(n_heads, 'head')} of {n_queries:,} by {n_keys:,} weights are too many to walk "
    instead += f"through (at most {MOST_NUMBERS:,} in all and {most:,} a head). To do so, pass fewer heads or "
    instead += "tokens, such as scores[:1, :64, :64] and tokens[:64]."
    shown = [head, *(h for h in range(n_heads) if h != head)][:MOST_IMAGES]
    names = [_head_name(h, n_heads // n_layers, n_layers) for h in shown]
    said = [
        f"{name[0].upper()}{name[1:]}: {n_queries} queries down, {n_keys} keys across, as an image."
        for name in names
    ]
    sources = [
        large.heat_image(weights[h], widest=large.WIDEST if h == head else 128) for h in shown
    ]
    images = [
        {"source": source, "alternative": words, "said": name}
        for name, source, words in zip(names, sources, said, strict=True)
    ]
    return {"stages": [], "images": images, "instead": instead}


def _head_name(place: int, n_heads: int, n_layers: int) -> str:
    """Name of a head by its place among those of all layers."""
    layer = f"layer {place // n_heads}, " if n_layers > 1 else ""
    return f"{layer}head {place % n_heads}"


def softmax(masked: np.ndarray) -> np.ndarray:
    """Softmax over the last axis; a row of minus infinities gives zeros."""
    top = masked.max(-1, keepdims=True)
    shares = np.exp(masked - np.where(np.isinf(top), 0.0, top))
    return shares / np.maximum(shares.sum(-1, keepdims=True), np.finfo(float).tiny)


def _matrices(name: str, values: Any) -> np.ndarray:
    """Scores, weights or values as an array (H, T, S)."""
    if len(_layers(values)) > 1:
        return _stacked(name, values)
    array = checks.numbers(
        name, values, allow_minus_infinity=name.startswith("scores"), allow_flags=False
    )
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if not array.size:
        raise ValueError(f"{name} is empty; it must be (T, S) or (H, T, S).")
    if array.ndim != 3:
        picks = {
            4: f" Pick one text first, as in {name}[0], or pass layers as a list.",
            5: f" Pick a layer and a text first, as in {name}[0][0].",
        }
        raise ValueError(
            f"{name} must be (T, S) or (H, T, S); its shape is {array.shape}."
            + picks.get(array.ndim, "")
        )
    return array


def _within(name: str, index: int, size: int) -> int:
    place = checks.whole(name, index)
    if not 0 <= place < size:
        raise ValueError(f"{name} {place} does not exist; it must lie between 0 and {size - 1}.")
    return place


def _plain(array: np.ndarray) -> list[list[list[float | None]]]:
    decimals = 6 if array.size < FEW else 4  # a page of many numbers shows two anyway
    return [[[text.encoded(x, decimals) for x in row] for row in head] for head in array.tolist()]


def stage(view: dict[str, Any], name: str, head: int) -> list[list[float | None]]:
    """Matrix (T, S) of one stage and head."""
    return next(s["values"][head] for s in view["stages"] if s["name"] == name)


def _summary(view: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    tokens, keys, head = view["tokens"], view["keys"], _place(view)
    n_heads = text.count(view["shape"][0], "head")
    n_heads = f"{view['layers']} layers of {n_heads}" if view["layers"] > 1 else n_heads
    lead = f"Attention, {n_heads}: {len(tokens)} queries by {len(keys)} keys"
    closed = int(np.isinf(arrays["masked"][head]).sum()) if "masked" in arrays else 0
    lead += f"; {closed} of {len(tokens) * len(keys)} pairs masked." if closed else "; no mask."
    if "masked" not in arrays:
        lead = f"{lead.removesuffix('; no mask.')}; weights as given."
    weights = arrays["weights"][head].round(6)
    told = [_most(tokens[t], keys, row) for t, row in enumerate(weights[:MOST_ROWS_IN_WORDS])]
    more = ", …" if len(tokens) > len(told) else ""
    said = [lead, f"{_selected(view)}, largest weight: {', '.join(told)}{more}."]
    if view.get("output"):
        said.append(
            f"Output of each head: {view['shape'][1]} by {len(view['output'][0][0])} numbers."
        )
    return "\n".join(said + [view[name] for name in ("note", "instead") if view.get(name)])


def _place(view: dict[str, Any]) -> int:
    """Place of the selected head among those of all layers."""
    return int(view["layer"] * view["shape"][0] + view["head"])


def _selected(view: dict[str, Any]) -> str:
    """Name of the selected head, to begin a sentence with."""
    name = _head_name(_place(view), view["shape"][0], view["layers"])
    return name[0].upper() + name[1:]


def _most(token: str, keys: list[str], row: np.ndarray) -> str:
    where = int(row.argmax())
    if not row[where]:
        return f"{text.isolated(token)} → nothing"
    return f"{text.isolated(token)} → {text.isolated(keys[where])} {text.number(float(row[where]))}"


def html(view: dict[str, Any]) -> str:
    """Static HTML: the stages of the selected head, its selected row, the other heads small."""
    head, query = _place(view), view["query"]
    if not view["stages"]:
        return table.figure(_drawn(view), summary=view["summary"], title="Attention")
    small = max(len(view["tokens"]), len(view["keys"])) > 12
    names = ["weights"] if small else _stages_shown(view)
    parts = [_stage_table(view, name, head, selected=query) for name in names]
    parts.append(_row_table(view, head, query))
    if view.get("output"):
        parts.append(_output_table(view, head, query))
    parts.append(_other_heads(view, head) if view["layers"] == 1 else _overview(view))
    title = f"{_selected(view)}, query {text.quoted(view['tokens'][query])}"
    return table.figure(*parts, summary=view["summary"], title=title)


def _drawn(view: dict[str, Any]) -> str:
    """The heads as images."""
    first, *others = view["images"]
    parts = [large.element(**first), *(large.element(**image, width=128) for image in others)]
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(parts)}</div>'


def _stage_table(view: dict[str, Any], name: str, head: int, **how: Any) -> str:
    values = stage(view, name, head)
    masked = _masked(view, head) if name == "weights" else values
    how = {**how, "corner": table.AXES}
    return boxes(view["tokens"], view["keys"], values, STAGES[name], masked, **how)


def _other_heads(view: dict[str, Any], head: int) -> str:
    heads = range(view["shape"][0])
    tiny = table.Size(14, 14, False)
    if (len(heads) - 1) * len(view["tokens"]) * len(view["keys"]) > MOST_CELLS_BESIDE:
        return f"<div>{text.count(len(heads) - 1, 'other head')}: see the live widget.</div>"
    blank = [""] * len(view["tokens"]), [""] * len(view["keys"])
    maps = "".join(
        boxes(*blank, stage(view, "weights", h), f"head {h}", size=tiny) for h in heads if h != head
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{maps}</div>' if maps else ""


def _output_table(view: dict[str, Any], head: int, query: int) -> str:
    """What each query gets: a row of D numbers."""
    output = view["output"][head]
    columns = [str(d) for d in range(len(output[0]))]
    how: dict[str, Any] = {"selected": query, "corner": "number →\nquery ↓"}
    name = "output: softmax times values"
    drawn = boxes(view["tokens"], columns, output, name, **how)
    return table.scrolling(drawn, name) if drawn.startswith("<table") else drawn  # long labels


def _overview(view: dict[str, Any]) -> str:
    """The weights of all heads as one image, a row for each layer."""
    n_layers, (n_heads, n_queries, n_keys) = view["layers"], view["shape"]
    weights = np.array(next(s["values"] for s in view["stages"] if s["name"] == "weights"))
    shares = weights / np.maximum(weights.max((1, 2), keepdims=True), np.finfo(float).tiny)
    framed = np.zeros((n_layers, n_queries + 1, n_heads, n_keys + 1))  # a line between two heads
    framed[:, :-1, :, :-1] = shares.reshape(n_layers, n_heads, n_queries, n_keys).swapaxes(1, 2)
    closed = np.zeros(framed.shape, bool)
    closed[:, -1] = closed[..., -1] = True
    flat = n_layers * (n_queries + 1), n_heads * (n_keys + 1)
    source = large.heat_image(framed.reshape(flat), closed.reshape(flat), widest=2 * large.WIDEST)
    said = f"All heads, softmax: layers 0 to {n_layers - 1} down, heads 0 to {n_heads - 1} across."
    return large.element(
        source, f"{said[:-1]}, as an image.", said, width=max(flat[1], 44 * n_heads)
    )


def _stages_shown(view: dict[str, Any]) -> list[str]:
    """Names of the stages; without a mask the second would only repeat the first."""
    names = [s["name"] for s in view["stages"]]
    return [name for name in names if name != "masked" or view["has_mask"]]


def _masked(view: dict[str, Any], head: int) -> list[list[float | None]]:
    """Scores with the mask, None where it closes; of weights that were given, themselves."""
    name = "masked" if len(view["stages"]) > 1 else "weights"
    return stage(view, name, head)


def _row_table(view: dict[str, Any], head: int, query: int) -> str:
    names = _stages_shown(view)
    columns = [stage(view, name, head)[query] for name in names]
    masked = _masked(view, head)[query]
    top = max(w or 0.0 for w in columns[-1])
    heads = "".join(f'<th scope="col" style="{_HEAD}">{STAGES[n]}</th>' for n in names)
    body = "".join(
        _line(key, [column[s] for column in columns], masked[s] is None, top)
        for s, key in enumerate(view["keys"])
    )
    caption = escape(f"What {text.quoted(view['tokens'][query])} sees", True)
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
