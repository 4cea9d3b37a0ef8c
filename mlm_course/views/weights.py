"""One row of attention weights: how much each word counts."""

from collections.abc import Iterable
from html import escape
from typing import Any

from mlm_course.views import checks, table, text
from mlm_course.views.style import BLUE, LINE, MONO, tint

MOST = 4096  # weights
WIDEST = 200  # pixels of the longest bar


def weights_view(tokens: Iterable[str], weights: Any) -> dict[str, Any]:
    """View of one weight per token, as bars.

    weights (S,), zero or more; tokens, S strings. ValueError otherwise.
    """
    array = checks.numbers("weights", weights, allow_flags=False)
    if array.ndim != 1 or not array.size:
        shape = f"the shape is {array.shape}"
        raise ValueError(f"weights must have one axis (one weight a token), not empty; {shape}.")
    checks.at_most("weights", array.size, MOST, "Pass a part, such as weights[:512].")
    if (array < 0).any():
        raise ValueError("weights must be zero or more; these look like scores, before softmax.")
    labels = [text.label(t) for t in checks.tokens_of("tokens", tokens, len(array))]
    pairs = ", ".join(
        f"{text.isolated(t)} {text.number(w)}" for t, w in zip(labels, array.tolist(), strict=True)
    )
    total = text.number(float(array.sum()))
    made = total if total == "1.00" else f"{total}, not 1"
    return {
        "kind": "weights",
        "tokens": labels,
        "weights": [text.encoded(w) for w in array.tolist()],
        "summary": f"Weights: {pairs}. Together they make {made}.",
    }


def html(view: dict[str, Any]) -> str:
    """Static HTML of weights as bars, the longest one full width."""
    top = max(view["weights"]) or 1.0
    lines = zip(view["tokens"], view["weights"], strict=True)
    body = "".join(_line(token, weight, weight / top) for token, weight in lines)
    style = "border-collapse:collapse;width:auto;margin:0;font-size:13px;color:inherit"
    return table.figure(f'<table style="{style}">{body}</table>', summary=view["summary"])


def _line(token: str, weight: float, share: float) -> str:
    pixels = round(WIDEST * share)
    bar = f"height:14px;width:{pixels}px;background-color:{tint(BLUE, 0.75)};border-radius:2px"
    track = (
        f"width:{WIDEST}px;min-width:{WIDEST}px;padding:3px 0 3px 2px;border-left:1px solid {LINE}"
    )
    return (
        '<tr style="background:none">'
        f'<th scope="row" dir="auto" style="{_NAME}">{escape(token, True)}</th>'
        f'<td style="{track}"><div style="{bar}"></div></td>'
        f'<td style="padding:3px 4px;text-align:right">{text.number(weight)}</td></tr>'
    )


_NAME = (
    f"font-family:{MONO};font-weight:normal;text-align:right;padding:3px 8px 3px 0;"
    "overflow-wrap:anywhere;white-space:normal"
)
