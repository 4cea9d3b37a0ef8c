"""A widget alone in a page: with its real Python object and no Jupyter between, or as in the book."""

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

import mlm_course
from mlm_course.models.pretrained import CHECKPOINTS

THEMES = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"

MOUNT = """async ([esm, css, state]) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const heard = {};
  const dirty = new Set();
  const dataView = (base64) => new DataView(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
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
      const hear = (...what) => (heard["msg:custom"] ?? []).slice().forEach((f) => f(...what));
      if (window.silent) return;
      if (content.ask === "here?") hear({ answer: "here" });
      else window.to_python_as_message(content).then((answers) => answers.forEach(
        ([answer, buffers]) => hear(answer, buffers.map(dataView))));
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


def document(body: str, theme: str = "light") -> str:
    """An HTML document with a theme's variables and the given body."""
    return (
        '<!doctype html><html lang="en"><head><title>alone</title>'
        f"<style>{theme_css(theme)} body {{ margin: 8px;"
        " background: var(--jp-layout-color0, #fff) }</style></head>"
        f"<body><main>{body}</main></body></html>"
    )


def blank(page: Page, body: str, theme: str = "light") -> None:
    """A page of the given body."""
    page.set_content(document(body, theme))


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

    def to_python_as_message(content: dict[str, Any]) -> list[Any]:
        """What Python sends in answer to a message: contents, and buffers in base64."""
        answers: list[Any] = []
        widget.send = lambda answer, buffers=(): answers.append(
            [answer, [b64encode(part).decode() for part in buffers]]
        )
        widget._handle_custom_msg(content, [])
        return answers

    page.expose_function("to_python", to_python)
    page.expose_function("to_python_as_message", to_python_as_message)
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


BOOK = "http://book.test/_static"
RUNTIME = Path(mlm_course.__file__).parent / "authoring" / "book_static" / "book.js"


def mount_in_book(page: Page, widget: Any, theme: str = "light") -> None:
    """The widget in a page of the book: its stored state, the book's own runtime, and no Python."""
    name = type(widget).__name__
    files = {"book.js": RUNTIME.read_text("utf-8"), f"widgets/{name}.js": widget._esm}

    def fulfil(route: Route) -> None:
        path = route.request.url.removeprefix(f"{BOOK}/")
        if path in files:
            route.fulfill(body=files[path], content_type="text/javascript")
        elif path.startswith("models/"):
            route.fulfill(path=CHECKPOINTS / path.removeprefix("models/"))
        else:
            route.fulfill(body=html, content_type="text/html; charset=utf-8")

    state = json.dumps(widget.page_state(), allow_nan=False).replace("<", "\\u003c")
    stored = f'<script type="application/json">{state}</script>{widget.twin()["text/html"]}'
    html = document(
        f'<div class="mlm-widget" data-widget="{name}">{stored}</div>'
        f'<style>{widget._css}</style><script src="_static/book.js"></script>',
        theme,
    )
    page.route("http://book.test/**", fulfil)
    page.goto("http://book.test/")
    page.wait_for_selector(".mlm-widget[data-live]", state="attached")
    assert page.locator(".mlm-widget").get_attribute("data-live") == "yes"
