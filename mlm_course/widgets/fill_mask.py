"""A text whose pieces are masked by a click, and a masked language model that runs in the page."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import traitlets
from tokenizers import Tokenizer

from mlm_course.models import inspection
from mlm_course.models.masked_lm import MaskedLM
from mlm_course.tokenization import CLS_ID, MASK_ID, PAD_ID, SEP_ID
from mlm_course.views import checks, guesses_view
from mlm_course.views.text import label, lines
from mlm_course.widgets.base import script
from mlm_course.widgets.model import ModelWidget

FIXED = (PAD_ID, CLS_ID, SEP_ID)  # pieces that cannot be masked
MOST_GUESSES = 8
EMPTY = "The text is empty: type a few words."


class FillMask(ModelWidget):
    """A text as a model reads it: pieces that a click masks, the guesses, and how they come about.

    model, tokenizer and special_tokens as in `ModelWidget`. text, or else the first of the examples, is
    read at the start; masked, the places of its pieces that are masked, by default the middle one
    unless [MASK] stands in the text. text, masked, place (the masked piece that is guessed), layer (from
    1) and head follow what the reader does and may be set; answer holds the last guesses. ValueError for
    a model and a tokenizer that do not belong together, and for a text that the model cannot read.
    """

    _esm = script("model.js", "fill_mask.js")

    text = traitlets.Unicode().tag(sync=True)
    masked = traitlets.List(traitlets.Int()).tag(sync=True)
    place = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(1).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    answer: Any = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        model: MaskedLM,
        tokenizer: Tokenizer | Sequence[str],
        text: str = "",
        masked: Iterable[int] | None = None,
        examples: Iterable[str] = (),
        title: str = "",
        special_tokens: bool | None = None,
    ) -> None:
        offered = [lines(example) for example in checks.tokens_of("examples", examples)]
        first = text or next(iter(offered), "")
        super().__init__(model, tokenizer, special_tokens, text=first)
        c = model.config
        sizes = {"n_layers": c.n_layers, "n_heads": c.n_heads, "max_length": c.max_length}
        self.view = {"title": str(title), "examples": offered, **sizes}
        self.layer = c.n_layers
        self.masked = self._first_masked() if masked is None else sorted(map(int, masked))
        self.place = next(iter(self._gaps()), 0)
        self.answer = self._respond()  # what cannot be read fails here

    def _ids(self) -> list[int]:
        """The text's ids. Errors: ValueError for one that the model cannot read."""
        ids = self._tokenizer.encode(self.text, add_special_tokens=self._special).ids
        if len(ids) <= 2 * self._special:
            raise ValueError(EMPTY)
        if len(ids) > self.view["max_length"]:
            raise ValueError(
                f"The text has {len(ids)} pieces, but the model reads {self.view['max_length']} "
                "at most: shorten it."
            )
        return list(ids)

    def _first_masked(self) -> list[int]:
        """The piece in the middle, unless the text itself says what is masked."""
        ids = self._ids()
        free = [n for n, i in enumerate(ids) if i not in FIXED]
        return [] if MASK_ID in ids or not free else [free[len(free) // 2]]

    def _gaps(self) -> list[int]:
        """Places of all pieces that the model does not see. Errors: ValueError."""
        ids = self._ids()
        for n in self.masked:
            if not 0 <= n < len(ids) or ids[n] in FIXED:
                raise ValueError(f"Piece {n} cannot be masked: it is none of the text's own.")
        return sorted({*self.masked, *(n for n, i in enumerate(ids) if i == MASK_ID)})

    @torch.no_grad()
    def _respond(self) -> dict[str, Any]:
        """What the page shows of the text as it is now, but the attention. Errors: ValueError."""
        ids, gaps = self._ids(), self._gaps()
        names = [self._name(i) for i in ids]
        place = self.place if self.place in gaps else next(iter(gaps), None)
        asked = {"text": self.text, "masked": list(self.masked), "place": self.place}
        answer = {**asked, "at": place, "pieces": names, "gaps": gaps}
        if place is None:
            return {**answer, "guesses": [], "lens": [], "own": None}
        seen = torch.tensor([ids], device=self._model.decoder_bias.device)  # (1, T)
        seen[0, gaps] = MASK_ID
        at = torch.zeros_like(seen, dtype=torch.bool)
        at[0, place] = True
        logits = inspection.logit_lens(self._model, seen, at)[1:, 0]  # (L, V)
        own = logits[-1].softmax(-1)[ids[place]].item()
        return {
            **answer,
            "guesses": self._likeliest(logits[-1:], min(MOST_GUESSES, logits.shape[-1]))[0],
            "lens": [best for (best,) in self._likeliest(logits, 1)],
            "own": None if ids[place] == MASK_ID else own,
        }

    def _likeliest(self, logits: torch.Tensor, k: int) -> list[list[tuple[str, float]]]:
        """The k likeliest pieces with their probabilities, for each row of logits (n, V)."""
        rows = zip(*(part.tolist() for part in inspection.top_answers(logits, k)), strict=True)
        return [[(self._name(i), p) for p, i in zip(*row, strict=True)] for row in rows]

    def _name(self, i: int) -> str:
        return label(self._tokenizer.id_to_token(i) or "")

    @traitlets.validate("layer", "head")
    def _exists(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        least = 1 if name == "layer" else 0
        last = self.view[f"n_{name}s"] - 1 + least
        if not least <= value <= last:
            raise traitlets.TraitError(f"{name} must lie between {least} and {last}; got {value}.")
        return int(value)

    def picture(self) -> dict[str, Any]:
        """View of the text as it is now, with the model's guesses; or what is wrong with it."""
        asked = {"text": self.text, "masked": self.masked, "place": self.place}
        try:
            if not asked.items() <= self.answer.items():
                self.answer = self._respond()
        except ValueError as problem:
            return {**guesses_view([], [], title=self.view["title"]), "summary": str(problem)}
        names = {
            "pieces": "pieces",
            "masked": "gaps",
            "place": "at",
            "guesses": "guesses",
            "lens": "lens",
        }
        parts = {name: self.answer[key] for name, key in names.items()}
        return guesses_view(**parts, title=self.view["title"])
