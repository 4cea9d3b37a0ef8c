"""A widget alone in a page: its real JavaScript, its real Python object, and no Jupyter between."""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"

MOUNT = """async ([esm, css, state]) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const heard = {};
  const dirty = new Set();
  const tell = (name) => (heard["change:" + name] ?? []).slice().forEach((f) => f());
  const model = {
    get: (name) => state[name],
    set(name, value) {
      if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
      state[name] = value;
      dirty.add(name);
      tell(name);
    },
    on: (event, f) => (heard[event] ??= []).push(f),
    off: (event, f) => (heard[event] = (heard[event] ?? []).filter((g) => g !== f)),
    send(content) { // Python answers at once, unless the test takes it away
      if (!window.silent) (heard["msg:custom"] ?? []).slice().forEach((f) => f({ answer: "here" }));
    },
    save_changes() {
      const sent = Object.fromEntries([...dirty].map((name) => [name, state[name]]));
      dirty.clear();
      window.settled = window.to_python(sent).then(window.receive);
    },
  };
  window.receive = (changes) => { // all of them first, as a model of Jupyter does
    Object.assign(state, changes);
    Object.keys(changes).forEach(tell);
  };
  window.model = model;
  window.listeners = () => Object.values(heard).flat().length;
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const module = await import(url);
  window.leave = await module.default.render({ model, el: document.getElementById("here") });
}"""


def theme_css(theme: str) -> str:
    """JupyterLab's own variables for "light" or "dark"; nothing for any other name."""
    path = THEMES / f"theme-{theme}-extension" / "index.css"
    return path.read_text("utf-8") if path.exists() else ""


def blank(page: Page, body: str, theme: str = "light") -> None:
    """An HTML page with a theme's variables and the given body."""
    page.set_content(
        '<!doctype html><html lang="en"><head><title>alone</title>'
        f"<style>{theme_css(theme)} body {{ margin: 8px;"
        " background: var(--jp-layout-color0, #fff) }</style></head>"
        f"<body><main>{body}</main></body></html>"
    )


def mount(page: Page, widget: Any, theme: str = "light") -> None:
    """The widget in a blank page; what the page sends sets the traits of the Python object."""
    blank(page, '<div id="here"></div>', theme)
    names = [name for name in widget.keys if not name.startswith("_") and name != "layout"]
    seen = {name: getattr(widget, name) for name in names}

    def to_python(sent: dict[str, Any]) -> dict[str, Any]:
        seen.update(sent)
        for name, value in sent.items():
            setattr(widget, name, value)
        return from_python()

    def from_python() -> dict[str, Any]:
        now = {name: getattr(widget, name) for name in names}
        changes = {name: value for name, value in now.items() if value != seen[name]}
        seen.update(changes)
        return changes

    page.expose_function("to_python", to_python)
    page.evaluate(MOUNT, [widget._esm, widget._css, dict(seen)])
    widget.push = lambda: page.evaluate("(changes) => receive(changes)", from_python())


def settle(page: Page) -> None:
    """Waits until Python has answered."""
    page.evaluate("window.settled")


def press(page: Page, *keys: str) -> None:
    """Presses keys one after the other, and waits until Python has answered the last."""
    for key in keys:
        page.keyboard.press(key)
    settle(page)
