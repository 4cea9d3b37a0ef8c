import json
import os
import random
import re
from pathlib import Path
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch
from hostile import HOSTILE
from IPython.core.formatters import DisplayFormatter
from traitlets import TraitError

import mlm_course.practice.quiz_widget  # noqa: F401 one more CourseWidget
from mlm_course.authoring import saving
from mlm_course.authoring.saving import STATE, VIEW, complete, keep_widgets, states
from mlm_course.models.pretrained import load_pretrained
from mlm_course.views import (
    PatchFrame,
    PatchImage,
    attention_view,
    drawing_pad,
    heat_map,
    mask_matrix,
    render_html,
    show,
    token_strip,
    training_curve,
    weights_view,
)
from mlm_course.views.drawing import named_pictures
from mlm_course.widgets import (
    AttentionExplorer,
    Diffuse,
    DrawingPad,
    GapFiller,
    MaskMatrix,
    MaskPlayground,
    PatchGrid,
    RefinementSteps,
    SearchBox,
    TrainingCurve,
)
from mlm_course.widgets.base import FOR_PAGES, PAGE_MIME, rounded, script

PACKAGE = Path(__file__).parents[1] / "mlm_course"
WORDS = ["[CLS]", "the", "cat", "sat"]
CAN_HIDE = [False, True, True, True]
SCORES = torch.arange(32.0).reshape(2, 4, 4) / 8
CAUSAL = torch.ones(4, 4).tril().bool()
LIVE = "application/vnd.jupyter.widget-view+json"
SCRIPTS = sorted(set(PACKAGE.rglob("*.js")) - {PACKAGE / "widgets/shared.js"})


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


def box(tokens=WORDS, **how):
    examples = list(tokens) if isinstance(tokens, list) else tokens
    return SearchBox(
        lambda query: [(t, t, 0.5) for t in WORDS + examples], examples=examples, **how
    )


def filling(tokens=WORDS):
    """All but the first are filled, in two steps: the arguments of a refinement's view."""
    masked = [[False, True, True, True], [False, False, True, False]]
    others = [[[]] + [[(tokens[1], 0.25)]] * 3] * 2
    return [tokens, tokens], [[1.0, 0.5, 0.5, 0.5]] * 2, masked, others


def gap_filler(tokens=WORDS, **how):
    examples = list(tokens) if isinstance(tokens, list) else tokens
    return GapFiller(lambda text: filling(tokens), examples, text="a ___", **how)


def pad(tokens=WORDS):
    names = [*tokens]
    return DrawingPad(torch.eye(28), lambda image: [(name, image / 2) for name in names])


def diffuse(tokens=WORDS):
    """Three words; only a model that comes with the course has a place in the book."""
    examples = list(tokens) if isinstance(tokens, list) else tokens
    return Diffuse(*load_pretrained("diffusion"), length=3, examples=examples)


MAKERS = {
    "explorer": lambda tokens=WORDS: AttentionExplorer(tokens, SCORES, CAUSAL),
    "matrix": lambda tokens=WORDS: MaskMatrix(tokens, tokens, CAUSAL, {"future": CAUSAL}),
    "playground": playground,
    "curve": curve,
    "patches": patches,
    "refinement": refinement,
    "box": box,
    "gap_filler": gap_filler,
    "pad": pad,
    "diffuse": diffuse,
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


def test_a_page_of_the_book_gets_every_trait_that_is_not_jupyters(make):
    widget = make()
    state = widget.page_state()
    json.dumps(state, allow_nan=False)
    names = {name for name in widget.keys if not name.startswith("_")}
    assert names - set(state) <= {"layout", "tabbable", "tooltip"}
    assert state["view"].keys() == widget.view.keys()


def test_a_widget_tells_its_state_while_the_builder_runs_only(make, monkeypatch):
    widget = make()
    assert PAGE_MIME not in widget._repr_mimebundle_()[0]
    monkeypatch.setenv(FOR_PAGES, "1")
    told = widget._repr_mimebundle_()[0][PAGE_MIME]
    assert told == {"name": type(widget).__name__, "state": widget.page_state()}


def test_numbers_of_a_state_have_four_digits():
    state = {"a": [1 / 3, 123456, 123456.0, float("inf")], "b": (True, "0.123456", None)}
    assert rounded(state) == {
        "a": [0.3333, 123456, 123500.0, None], "b": [True, "0.123456", None]
    }  # fmt: skip


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
    beside = {GapFiller: "filled", Diffuse: "vocabulary"}  # the view stays as it is
    assert set(dicts) == {
        "view",
        *(name for kind, name in beside.items() if isinstance(widget, kind)),
    }
    for name in dicts:
        json.dumps(getattr(widget, name), allow_nan=False)


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


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_declares_what_the_shared_one_has(path):
    names = re.findall(r"^(?:const|let|function) (\w+)", script(str(path)), re.MULTILINE)
    assert len(names) > 15 and len(names) == len(set(names))


def test_every_rule_of_the_style_sheet_stays_inside(make):
    css = re.sub(r"/\*.*?\*/", "", make()._css, flags=re.DOTALL)
    blocks = [b for b in css.split("}") if "{" in b]
    selectors = [s.strip() for b in blocks for s in b.split("{")[0].split(",")]
    assert len(selectors) > 40
    assert "transition" not in css and "animation" not in css  # nothing moves
    assert all(s.startswith(".mlm") for s in selectors), selectors


def odd_numbers():
    scores = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    grown = scores.clone().requires_grad_()
    return {
        "needs a gradient": grown,
        "a tuple that needs one": tuple(grown),
        "lists of tensors": [list(head) for head in grown],
        "bfloat16": scores.bfloat16(),
        "a list of bfloat16": list(scores.bfloat16()),
        "attentions of a model": tuple(grown[None] for _ in range(2)),
        "sparse": scores[0].to_sparse(),
        "without data": torch.zeros(4, 4, device="meta"),
        "complex": scores.to(torch.complex64),
        "integers": torch.ones(4, 4, dtype=torch.int8),
        "a mask": CAUSAL,
        "NaN": np.full((4, 4), np.nan),
        "infinite": np.full((4, 4), np.inf),
        "minus infinity": np.full((4, 4), -np.inf),
        "None": None,
        "Nones": [[None] * 4] * 4,
        "a number": 3.0,
        "text": "abcd",
        "texts": [["x"] * 4] * 4,
        "mixed": [[1, "x", 2, 3]] * 4,
        "ragged": [[1.0, 2.0], [1.0]],
        "nothing": [],
        "no rows": np.zeros((0, 0)),
        "one row": [0.1, 0.2, 0.3, 0.4],
        "a batch": torch.zeros(2, 2, 4, 4),
        "huge": [[10**400] * 4] * 4,
        "a mapping": {"a": 1},
        "a function": len,
    }


ODD_TOKENS = {
    "None": None,
    "a number": 4,
    "numbers": [1, 2, 3, 4],
    "ids": torch.arange(4),
    "a list of ids": list(torch.arange(4)),
    "NumPy": np.array(WORDS),
    "a generator": (word for word in WORDS),
    "decimals": [1.0, 2.0, 3.0, 4.0],
    "Nones": [None] * 4,
    "bytes": [b"a"] * 4,
    "text": "abcd",
    "too few": ["a"],
    "too many": list("abcde"),
    "nothing": [],
    "lists": [["a"]] * 4,
    "booleans": [True] * 4,
}
EYE = np.eye(4)


def image_of(pixels, mask=EYE, made=EYE, ratio=0.5):
    return PatchImage("x", pixels, [PatchFrame(ratio, mask, made)])


TAKES_NUMBERS = {
    "explorer": lambda x: AttentionExplorer(WORDS, x),
    "weights of the explorer": lambda x: AttentionExplorer(WORDS, weights=x),
    "mask of the explorer": lambda x: AttentionExplorer(WORDS, SCORES, x),
    "head": lambda x: AttentionExplorer(WORDS, SCORES, head=x),
    "matrix": lambda x: MaskMatrix(WORDS, WORDS, x),
    "reasons": lambda x: MaskMatrix(WORDS, WORDS, CAUSAL, x),
    "maskable": lambda x: MaskPlayground(WORDS, {"all": lambda r, s: CAN_HIDE}, maskable=x),
    "strategies": lambda x: MaskPlayground(WORDS, x),
    "ratio": lambda x: MaskPlayground(WORDS, {"all": lambda r, s: CAN_HIDE}, ratio=x),
    "seed": lambda x: MaskPlayground(WORDS, {"all": lambda r, s: CAN_HIDE}, seed=x),
    "pixels": lambda x: PatchGrid(image_of(x), 1),
    "reconstruction": lambda x: PatchGrid(image_of(EYE, made=x), 1),
    "mask of an image": lambda x: PatchGrid(image_of(EYE, mask=x), 1),
    "ratio of an image": lambda x: PatchGrid(image_of(EYE, ratio=x), 1),
    "images": lambda x: PatchGrid(x, 1),
    "frames": lambda x: PatchGrid(PatchImage("x", EYE, x), 1),
    "patch_size": lambda x: PatchGrid(image_of(EYE), x),
    "chosen": lambda x: PatchGrid(image_of(EYE), 1, chosen=x),
    "confidences": lambda x: RefinementSteps([WORDS] * 4, x, [[True] * 4] * 4),
    "masked": lambda x: RefinementSteps([WORDS] * 4, [[0.5] * 4] * 4, x),
    "right": lambda x: RefinementSteps([WORDS] * 4, [[0.5] * 4] * 4, [[True] * 4] * 4, x),
    "step": lambda x: RefinementSteps([WORDS], [[0.5] * 4], [[True] * 4], step=x),
    "search": lambda x: SearchBox(x),
    "fill": lambda x: GapFiller(lambda text: x, ["a ___"]),
    "k": lambda x: SearchBox(lambda query: [], k=x),
    "picture to begin with": lambda x: DrawingPad(x),
    "restore": lambda x: DrawingPad(restore=x),
    "drawing": lambda x: drawing_pad(x),
    "pictures beside": lambda x: named_pictures(x),
    "picture beside": lambda x: named_pictures({"a": x}),
    "floor": lambda x: TrainingCurve(floor=x),
    "value": lambda x: TrainingCurve().add(1, loss=x),
    "step of a value": lambda x: TrainingCurve().add(x, loss=1.0),
    "curve": lambda x: training_curve({"a": x}),
    "curves": lambda x: training_curve(x),
    "weights": lambda x: weights_view(WORDS, x),
    "heat map": lambda x: heat_map(WORDS, WORDS, x),
    "title": lambda x: show(heat_map(WORDS, WORDS, EYE, title=x)),
    "numbers": lambda x: token_strip(WORDS, numbers=x),
    "shown": lambda x: token_strip(WORDS, [True] * 4, shown=x),
}
TAKES_TOKENS = {
    **MAKERS,
    "keys": lambda x: AttentionExplorer(WORDS, SCORES, keys=x),
    "columns": lambda x: MaskMatrix(WORDS, x, CAUSAL),
    "weights": lambda x: weights_view(x, [0.25] * 4),
    "heat map": lambda x: heat_map(x, WORDS, EYE),
    "strip": lambda x: token_strip(x, CAN_HIDE),
    "refined": lambda x: RefinementSteps([x], [[0.5] * 4], [[True] * 4]),
}


def right_or_a_sentence(call, what):
    """Whether a call went well; else it has to end in one sentence of ours."""
    try:
        call(what)
    except (ValueError, TraitError) as problem:
        said = str(problem)
        assert said.endswith(".") and "\n" not in said and len(said) < 250, said
        return False
    return True


@pytest.mark.parametrize("name", TAKES_NUMBERS)
def test_odd_numbers_are_read_or_refused_in_a_sentence(name):
    read = {k for k, v in odd_numbers().items() if right_or_a_sentence(TAKES_NUMBERS[name], v)}
    if name == "explorer":
        assert read == {
            "needs a gradient", "a tuple that needs one", "lists of tensors", "bfloat16",
            "a list of bfloat16", "integers", "minus infinity", "attentions of a model",
        }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [n for n in TAKES_TOKENS if n not in ("patches", "curve", "refinement", "gap_filler", "pad")],
)
def test_odd_tokens_are_read_or_refused_in_a_sentence(name):
    odd = {**ODD_TOKENS, "a generator": (word for word in WORDS)}
    read = {k for k, v in odd.items() if right_or_a_sentence(TAKES_TOKENS[name], v)}
    assert {"numbers", "ids", "a list of ids", "NumPy"} <= read
    assert not read & {"a number", "decimals", "Nones", "bytes", "text", "lists", "booleans"}


def test_lists_of_tensors_are_the_scores_they_hold():
    scores = odd_numbers()["needs a gradient"]
    wanted = AttentionExplorer(WORDS, scores.detach().numpy()).view
    for same in (tuple(scores), [list(head) for head in scores], scores[None], scores.double()):
        assert AttentionExplorer(WORDS, same).view == wanted


# ---------------------------------------------------------------- a notebook as it is stored


def notebook_of(*ids, state=()):
    """A notebook with a cell for each widget, and the state of some of them."""
    twin = {"text/plain": "words", "text/html": "<figure></figure>"}
    views = [{VIEW: {"model_id": name}, **twin} for name in ids]
    cells = [{"outputs": [{"output_type": "display_data", "data": data}]} for data in views]
    states = {n: {"model_name": "AnyModel", "state": {"layout": f"IPY_MODEL_l{n}"}} for n in state}
    states |= {f"l{n}": {"model_name": "LayoutModel", "state": {}} for n in state}
    metadata = {"widgets": {STATE: {"state": states}}} if state else {}
    return {"cells": [{"cell_type": "markdown"}, *cells], "metadata": metadata}


def stored_state(notebook):
    return set(notebook["metadata"].get("widgets", {STATE: {"state": {}}})[STATE]["state"])


def live(notebook):
    return [VIEW in cell["outputs"][0]["data"] for cell in notebook["cells"][1:]]


@pytest.mark.parametrize(
    ("now", "before", "kept", "is_live"),
    [
        ("ab", "", {"a", "la", "b", "lb"}, [True, True]),  # as JupyterLab leaves it
        ("", "ab", {"a", "la", "b", "lb"}, [True, True]),  # opened, and saved without a run
        ("a", "ab", {"a", "la", "b", "lb"}, [True, True]),  # one cell run again
        ("abc", "d", {"a", "la", "b", "lb"}, [True, True]),  # widgets that no cell shows any more
        ("a", "", {"a", "la"}, [True, False]),  # nothing known of b: its static picture stays
        ("", "", set(), [False, False]),
    ],
)
def test_a_stored_notebook_holds_the_state_of_what_it_shows(now, before, kept, is_live):
    notebook = notebook_of("a", "b", state=now)
    complete(notebook, states(notebook_of(state=before)))
    assert stored_state(notebook) == kept
    assert live(notebook) == is_live
    assert all("text/html" in cell["outputs"][0]["data"] for cell in notebook["cells"][1:])


@pytest.mark.parametrize(
    "content", ["", "no JSON", "[]", '{"metadata": []}', '{"metadata": {"widgets": 3}}']
)
def test_a_file_that_is_no_notebook_stops_no_save(tmp_path, content):
    (tmp_path / "a.ipynb").write_text(content)
    model = {"type": "notebook", "content": notebook_of("a", state="a")}
    manager = SimpleNamespace(root_dir=str(tmp_path))
    for path in ("a.ipynb", "new.ipynb"):
        keep_widgets(model=model, path=path, contents_manager=manager)
        assert stored_state(model["content"]) == {"a", "la"}
    keep_widgets(model={"type": "file", "content": "text"}, path="a.txt", contents_manager=manager)


def test_make_lab_has_jupyter_store_and_export_widgets(monkeypatch):
    """The settings that it names are those that JupyterLab, its server and nbconvert read."""
    root = Path(__file__).parents[1]
    monkeypatch.syspath_prepend(str(root))
    import tasks

    started = {}
    monkeypatch.setattr(tasks, "run", lambda *command, **environment: started.update(environment))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    tasks.lab()
    assert started["JUPYTER_CONFIG_PATH"].split(os.pathsep) == ["/mine", str(root / "jupyter")]
    read = {
        path.relative_to(root / "jupyter").parts[0]: json.loads(path.read_text("utf-8"))
        for path in (root / "jupyter").rglob("*.json")
    }
    assert read["labconfig"] == {"@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": True}}
    extensions = read["jupyter_server_config.d"].pop("ServerApp")["jpserver_extensions"]
    assert extensions == {"mlm_course.authoring.saving": True}
    assert read["jupyter_server_config.d"] == read["jupyter_nbconvert_config.json"]
    hooks = []
    manager = SimpleNamespace(register_pre_save_hook=hooks.append)
    saving._load_jupyter_server_extension(SimpleNamespace(contents_manager=manager))
    assert hooks == [keep_widgets]


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


def test_the_explorer_shows_weights_that_are_weights():
    weights = torch.tensor([[0.9, 0.1], [0.25, 0.75]])
    explorer = AttentionExplorer(["a", "b"], weights=weights, stage="scores")
    assert explorer.view["stages"][0]["values"] == [[[0.9, 0.1], [0.25, 0.75]]]
    assert "a → a 0.90" in repr(explorer)
    assert "pass them by name: weights=..." in repr(AttentionExplorer(["a", "b"], weights))


def test_layers_come_as_a_list_and_values_give_the_output():
    layers = [torch.randn(3, 4, 4), torch.randn(1, 3, 4, 4)]  # as the attentions of a model
    values = [torch.randn(3, 4, 5), torch.randn(3, 4, 5)]
    explorer = AttentionExplorer(WORDS, layers, CAUSAL, values=values, layer=1, head=2)
    masked = layers[1][0, 2].masked_fill(~torch.as_tensor(CAUSAL), -torch.inf)
    expected = masked.softmax(-1) @ values[1][2]
    assert np.allclose(explorer.view["output"][5], expected, atol=1e-5)
    html = explorer._repr_mimebundle_()[0]["text/html"]
    assert "Layer 1, head 2, query" in html and "output: softmax times values" in html
    assert "All heads, softmax: layers 0 to 1 down, heads 0 to 2 across." in html
    explorer.layer = 0
    assert explorer.picture()["layer"] == 0
    with pytest.raises(TraitError, match="layer must lie between 0 and 1"):
        explorer.layer = 2


@pytest.mark.parametrize(
    ("scores", "values", "says"),
    [
        (torch.zeros(3, 4, 4), torch.zeros(5, 2), r"S = 4 keys, H = 3 heads; the shape is"),
        (torch.zeros(3, 4, 4), torch.zeros(2, 4, 2), r"values must be \(S, D\) or \(H, S, D\)"),
        ([torch.zeros(3, 4, 4)] * 2, torch.zeros(3, 4, 2), r"or a list of 2 such arrays"),
        ([torch.zeros(3, 4, 4), torch.zeros(2, 4, 4)], None, r"must have the same shape"),
    ],
)
def test_values_and_layers_that_do_not_fit_are_refused(scores, values, says):
    with pytest.raises(ValueError, match=says):
        AttentionExplorer(WORDS, scores, values=values)


def test_an_explorer_that_asks():
    def ask(text):
        return text.split(), torch.zeros(2, *2 * [len(text.split())])

    explorer = AttentionExplorer(ask=ask, text="a b c", selected_query=2)
    explorer.set_trait("text", "d e")
    assert explorer.view["tokens"] == ["d", "e"]
    assert (explorer.answered, explorer.error, explorer.selected_query) == (0, "", 0)
    explorer.text = ""
    assert explorer.error.startswith("There is no text")
    assert explorer.view["tokens"] == ["d", "e"]
    for wrong in (lambda text: "one", lambda text: (text.split(),), "no function"):
        with pytest.raises(ValueError, match="ask must"):
            AttentionExplorer(ask=wrong, text="a b")


def test_an_explorer_of_512_tokens_is_an_image():
    explorer = AttentionExplorer([f"w{i}" for i in range(512)], torch.zeros(12, 512, 512))
    data = explorer._repr_mimebundle_()[0]
    assert len(json.dumps(explorer.view)) < 600_000 and len(data["text/html"]) < 600_000
    assert "too many to walk through" in data["text/plain"]
    explorer.head = 11  # it exists
    with pytest.raises(TraitError):
        explorer.head = 12


# ---------------------------------------------------------------- mask matrix


def test_the_matrix_is_its_view():
    widget = MaskMatrix(WORDS, WORDS, CAUSAL, {"future": CAUSAL}, title="Causal")
    assert widget.view == mask_matrix(WORDS, WORDS, CAUSAL, {"future": CAUSAL}, "Causal")


# ---------------------------------------------------------------- mask playground


def test_a_page_that_asks_is_answered(make, monkeypatch):
    widget, sent = make(), []
    monkeypatch.setattr(widget, "send", sent.append)
    widget._handle_custom_msg({"ask": "here?"}, [])
    assert sent == [{"answer": "here"}]


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


# ---------------------------------------------------------------- search box


PASSAGES = {
    "csv.reader": "Read rows of a CSV file.",
    "json.load": "Read a JSON document from a file.",
    "re.match": "Match a pattern at the start of a text.",
}


def by_words(query):
    """Share of the query's words that a passage holds."""
    words = query.lower().split()
    scored = [(n, t, sum(w in t.lower() for w in words) / len(words)) for n, t in PASSAGES.items()]
    return sorted(scored, key=lambda hit: -hit[2])


def names(widget):
    return [hit["name"] for hit in widget.hits]


def test_a_query_is_answered_with_the_first_k_hits():
    widget = SearchBox(by_words, k=2)
    assert (widget.hits, widget.said) == ([], "")
    widget.query = " read csv "
    assert names(widget) == ["csv.reader", "json.load"]
    assert widget.hits[1]["score"] == "0.50"
    assert widget.said == "2 passages for “read csv”."
    assert repr(widget) == (
        "2 passages for “read csv”.\n"
        "1. csv.reader (1.00): Read rows of a CSV file.\n"
        "2. json.load (0.50): Read a JSON document from a file."
    )
    widget.query = "  "
    assert (widget.hits, widget.said) == ([], "")


def test_searches_are_compared_on_the_same_query():
    widget = SearchBox({"words": by_words, "backwards": lambda q: by_words(q)[::-1]}, query="match")
    assert names(widget)[0] == "re.match"
    widget.method = "backwards"
    assert names(widget)[-1] == "re.match"
    assert widget.said == "3 passages for “match”, backwards."
    with pytest.raises(TraitError, match="There is no search 'unknown'"):
        widget.method = "unknown"
    assert widget.method == "backwards"


@pytest.mark.skipif(ipywidgets.__version__ < "8", reason="7 sends nothing without a kernel")
def test_a_question_of_the_page_is_answered_once_and_in_one_message(monkeypatch):
    asked, sent = [], []
    widget = SearchBox(lambda query: asked.append(query) or by_words(query))
    monkeypatch.setattr(widget, "send_state", lambda keys: sent.append(set(keys)))
    question = {"query": "json", "method": "", "asked": 1}
    widget.set_state(question)
    assert asked == ["json"] and widget.answered == 1 and names(widget)[0] == "json.load"
    assert sent == [{"hits", "said", "answered"}]
    widget.set_state({**question, "asked": 2})  # Enter: the same once more
    assert asked == ["json"] * 2 and widget.answered == 2


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (RuntimeError("no checkpoint\nat all"), "no checkpoint"),
        (KeyError(), "KeyError"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (None, "A search must return a list of (name, text, score), not NoneType."),
        ("text", "A search must return a list of (name, text, score), not str."),
        ([("a", "b")], "Hit 1 must be (name, text, score); it is tuple."),
        ([("a", "b", 1), "abc"], "Hit 2 must be (name, text, score); it is str."),
        ([("a", 3, 0.5)], "The text of hit 1 must be a string; it is int."),
        ([("a", "b", "c")], "The score of hit 1 must be one number; it is 'c'."),
        ([("a", "b", float("nan"))], "The score of hit 1 must be a finite number; it is nan."),
    ],
)
def test_a_search_that_fails_loses_nothing(answer, sentence):
    def search(query):
        if query != "bad":
            return by_words(query)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    widget = SearchBox(search, query="json")
    before = widget.hits, widget.said
    widget.query = "bad"
    assert widget.error == f"The search could not answer: {sentence}"
    assert (widget.hits, widget.said) == before
    assert widget.error in repr(widget) and "json.load" in repr(widget)
    widget.query = "csv"
    assert widget.error == "" and names(widget)[0] == "csv.reader"


def test_scores_may_be_tensors_and_hits_may_come_one_by_one():
    widget = SearchBox(lambda q: (("n", "t", torch.tensor(x)) for x in (0.75, -0.5)), query="a")
    assert [hit["share"] for hit in widget.hits] == [0.75, 0.0]


def test_a_search_without_hits_says_so_in_box_and_picture():
    widget = SearchBox({"words": lambda q: by_words(q) if q == "json" else []}, query="json")
    assert widget.hits
    widget.query = "zzqx"
    assert widget.hits == [] and widget.said == "No passage for “zzqx”, words."
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert widget.said in html and "Bars show" not in html


def test_a_box_that_nobody_has_asked_shows_what_its_examples_give():
    asked = []
    widget = SearchBox(lambda q: asked.append(q) or by_words(q), examples=["json", "csv"])
    assert asked == []
    html = widget._repr_mimebundle_()[0]["text/html"]
    assert asked == ["json", "csv"]  # each once
    assert html.index("“json”") < html.index("“csv”") and widget.query == ""
    broken = SearchBox(lambda q: 1 / 0, examples=["json"], title="Docs")
    assert repr(broken) == "Docs" and broken.error == ""


def test_a_box_without_a_search_is_refused():
    with pytest.raises(ValueError, match="at least one search"):
        SearchBox({})
    with pytest.raises(ValueError, match="search 'a' must be a function; it is list"):
        SearchBox({"a": []})
    with pytest.raises(ValueError, match="k must lie between 1 and 50; it is 0"):
        SearchBox(by_words, k=0)


# ---------------------------------------------------------------- a sentence with gaps


def echo(text):
    """Fills each ___ of a text with "xx", one a step."""
    words = text.split()
    gaps = [place for place, word in enumerate(words) if word == "___"]
    if not gaps:
        raise ValueError("There is no gap.\nMore of it.")
    filled = [["xx" if word == "___" else word for word in words]] * len(gaps)
    masked = [[place in gaps[n:] for place in range(len(words))] for n in range(len(gaps))]
    others = [[[("y", 0.25)] if gone else [] for gone in row] for row in masked]
    return filled, torch.full((len(gaps), len(words)), 0.5), masked, others


def test_a_gap_filler_begins_with_its_first_example():
    widget = GapFiller(echo, ["a ___ c ___", "___"], title="Fill")
    assert (widget.text, widget.step) == ("a ___ c ___", 1)
    assert widget.said == "2 gaps filled in 2 steps. Result: a xx c xx"
    assert repr(widget).startswith("4 tokens, 2 of them given, 2 steps.\nStep 1 of 2: all 2 tokens")
    assert "Token 4: masked again, step 2 chose “xx” again (0.50), before “y” (0.25)." in repr(
        widget
    )
    assert widget.picture()["title"] == "Fill"
    assert GapFiller(echo, ["a ___"], text="b ___").text == "b ___"


def test_another_text_is_filled_from_its_first_step():
    widget = GapFiller(echo, ["a ___ c ___"])
    widget.step = 2
    widget.text = "___"
    assert (widget.step, widget.said) == (1, "1 gap filled in 1 step. Result: xx")
    with pytest.raises(TraitError, match="step must lie between 1 and 1; got 2"):
        widget.step = 2


def test_a_text_that_cannot_be_filled_loses_nothing():
    widget = GapFiller(echo, ["a ___"])
    before = widget.filled, widget.said
    widget.text = "no gap"
    assert widget.error == "There is no gap."
    assert (widget.filled, widget.said) == before
    assert "There is no gap." in repr(widget) and "Result: a xx" in repr(widget)
    widget.text = "___ b"
    assert widget.error == "" and "Result: xx b" in repr(widget)


@pytest.mark.skipif(ipywidgets.__version__ < "8", reason="7 sends nothing without a kernel")
def test_a_text_of_the_page_is_filled_once_and_in_one_message(monkeypatch):
    asked, sent = [], []
    widget = GapFiller(lambda text: asked.append(text) or echo(text), ["a ___"])
    monkeypatch.setattr(widget, "send_state", lambda keys: sent.append(set(keys)))
    widget.set_state({"text": "b ___", "asked": 1})
    assert asked == ["a ___", "b ___"] and widget.answered == 1
    assert sent == [{"filled", "said", "answered"}]
    widget.set_state({"text": "b ___", "asked": 2})  # Enter: the same once more
    assert asked[2:] == ["b ___"] and widget.answered == 2


def test_a_gap_filler_needs_something_to_fill():
    with pytest.raises(ValueError, match="needs a text, or an example"):
        GapFiller(echo)
    with pytest.raises(ValueError, match="There is no gap"):
        GapFiller(echo, ["no gap"])
    with pytest.raises(ValueError, match="fill must be a function; it is str"):
        GapFiller("echo", ["a ___"])
