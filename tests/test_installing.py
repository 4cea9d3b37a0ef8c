"""Tried for real: a fork that was published, and the wheel in an empty folder."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlm_course.authoring import trial
from mlm_course.authoring.addresses import read_address
from mlm_course.authoring.generated import Publication, set_up
from mlm_course.authoring.publishing import publish

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("course", "lessons", "solutions", "mlm_course", "jupyter")
FILES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "LICENSE-TEXT",
         "CITATION.cff", "CHANGELOG.md", ".gitignore")  # fmt: skip
OFFLINE = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}  # 0: build with what is installed
pytest.importorskip("setuptools", minversion="77", reason="no setuptools here can build the course")
pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here"),
]


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def offline(monkeypatch):
    """pip takes nothing from anywhere but this machine."""
    for name, value in OFFLINE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="module")
def fork(tmp_path_factory) -> Path:
    """A copy of the course, in a folder with odd signs."""
    folder = tmp_path_factory.mktemp("fork") / "Kopie für alle"
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q")
    return folder


@pytest.fixture
def served(tmp_path) -> Iterator[tuple[Path, str]]:
    """A bare repository, and its address on a server that only hands out files."""
    bare = tmp_path / "öffentlich" / "course.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    handler = functools.partial(_Quiet, directory=str(bare.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield bare, f"http://127.0.0.1:{server.server_address[1]}/course.git"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is written of what is asked for."""


def published(fork: Path, bare: Path, url: str, tag: str) -> Publication:
    """The fork, published and pushed with the commands that `publish` prints."""
    address = read_address(url)
    list(publish(fork, address, tag))
    git(fork, "add", ".")
    git(fork, "commit", "-qm", f"Publish {tag}")
    git(fork, "tag", tag)
    git(fork, "push", "-q", str(bare), "HEAD", tag)
    git(bare, "update-server-info")
    return Publication(address.url, tag)


@pytest.mark.parametrize("way", ["path", "http"])
def test_what_was_published_installs_and_runs(fork, served, way, offline):
    bare, url = served
    tag = {"path": "v0.1.1", "http": "v0.1.2"}[way]
    publication = published(fork, bare, str(bare) if way == "path" else url, tag)
    first, line, last = trial.try_publication(publication)
    assert first == f"{publication.repository} has the tag {tag}."
    assert line.startswith(f"mlm_course {tag[1:]}, torch ")
    assert last.startswith("01_attention.ipynb installs the course in a fresh environment")


@pytest.fixture(scope="module")
def wheel(fork, tmp_path_factory) -> Path:
    """The course's wheel, built with what is installed here."""
    place = tmp_path_factory.mktemp("wheel")
    python = trial.bare_python(tmp_path_factory.mktemp("builder"))
    command = [python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, fork]
    subprocess.run(command, env={**os.environ, **OFFLINE}, check=True)
    return next(place.glob("mlm_course-*.whl"))


def test_the_wheel_has_everything_and_is_small(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    lessons = {path.name for path in (ROOT / "lessons").glob("*.ipynb")}
    shipped = "mlm_course/shipped/"
    assert {n.rpartition("/")[2] for n in names if n.startswith(f"{shipped}lessons/")} == lessons
    assert {f"{shipped}README.md", f"{shipped}course/glossary.md"} <= set(names)
    assert any(name.startswith(f"{shipped}jupyter/labconfig/") for name in names)
    assert not [n for n in names if n.startswith(("tests", "solutions", "course/"))]
    assert wheel.stat().st_size < 20e6


SDIST = "import sys; from setuptools.build_meta import build_sdist as b; print(b(sys.argv[1]))"


def test_the_source_archive_makes_the_same_wheel(fork, wheel, tmp_path):
    python = trial.bare_python(tmp_path / "builder")
    archive = tmp_path / run(python, fork, "-c", SDIST, str(tmp_path)).split()[-1]
    words = ("-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "again"), str(archive))
    run(python, tmp_path, *words)
    (again,) = (tmp_path / "again").glob("*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def run(python: Path, folder: Path, *words: str) -> str:
    """What a program of the environment prints, in a folder, without any variable of ours."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MLM_"))}
    environment |= OFFLINE | {"PYTHONUTF8": "1", "MPLBACKEND": "agg"}
    command = [python, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_wheel_beside_a_notebook_without_an_address(wheel, tmp_path):
    python = trial.bare_python(tmp_path / "environment")
    folder = tmp_path / "nur ein Notizbuch ü"
    folder.mkdir()
    shutil.copy(wheel, folder)
    line = run(python, folder, "-c", set_up(Publication("", "v0.1.0")))
    assert line.startswith("mlm_course ") and line.count("\n") == 1


SOLVE = """\
import json
from pathlib import Path

path, names = Path("01_attention.ipynb"), {}
notebook = json.loads(path.read_text("utf-8"))
for cell in notebook["cells"]:
    if cell["metadata"].get("exercise") == "1.1":
        stub, answer = "raise NotImplementedError  # your code here", ANSWER
        cell["source"] = cell["source"].replace(stub, answer)
    if cell["source"].startswith("check("):
        print(eval(cell["source"], names))
        break
    if cell["cell_type"] == "code":
        exec(cell["source"], names)
path.write_text(json.dumps(notebook), "utf-8")
"""
ANSWER = "return votes @ values / votes.sum(-1, keepdim=True).clamp(min=1)"


def test_from_nothing_but_the_wheel(wheel, tmp_path):
    """An empty folder: start, the beginning of lesson 1, an answer, check, update."""
    python = trial.bare_python(tmp_path / "environment")
    empty = tmp_path / "leerer Ordner ü"
    empty.mkdir()
    run(python, empty, "-m", "pip", "install", "-q", "--no-deps", str(wheel))
    said = run(python.with_name(f"mlm-course{python.suffix}"), empty, "start", "--no-lab")
    own = empty / "mlm-course" / "my_lessons"
    assert str(own) in said
    assert len(list(own.glob("*.ipynb"))) == len(list((ROOT / "lessons").glob("*.ipynb")))
    assert "1.1" in run(python, own, "-c", SOLVE.replace("ANSWER", repr(ANSWER)))
    assert json.loads((own / "course_progress.json").read_text())["solved"] == ["1.1"]
    before = (own / "01_attention.ipynb").read_bytes()
    assert "stays" not in run(python, empty, "-m", "mlm_course", "start", "--no-lab")
    for shipped in (tmp_path / "environment").rglob(
        "mlm_course/shipped/lessons/01_attention.ipynb"
    ):
        newer = shipped.read_text("utf-8").replace("# Lesson 1: Attention", "# Lesson 1: Newer")
        shipped.write_text(newer, "utf-8")
    said = run(python, empty, "-m", "mlm_course", "update")
    assert "my_lessons/01_attention.ipynb is new" in said and "your answer to 1.1" in said
    assert ANSWER in (newest := (own / "01_attention.ipynb").read_text("utf-8"))
    assert "Lesson 1: Newer" in newest
    assert (own / "earlier/01_attention-1.ipynb").read_bytes() == before
    assert json.loads((own / "course_progress.json").read_text())["solved"] == ["1.1"]
