"""What JupyterLab stores of a notebook's widgets, so that the next day none of them is an error.

An extension of Jupyter's server; `make lab` has it read the settings in jupyter/, which switch it
on. JupyterLab stores
the state of its widgets with a notebook, but only of those that have a kernel at that moment: to
open a notebook and save it would lose all others. Widgets that no cell shows any more it keeps.
"""

import json
from pathlib import Path
from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
PREFIX = "IPY_MODEL_"  # before the id of a widget that another one refers to


def keep_widgets(model: dict[str, Any], path: str, contents_manager: Any, **more: Any) -> None:
    """Completes a notebook that is about to be stored; the hook that Jupyter calls before it."""
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return
    stored = Path(contents_manager.root_dir, path.strip("/"))
    complete(model["content"], read_states(stored))


def read_states(path: Path) -> dict[str, Any]:
    """State of each widget in a notebook file by the widget's id; none where it cannot be read."""
    try:
        return states(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return {}


def states(notebook: dict[str, Any]) -> dict[str, Any]:
    """State of each widget that a notebook holds, by the widget's id."""
    widgets = notebook.get("metadata", {}).get("widgets", {})
    return dict(widgets.get(STATE, {}).get("state", {}))


def complete(notebook: dict[str, Any], before: dict[str, Any]) -> None:
    """Gives each widget in sight its state, or leaves the static picture beside it alone.

    before, states from the notebook as it was stored last. Changes the notebook.
    """
    known = {**before, **states(notebook)}
    shown = {view["model_id"] for _, view in _views(notebook)}
    kept = {name: known[name] for name in _reached(shown, known)}
    for output, view in _views(notebook):
        if view["model_id"] not in kept and len(output["data"]) > 1:
            del output["data"][VIEW]
    metadata = notebook.setdefault("metadata", {})
    if kept:
        metadata["widgets"] = {STATE: {"version_major": 2, "version_minor": 0, "state": kept}}
    else:
        metadata.pop("widgets", None)


def _views(notebook: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each output that shows a widget, and its line about the widget."""
    outputs = [o for cell in notebook.get("cells", []) for o in cell.get("outputs", [])]
    pairs = [(output, output.get("data", {}).get(VIEW)) for output in outputs]
    return [(output, view) for output, view in pairs if view and view.get("model_id")]


def _reached(names: set[str], known: dict[str, Any]) -> list[str]:
    """Ids of the widgets in sight, and of all that they refer to, in the order of known."""
    seen: set[str] = set()
    waiting = [name for name in names if name in known]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            written = json.dumps(known[name])
            waiting += [other for other in known if PREFIX + other in written]
    return [name for name in known if name in seen]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.contents_manager.register_pre_save_hook(keep_widgets)
