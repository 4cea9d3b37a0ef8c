"""How tokens and numbers are written: visible, short and the same on every machine."""

import math
import re
import unicodedata

LONGEST = 24
MINUS = "\N{MINUS SIGN}"
VISIBLE = {"\n": "↵", "\r": "␍", "\t": "⇥"}
UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs")  # kinds of letters that show nothing
BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and marks that show nothing
SUSPECT = re.compile(f"[{BLANK}\ufe00-\ufe0f]")  # printable for Python, and yet to be looked at
JOINERS = "[^\0-\u0590][\u200c\u200d][^\0-\u0590]"  # inside a word of some scripts, or an emoji
SELECTORS = "[0-9#*\u00a9-\U0010ffff][\ufe00-\ufe0f].?"  # after a sign that they change


def heading(title: object) -> str:
    """Text of a title, of a number too; nothing for None."""
    return "" if title is None else str(title)


def label(token: str, longest: int = LONGEST) -> str:
    """Visible text of a token, never empty; what shows nothing stands there by its number."""
    if token == "":
        return "(empty)"
    head = token[: longest + 1]
    pieces = [_visible(head, place) for place in range(len(head))]
    if unicodedata.combining(head[0]):
        pieces[0] = "◌" + pieces[0]
    if len(token) == len(head) and sum(map(len, pieces)) <= longest:
        return "".join(pieces)
    while sum(map(len, pieces)) > longest - 1:
        pieces.pop()
    return "".join(pieces) + "…"


def lines(passage: str) -> str:
    """Visible text of a passage with its spaces and line breaks; tabs become spaces."""
    plain = "\n".join(passage.splitlines()).expandtabs(4)
    if plain.replace("\n", "").isprintable() and not SUSPECT.search(plain):
        return plain
    return "".join(c if c in " \n" else _visible(plain, place) for place, c in enumerate(plain))


def _visible(token: str, place: int) -> str:
    """One character of a token, or what stands for it."""
    character = token[place]
    if character in VISIBLE:
        return VISIBLE[character]
    around = token[place - 1 : place + 2] if place else ""
    if character == " ":
        return " " if re.fullmatch(r"\S \S", around) else "␣"
    selector = "\ufe00" <= character <= "\ufe0f"
    unseen = unicodedata.category(character) in UNSEEN or character in BLANK or selector
    if not unseen or re.fullmatch(f"{JOINERS}|{SELECTORS}", around):
        return character
    return f"⟨U+{ord(character):04X}⟩"


def isolated(token: str) -> str:
    """A label in a sentence: one that runs from right to left does not turn what follows it."""
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in token)
    return f"\u2068{token}\u2069" if turns else token


def quoted(token: str) -> str:
    """A label in a sentence, in quotation marks."""
    return f"“{isolated(token)}”"


def number(value: float | None) -> str:
    """Two decimals with a real minus sign; None is minus infinity."""
    if value is None:
        return MINUS + "∞"
    nudged = round(abs(value) + 1e-6, 2)  # 1/8 is 0.13 on each machine, however it rounds
    return (MINUS if value < 0 and nudged else "") + f"{nudged:.2f}"


def encoded(value: float, decimals: int = 6) -> float | None:
    """JSON-safe number: minus infinity becomes None, the rest keeps some decimals."""
    return None if math.isinf(value) else round(float(value), decimals) + 0.0


def count(n: int, one: str, many: str | None = None) -> str:
    """A number with its noun, in the singular or plural."""
    return f"{n} {one if n == 1 else many or one + 's'}"
