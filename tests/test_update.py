"""`mlm-course start` and `update`: from a wheel's lessons to a learner's folder, and to newer ones."""

import json
import os
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from mlm_course import __main__ as command
from mlm_course.authoring import carrying, copies
from mlm_course.authoring.cells import STUB, Cell
from mlm_course.authoring.notebooks import from_text, lesson_notebook, to_text
from mlm_course.commands import lab

ROOT = Path(__file__).resolve().parents[1]
FIRST = f'def double(x):\n    """Twice x."""\n    {STUB}'
SECOND = f'def halve(x, digits=2):\n    """Half of x."""\n    {STUB}'


def lesson(*exercises: tuple[str, str], text: str = "Words.") -> dict:
    """A notebook with a title, a cell of code, and a stub and a check for each exercise."""
    cells = [Cell("markdown", f"# Lesson 1\n\n{text}"), Cell("code", "import torch")]
    for number, stub in exercises:
        name = stub.partition("(")[0].split()[-1]
        cells += [Cell("code", stub, exercise=number), Cell("code", f'check("{number}", {name})')]
    return lesson_notebook("01_doubling", cells)


OLD = lesson(("1.1", FIRST), ("1.2", SECOND))
NEW = lesson(
    ("1.1", FIRST), ("1.2", SECOND), ("1.3", FIRST.replace("double", "third")), text="New."
)
DONE = FIRST.replace(STUB, "return 2 * x")


def edited(notebook: dict, changes: dict[str, str], *own: str) -> dict:
    """A learner's: other texts for exercises, and cells of their own at the end."""
    mine = json.loads(json.dumps(notebook))
    for cell in mine["cells"]:
        cell["source"] = changes.get(carrying.number(cell), cell["source"])
    bare = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    mine["cells"] += [{**bare, "id": f"mine-{i}", "source": text} for i, text in enumerate(own)]
    return mine


def sources(notebook: dict) -> dict[str, str]:
    return {n: cell["source"] for cell in notebook["cells"] if (n := carrying.number(cell))}


@pytest.fixture
def folder(tmp_path):
    """A learner's folder with a copy of the old lesson, and beside it what is installed."""
    installed, root = tmp_path / "installed", tmp_path / "Übung"
    (installed / "lessons").mkdir(parents=True)
    (installed / "course").mkdir()
    (installed / "course/glossary.md").write_text("[a](../lessons/01_doubling.ipynb)")
    (installed / "README.md").write_text("[b](lessons/01_doubling.ipynb)")
    publish(installed, OLD)
    assert list(copies.copy_lessons(installed, root)) == []
    return root


def publish(installed: Path, notebook: dict) -> None:
    (installed / "lessons/01_doubling.ipynb").write_text(to_text(notebook), encoding="utf-8")


def mine(root: Path, notebook: dict | None = None) -> dict:
    """The learner's copy, or a new text for it, as JupyterLab saves it."""
    path = root / "my_lessons/01_doubling.ipynb"
    if notebook is not None:
        lines = [{**c, "source": c["source"].splitlines(keepends=True)} for c in notebook["cells"]]
        path.write_text(json.dumps({**notebook, "cells": lines}), encoding="utf-8")
    return from_text(path.read_text("utf-8"))


def update(root: Path, notebook: dict) -> list[str]:
    installed = root.parent / "installed"
    publish(installed, notebook)
    return list(copies.update_copies(installed, root))


def test_pages_come_along_and_lead_to_the_copies(folder):
    assert (folder / "course/glossary.md").read_text() == "[a](../my_lessons/01_doubling.ipynb)"
    assert (folder / "README.md").read_text() == "[b](my_lessons/01_doubling.ipynb)"
    (folder / "README.md").write_text("mine")
    (folder.parent / "installed/README.md").write_text("new")
    (folder.parent / "installed/course/glossary.md").write_text("new")
    assert update(folder, OLD) == []
    assert (folder / "README.md").read_text() == "mine"
    assert (folder / "course/glossary.md").read_text() == "new"
    (folder / "course/glossary.md").unlink()
    assert update(folder, OLD) == [] and (folder / "course/glossary.md").read_text() == "new"
    remembered = (folder / "my_lessons/.copied.json").stat()
    assert update(folder, OLD) == []
    assert (folder / "my_lessons/.copied.json").stat().st_mtime_ns == remembered.st_mtime_ns


def test_a_page_that_was_there_before_stays(tmp_path, folder):
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("of another project")
    list(copies.copy_lessons(tmp_path / "installed", other))
    assert (other / "README.md").read_text() == "of another project"


def test_answers_move_into_the_newer_lesson_and_nothing_is_lost(folder):
    before = mine(folder, edited(OLD, {"1.1": DONE}, "double(21)"))
    (line,) = update(folder, NEW)
    assert line == (
        "my_lessons/01_doubling.ipynb is new; the one before is my_lessons/earlier/"
        "01_doubling-1.ipynb. It has your answer to 1.1. Only in the one before: 1 other cell that "
        "you wrote or changed."
    )
    assert sources(mine(folder)) == {**sources(NEW), "1.1": DONE}
    assert mine(folder)["cells"][0]["source"] == "# Lesson 1\n\nNew."
    kept = from_text((folder / "my_lessons/earlier/01_doubling-1.ipynb").read_text("utf-8"))
    assert kept == before
    assert update(folder, NEW) == []  # and again nothing is new
    newest = lesson(("1.1", FIRST), text="Newest.")
    (line,) = update(folder, newest)
    assert "01_doubling-2.ipynb. It has your answer to 1.1." in line
    assert sources(mine(folder)) == {"1.1": DONE}


def test_start_leaves_what_update_would_bring(folder):
    mine(folder, edited(OLD, {"1.1": DONE}))
    publish(folder.parent / "installed", NEW)
    (line,) = copies.copy_lessons(folder.parent / "installed", folder)
    assert "stays yours" in line and "mlm-course update" in line
    assert sources(mine(folder))["1.1"] == DONE


CASES = {  # what stands in the cell of 1.2 -> (what the new cell has, what is said)
    "nothing": (SECOND, SECOND, ""),
    "another docstring": (SECOND.replace("Half", "One half"), SECOND, ""),
    "begun": (SECOND.replace("raise", "y = x\n    raise"), SECOND, "1.2 (unfinished)"),
    "an error": ("def halve(x, digits=2)\n    return", None, "your answer to 1.2"),
    "with a helper": (
        f"{DONE}\n\ndef halve(x, digits=2):\n    return x / 2",
        None,
        "answer to 1.2",
    ),
    "other spaces": ("def halve( x, digits = 2 ): return x/2", None, "your answer to 1.2"),
}


@pytest.mark.parametrize("what", CASES)
def test_what_counts_as_an_answer(folder, what):
    text, wanted, said = CASES[what]
    mine(folder, edited(OLD, {"1.2": text}, "1 + 1"))
    (line,) = update(folder, NEW)
    assert sources(mine(folder))["1.2"] == (text if wanted is None else wanted)
    assert (said or "earlier/01_doubling-1.ipynb. Only in the one before: 1 other cell") in line


def test_an_exercise_that_asks_for_something_else_keeps_the_answer_below(folder):
    answer = SECOND.replace(STUB, "return x / 2")
    mine(folder, edited(OLD, {"1.2": answer}))
    changed = SECOND.replace("digits=2", "places=3")
    (line,) = update(folder, lesson(("1.1", FIRST), ("1.2", changed)))
    assert (
        "Your answer to 1.2 stands below its exercise, which asks for something else now." in line
    )
    cells = mine(folder)["cells"]
    place = next(i for i, cell in enumerate(cells) if carrying.number(cell) == "1.2")
    assert cells[place]["source"] == changed and cells[place + 1]["source"] == answer
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_an_exercise_that_is_gone_is_named(folder):
    mine(folder, edited(OLD, {"1.1": DONE, "1.2": SECOND.replace(STUB, "return 1")}))
    (line,) = update(folder, lesson(("1.1", FIRST)))
    assert "answer to 1.1." in line and "1.2 (no exercise any more)" in line


def test_answers_are_known_where_a_program_has_lost_the_numbers(folder):
    """And the outputs, the ids and the format beside them."""
    copy = edited(OLD, {"1.1": DONE})
    for cell in copy["cells"]:
        cell["metadata"] = {}
        cell.pop("id")
    mine(folder, copy)
    (line,) = update(folder, NEW)
    assert "It has your answer to 1.1." in line and "Only in" not in line
    assert sources(mine(folder))["1.1"] == DONE


def test_of_two_attempts_the_last_is_carried_and_the_other_counted(folder):
    first, last = DONE, FIRST.replace(STUB, "return x + x")
    copy = edited(OLD, {"1.1": first})
    place = next(i for i, cell in enumerate(copy["cells"]) if carrying.number(cell) == "1.1")
    for text in (last, FIRST):  # below, a second attempt and a stub that was kept
        place += 1
        again = {**copy["cells"][place - 1], "source": text, "id": f"copy-{place}"}
        copy["cells"].insert(place, again)
    mine(folder, copy)
    (line,) = update(folder, NEW)
    assert "your answer to 1.1" in line and "1 other cell that you wrote" in line
    assert sources(mine(folder))["1.1"] == last


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": [3]}', "\udc80"])
def test_what_is_no_notebook_stays(folder, text):
    path = folder / "my_lessons/01_doubling.ipynb"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    (line,) = update(folder, NEW)
    assert "cannot be read as a notebook, and stays" in line and path.read_bytes() == before


def test_a_disk_that_is_full_leaves_the_learners_file(folder, monkeypatch):
    mine(folder, edited(OLD, {"1.1": DONE}))
    before = (folder / "my_lessons/01_doubling.ipynb").read_bytes()
    publish(folder.parent / "installed", NEW)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        list(copies.update_copies(folder.parent / "installed", folder))
    assert (folder / "my_lessons/01_doubling.ipynb").read_bytes() == before
    assert not (folder / "my_lessons/earlier").exists()


# --- The commands


def run(words: str, monkeypatch, capsys) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["mlm-course", *words.split()])
    ended = command.main()
    said = capsys.readouterr()
    return ended, said.out, said.err


@pytest.fixture
def elsewhere(folder, monkeypatch):
    """An empty working directory, and an installation from a wheel."""
    empty = folder.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr(copies, "shipped", lambda: folder.parent / "installed")
    return empty


def test_in_a_folder_of_something_else_the_course_gets_its_own(elsewhere, monkeypatch, capsys):
    ended, out, _ = run("start --no-lab", monkeypatch, capsys)
    copy = elsewhere / "mlm-course/my_lessons/01_doubling.ipynb"
    assert ended == 0 and copy.is_file() and str(copy.parent) in out
    ended, out, _ = run("update", monkeypatch, capsys)
    assert ended == 0 and "pip install --upgrade mlm-course" in out
    monkeypatch.chdir(copy.parents[1])  # from now on, here
    assert run("update", monkeypatch, capsys)[0] == 0
    assert run("start --no-lab", monkeypatch, capsys)[0] == 0
    assert not (elsewhere / "mlm-course/mlm-course").exists()


def test_update_makes_no_copies_where_there_are_none(elsewhere, monkeypatch, capsys):
    ended, _, err = run("update other", monkeypatch, capsys)
    assert ended == 1 and "`mlm-course start other` makes them." in err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_a_sentence(elsewhere, monkeypatch, capsys):
    elsewhere.chmod(0o500)
    ended, _, err = run("start --no-lab", monkeypatch, capsys)
    elsewhere.chmod(0o700)
    assert ended == 1 and "Permission denied" in err and err.count("\n") == 1


def test_where_a_file_is_in_the_way_it_stays(elsewhere, monkeypatch, capsys):
    (elsewhere / "mlm-course").write_text("mine")
    ended, _, err = run("start --no-lab", monkeypatch, capsys)
    assert ended == 1 and err.startswith("Your copies of the lessons could not be made. ")
    assert (elsewhere / "mlm-course").read_text() == "mine"


def test_the_lab_opens_the_first_copy_with_the_courses_settings(elsewhere, monkeypatch, capsys):
    started = []

    class Running:
        def __init__(self, line, env):
            started.append((line, env))

        __enter__ = __exit__ = lambda self, *_: self

        def wait(self):
            return 3

    monkeypatch.setattr(lab.subprocess, "Popen", Running)
    monkeypatch.setattr(lab.signal, "signal", lambda *_: None)
    monkeypatch.setenv("LAB_ARGS", "--no-browser --port=9000")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    ended, out, _ = run("start", monkeypatch, capsys)
    ((line, environment),) = started
    assert ended == 3 and "Opening JupyterLab on my_lessons/01_doubling.ipynb" in out
    assert line[:3] == [sys.executable, "-m", "jupyterlab"] and line[-1] == "--port=9000"
    assert f"--ServerApp.root_dir={elsewhere / 'mlm-course'}" in line
    assert Path(environment["PYTHONSTARTUP"]).is_file()
    mine, ours = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert mine == "/mine" and Path(ours).name == "jupyter"


def test_without_jupyterlab_the_copies_are_there_and_a_sentence(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: None)
    ended, _, err = run("start", monkeypatch, capsys)
    assert ended == 1 and 'pip install "mlm-course[lab]"' in err
    assert (elsewhere / "mlm-course/my_lessons/01_doubling.ipynb").is_file()


@pytest.mark.parametrize("home", ["a file", "none"])
def test_without_a_home_the_copies_are_there_and_a_sentence(elsewhere, home, monkeypatch, capsys):
    (elsewhere / "file").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(elsewhere / "file/x") if home == "a file" else "")
    if home == "none":
        monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("no home")))
    ended, _, err = run("start", monkeypatch, capsys)
    assert ended == 1 and err.startswith("JupyterLab cannot start: ") and "Set HOME" in err
    assert (elsewhere / "mlm-course/my_lessons/01_doubling.ipynb").is_file()


def test_a_clone_ships_what_its_wheel_would():
    assert copies.shipped() == ROOT and (ROOT / "jupyter").is_dir()
    assert copies.source_for(ROOT) == ROOT and copies.is_clone(ROOT)
