"""Notebooks as they come in: whose they are, wherever they lie, and what was left out."""

import json
import zipfile

import pytest
from handed_in import notebook, solved, store

from mlm_course.__main__ import main
from mlm_course.practice.released import Released
from mlm_course.teaching import runs
from mlm_course.teaching.grading import grade
from mlm_course.teaching.judging import Judge
from mlm_course.teaching.submissions import read_submissions


def test_zip_files_in_a_folder_are_read_too(tmp_path):
    text = json.dumps(notebook())
    (tmp_path / "Ada").mkdir()
    for name, inside in (
        ("Ada/all.zip", ["deep/04.ipynb"]),
        ("Eva_2_assignsubmission_file.zip", ["04.ipynb"]),
        ("class.zip", ["Ben/04.IPYNB", "Cem_1_assignsubmission_file/04.ipynb", "Dana\\04.ipynb"]),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for one in inside:
                archive.writestr(one, text)
    students = [one.student for one in read_submissions([tmp_path])]
    assert students == ["Ada", "Ben", "Cem", "Dana", "Eva"]


def test_two_students_files_of_one_name_stay_two_students(tmp_path):
    for name in ("Ada", "Ben"):
        store(notebook(), tmp_path / name / "04.ipynb")
    students = [one.student for one in read_submissions([tmp_path / "Ada", tmp_path / "Ben"])]
    assert students == ["Ada/04", "Ben/04"]


def test_an_exercise_left_out_costs_nobody_the_others(tmp_path):
    if reason := runs.sandbox_missing():
        pytest.skip(f"Not sandboxed here: {reason}")
    store(solved(), tmp_path / "right.ipynb")
    limits, released = runs.Limits(), Released((4,), frozenset({"4.1"}))
    (one,) = grade(read_submissions([tmp_path]), Judge(b"0" * 32, 0), limits, 1, released)
    assert [result.status for result in one.results] == ["passed"] * 6


def test_a_release_that_is_not_there_is_no_release(tmp_path, capsys, monkeypatch):
    store(notebook(), tmp_path / "one.ipynb")
    where = str(tmp_path)
    line = ["grade", where, "--to", f"{where}/g", "--released", where, "--unsafe"]
    monkeypatch.setattr("sys.argv", ["mlm-course", *line])
    assert main() == 1
    assert "There is no course_release.json" in capsys.readouterr().err
