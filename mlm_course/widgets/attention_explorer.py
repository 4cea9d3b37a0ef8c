"""The attention explorer: heads, stages and one query's row, by mouse and by keyboard."""

from collections.abc import Iterable
from typing import Any

import traitlets

from mlm_course.views import attention_view
from mlm_course.widgets.base import CourseWidget, script


class AttentionExplorer(CourseWidget):
    """Attention of every head, before and after the mask and the softmax.

    tokens, T queries; scores (T, S) or (H, T, S), before softmax, or in their place weights,
    after it, in rows that sum to 1; attention_mask bool, broadcast to the scores, True = may
    attend; keys, S strings (the tokens if left out). head, selected_query and stage ("scores",
    "masked", "weights") follow what the reader chooses and may be set. What is too large to walk
    through becomes images. ValueError where lengths or shapes do not match.
    """

    _esm = script("attention_explorer.js")

    head = traitlets.Int(0).tag(sync=True)
    selected_query = traitlets.Int(0).tag(sync=True)
    stage = traitlets.Enum(["scores", "masked", "weights"], "weights").tag(sync=True)

    def __init__(
        self,
        tokens: Iterable[str],
        scores: Any = None,
        attention_mask: Any = None,
        keys: Iterable[str] | None = None,
        head: int = 0,
        selected_query: int = 0,
        stage: str = "weights",
        weights: Any = None,
    ) -> None:
        view = attention_view(tokens, scores, attention_mask, keys, head, selected_query, weights)
        super().__init__(view=view, head=view["head"], selected_query=view["query"], stage=stage)

    @traitlets.validate("head", "selected_query")
    def _exists(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        size = self.view["shape"][0 if name == "head" else 1]
        if not 0 <= value < size:
            raise traitlets.TraitError(f"{name} must lie between 0 and {size - 1}; got {value}.")
        return value

    def picture(self) -> dict[str, Any]:
        """View with the head and query that are selected now."""
        return {**self.view, "head": self.head, "query": self.selected_query}
