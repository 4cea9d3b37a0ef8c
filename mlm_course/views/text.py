"""How tokens and numbers are written: visible, short and the same on every machine."""

import math
import unicodedata

LONGEST = 24
MINUS = "\N{MINUS SIGN}"
VISIBLE = {"\n": "↵", "\r": "↵", "\t": "⇥"}
TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # reverse the text around


def label(token: str) -> str:
    """Visible text of a token, never empty, without control characters or lone surrogates."""
    if token == "":
        return "(empty)"
    start = len(token) - len(token.lstrip(" "))
    end = len(token.rstrip(" "))
    spaced = "␣" * start + token[start:end] + "␣" * (len(token) - max(end, start))
    text = "".join(map(_visible, spaced[: LONGEST + 1]))
    if unicodedata.combining(text[0]):
        text = "◌" + text
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _visible(character: str) -> str:
    if character in VISIBLE:
        return VISIBLE[character]
    if character in TURNS or unicodedata.category(character) in ("Cc", "Cs"):
        return "\N{REPLACEMENT CHARACTER}"
    return character


def number(value: float | None) -> str:
    """Two decimals with a real minus sign; None is minus infinity."""
    if value is None:
        return MINUS + "∞"
    nudged = round(abs(value) + 1e-6, 2)  # 1/8 is 0.13 on each machine, however it rounds
    return (MINUS if value < 0 and nudged else "") + f"{nudged:.2f}"


def encoded(value: float) -> float | None:
    """JSON-safe number: minus infinity becomes None, the rest keeps six decimals."""
    return None if math.isinf(value) else round(float(value), 6) + 0.0


def count(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, in the singular or plural."""
    return f"{n} {one if n == 1 else many or one + 's'}"
