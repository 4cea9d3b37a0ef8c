"""What check, hint, solution and quiz answer: the same words as plain text and as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

# A symbol and a word say what the colour says. The colours are seen on white and on black.
TONES = {
    "good": ("✓", "#2e8b57"),
    "bad": ("✗", "#d0503f"),
    "open": ("○", "#808080"),
    "stop": ("■", "#c77700"),
    "note": ("•", "#4682b4"),
}
STATUS_TONES = {"passed": "good", "failed": "bad", "stopped": "stop"}  # else "open"


@dataclass(frozen=True, repr=False)
class Card:
    """A heading, a sentence, perhaps some details and some code, for a notebook or a terminal.

    `code` in backticks inside a sentence is set as code. Nothing in it is read as HTML.
    """

    tone: str
    heading: str
    text: str
    details: tuple[str, ...] = ()
    code: str = ""

    def __repr__(self) -> str:
        symbol, _ = TONES[self.tone]
        lines = (f"{symbol} {self.heading}: {self.text}", *(f"  {line}" for line in self.details))
        return "\n".join(lines) + (f"\n\n{self.code.rstrip()}" if self.code else "")

    def _repr_html_(self) -> str:
        symbol, colour = TONES[self.tone]
        heading = f'<span aria-hidden="true">{symbol}</span> {escape(self.heading)}:'
        details = "".join(
            f'<p style="margin:.3em 0 0;white-space:pre-wrap">{html_text(line)}</p>'
            for line in self.details
        )
        code = (
            f'<pre style="margin:.5em 0 0;overflow-x:auto"><code>{escape(self.code)}</code></pre>'
            if self.code
            else ""
        )
        return (
            f'<div class="mathjax_ignore" style="border-left:4px solid {colour};'
            'padding:.2em .8em;margin:.2em 0;color:inherit;max-width:50em">'
            f'<p style="margin:0"><strong>{heading}</strong> '
            f"{html_text(self.text)}</p>{details}{code}</div>"
        )


@dataclass(frozen=True, repr=False)
class Verdict:
    """The answer of `check`.

    `status` is "passed", "failed", "not attempted", "stopped" (a function that was ended from
    outside) or "not checked" (there was nothing to run). `message` is one paragraph; `details` are
    the inputs, what was printed, and where to find help.
    """

    id: str
    status: str
    message: str
    details: tuple[str, ...] = ()

    @property
    def card(self) -> Card:
        """The verdict as it is shown."""
        status = "not attempted yet" if self.status == "not attempted" else self.status
        tone = STATUS_TONES.get(self.status, "open")
        return Card(tone, f"{self.id} {status}".strip(), self.message, self.details)

    def __repr__(self) -> str:
        return repr(self.card)

    def _repr_html_(self) -> str:
        return self.card._repr_html_()


def html_text(text: str) -> str:
    """Escaped text in which `backticks` have become code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))
