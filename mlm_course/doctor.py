"""What is wrong with this environment, and the fix: `mlm-course doctor`, or `examine()`.

It has to work where little else does: nothing outside the standard library is imported before it is
asked about, and every check that fails becomes a finding.
"""

from __future__ import annotations

import html
import importlib
import importlib.metadata
import importlib.util
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import mlm_course

PYTHON = (3, 11)
NEEDED_MEMORY, NEEDED_DISK = 2.0, 3.0  # GB: a lesson takes up to 1.2 GB beside browser and server
LEAST_DISK = 0.1  # GB, below which a notebook may not even be saved
HUB_DATASET = "Salesforce/wikitext"  # one that is there, to ask about
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
CONSTRAINTS = PYPROJECT.with_name("constraints.txt")
BACKEND = "MPLBACKEND"
SIGNS = {"ok": "ok", "note": "note", "problem": "PROBLEM"}


class Finding(NamedTuple):
    """One thing looked at: level "ok", "note" or "problem", and what to do about it."""

    what: str
    state: str
    level: str = "ok"
    fix: str = ""


class HealthReport(tuple[Finding, ...]):
    """Findings that show themselves as a table in a notebook and as lines elsewhere."""

    @property
    def problems(self) -> int:
        """How many findings keep the course from running."""
        return sum(finding.level == "problem" for finding in self)

    def __repr__(self) -> str:
        width = max(len(finding.what) for finding in self)
        lines = []
        for what, state, level, fix in self:
            lines.append(f"{SIGNS[level]:>7}  {what:<{width}}  {state}")
            lines += [f"{'':>7}  {'':<{width}}  -> {fix}"] if fix else []
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """The outcome in one sentence."""
        if not self.problems:
            return "Every lesson can run here."
        return f"To mend: {self.problems}. The lines marked PROBLEM say how."

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in
            (SIGNS[level], what, state, fix)) + "</tr>"
            for what, state, level, fix in self
        )  # fmt: skip
        head = "<tr><th></th><th>What</th><th>Found</th><th>What to do</th></tr>"
        return f"<table>{head}{cells}</table><p>{html.escape(self.summary())}</p>"


def this_machine() -> str:
    """Versions and device in one line: "mlm_course 0.1.0, torch 2.13.0, Python 3.11, device: cpu".

    The first cell of each lesson prints it. Torch is imported, as the lesson's next cell would do.
    """
    import torch

    gpu = torch.accelerator.current_accelerator(check_available=True)
    kind = gpu.type if gpu else "cpu"
    name = f" ({torch.cuda.get_device_name()})" if kind == "cuda" else ""
    python_version = ".".join(platform.python_version_tuple()[:2])
    return (
        f"mlm_course {mlm_course.__version__}, torch {torch.__version__}, "
        f"Python {python_version}, device: {kind}{name}"
    )


def examine() -> HealthReport:
    """A report on everything a lesson needs, from Python and packages to hub, weights and widgets."""
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        python, packages, course, device, memory, disk, own_folders, pictures, notebooks, hub, weights,
        widgets,
    )  # fmt: skip
    return HealthReport(
        finding
        for check in checks
        for finding in _survived(check.__name__.replace("_", " "), check)
    )


def _survived(what: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; one that fails itself is a problem."""
    try:
        yield from check()
    except Exception as problem:
        said = f"could not be looked at: {type(problem).__name__}: {_first_line(problem)}"
        missing = isinstance(problem, ImportError)
        fix = "Mend what is named above, then again." if missing else "Please report this line."
        yield Finding(what, said, "problem", fix)


def _first_line(error: BaseException) -> str:
    """The first line of what an error says, cut to a length that a table can hold."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return textwrap.shorten(line, 160)


def python() -> Iterator[Finding]:
    """The version of Python."""
    version = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= PYTHON:
        yield Finding("Python", version)
    else:
        wanted = ".".join(map(str, PYTHON))
        fix = f"Install Python {wanted} or newer, then again."
        yield Finding("Python", version, "problem", fix)


def packages() -> Iterator[Finding]:
    """Every package the course needs: there, new enough, as tested."""
    look = partial(package, tested=tested_versions())
    for text in requirements():
        yield from _survived(_name(text), partial(map, look, [text]))


def requirements() -> list[str]:
    """What pyproject.toml asks for, such as "torch>=2.9,<3", as installed or as it stands there."""
    try:
        lines = importlib.metadata.requires("mlm-course") or []
    except importlib.metadata.PackageNotFoundError:
        import tomllib  # not in a Python too old for the course

        lines = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["dependencies"]
    return [line for line in lines if "extra ==" not in line]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0]


def package(requirement: str, tested: dict[str, str]) -> Finding:
    """One package against what pyproject.toml supports and what was tested.

    requirement: such as "torch>=2.9,<3"; tested: versions by name, where the repository is there.
    """
    name = _name(requirement)
    install = f'pip install "{requirement}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "is missing", "problem", install)
    if broken := _import_error(name):
        fix = _mending(broken) or f"pip install --force-reinstall --no-deps {name}=={version}"
        return Finding(name, f"{version}, but cannot be imported: {broken}", "problem", fix)
    if not _supported(requirement, version):
        fix = install + ", then restart the kernel"
        supported = requirement.removeprefix(name)
        return Finding(name, f"{version}, supported is {supported}", "problem", fix)
    known = tested.get(name.lower().replace("_", "-"))
    if known and known != version.split("+")[0]:
        return Finding(name, f"{version} (tested with {known})")
    return Finding(name, version)


def _supported(requirement: str, version: str) -> bool:
    from packaging.requirements import Requirement

    return Requirement(requirement).specifier.contains(version, prereleases=True)


def _import_error(name: str) -> str:
    """Why a package cannot be imported, "" if it can. A broken one may raise anything."""
    module = {"pillow": "PIL", "scikit-learn": "sklearn", "ipython": "IPython"}.get(name.lower())
    try:
        importlib.import_module(module or name)
    except Exception as error:
        return _first_line(error)
    return ""


def _mending(error: str) -> str:
    """What else than a new installation mends an import; "" where nothing else is known."""
    if BACKEND in os.environ and "backend" in error:
        return f"Remove the environment variable {BACKEND} (it is {os.environ[BACKEND]!r})."
    return ""


def tested_versions() -> dict[str, str]:
    """Versions by package that every test has been run with; none outside a clone."""
    if not CONSTRAINTS.exists():
        return {}
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    pairs = [line.split(";")[0].split("==") for line in lines if "==" in line]
    return {name.strip().lower().replace("_", "-"): version.strip() for name, version in pairs}


def course() -> Iterator[Finding]:
    """Whether a lesson would find this package, and not another copy of it or none."""
    ask = "import mlm_course; print(mlm_course.__file__)"
    with tempfile.TemporaryDirectory() as elsewhere:
        asked = subprocess.run([sys.executable, "-c", ask], cwd=elsewhere, capture_output=True)
    here, there = Path(mlm_course.__file__).resolve(), os.fsdecode(asked.stdout).strip()
    fix = "In the course's folder: make lab, or pip install -e ."
    if asked.returncode:
        yield Finding("course", "is not installed in this Python", "problem", fix)
    elif Path(there).resolve() != here:
        yield Finding("course", f"lessons would use another copy, {there}", "problem", fix)
    else:
        yield Finding("course", f"{mlm_course.__version__} in {here.parent}")


def device() -> Iterator[Finding]:
    """What torch computes on."""
    import torch

    if torch.cuda.is_available():
        gigabytes = torch.cuda.get_device_properties(0).total_memory / 1e9
        yield Finding("device", f"{torch.cuda.get_device_name(0)}, {gigabytes:.0f} GB")
    elif torch.backends.mps.is_available():
        yield Finding("device", "Apple GPU (MPS)", "note",
                      "Training uses it, results differ there; ACCELERATE_USE_CPU=1 forbids it.")  # fmt: skip
    else:
        threads = torch.get_num_threads()
        fix = 'Nothing to do: lessons need no GPU. Their sections "On a GPU" say what would run.'
        yield Finding("device", f"CPU, {os.cpu_count()} cores, {threads} threads", "ok", fix)


def memory() -> Iterator[Finding]:
    """Memory that is free now."""
    import psutil

    free, total = psutil.virtual_memory().available / 1e9, psutil.virtual_memory().total / 1e9
    state = f"{free:.1f} of {total:.1f} GB free"
    fix = "Close other notebooks (Kernel > Shut Down All Kernels) and programs."
    yield Finding("memory", state, *(("ok",) if free >= NEEDED_MEMORY else ("problem", fix)))


def disk() -> Iterator[Finding]:
    """Room in the working folder, and whether it may be written to."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        yield Finding("folder", "this folder has been deleted", "problem", "cd to another one.")
        return
    free = shutil.disk_usage(here).free / 1e9
    fix = "Make room: checkpoints lie in runs/, downloads in the Hugging Face cache."
    level = "ok" if free >= NEEDED_DISK else "note" if free >= LEAST_DISK else "problem"
    yield Finding("disk", f"{free:.1f} GB free", level, "" if level == "ok" else fix)
    if reason := not_writable(here):
        fix = "Copy the course to a folder of your own; else progress and checkpoints are lost."
        yield Finding("folder", f"{here} cannot be written to ({reason})", "note", fix)


def own_folders() -> Iterator[Finding]:
    """The folders outside the course that Jupyter and the hub write to."""
    from huggingface_hub import constants

    jupyter, cache = os.environ.get("JUPYTER_RUNTIME_DIR") or str(Path.home()), constants.HF_HOME
    if reason := not_writable(Path(jupyter)):
        fix = "No kernel can start: set JUPYTER_RUNTIME_DIR to a folder of yours, or mend HOME."
        yield Finding("Jupyter", f"{jupyter} cannot be written to ({reason})", "problem", fix)
    if reason := not_writable(Path(cache)):
        fix = "Nothing can be downloaded: set HF_HOME to a folder of yours, or mend HOME."
        yield Finding("downloads", f"{cache} cannot be written to ({reason})", "note", fix)


def not_writable(folder: Path) -> str:
    """Why nothing can be written to a folder, or to the nearest one above it; "" if it can."""
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=there):
            return ""
    except OSError as error:
        return error.strerror or type(error).__name__


def pictures() -> Iterator[Finding]:
    """Whether matplotlib can draw, if it is there."""
    if importlib.util.find_spec("matplotlib") is None:
        return
    try:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(1, 1))
        figure.savefig(io.BytesIO())
        pyplot.close(figure)
    except Exception as error:
        fix = _mending(f"backend: {error}") or "pip install --force-reinstall --no-deps matplotlib"
        yield Finding("pictures", f"cannot be drawn: {_first_line(error)}", "problem", fix)


def notebooks() -> Iterator[Finding]:
    """Whether this Python can run a notebook, and show one."""
    if "google.colab" in sys.modules:
        return
    if importlib.util.find_spec("ipykernel") is None:
        fix = 'pip install "ipykernel"'
        yield Finding("notebooks", "no kernel: ipykernel is missing", "problem", fix)
    elif importlib.util.find_spec("jupyterlab") is None:
        fix = 'pip install "jupyterlab", or open the lessons in another program with this Python.'
        yield Finding("notebooks", "JupyterLab is missing", "note", fix)


def hub(timeout: float = 3.0) -> Iterator[Finding]:
    """Whether data sets can be downloaded."""
    from huggingface_hub import constants

    from mlm_course.hub import HubUnreachable, ask_about

    fix = "Nothing to do: every lesson has its own data. Only larger data sets are missing."
    if constants.HF_HUB_OFFLINE:
        yield Finding("hub", "switched off by HF_HUB_OFFLINE=1", "note", fix)
        return
    try:
        ask_about("dataset", HUB_DATASET, timeout)
    except HubUnreachable as reason:
        state = f"{constants.ENDPOINT}: {reason}"
        yield Finding("hub", state, "note", f"{reason.advice} {fix}".strip())
    except ValueError:
        yield Finding("hub", f"{constants.ENDPOINT} answers, but lacks {HUB_DATASET}", "note", fix)
    else:
        yield Finding("hub", f"{constants.ENDPOINT} answers")


def weights() -> Iterator[Finding]:
    """Whether the weights that other people trained are on this machine."""
    from mlm_course.models.minilm import INSTALL, minilm_here

    files, wrong = minilm_here()
    fix = "Nothing to do: every lesson runs without them, and says what they would show."
    if files:
        yield Finding("weights", f"all-MiniLM-L6-v2 in {files['model.safetensors'].parent}")
    elif wrong:
        yield Finding("weights", wrong, "note", fix)
    else:
        state = "all-MiniLM-L6-v2 is not on this machine"
        yield Finding("weights", state, "note", f"{fix} They come with {INSTALL} (90 MB).")


def widgets() -> Iterator[Finding]:
    """Whether widgets are live here, or pictures that stand still."""
    shell = _shell()
    if "google.colab" in sys.modules:
        fix = "If a widget stays empty: from google.colab import output; output.enable_custom_widget_manager()"
        yield Finding("widgets", "live, in Colab", "ok", fix)
    elif hasattr(shell, "kernel"):
        fix = "If a widget shows as text: restart JupyterLab from the environment that runs this kernel."
        yield Finding("widgets", "live, if the page has a running kernel", "ok", fix)
    else:
        yield Finding("widgets", "no notebook here: they show as text", "note",
                      "Open the lessons in JupyterLab (make lab, or mlm-course start).")  # fmt: skip


def _shell() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()
