"""`mlm-course`: a sentence and an exit status for whatever is typed or lies on the disk."""

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from mlm_course import __main__ as command
from mlm_course import results
from mlm_course.authoring import build
from mlm_course.authoring.practice_data import read_practice
from mlm_course.results import page

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "build", "build --check", "exercises", "results", "doctor", "experiment masking", "start",
    "update", "publish",
)  # fmt: skip
EXERCISE = "mlm_course/exercises/lesson_01/ex1_double.py"
SOURCE = """\
# %% [markdown]
# # Doubling

# %% exercise="1.1"
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %%
check("1.1", double)
"""


def status(words: str, monkeypatch) -> int:
    """The exit status of a command, run in this process."""
    monkeypatch.setattr("sys.argv", ["mlm_course", *words.split()])
    try:
        return command.main()
    except SystemExit as end:
        return end.code


def process(words: str, folder: Path = ROOT, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    line = [sys.executable, "-m", "mlm_course", *words.split()]
    return subprocess.Popen(line, cwd=folder, env=environment, **{"encoding": "utf-8", **pipes})


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A course of one lesson, built, in the working directory."""
    (tmp_path / EXERCISE).parent.mkdir(parents=True)
    (tmp_path / EXERCISE).write_text('"""Doubling"""\nEXERCISE = Exercise(minutes=5)\n')
    (tmp_path / "course").mkdir()
    (tmp_path / "course/01_doubling.py").write_text(SOURCE)
    (tmp_path / "course/syllabus.toml").write_text('["01_doubling"]\nseconds = 1.0\n')
    (tmp_path / "pyproject.toml").write_text('[tool.mlm_course]\nrepository = ""\ntag = "v1"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build, "_executed", lambda root, source, draft: draft)  # no kernel
    assert status("build", monkeypatch) == 0
    return tmp_path


SITUATIONS = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "UTF-16": lambda path: path.write_bytes(path.read_text().encode("utf-16")),
    "Latin-1": lambda path: path.write_bytes(path.read_bytes() + "# Zoë".encode("latin-1")),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "nested": lambda path: path.write_text("[" * 100_000),
    "another shape": lambda path: path.write_text(
        "[[x]]\ny = 1\n" if path.suffix == ".toml" else "[1]"
    ),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(
    "file",
    [
        "course/01_doubling.py", "course/syllabus.toml", "pyproject.toml", EXERCISE,
        "lessons/01_doubling.ipynb", "solutions/01_doubling.ipynb", str(build.ANSWERS),
    ],
)  # fmt: skip
def test_whatever_a_file_of_the_course_is_there_is_no_traceback(
    clone, file, situation, monkeypatch, capsys
):
    SITUATIONS[situation](clone / file)
    kept = {p: p.read_bytes() for p in clone.rglob("*") if p.is_file() and p.suffix != ".ipynb"}
    capsys.readouterr()
    for words in ("build --check", "build"):
        ended = status(words, monkeypatch)
        said = capsys.readouterr()
        assert ended in (0, 1) and "Traceback" not in said.err
        assert (ended == 1) <= bool(said.err or said.out)
        assert not said.err or said.err.rstrip().endswith(".")
    sources = {p for p in kept if p != clone / build.ANSWERS}
    assert all(p.read_bytes() == kept[p] for p in sources)  # nothing of the author's is touched
    assert not [p.name for p in clone.rglob("*") if p.name.endswith((".new", ".unfinished"))]


@pytest.mark.parametrize(
    ("words", "ended"),
    [
        ("", 2), ("nothing", 2), ("doctor now", 2), ("results --fast", 2), ("experiment", 2),
        ("experiment nothing", 2), ("build --check --execute", 2), ("build 99", 2),
        ("build --check nothing", 2), ("build 01_doubling.py --check", 0), ("build --check 1", 0),
    ],
)  # fmt: skip
def test_what_was_asked_wrongly_ends_with_2(clone, words, ended, monkeypatch, capsys):
    assert status(words, monkeypatch) == ended
    assert bool(capsys.readouterr().err) == bool(ended)


@pytest.mark.parametrize("words", ["build", "build --check", "results"])
def test_outside_the_courses_folder(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert status(words, monkeypatch) == 1
    assert str(tmp_path) in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_courses_folder_should_be(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("course").touch()
    assert status("results", monkeypatch) == 1 == status("build", monkeypatch)
    assert "There is no folder course/" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"command": 3}', b"\xff\xfe"])
def test_a_damaged_record_is_named_and_the_page_stays(content, tmp_path, monkeypatch, capsys):
    shutil.copytree(results.HERE, tmp_path / "results")
    monkeypatch.setattr(results, "HERE", tmp_path / "results")
    monkeypatch.setattr(page, "HERE", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    Path("course").mkdir()
    Path("course/RESULTS.md").write_text("as before")
    Path("results/masking.json").write_bytes(content)
    assert status("results", monkeypatch) == 1
    assert "masking.json" in capsys.readouterr().err
    assert Path("course/RESULTS.md").read_text() == "as before"


def test_an_experiment_whose_record_could_not_be_kept_is_not_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(results, "HERE", tmp_path / "file" / "results")
    run = Mock()
    monkeypatch.setattr("mlm_course.experiments.masking.run", run)
    assert status("experiment masking", monkeypatch) == 1 and not run.called
    assert "Nothing was run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "ended", "said"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (PermissionError(13, "Permission denied", "x.json"), 1, "x.json: permission denied."),
        (OSError(28, "No space left on device"), 1, "No space left on device."),
        (ModuleNotFoundError("No module named 'nbformat'"), 1, "installs all of it."),
        (SyntaxError("invalid syntax", ("a.py", 3, 1, "x")), 1, "a.py, line 3: invalid syntax."),
        (ValueError("n must be 1."), 1, "n must be 1."),
    ],
)
@pytest.mark.parametrize("words", COMMANDS)
def test_an_error_on_the_way_is_a_sentence(words, error, ended, said, monkeypatch, capsys):
    name = words.split()[0]
    failing = replace(command.COMMANDS[name], run=Mock(side_effect=error))
    monkeypatch.setitem(command.COMMANDS, name, failing)
    assert status(words, monkeypatch) == ended
    assert capsys.readouterr().err.rstrip().endswith(said)


@pytest.mark.parametrize("words", ["--help", pytest.param("exercises", marks=pytest.mark.slow)])
def test_a_reader_that_has_enough_is_no_error(words):
    with process(words) as running:
        running.stdout.close()  # as `| head -0` does
        assert running.stderr.read() == "" and running.wait() in (0, 1)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_a_terminal_that_lacks_characters(encoding, tmp_path):
    folder = tmp_path / "Übung"
    folder.mkdir()
    done = process("results", folder, env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    said = done.communicate()[1]
    assert done.returncode == 1 and said.startswith("There is no folder course/ in ")
    assert ("\\xdcbung" if encoding == "ascii" else "Übung") in said


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_ctrl_c_is_one_word(tmp_path):
    """Sent to a build that waits for a pipe to be read."""
    (tmp_path / "course").mkdir()
    os.mkfifo(tmp_path / "course/01_waits.py")
    running = process("build --check", tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(1.5)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=20) == ("", "Stopped.\n") and running.returncode == 130


def test_the_doctor_starts_without_the_rest_of_the_course():
    """In an old or bare Python little else can be imported."""
    ask = "import sys, mlm_course.__main__, mlm_course.doctor; print(sorted(sys.modules))"
    bare = [sys.executable, "-S", "-c", ask]
    done = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {name for name in eval(done.stdout) if name.startswith("mlm_course")}
    assert ours - {"mlm_course", "mlm_course.__main__", "mlm_course.doctor"} == {
        name for name in ours if name.startswith("mlm_course.commands")
    }


def test_check_names_lessons_with_stale_outputs(clone, monkeypatch, capsys):
    assert status("build --check", monkeypatch) == 0
    assert "Outputs of an earlier" not in capsys.readouterr().out
    (clone / "mlm_course/new.py").touch()
    assert status("build --check", monkeypatch) == 0
    assert "which `build` would run: 01_doubling." in capsys.readouterr().out


@pytest.mark.parametrize("written", ["3 * 5", "'15'", "0", "-5", "10.5", "True", "MINUTES"])
def test_minutes_are_read_as_they_are_or_refused(clone, written, monkeypatch, capsys):
    (clone / EXERCISE).write_text(f"EXERCISE = Exercise(\n    minutes={written})\n")
    assert status("build", monkeypatch) == 1
    said = capsys.readouterr().err
    assert "ex1_double.py, line 2: minutes must be a plain whole number" in said
    assert said.endswith(f"not {written}.\n")
    (clone / EXERCISE).write_text("EXERCISE = Exercise(minutes=15)")
    assert read_practice(clone, 1).minutes == {"1.1": 15}


def test_the_help_lists_every_command_once_by_who_wants_it(monkeypatch, capsys):
    assert status("--help", monkeypatch) == 0
    told = capsys.readouterr().out
    for name, one in command.COMMANDS.items():
        assert told.count(f"\n  {name} ") == 1 and one.group in command.GROUPS
        assert status(f"{name} --help", monkeypatch) == 0
        assert capsys.readouterr().out.startswith(f"usage: mlm-course {name} ")
    assert "Exit status: 0 done; 1 " in told and max(map(len, told.splitlines())) < 100
    assert status("", monkeypatch) == 2
    assert capsys.readouterr().err == told


def test_the_installed_program_is_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"mlm-course": "mlm_course.__main__:main"}
