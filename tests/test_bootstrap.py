"""The bootstrap cell installs the course from a repository, in an environment without it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mlm_course.authoring.generated import Publication, bootstrap

ROOT = Path(__file__).resolve().parents[1]


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A local repository with the course at the tag v9."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(
        ROOT / "mlm_course", folder / "mlm_course", ignore=shutil.ignore_patterns("__pycache__")
    )
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "course")
    git(folder, "tag", "v9")
    return folder


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory) -> Path:
    """An interpreter that sees everything installed here except the course itself."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", scheme="venv", vars=paths))
    # The course is installed in editable form, which a plain extra path does not pick up.
    (own / "everything_else.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for old in own.glob("setuptools*"):  # older than the one in the extra path; it cannot build us
        shutil.rmtree(old)
    return (
        Path(sysconfig.get_path("scripts", scheme="venv", vars=paths)) / Path(sys.executable).name
    )


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess:
    quiet = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}  # 0: build with what is installed
    return subprocess.run(
        [python, "-c", code],
        cwd=folder,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
    )


SHOW = "\nimport mlm_course.attention; print(mlm_course.__file__)"


def test_the_cell_installs_the_course_once_and_then_does_nothing(repository, bare_python, tmp_path):
    cell = bootstrap(Publication(f"file://{repository}", "v9"))
    before = run(bare_python, "import mlm_course", tmp_path)
    assert "No module named 'mlm_course'" in before.stderr
    first = run(bare_python, cell + SHOW, tmp_path)
    assert first.returncode == 0, first.stderr
    assert "site-packages" in first.stdout and "bare" in first.stdout
    shutil.move(repository, repository.with_name("moved"))  # a second run must not need it
    second = run(bare_python, cell + SHOW, tmp_path)
    shutil.move(repository.with_name("moved"), repository)
    assert second.returncode == 0 and second.stdout == first.stdout


def test_installed_from_the_repository_the_package_brings_its_data(
    repository, bare_python, tmp_path
):
    cell = bootstrap(Publication(f"file://{repository}", "v9"))
    show = "\nfrom mlm_course.practice import solution; print(solution('1.1', now=True))"
    assert "weights @ values" in run(bare_python, cell + show, tmp_path).stdout


def test_a_repository_that_cannot_be_reached_gets_a_sentence(tmp_path):
    fresh = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)
    python = fresh / Path(sys.executable).relative_to(sys.prefix)
    result = run(python, bootstrap(Publication(f"file://{tmp_path}/none", "v9")), tmp_path)
    assert "The course could not be installed; pip says why above." in result.stderr


def test_without_an_address_the_cell_says_how_to_start(tmp_path):
    fresh = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    python = fresh / Path(sys.executable).relative_to(sys.prefix)
    result = run(python, bootstrap(Publication("", "v9")), tmp_path)
    assert "Start JupyterLab with `make lab`" in result.stderr
