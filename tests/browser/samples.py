"""The widgets and views that the browser tests look at."""

import random
from typing import Any

import numpy as np
import torch

from mlm_course.decoding import MASK_PREDICT
from mlm_course.models import EncoderConfig, MaskedLM, seeded_init
from mlm_course.tokenization import SPECIAL_TOKENS
from mlm_course.views import (
    PatchFrame,
    PatchImage,
    SearchResult,
    attention_view,
    drawing_pad,
    guesses_view,
    heat_map,
    mask_matrix,
    patch_grid,
    refinement_steps,
    search_results,
    token_strip,
    training_curve,
    weights_view,
)
from mlm_course.views.drawing import named_pictures
from mlm_course.views.text import label
from mlm_course.widgets import (
    AttentionExplorer,
    Diffuse,
    DrawingPad,
    FillMask,
    GapFiller,
    MaskMatrix,
    MaskPlayground,
    PatchGrid,
    RefinementSteps,
    SearchBox,
    TrainingCurve,
)

WORDS = ["[CLS]", "the", "cat", "sat", "down", "[PAD]"]
CAN_HIDE = [not word.startswith("[") for word in WORDS]
SIZE = len(WORDS)
SCORES = np.random.default_rng(0).normal(size=(3, SIZE, SIZE)) * 2
PADDING = np.array([True] * (SIZE - 1) + [False])
FUTURE = np.tril(np.ones((SIZE, SIZE), bool))


def bernoulli(ratio: float, seed: int) -> list[bool]:
    draw = random.Random(seed)
    return [can and draw.random() < ratio for can in CAN_HIDE]


def broken(ratio: float, seed: int) -> list[bool]:
    raise ValueError("no room for a span of 9")


def explorer(tokens: list[str] = WORDS, **how: Any) -> AttentionExplorer:
    return AttentionExplorer(tokens, SCORES, FUTURE & PADDING, **how)


VALUES = np.random.default_rng(1).normal(size=(3, SIZE, 4))


def layered(tokens: list[str] = WORDS, **how: Any) -> AttentionExplorer:
    """Two layers of three heads, and what they deliver."""
    given = {"values": [VALUES, -VALUES], "layer": 1, "stage": "output"}
    return AttentionExplorer(tokens, [SCORES, -SCORES], FUTURE & PADDING, **{**given, **how})


def matrix(tokens: list[str] = WORDS) -> MaskMatrix:
    return MaskMatrix(tokens, tokens, FUTURE & PADDING, {"padding": PADDING, "future": FUTURE})


def playground(tokens: list[str] = WORDS, **how: Any) -> MaskPlayground:
    strategies = {"bernoulli": bernoulli, "spans": broken}
    return MaskPlayground(tokens, strategies, maskable=CAN_HIDE, **{"ratio": 0.5, **how})


def learning(names: list[str], steps: int = 50) -> dict[str, list[tuple[int, float]]]:
    """A curve a name that falls towards 0.4, each a little above the one before."""
    return {
        name: [(step, 0.4 + place / 20 + 3 * 0.9**step) for step in range(1, steps + 1)]
        for place, name in enumerate(names)
    }


def curve(names: list[str] = WORDS, **how: Any) -> TrainingCurve:
    widget = TrainingCurve(**{"floor": 0.352, "total": 100, "title": "Training", **how})
    for name, points in learning(names).items():
        for step, value in points:
            widget.add(step, **{name: value})
    widget.status(rate=12_345, left=80)
    widget.finish(best=40)
    return widget


RATIOS = (0.25, 0.5, 0.75)


def images(names: list[str] = WORDS) -> list[PatchImage]:
    """Grey images of 8 by 8 pixels, each patch of 2 by 2 in a shade of its own, and a model that
    puts black, grey and white in place of what is removed at the three ratios."""
    shades = np.arange(16).reshape(4, 4).repeat(2, 0).repeat(2, 1) / 15
    frames = [
        PatchFrame(ratio, np.arange(16) < 16 * ratio, np.full((8, 8), place / 2))
        for place, ratio in enumerate(RATIOS)
    ]
    return [PatchImage(name, shades, frames) for name in names]


def patches(names: list[str] = WORDS, **how: Any) -> PatchGrid:
    return PatchGrid(images(names), 2, **how)


def refined(tokens: list[str] = WORDS) -> dict[str, Any]:
    """Three steps to six tokens; the first is given, and at each step all of them can be seen."""
    first, a, b, c, d, last = tokens
    return {
        "tokens": [[first, b, a, d, c, last], [first, a, b, d, c, last], tokens],
        "confidences": [
            [1.0, 0.3, 0.2, 0.5, 0.4, 0.9],
            [1.0, 0.6, 0.7, 0.5, 0.4, 0.9],
            [1.0, 0.6, 0.7, 0.8, 0.85, 0.9],
        ],
        "masked": [
            [False] + [True] * 5,
            [False, True, True, False, False, False],
            [False, False, False, True, True, False],
        ],
        "right": [True] * 4 + [False, True],
    }


def refinement(tokens: list[str] = WORDS, **how: Any) -> RefinementSteps:
    return RefinementSteps(**refined(tokens), **how)


def hits(tokens: list[str] = WORDS) -> list[tuple[str, str, float]]:
    """Each token as a name, and as a token is written as a text; the first text is a long one."""
    more = [" and more" * 60] + [""] * (len(tokens) - 1)
    pairs = enumerate(zip(tokens, more, strict=True), start=1)
    return [(token, label(token) + end, 1 / n) for n, (token, end) in pairs]


def failing(query: str) -> list[Any]:
    raise RuntimeError("no such checkpoint")


def box(tokens: list[str] = WORDS, **how: Any) -> SearchBox:
    searches = {"words": lambda query: hits(tokens), "broken": failing}
    given = {"examples": tokens[1:4], "query": tokens[1], "title": "Documentation", "k": 9}
    return SearchBox(searches, **{**given, **how})


def fillings(tokens: list[str]) -> tuple[Any, ...]:
    """The steps of `refined` with what else was thought of: a token's neighbour, and the token."""
    given = {name: part for name, part in refined(tokens).items() if name != "right"}
    others = [[[(token, 0.25)] for token in tokens[1:] + tokens[:1]]] * 3
    return (*given.values(), others)


def gap_filler(tokens: list[str] = WORDS, **how: Any) -> GapFiller:
    given = {"examples": tokens[1:4], "title": "A sentence with gaps"}
    return GapFiller(lambda text: fillings(tokens), **{**given, **how})


DIGIT = np.zeros((28, 28))
DIGIT[4:24, 13:15] = 1


def restored(names: list[str] = WORDS) -> dict[str, np.ndarray]:
    """A picture a name, of which more and more rows were removed."""
    rows = np.arange(28)[:, None]
    return {name: np.where(rows < place, np.nan, DIGIT) for place, name in enumerate(names)}


def pad(names: list[str] = WORDS, **how: Any) -> DrawingPad:
    given = {"image": DIGIT, "restore": lambda image: restored(names), "title": "A digit"}
    return DrawingPad(**{**given, **how})


def small_model(n_pieces: int, max_length: int = 12) -> MaskedLM:
    """A model that was never trained; it would rather guess words than special tokens."""
    config = EncoderConfig(n_pieces, max_length, d_model=16, n_layers=2, n_heads=2)
    model = seeded_init(MaskedLM, config).eval()
    with torch.no_grad():
        model.decoder_bias[len(SPECIAL_TOKENS) :] = 5
    return model


def fill_mask(tokens: list[str] = WORDS, **how: Any) -> FillMask:
    """Guesses at the second of three words; a tokenizer takes no half of a character."""
    own = [token for token in dict.fromkeys(tokens) if "\ud800" not in token]
    words = list(dict.fromkeys([*SPECIAL_TOKENS, *own]))
    given = {"text": "the [MASK] sat [PAD]", "examples": tokens, "title": "A text"}
    return FillMask(small_model(len(words)), words, **{**given, **how})


def reciter(tokens: list[str]) -> tuple[MaskedLM, list[str]]:
    """A model that puts the tokens in their places, whatever it sees, and its words.

    Special tokens, which it never says, and halves of a character, which no tokenizer takes, left out.
    """
    own = [t for t in dict.fromkeys(tokens) if t not in SPECIAL_TOKENS and t != "\ud800"]
    words = [*SPECIAL_TOKENS, *own]
    config = EncoderConfig(len(words), len(own) + 2, d_model=16, n_layers=1, n_heads=1)
    model = MaskedLM(config).eval()
    with torch.no_grad():
        for weight in model.encoder.blocks.parameters():
            weight.zero_()
        model.dense.weight.copy_(torch.eye(16))
        named = torch.eye(16)[: len(words)]  # each word an axis of its own
        model.encoder.embeddings.token.weight.copy_(named)
        model.encoder.embeddings.position.weight.zero_()
        model.encoder.embeddings.position.weight[1:-1] = 9 * named[len(SPECIAL_TOKENS) :]
    return model, words


def diffuse(tokens: list[str] = WORDS, **how: Any) -> Diffuse:
    """The tokens, written on a blank line; the most likely one at each place."""
    model, words = reciter(tokens)
    given = {"length": len(words) - len(SPECIAL_TOKENS), "sampler": MASK_PREDICT}
    return Diffuse(model, words, **{**given, "examples": tokens, "title": "A line", **how})


WIDGETS = {
    "explorer": explorer,
    "matrix": matrix,
    "playground": playground,
    "curve": curve,
    "patches": patches,
    "refinement": refinement,
    "box": box,
    "gap_filler": gap_filler,
    "pad": pad,
    "fill_mask": fill_mask,
    "diffuse": diffuse,
}


def views(tokens: list[str] = WORDS) -> dict[str, dict[str, Any]]:
    masks = {"padding": PADDING, "future": FUTURE}
    return {
        "weights": weights_view(tokens, np.full(SIZE, 1 / SIZE)),
        "heat map": heat_map(tokens, tokens, SCORES[0], title="scores"),
        "attention": attention_view(tokens, SCORES, FUTURE & PADDING, query=3),
        "layers": attention_view(tokens, [SCORES, -SCORES], values=[VALUES, -VALUES], layer=1),
        "mask": mask_matrix(tokens, tokens, FUTURE & PADDING, masks, title="Both masks"),
        "strip": token_strip(tokens, bernoulli(0.5, 0), maskable=CAN_HIDE, title="A strip"),
        "curve": training_curve(learning(tokens), floor=0.352, best=40, title="Training"),
        "patches": patch_grid(images(tokens), 2, title="Patches"),
        "refinement": refinement_steps(**refined(tokens), title="Three steps"),
        "search": search_results([SearchResult(tokens[1], hits(tokens), "words")], "Docs", k=9),
        "drawing": drawing_pad(DIGIT, named_pictures(restored(tokens)), "A digit"),
        "guesses": guesses_view(
            tokens, [1], 1, [(token, 0.9 / 2**n) for n, token in enumerate(tokens)], [("a", 0.5)]
        ),
        "wide": heat_map(tokens * 5, tokens * 5, np.eye(5 * SIZE), title="Wide"),
    }
