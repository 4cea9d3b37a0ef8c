"""Whether learners can install what was published: it is tried as they would, on this machine.

The lesson is read from the repository at the tag, and its first cells run in an environment in which
everything is installed that is installed here, but the course: like Colab, and without gigabytes.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

from mlm_course.authoring.generated import Publication
from mlm_course.authoring.notebooks import code_cells, from_text
from mlm_course.text_files import read_text

RUN = """\
import json, sys
names = {}
for text in json.load(open(sys.argv[1], encoding="utf-8")):
    exec(text, names)
import mlm_course
print(mlm_course.__file__)
"""


def try_publication(publication: Publication) -> Iterator[str]:
    """A line for each thing that works. ValueError, a sentence, for the first that does not."""
    _ask_for_tag(publication)
    yield f"{publication.repository} has the tag {publication.tag}."
    with tempfile.TemporaryDirectory() as scratch:
        lesson = _first_lesson(publication, Path(scratch) / "clone")
        cells = first_cells(lesson)
        if f'"{publication.repository}", "{publication.tag}"' not in "".join(cells):
            raise ValueError(
                f"The lessons at {publication.tag} do not install it from {publication.repository}: "
                "the tag was made before `mlm-course publish`. Name a newer one."
            )
        try:
            python = bare_python(Path(scratch) / "fresh")
        except (ImportError, subprocess.CalledProcessError):
            raise ValueError(
                "This Python cannot make an environment with pip. On Debian and Ubuntu: "
                "sudo apt install python3-venv"
            ) from None
        yield _run(python, cells, Path(scratch))
    yield f"{lesson.name} installs the course in a fresh environment, and its first cells run."


def _ask_for_tag(publication: Publication) -> None:
    ask = ["ls-remote", "--exit-code", publication.repository, f"refs/tags/{publication.tag}"]
    asked = _git(*ask)
    if asked.returncode == 2:
        raise ValueError(
            f"{publication.repository} has no tag {publication.tag}: push it, with the commands that "
            "`mlm-course publish` prints."
        )
    if asked.returncode:
        raise ValueError(
            f"{publication.repository} does not answer: there is no network, or the address is wrong "
            f"or not open to everyone. git says: {asked.stderr.strip()[-300:]}"
        )
    if _git("ls-remote", "--exit-code", publication.repository, "HEAD").returncode:
        raise ValueError(
            f"{publication.repository} lacks its default branch, and pip installs nothing from it: "
            "push that branch, too, or make the one that you pushed its default."
        )


def _first_lesson(publication: Publication, folder: Path) -> Path:
    """The first lesson as it is at the tag."""
    options = ["--quiet", "--branch", publication.tag, "-c", "advice.detachedHead=false"]
    cloned = _git("clone", *options, publication.repository, str(folder))
    if cloned.returncode:
        raise ValueError(f"The repository cannot be read. git says: {cloned.stderr.strip()[-300:]}")
    lessons = sorted((folder / "lessons").glob("[0-9]*.ipynb"))
    if not lessons:
        raise ValueError(f"There are no lessons in the repository at {publication.tag}.")
    return lessons[0]


def first_cells(lesson: Path) -> list[str]:
    """The code cells of a lesson above its first exercise."""
    texts = []
    for cell in code_cells(from_text(read_text(lesson))):
        if "exercise" in cell["metadata"]:
            break
        texts.append(cell["source"])
    return texts


def bare_python(folder: Path) -> Path:
    """A new environment's interpreter, for which everything here is installed except the course."""
    venv.create(folder, with_pip=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    # The course is installed in editable form, which a plain extra path does not pick up.
    (own / "everything_else.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    for old in own.glob("setuptools*"):  # that of Python 3.11 is too old to build the course
        shutil.rmtree(old)
    name = "python.exe" if os.name == "nt" else "python"
    return Path(sysconfig.get_path("scripts", scheme="venv", vars=paths)) / name


def _run(python: Path, cells: list[str], folder: Path) -> str:
    """The line that the set-up cell prints. ValueError where a cell fails or nothing was installed."""
    (folder / "cells.json").write_text(json.dumps(cells), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"MLM_COURSE_PROGRESS": str(folder / "progress.json"), "PYTHONUTF8": "1"}
    ran = subprocess.run(
        [python, "-c", RUN, folder / "cells.json"], cwd=folder, env=environment, capture_output=True,
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    lines = ran.stdout.strip().splitlines()
    if ran.returncode:
        raise ValueError(f"The first cells of the lesson fail:\n{ran.stderr.strip()[-2000:]}")
    if not Path(lines[-1]).resolve().is_relative_to(python.parents[1].resolve()):
        raise ValueError(
            f"Nothing was tried: {sys.executable} has the course installed as any other package. Use "
            "the Python in the .venv that `make lab` makes."
        )
    return next(line for line in lines if line.startswith("mlm_course "))


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *words], env={**os.environ, "GIT_TERMINAL_PROMPT": "0"}, capture_output=True,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise ValueError("git is not installed here, and pip needs it.") from None
