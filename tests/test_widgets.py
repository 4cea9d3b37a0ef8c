import json
import random
import re

import ipywidgets
import pytest
import torch
from hostile import HOSTILE
from IPython.core.formatters import DisplayFormatter
from traitlets import TraitError

from mlm_course.views import PatchFrame, PatchImage, attention_view, mask_matrix, render_html
from mlm_course.widgets import (
    AttentionExplorer,
    MaskMatrix,
    MaskPlayground,
    PatchGrid,
    RefinementSteps,
    TrainingCurve,
)

WORDS = ["[CLS]", "the", "cat", "sat"]
CAN_HIDE = [False, True, True, True]
SCORES = torch.arange(32.0).reshape(2, 4, 4) / 8
CAUSAL = torch.ones(4, 4).tril().bool()
LIVE = "application/vnd.jupyter.widget-view+json"


def bernoulli(ratio, seed):
    draw = random.Random(seed)
    return [can and draw.random() < ratio for can in CAN_HIDE]


def broken(ratio, seed):
    raise RuntimeError("spans need at least\nthree tokens")


def playground(tokens=WORDS, **how):
    strategies = {
        "bernoulli": bernoulli,
        "all": lambda ratio, seed: torch.tensor(CAN_HIDE),
        "broken": broken,
        "short": lambda ratio, seed: [True],
        "special": lambda ratio, seed: [True] * 4,
    }
    return MaskPlayground(tokens, strategies, maskable=CAN_HIDE, **how)


def curve(tokens=WORDS):
    widget = TrainingCurve(floor=0.5)
    widget.add(1, **dict.fromkeys(tokens, 2.0))
    widget.finish()
    return widget


def patches(tokens=WORDS):
    frames = [PatchFrame(0.5, torch.eye(2), torch.zeros(4, 4))]
    return PatchGrid([PatchImage(t, torch.ones(4, 4) / 2, frames) for t in tokens], 2)


def refinement(tokens=WORDS):
    masked = [[True] * 4, [True, False, False, True]]
    return RefinementSteps(
        [tokens[::-1], [tokens[0], *tokens[2:0:-1], tokens[3]]], [[0.5] * 4] * 2, masked
    )


MAKERS = {
    "explorer": lambda tokens=WORDS: AttentionExplorer(tokens, SCORES, CAUSAL),
    "matrix": lambda tokens=WORDS: MaskMatrix(tokens, tokens, CAUSAL, {"future": CAUSAL}),
    "playground": playground,
    "curve": curve,
    "patches": patches,
    "refinement": refinement,
}


@pytest.fixture(params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


# ---------------------------------------------------------------- all widgets alike


def test_a_widget_brings_its_static_twin_and_its_words(make):
    widget = make()
    data, metadata = widget._repr_mimebundle_()
    assert data["text/html"] == render_html(widget.picture())
    assert data["text/plain"] == repr(widget) == widget.picture()["summary"]
    assert data[LIVE]["model_id"] == widget.model_id
    assert metadata == {}


def test_a_widget_prints_the_same_each_time(make):
    first, second = ({**make()._repr_mimebundle_()[0], LIVE: ""} for _ in range(2))
    assert first == second
    assert "object at 0x" not in first["text/plain"]


def test_ipywidgets_7_shows_the_same(make, monkeypatch):
    called = []
    monkeypatch.setattr(
        ipywidgets.Widget, "_ipython_display_", lambda *a, **k: called.append(1), raising=False
    )
    data, _ = DisplayFormatter().format(make())
    assert {"text/plain", "text/html", LIVE} <= set(data)
    assert not called


def test_one_dict_crosses_to_the_page_and_it_is_json(make):
    widget = make()
    dicts = [name for name in widget.keys if isinstance(getattr(widget, name), dict)]
    assert dicts == ["view"]
    json.dumps(widget.view, allow_nan=False)


def test_hostile_tokens_stay_data(make):
    for start in range(0, len(HOSTILE) - 3, 3):
        tokens = HOSTILE[start : start + 4]
        data, _ = make(tokens)._repr_mimebundle_()
        json.dumps(make(tokens).view).encode()
        assert "<b id" not in data["text/html"]
        assert "<img src=x" not in data["text/html"]
        assert "<svg" not in data["text/html"]


def test_the_script_needs_no_network_and_writes_no_html(make):
    script = make()._esm
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "http", "import ", "eval"):
        assert forbidden not in script
    assert "http" not in make()._css
    assert "@import" not in make()._css


def test_every_rule_of_the_style_sheet_stays_inside(make):
    css = re.sub(r"/\*.*?\*/", "", make()._css, flags=re.DOTALL)
    blocks = [b for b in css.split("}") if "{" in b]
    selectors = [s.strip() for b in blocks for s in b.split("{")[0].split(",")]
    assert len(selectors) > 40
    assert "transition" not in css and "animation" not in css  # nothing moves
    assert all(s.startswith(".mlm") for s in selectors), selectors


# ---------------------------------------------------------------- attention explorer


def test_the_explorer_shows_what_is_selected():
    explorer = AttentionExplorer(WORDS, SCORES, CAUSAL, head=1, selected_query=2, stage="masked")
    assert (explorer.head, explorer.selected_query, explorer.stage) == (1, 2, "masked")
    assert (
        render_html(attention_view(WORDS, SCORES, CAUSAL, head=1, query=2))
        == (explorer._repr_mimebundle_()[0]["text/html"])
    )
    explorer.head, explorer.selected_query = 0, 3
    html = explorer._repr_mimebundle_()[0]["text/html"]
    assert "Head 0, query “sat”" in html


@pytest.mark.parametrize(
    ("name", "value"),
    [("head", 2), ("head", -1), ("selected_query", 4), ("stage", "softmax")],
)
def test_the_explorer_refuses_what_does_not_exist(name, value):
    explorer = AttentionExplorer(WORDS, SCORES, CAUSAL)
    before = getattr(explorer, name)
    with pytest.raises(TraitError):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_the_explorer_passes_on_what_is_wrong_with_its_scores():
    with pytest.raises(ValueError, match="tokens has 4 entries where 3"):
        AttentionExplorer(WORDS, torch.zeros(3, 4))


# ---------------------------------------------------------------- mask matrix


def test_the_matrix_is_its_view():
    widget = MaskMatrix(WORDS, WORDS, CAUSAL, {"future": CAUSAL}, title="Causal")
    assert widget.view == mask_matrix(WORDS, WORDS, CAUSAL, {"future": CAUSAL}, "Causal")


# ---------------------------------------------------------------- mask playground


def test_the_playground_draws_again_when_something_changes():
    widget = playground(ratio=0.5, seed=3)
    assert widget.masked == bernoulli(0.5, 3)
    widget.seed = 4
    assert widget.masked == bernoulli(0.5, 4)
    widget.ratio = 1.0
    assert widget.masked == [False, True, True, True]
    widget.ratio = 0.0
    assert widget.masked == [False] * 4
    widget.strategy = "all"
    assert widget.masked == CAN_HIDE


def test_the_playground_tells_what_it_shows():
    widget = playground(ratio=1.0)
    assert repr(widget) == (
        "bernoulli, ratio 1.00, seed 0\n"
        "[CLS] [MASK] [MASK] [MASK]\n"
        "3 of 3 tokens that may be hidden (1 may not) hidden: a ratio of 1.00."
    )
    widget.masked = [False, False, True, False]
    assert "[CLS] the [MASK] sat" in repr(widget)


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        ("broken", "“broken” could not choose: spans need at least"),
        ("short", "“short” could not choose: masked has 1 entries where 4 are needed."),
        ("special", "“special” could not choose: Token 0 ([CLS]) may not be hidden."),
    ],
)
def test_a_strategy_that_fails_loses_nothing(strategy, sentence):
    widget = playground(ratio=1.0)
    before = widget.masked
    widget.strategy = strategy
    assert widget.error == sentence
    assert widget.masked == before
    assert sentence in repr(widget)
    widget.strategy = "bernoulli"
    assert widget.error == ""


def test_a_strategy_that_fails_from_the_start():
    widget = MaskPlayground(WORDS, {"broken": broken})
    assert widget.masked == [False] * 4
    assert widget.error.startswith("“broken” could not choose")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("masked", [True] * 4),
        ("masked", [False]),
        ("ratio", 1.5),
        ("seed", -1),
        ("strategy", "unknown"),
    ],
)
def test_the_playground_refuses_what_does_not_fit(name, value):
    widget = playground()
    before = getattr(widget, name)
    with pytest.raises(TraitError):
        setattr(widget, name, value)
    assert getattr(widget, name) == before


def test_an_empty_playground_is_refused():
    with pytest.raises(ValueError, match="at least one token and one strategy"):
        MaskPlayground([], {"bernoulli": bernoulli})
    with pytest.raises(ValueError, match="at least one token and one strategy"):
        MaskPlayground(WORDS, {})
