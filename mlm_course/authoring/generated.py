"""The cells of a notebook that nobody writes: badges, budget line, set-up."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

COLAB = "https://colab.research.google.com/github"
BINDER = "https://mybinder.org/v2/gh"
SYLLABUS = Path("course/syllabus.toml")


@dataclass(frozen=True)
class Publication:
    """Where the course is published: a git address and the tag that learners get; "" if nowhere."""

    repository: str
    tag: str


@dataclass(frozen=True)
class Budget:
    """What a lesson costs the machine, as `build --measure` found it."""

    seconds: float = 0.0
    memory_mb: int = 0
    download_mb: int = 0


def read_publication(root: Path) -> Publication:
    """The [tool.mlm_course] table of pyproject.toml."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return Publication(**table["tool"]["mlm_course"])


def read_syllabus(root: Path) -> dict[str, Budget]:
    """The budget of each lesson, by lesson name."""
    path = root / SYLLABUS
    table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: Budget(**row) for name, row in table.items()}


def syllabus_text(syllabus: dict[str, Budget]) -> str:
    """syllabus.toml anew; only `build --measure` writes it."""
    lines = ["# What `build --measure` found on two CPU cores."]
    for name, budget in sorted(syllabus.items()):
        lines += ["", f'["{name}"]', *(f"{key} = {value}" for key, value in vars(budget).items())]
    return "\n".join(lines) + "\n"


def head(publication: Publication, name: str, facts: str) -> str:
    """The cell behind the title: badges, if there are any, and the budget line."""
    return "\n\n".join(filter(None, [badges(publication, name), facts]))


def budget_line(hours: float, budget: Budget | None) -> str:
    """One line of markdown: time for the learner, time and memory for the machine."""
    if budget is None:
        return "*Not measured yet.*"
    unit = "hour" if hours == 1 else "hours"
    download = f"{budget.download_mb} MB to download" if budget.download_mb else "no download"
    return (
        f"**For you:** about {hours:g} {unit}. **For the machine:** {budget.seconds:.0f} s "
        f"to run every cell on two CPU cores, {budget.memory_mb / 1000:.1f} GB of memory, "
        f"{download}."
    )


def badges(publication: Publication, name: str) -> str:
    """Links that open the lesson in Colab and Binder; empty while the course has no address."""
    prefix = "https://github.com/"
    if not publication.repository.startswith(prefix):
        return ""
    project = publication.repository.removeprefix(prefix).removesuffix(".git")
    notebook = f"lessons/{name}.ipynb"
    return (
        f"[Open in Colab]({COLAB}/{project}/blob/{publication.tag}/{notebook}) · "
        f"[Open in Binder]({BINDER}/{project}/{publication.tag}?urlpath=lab/tree/{notebook})"
    )


TITLE = "# @title Set-up\n"  # Colab shows this line in place of a folded cell

_LOCAL = """\
# The course's package: already there if you started with `make lab`.
import importlib.util

if importlib.util.find_spec("mlm_course") is None:
    raise ModuleNotFoundError(
        "The package mlm_course is not installed in this kernel. "
        "Start JupyterLab with `make lab` in the course's folder."
    )"""

_PUBLISHED = """\
# The course's package: installed here if it is missing (Colab); nothing happens if it is there.
import importlib.util
import subprocess
import sys

packages = {{
    "mlm_course": "git+{repository}@{tag}",
{small}
}}
missing = [source for name, source in packages.items() if importlib.util.find_spec(name) is None]
if missing and subprocess.call(
    [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *missing]
):
    raise RuntimeError("The course could not be installed; pip says why above. Run this cell again.")
importlib.invalidate_caches()"""

_SAME_FOR_ALL = """

import os

import torch

from mlm_course.doctor import this_machine

torch.set_num_threads(1)  # the same numbers on every machine
torch.manual_seed(0)
FAST = os.environ.get("MLM_COURSE_FAST", "0") not in ("", "0")  # fewer steps, for a quick look
print(this_machine())"""

# What the course needs and Colab may lack, each with what it needs itself. Everything else that
# pyproject.toml names is there; torch, numpy and ipywidgets must stay as they are.
SMALL_PACKAGES = ("anywidget", "psygnal", "num2words", "docopt")


def set_up(publication: Publication) -> str:
    """The first code cell, which stands folded: it makes `import mlm_course` work, here or on
    Colab, gives every lesson the same start, and says what runs.

    It never touches torch, numpy or ipywidgets: --no-deps, and only small packages by name. Its one
    line differs between machines, so it is not compared.
    """
    return TITLE + (_installing(publication) if publication.repository else _LOCAL) + _SAME_FOR_ALL


def _installing(publication: Publication) -> str:
    small = "\n".join(f'    "{name}": "{name}",' for name in SMALL_PACKAGES)
    return _PUBLISHED.format(repository=publication.repository, tag=publication.tag, small=small)
