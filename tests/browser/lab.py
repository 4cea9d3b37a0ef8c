"""Real JupyterLab in a real browser: start it, open a notebook, run every cell."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import nbformat
from chromium import open_browser
from playwright.sync_api import Page

TOKEN = "course"
SETTINGS = {
    "notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "themes": {"theme": "JupyterLab Light"},
}
READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  return Boolean(panel?.context?.isReady && panel?.sessionContext?.session?.kernel);
}"""
RUN_ALL = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.sessionContext.ready;
  await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


@contextmanager
def running_lab(
    root_dir: Path | str, env: dict[str, str] | None = None, dark: bool = False
) -> Iterator[str]:
    """Address of a JupyterLab over a folder, with a configuration of its own; stopped at the end.

    env adds to the environment of the server and its kernels; dark chooses the dark theme.
    RuntimeError with the server's last lines where it does not come up within a minute.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as home, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        log = Path(home) / "log"
        environment = {**os.environ, **_folders(Path(home), dark), **(env or {})}
        with log.open("wb") as out:
            server = subprocess.Popen(
                _command(port), cwd=root_dir, env=environment, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}/lab?token={TOKEN}"
            _wait_for(server, f"http://127.0.0.1:{port}/api/status?token={TOKEN}", log)
            yield url
        finally:
            _stop(server)


def _folders(home: Path, dark: bool) -> dict[str, str]:
    """Jupyter's folders below home, with settings that keep it quiet and choose the theme."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    chosen = {**SETTINGS, "themes": {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}}
    for name, content in chosen.items():
        (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(content))
    return {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_PATH": str(Path(__file__).parents[2] / "jupyter"),  # as `make lab` has it
        "IPYTHONDIR": str(home / "ipython"),
    }


def _command(port: int) -> list[str]:
    return [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip


def _wait_for(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start:\n" + log.read_text(errors="replace")[-2000:])


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server; its kernels end with it."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def open_notebook(page: Page, url: str, path: str, timeout: float = 90) -> None:
    """The notebook at a path below the server's folder, with its kernel up; timeout in seconds."""
    base = urlsplit(url)
    page.goto(f"{base.scheme}://{base.netloc}/lab/tree/{quote(path)}?reset&{base.query}")
    page.wait_for_function(READY, timeout=timeout * 1000)
    page.wait_for_selector(".jp-Notebook .jp-Cell")


def run_all(page: Page, timeout: float = 120) -> None:
    """Every cell run to its end; timeout in seconds."""
    page.set_default_timeout(timeout * 1000)
    page.evaluate(RUN_ALL)
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
        timeout=timeout * 1000,
    )


@contextmanager
def cell_in_lab(code: str) -> Iterator[Page]:
    """A page of JupyterLab with a notebook of one cell, which has been run."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, Path(folder) / "cell.ipynb")
        with running_lab(folder) as url, open_browser() as browser:
            page = browser.new_page(viewport={"width": 1400, "height": 1100})
            open_notebook(page, url, "cell.ipynb")
            run_all(page)
            yield page
