"""What widgets have in common that run a masked language model in the page."""

import json
from collections.abc import Sequence
from typing import Any

import torch
import traitlets
from tokenizers import Tokenizer

from mlm_course.models.masked_lm import MaskedLM
from mlm_course.models.pretrained import checkpoint_of
from mlm_course.models.storage import model_bytes
from mlm_course.tokenization import SPECIAL_IDS, SPECIAL_TOKENS, word_level
from mlm_course.views.text import label
from mlm_course.widgets.base import CourseWidget


class ModelWidget(CourseWidget):
    """Widget whose page computes the model itself, with the weights that Python sends it once.

    model, a `MaskedLM`; tokenizer, as `train_wordpiece` makes it, or the list of words that
    `load_pretrained` gives; special_tokens, whether the model was trained with [CLS] before and [SEP]
    after a text: by default for a list of words alone. ValueError where these do not belong together.
    """

    vocabulary = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        model: MaskedLM,
        tokenizer: Tokenizer | Sequence[str],
        special_tokens: bool | None = None,
        **traits: Any,
    ) -> None:
        if not isinstance(model, MaskedLM):
            raise ValueError(f"model must be a MaskedLM; it is {type(model).__name__}.")
        self._model, self._tokenizer = model, _checked(tokenizer)
        is_list = not isinstance(tokenizer, Tokenizer)
        self._special = is_list if special_tokens is None else bool(special_tokens)
        n_pieces, n_known = self._tokenizer.get_vocab_size(), model.config.vocab_size
        if n_pieces != n_known:
            raise ValueError(
                f"The tokenizer has {n_pieces:,} pieces, the model knows {n_known:,}: "
                "they do not belong together."
            )
        super().__init__(vocabulary=page_vocabulary(self._tokenizer, self._special), **traits)
        self.on_msg(self._send_weights)

    def _send_weights(self, _: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and content.get("ask") == "weights":
            self.send({"answer": "weights"}, [self._weights()])

    def _weights(self) -> bytes:
        """The model as a safetensors file, in half precision where nothing is lost by it."""
        weights = self._model.state_dict().values()
        halves = all(torch.equal(w, w.half().to(w.dtype)) for w in weights)
        return model_bytes(self._model, torch.float16 if halves else torch.float32)

    def page_state(self) -> dict[str, Any]:
        """As for every widget, and the name of the course's checkpoint that has the model's weights.

        Errors: ValueError for a model that does not come with the course: a page cannot load it.
        """
        checkpoint = checkpoint_of(self._model)
        if not checkpoint:
            raise ValueError("A page of the book can only load a model that comes with the course.")
        return {**super().page_state(), "checkpoint": checkpoint}


def _checked(tokenizer: Tokenizer | Sequence[str]) -> Tokenizer:
    """The tokenizer, or one over a list of words. Errors: ValueError."""
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if isinstance(tokenizer, str) or not isinstance(tokenizer, Sequence):
        kind = type(tokenizer).__name__
        raise ValueError(f"tokenizer must be a Tokenizer or the list of words, not {kind}.")
    try:
        return word_level(tokenizer)
    except TypeError as problem:
        raise ValueError(str(problem)) from None


def page_vocabulary(tokenizer: Tokenizer, special_tokens: bool) -> dict[str, Any]:
    """All that widgets/model.js needs to read a text. Errors: ValueError for another kind."""
    told = json.loads(tokenizer.to_str())
    kinds = {"WordPiece": "wordpiece", "WordLevel": "words"}
    kind = kinds.get(told["model"].get("type"))
    normal, split = told["normalizer"] or {}, told["pre_tokenizer"] or {}
    frame = (normal.get("type"), split.get("type")) == ("BertNormalizer", "BertPreTokenizer")
    specials = tuple(map(tokenizer.id_to_token, SPECIAL_IDS))
    if kind is None or not frame or specials != SPECIAL_TOKENS:
        raise ValueError(
            "The page reads WordPiece, as train_wordpiece makes it, or a list of words."
        )
    pieces = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    return {
        "kind": kind,
        "pieces": pieces,
        "labels": {str(i): label(piece) for i, piece in enumerate(pieces) if label(piece) != piece},
        "lowercase": normal["lowercase"],
        "longest": told["model"].get("max_input_chars_per_word", 0),
        "special_tokens": special_tokens,
    }
