"""The attention explorer: heads, stages and one query's row, by mouse and by keyboard."""

from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from mlm_course.views import attention_view
from mlm_course.widgets.base import AnsweringWidget, script

Ask = Callable[[str], Iterable[Any]]
AXES = {"head": 0, "selected_query": 1}


class AttentionExplorer(AnsweringWidget):
    """Attention of every head, before and after the mask and the softmax, and what it delivers.

    tokens, T queries; scores (T, S) or (H, T, S), before softmax, or in their place weights,
    after it, in rows that sum to 1; a list of such arrays (H, T, S) holds one for each layer.
    attention_mask bool, broadcast to the scores, True = may attend; keys, S strings (the tokens if
    left out); values (S, D) or (H, S, D), or a list with one for each layer, add the output. head,
    layer, selected_query and stage ("scores", "masked", "weights", "output") follow what the reader
    chooses and may be set. What is too large to walk through becomes images.

    ask, a function text -> (tokens, scores), or with attention_mask and values after them, stands in
    place of all arrays: a field takes the reader's own text, and text is the first. What ask raises
    is shown as a sentence. ValueError where lengths or shapes do not match.
    """

    _esm = script(
        "board.js",
        "save.js",
        "overview.js",
        "query_tables.js",
        "lines.js",
        "play.js",
        "own_text.js",
        "attention_explorer.js",
    )

    layer = traitlets.Int(0).tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    selected_query = traitlets.Int(0).tag(sync=True)
    stage = traitlets.Enum(["scores", "masked", "weights", "output"], "weights").tag(sync=True)
    text = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # None: no field for own text

    def __init__(
        self,
        tokens: Iterable[str] = (),
        scores: Any = None,
        attention_mask: Any = None,
        keys: Iterable[str] | None = None,
        head: int = 0,
        selected_query: int = 0,
        stage: str = "weights",
        weights: Any = None,
        values: Any = None,
        layer: int = 0,
        ask: Ask | None = None,
        text: str | None = None,
    ) -> None:
        first: dict[str, Any] = {"head": head, "query": selected_query, "layer": layer}
        if ask is None:
            given = {"keys": keys, "weights": weights, "values": values, **first}
            view = attention_view(tokens, scores, attention_mask, **given)
        else:
            view = _view_of(_asked(ask, text), **first)
        super().__init__(
            view=view,
            layer=view["layer"],
            head=view["head"],
            selected_query=view["query"],
            stage=stage,
            text=text if ask else None,
        )
        self._ask = ask
        if ask:
            self._key = *self._question(), self.asked
            self.observe(self._answer, ["text", "asked"])

    def _question(self) -> tuple[Any, ...]:
        return (self.text,)

    def _respond(self) -> None:
        assert self._ask is not None
        view = _view_of(_asked(self._ask, self.text))
        self.selected_query = 0
        n_heads, _, _ = view["shape"]
        self.layer, self.head = min(self.layer, view["layers"] - 1), min(self.head, n_heads - 1)
        self.view = view

    @traitlets.validate("layer", "head", "selected_query")
    def _exists(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        size = self.view["layers"] if name == "layer" else self.view["shape"][AXES[name]]
        if not 0 <= value < size:
            raise traitlets.TraitError(f"{name} must lie between 0 and {size - 1}; got {value}.")
        return value

    def picture(self) -> dict[str, Any]:
        """View with the layer, head and query that are selected now."""
        return {**self.view, "layer": self.layer, "head": self.head, "query": self.selected_query}


def _asked(ask: Ask, text: str | None) -> list[Any]:
    """What ask answers to a text, part by part."""
    if not callable(ask):
        raise ValueError(f"ask must be a function; it is {type(ask).__name__}.")
    if not text:
        raise ValueError("There is no text: type one, or pass text=... to begin with.")
    answer = ask(text)
    parts = list(answer) if isinstance(answer, list | tuple) else []
    if not 2 <= len(parts) <= 4:
        kind = f"{len(parts)} parts" if parts else type(answer).__name__
        raise ValueError(f"ask must return (tokens, scores[, attention_mask, values]), not {kind}.")
    return parts


def _view_of(parts: list[Any], **first: Any) -> dict[str, Any]:
    """View of what ask answered."""
    tokens, scores, attention_mask, values = [*parts, None, None][:4]
    return attention_view(tokens, scores, attention_mask, values=values, **first)
