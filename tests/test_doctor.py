"""The doctor: every finding with its fix, and no failure of its own."""

import sys
from types import SimpleNamespace

import pytest

from mlm_course import __main__ as command
from mlm_course import doctor as clinic
from mlm_course.doctor import Finding, HealthReport, examine, package


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
    assert {"Python", "torch", "device", "memory", "disk", "hub", "widgets"} <= {
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


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def memory():
        raise RuntimeError("no sensors")
        yield

    monkeypatch.setattr(clinic, "memory", memory)
    (finding,) = (f for f in examine() if f.what == "memory")
    assert finding.level == "note" and "RuntimeError: no sensors" in finding.state


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

    def silent(*question):
        raise mlm_course.hub.HubUnreachable("the hub does not answer")

    monkeypatch.setattr(mlm_course.hub, "ask_about", silent)
    (gone,) = clinic.hub(timeout=0.5)
    assert gone.level == "note" and "cannot be reached" in gone.state
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in next(clinic.hub()).state


def test_too_little_memory_and_disk(monkeypatch, tmp_path):
    import psutil

    small = SimpleNamespace(available=5e8, total=4e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: small)
    (finding,) = clinic.memory()
    assert finding.level == "problem" and finding.state == "0.5 of 4.0 GB free" and finding.fix
    monkeypatch.setattr(clinic.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    assert next(clinic.disk()).level == "note"


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
