"""The set-up cell installs the course from a repository, in an environment without it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement

from mlm_course.authoring import trial
from mlm_course.authoring.cells import Cell, Source
from mlm_course.authoring.generated import SMALL_PACKAGES, Publication, set_up
from mlm_course.authoring.notebooks import solution_notebook, with_generated_cells
from mlm_course.doctor import this_machine

ROOT = Path(__file__).resolve().parents[1]


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A local repository with the course at the tag v9."""
    folder = tmp_path_factory.mktemp("published")
    for name in (
        "pyproject.toml",
        "setup.py",
        "MANIFEST.in",
        "README.md",
        "LICENSE",
        "LICENSE-TEXT",
    ):
        shutil.copy(ROOT / name, folder)
    for name in ("mlm_course", "lessons", "course", "jupyter"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "course")
    git(folder, "tag", "v9")
    return folder


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory) -> Path:
    """An interpreter that sees everything installed here except the course itself."""
    return trial.bare_python(tmp_path_factory.mktemp("bare"))


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess:
    quiet = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}  # 0: build with what is installed
    others = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, "-c", code],
        cwd=folder,
        env={**others, **quiet},
        capture_output=True,
        text=True,
    )


LINE = r"mlm_course \d\S+, torch \d\S+, Python 3\.\d+, device: \w+( \(.+\))?"
SHOW = "\nimport mlm_course.attention; print(mlm_course.__file__)"


@pytest.mark.slow
def test_the_cell_installs_the_course_once_and_then_does_nothing(repository, bare_python, tmp_path):
    cell = set_up(Publication(f"file://{repository}", "v9"))
    before = run(bare_python, "import mlm_course", tmp_path)
    assert "No module named 'mlm_course'" in before.stderr
    first = run(bare_python, cell + SHOW, tmp_path)
    assert first.returncode == 0, first.stderr
    line, file = first.stdout.splitlines()
    assert re.fullmatch(LINE, line)
    assert "site-packages" in file and "bare" in file
    shutil.move(repository, repository.with_name("moved"))  # a second run must not need it
    second = run(bare_python, cell + SHOW, tmp_path)
    shutil.move(repository.with_name("moved"), repository)
    assert second.returncode == 0 and second.stdout == first.stdout


@pytest.mark.slow
def test_installed_from_the_repository_the_package_brings_its_data(
    repository, bare_python, tmp_path
):
    cell = set_up(Publication(f"file://{repository}", "v9"))
    show = "\nfrom mlm_course.practice import solution; print(solution('1.1', now=True))"
    assert "votes @ values" in run(bare_python, cell + show, tmp_path).stdout


@pytest.mark.slow
def test_a_repository_that_cannot_be_reached_gets_a_sentence(tmp_path):
    fresh = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)
    python = fresh / Path(sys.executable).relative_to(sys.prefix)
    result = run(python, set_up(Publication(f"file://{tmp_path}/none", "v9")), tmp_path)
    assert f"The course could not be installed: file://{tmp_path}/none does not answer." in (
        result.stderr
    )
    assert "git says: fatal: " in result.stderr


def test_without_an_address_the_cell_says_how_to_start(tmp_path):
    fresh = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    python = fresh / Path(sys.executable).relative_to(sys.prefix)
    result = run(python, set_up(Publication("", "v9")), tmp_path)
    said = " ".join(result.stderr.split())
    assert "no address to get it from: ask whoever gave it to you." in said
    assert "start JupyterLab with `make lab`" in said


@pytest.mark.slow
def test_installed_locally_the_cell_prints_one_line_and_nothing_else(tmp_path):
    result = run(Path(sys.executable), set_up(Publication("", "v9")), tmp_path)
    assert re.fullmatch(LINE + "\n", result.stdout) and not result.stderr


def test_the_line_names_the_device(monkeypatch):
    """Stand-ins for what is not at hand: two kinds of GPU, and none."""
    for kind, end in (("mps", "device: mps"), ("cuda", "device: cuda (Card 9)"), (None, "cpu")):
        device = kind and torch.device(kind)
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda d=device, **_: d)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Card 9")
        assert this_machine().endswith(end) and re.fullmatch(LINE, this_machine())


def test_the_cell_is_folded_and_its_line_not_compared_between_machines():
    source, text = Source("01_a", (Cell("markdown", "# A"),)), set_up(Publication("", ""))
    notebook = solution_notebook("01_a", with_generated_cells(source, "Facts.", text))
    cell = notebook["cells"][2]
    assert cell["metadata"]["tags"] == ["nbval-ignore-output"]
    assert cell["metadata"]["jupyter"] == {"source_hidden": True}  # JupyterLab
    assert cell["metadata"]["cellView"] == "form"  # Colab
    assert cell["source"].startswith("# @title Set-up\n")


@pytest.mark.parametrize(
    ("value", "fast"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)]
)
def test_the_cell_gives_every_lesson_the_same_start(value, fast, monkeypatch, on_one_cpu_thread):
    torch.set_num_threads(2)
    monkeypatch.delenv("MLM_COURSE_FAST", raising=False)
    if value is not None:
        monkeypatch.setenv("MLM_COURSE_FAST", value)
    names: dict = {}
    exec(set_up(Publication("", "")), names)
    assert names["FAST"] is fast and torch.get_num_threads() == 1
    first = torch.rand(1)
    assert torch.equal(first, torch.rand(1, generator=torch.Generator().manual_seed(0)))


def asked_of_pip(monkeypatch, absent: set[str]) -> list[str]:
    """The words after pip that the published cell would run where `absent` cannot be imported."""
    calls: list[list[str]] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name not in absent or None)
    monkeypatch.setattr(subprocess, "call", lambda words: calls.append(words) or 0)
    exec(set_up(Publication("https://example.org/c", "v9")), {})
    monkeypatch.undo()
    return calls[0][4:] if calls else []


def test_only_what_is_missing_is_installed_and_nothing_it_asks_for(monkeypatch, capsys):
    course = "git+https://example.org/c@v9"
    wanted = asked_of_pip(monkeypatch, {"mlm_course", "num2words", "docopt"})
    quiet = ["--find-links", ".", "--quiet", "--no-deps"]
    assert wanted == [*quiet, course, "num2words", "docopt"]
    assert asked_of_pip(monkeypatch, {"psygnal"}) == [*quiet, "psygnal"]
    assert asked_of_pip(monkeypatch, set()) == []
    assert len(capsys.readouterr().out.splitlines()) == 3  # one line a run


def test_where_there_is_no_torch_everything_comes_along(monkeypatch):
    calls: list[list[str]] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "call", lambda words: calls.append(words) or 0)
    exec(set_up(Publication("https://example.org/c", "v9")), {})
    assert "--no-deps" not in calls[0] and "--quiet" not in calls[0]


def refused(monkeypatch, publication: Publication) -> str:
    """What the cell says where pip installs nothing."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "torch" or None)
    monkeypatch.setattr(subprocess, "call", lambda words: 1)
    with pytest.raises(RuntimeError) as error:
        exec(set_up(publication), {})
    monkeypatch.undo()
    return str(error.value)


def test_a_missing_tag_and_a_missing_network_are_told_apart(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "first", "--allow-empty")
    git(tmp_path, "tag", "v1")
    here, nowhere = tmp_path.as_uri(), "http://127.0.0.1:9/c"
    said = refused(monkeypatch, Publication(here, "v9"))
    assert f"{here} has no tag v9. To run this cell again cannot help" in said
    said = refused(monkeypatch, Publication(nowhere, "v9"))
    assert f"{nowhere} does not answer. Is there a network?" in said and "git says: fatal" in said
    assert "The address is right" in refused(monkeypatch, Publication(here, "v1"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "call", lambda words: 1)
    with pytest.raises(RuntimeError, match="pip needs git for it, which is missing here"):
        exec(set_up(Publication(here, "v1")), {})


def test_a_wheel_beside_the_notebook_is_installed(tmp_path, monkeypatch):
    """The newest file of several, and beside it the small packages."""
    monkeypatch.chdir(tmp_path)
    for seconds, version in enumerate(("0.9.0", "0.10.0", "0.2.0")):
        wheel = tmp_path / f"mlm_course-{version}-py3-none-any.whl"
        wheel.touch()
        os.utime(wheel, (seconds, 100 - seconds))
    calls: list[list[str]] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "torch" or None)
    monkeypatch.setattr(subprocess, "call", lambda words: calls.append(words) or 0)
    exec(set_up(Publication("", "v9")), {})
    assert calls[0][8:10] == ["mlm_course-0.9.0-py3-none-any.whl", SMALL_PACKAGES[0]]
    monkeypatch.setattr(subprocess, "call", lambda words: 1)
    with pytest.raises(RuntimeError, match=r"mlm_course-0\.9\.0-.*could not be installed"):
        exec(set_up(Publication("", "v9")), {})


# What Colab's own list of packages named (github.com/googlecolab/backend-info), or one of those needs.
ON_COLAB = set(
    "torch numpy matplotlib ipython ipywidgets datasets tokenizers accelerate safetensors "
    "huggingface_hub pillow babel scikit-learn scipy traitlets packaging psutil mlxtend".split()
)


def test_every_dependency_is_on_colab_or_installed_by_the_cell():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {Requirement(line).name for line in project["dependencies"]}
    assert needed <= ON_COLAB | set(SMALL_PACKAGES)
    assert not ON_COLAB & set(SMALL_PACKAGES)
