"""tasks.py, which `make` calls: clear words, and nothing done twice."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """tasks.py as a module, with everything it would run recorded instead, in an empty folder."""
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.calls = []
    python = tmp_path / ".venv" / "bin" / "python"

    def create(folder, with_pip):
        python.parent.mkdir(parents=True)
        python.touch()
        module.calls.append(("venv", folder))

    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", python)
    monkeypatch.setattr(module.venv, "create", create)
    monkeypatch.setattr(module, "run", lambda *words, **_: module.calls.append(words) or 0)
    return module


def test_the_environment_is_made_once(tasks, capsys):
    tasks.ensure_environment()
    first = list(tasks.calls)
    tasks.ensure_environment()
    assert [call[0] for call in first] == ["venv", tasks.PYTHON] and tasks.calls == first
    assert "up to date" in capsys.readouterr().out
    assert {"-c", "constraints.txt", ".[dev]"} <= set(first[1])


def test_changed_dependencies_are_installed_into_the_same_environment(tasks, monkeypatch):
    tasks.ensure_environment()
    monkeypatch.setattr(tasks, "fingerprint", lambda: "another")
    tasks.ensure_environment()
    assert [call[0] for call in tasks.calls] == ["venv", tasks.PYTHON, tasks.PYTHON]


def test_a_failed_installation_is_tried_again_next_time(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "run", lambda *words, **_: 1)
    with pytest.raises(SystemExit, match="The installation failed"):
        tasks.ensure_environment()
    assert not (tasks.VENV / "installed").exists()


def test_torch_cpu_names_the_cpu_index(tasks, monkeypatch):
    monkeypatch.setenv("TORCH", "cpu")
    tasks.ensure_environment()
    assert "--extra-index-url" in tasks.calls[1]


def test_an_old_python_is_told_so(tasks, monkeypatch):
    monkeypatch.setattr(tasks.sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.9"):
        tasks.ensure_environment()


def test_lab_passes_its_options_on(tasks, monkeypatch):
    monkeypatch.setenv("LAB_ARGS", "--no-browser --port=9000")
    tasks.lab()
    assert tasks.calls[0][-2:] == ("--no-browser", "--port=9000")
    assert (ROOT / tasks.FIRST_LESSON).exists()


def test_without_a_task_it_says_what_there_is():
    result = subprocess.run([sys.executable, "tasks.py"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode and "notebooks" in result.stderr


def test_colab_lessons_run_in_an_environment_of_their_own(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "ROOT", tasks.VENV.parent)
    tasks.test_colab()
    made, installed, ran = tasks.calls
    python = tasks.VENV.parent / ".venv-colab" / tasks.INSIDE
    assert made == ("venv", tasks.VENV.parent / ".venv-colab")
    assert installed[0] == ran[0] == python and "constraints-colab.txt" in installed
    assert "lessons" in ran and "--nbval-lax" in ran


def test_what_colab_brings_is_supported():
    """Each version in constraints-colab.txt meets what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = {r.name.lower(): r.specifier for r in map(Requirement, project["dependencies"])}
    lines = (ROOT / "constraints-colab.txt").read_text().splitlines()
    colab = [Requirement(line) for line in lines if not line.startswith("#")]
    named = [c for c in colab if c.name in supported]
    assert len(named) >= 6
    for c in named:
        (only,) = c.specifier
        assert supported[c.name].contains(only.version), c.name
