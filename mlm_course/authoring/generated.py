"""What nobody writes in a notebook: badges, budget line, how to start, set-up, frames of exercises."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import mlm_course
from mlm_course.authoring.practice_data import PracticeData
from mlm_course.text_files import read_toml

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
    path = root / "pyproject.toml"
    try:
        return Publication(**read_toml(path)["tool"]["mlm_course"])
    except (KeyError, TypeError):
        raise ValueError(
            f"{path} needs a table [tool.mlm_course] with repository and tag, and nothing else."
        ) from None


def read_course_version(root: Path) -> str:
    """The version in pyproject.toml; that of this package where there is none."""
    try:
        return str(read_toml(root / "pyproject.toml")["project"]["version"])
    except (KeyError, TypeError):
        return mlm_course.__version__


def read_syllabus(root: Path) -> dict[str, Budget]:
    """The budget of each lesson, by lesson name."""
    path = root / SYLLABUS
    table = read_toml(path) if path.exists() else {}
    try:
        return {name: Budget(**row) for name, row in table.items()}
    except TypeError:
        entries = ", ".join(vars(Budget()))
        raise ValueError(f"{path} has other entries than {entries}: build --measure.") from None


def syllabus_text(syllabus: dict[str, Budget]) -> str:
    """syllabus.toml anew; only `build --measure` writes it."""
    lines = ["# What `build --measure` found on two CPU cores."]
    for name, budget in sorted(syllabus.items()):
        lines += ["", f'["{name}"]', *(f"{key} = {value}" for key, value in vars(budget).items())]
    return "\n".join(lines) + "\n"


def head(publication: Publication, name: str, facts: str) -> str:
    """The cell behind the title: badges, if there are any, the budget line, where one may start."""
    return "\n\n".join(filter(None, [badges(publication, name), facts, START]))


START = (
    "Every cell needs the names that the cells above it have made. To begin further down, or after "
    "a restart of the kernel, click the cell where you want to go on and choose *Run > Run All Above "
    "Selected Cell* in the menu (on Colab *Runtime > Run before*)."
)

PROMPT = re.compile(r"^### (Exercise (\d+\.\d+): .+)$", re.MULTILINE)
FRAME = "border-left: 4px solid #4682b4; padding: 2px 0 2px 16px; margin: 16px 0;"


def framed(text: str, practice: PracticeData) -> str:
    """A text in which the prompt of an exercise, from its heading to the end, can be told at a glance.

    The frame shows where HTML may have a style (JupyterLab, exported HTML); the pencil everywhere.
    """
    heading = PROMPT.search(text)
    if heading is None or heading[2] not in practice.minutes:
        return text
    effort = f"{practice.minutes[heading[2]]} minutes" + ", hard" * (heading[2] in practice.hard)
    title = f"### \N{LOWER RIGHT PENCIL} {heading[1]} ({effort})"
    prompt = f'<div style="{FRAME}">\n\n{title}{text[heading.end() :]}\n\n</div>'
    return text[: heading.start()] + prompt


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

SAME_FOR_ALL = """\
# The same start for every lesson.
import os

import matplotlib.pyplot as plt
import torch

from mlm_course.doctor import this_machine

torch.set_num_threads(1)  # the same numbers on every machine
torch.manual_seed(0)
FAST = os.environ.get("MLM_COURSE_FAST", "0") not in ("", "0")  # fewer steps, for a quick look
plt.style.use("mlm_course.views.figures")  # for light and dark pages; off: plt.style.use("default")
print(this_machine())"""

_UNPUBLISHED = """\
# The course's package: installed here if it is missing and its wheel lies beside this notebook.
import importlib.util
import subprocess
import sys
from pathlib import Path

if importlib.util.find_spec("mlm_course") is None:
    wheels = sorted(Path().glob("mlm_course-*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise ModuleNotFoundError(
            "The package mlm_course is not installed in this kernel, and this copy of the lesson "
            "has no address to get it from: ask whoever gave it to you. The package's wheel, a "
            "file mlm_course-....whl, is installed by this cell if it lies beside this notebook. "
            "Where you have the whole course, start JupyterLab with `make lab` in its folder."
        )
{install}
        raise RuntimeError(f"{{wheels[-1]}} could not be installed; pip says why above.")
    importlib.invalidate_caches()

"""

_PUBLISHED = """\
# The course's package: installed here if it is missing (Colab); nothing happens if it is there.
import importlib.util
import os
import shutil
import subprocess
import sys

repository, tag = "{repository}", "{tag}"
{install}
    ask = ["git", "ls-remote", "--exit-code", repository, f"refs/tags/{{tag}}"]
    never_ask = {{**os.environ, "GIT_TERMINAL_PROMPT": "0"}}
    git = shutil.which("git")
    asked = git and subprocess.run(ask, env=never_ask, capture_output=True, text=True)
    if not asked:
        why = "pip needs git for it, which is missing here. Install git, then run this cell again."
    elif asked.returncode == 0:
        why = "pip says why above. The address is right: run this cell again."
    elif asked.returncode == 2:
        why = f"{{repository}} has no tag {{tag}}. To run this cell again cannot help: tell whoever "
        why += "gave you this notebook."
    else:
        why = f"{{repository}} does not answer. Is there a network? If there is one, the address is "
        why += f"wrong or not open to everyone. git says: {{asked.stderr.strip()[-300:]}}"
    raise RuntimeError(f"The course could not be installed: {{why}}")
importlib.invalidate_caches()

"""

# --no-deps where torch is: on Colab torch, numpy and ipywidgets have to stay as they are.
_INSTALL = """\
packages = {{
    "mlm_course": {course},
{small}
}}
missing = [source for name, source in packages.items() if importlib.util.find_spec(name) is None]
options = ["--quiet", "--no-deps"] if importlib.util.find_spec("torch") else []
pip = [sys.executable, "-m", "pip", "install", "--find-links", ".", *options]
if missing and subprocess.call([*pip, *missing]):"""

# What the course needs and Colab may lack, each with what it needs itself. Everything else that
# pyproject.toml names is there; torch, numpy and ipywidgets must stay as they are.
SMALL_PACKAGES = ("anywidget", "psygnal", "num2words", "docopt")


def set_up(publication: Publication) -> str:
    """The first code cell, which stands folded: it makes `import mlm_course` work, here or on
    Colab, gives every lesson the same start, and says what runs.

    Where torch is, it touches neither torch nor numpy nor ipywidgets: --no-deps, and only small
    packages by name. Its one line differs between machines, so it is not compared.
    """
    small = "\n".join(f'    "{name}": "{name}",' for name in SMALL_PACKAGES)
    if publication.repository:
        install = _INSTALL.format(course='f"git+{repository}@{tag}"', small=small)
        text = _PUBLISHED.format(install=install, **vars(publication))
    else:
        install = _INSTALL.format(course="str(wheels[-1])", small=small)
        text = _UNPUBLISHED.format(install=textwrap.indent(install, "    "))
    return TITLE + text + SAME_FOR_ALL
