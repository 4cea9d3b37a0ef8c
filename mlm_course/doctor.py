"""What is wrong with this environment, and the fix: `python -m mlm_course doctor`, or `doctor()`.

It has to work where little else does: nothing outside the standard library is imported before it is
asked about, and every check that fails becomes a finding.
"""

from __future__ import annotations

import html
import importlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import mlm_course

PYTHON = (3, 11)
NEEDED_MEMORY, NEEDED_DISK = 2.0, 3.0  # GB: a lesson takes up to 1.2 GB beside browser and server
HUB_DATASET = "Salesforce/wikitext"  # one that is there, to ask about
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
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
    """A report on Python, packages, device, memory, disk, hub and widgets."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        python, packages, device, memory, disk, hub, widgets
    )  # fmt: skip
    return HealthReport(finding for check in checks for finding in _survived(check))


def _survived(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; one that fails itself is a finding too."""
    try:
        yield from check()
    except Exception as problem:
        said = f"could not be looked at: {type(problem).__name__}: {problem}"
        yield Finding(check.__name__, said, "note", "Please report this line.")


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
    requirements = importlib.metadata.requires("mlm-course")
    tested = tested_versions()
    for text in requirements or []:
        if "extra ==" not in text:
            yield package(text, tested)


def package(requirement: str, tested: dict[str, str]) -> Finding:
    """One package against what pyproject.toml supports and what was tested.

    requirement: such as "torch>=2.9,<3"; tested: versions by name, where the repository is there.
    """
    from packaging.requirements import Requirement

    wanted = Requirement(requirement)
    name, install = wanted.name, f'pip install "{requirement}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "is missing", "problem", install)
    if not wanted.specifier.contains(version, prereleases=True):
        fix = install + ", then restart the kernel"
        return Finding(name, f"{version}, supported is {wanted.specifier}", "problem", fix)
    if broken := _import_error(name):
        fix = f"pip install --force-reinstall --no-deps {name}=={version}"
        return Finding(name, f"{version}, but cannot be imported: {broken}", "problem", fix)
    known = tested.get(name.lower().replace("_", "-"))
    if known and known != version.split("+")[0]:
        return Finding(name, f"{version} (tested with {known})")
    return Finding(name, version)


def _import_error(name: str) -> str:
    """Why a package cannot be imported, "" if it can; ImportError and OSError are what it takes."""
    modules = {"pillow": "PIL", "scikit-learn": "sklearn", "ipython": "IPython"}
    try:
        importlib.import_module(modules.get(name.lower(), name))
    except (ImportError, OSError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ""


def tested_versions() -> dict[str, str]:
    """Versions by package that every test has been run with; none outside a clone."""
    if not CONSTRAINTS.exists():
        return {}
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    pairs = [line.split(";")[0].split("==") for line in lines if "==" in line]
    return {name.strip().lower().replace("_", "-"): version.strip() for name, version in pairs}


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
    here = Path.cwd()
    free = shutil.disk_usage(here).free / 1e9
    fix = "Make room: checkpoints lie in runs/, downloads in the Hugging Face cache."
    enough = ("ok",) if free >= NEEDED_DISK else ("note", fix)
    yield Finding("disk", f"{free:.1f} GB free", *enough)
    if not os.access(here, os.W_OK):
        fix = "Copy the course to a folder of your own; else progress and checkpoints are lost."
        yield Finding("folder", f"{here} cannot be written to", "note", fix)


def hub(timeout: float = 3.0) -> Iterator[Finding]:
    """Whether data sets can be downloaded."""
    from huggingface_hub import constants

    from mlm_course.hub import ask_about

    fix = "Nothing to do: every lesson has its own data. Only larger data sets are missing."
    if constants.HF_HUB_OFFLINE:
        yield Finding("hub", "switched off by HF_HUB_OFFLINE=1", "note", fix)
        return
    try:
        ask_about("dataset", HUB_DATASET, timeout)
    except Exception as problem:  # the network's errors have no common class
        said = f"{constants.ENDPOINT} cannot be reached ({type(problem).__name__})"
        yield Finding("hub", said, "note", fix)
    else:
        yield Finding("hub", f"{constants.ENDPOINT} answers")


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
                      "Open the lessons in JupyterLab (make lab).")  # fmt: skip


def _shell() -> Any:
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return get_ipython()
